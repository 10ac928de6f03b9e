#if Video
  import CFFmpegShims
#endif
import Glibc
import TrajpackFormat

/// Puts packets of a video into another container, bit for bit: nothing is decoded or encoded.
///
/// The corresponding library is FFmpeg's libavformat.
public enum VideoRemuxer {
  /// Writes frames of the video in `source` as an mp4 at the start of `descriptor`.
  ///
  /// Packets before the first frame that it needs are in the file, too, hidden by an edit list; so are those behind the last
  /// one that others refer to. What was written is read back: the frames shown and their packets must be those of the source.
  ///
  /// - Parameters:
  ///   - frames: Which, in the order of presentation.
  ///   - output: Opens what was written, to read it.
  /// - Throws: A usage error where the codec has no place in an mp4 or where the frames cannot be cut without encoding them
  ///   anew; a data error where the source is damaged.
  public static func writeMP4(
    _ source: any VideoByteSource, frames: Range<Int>, to descriptor: Int32,
    output: () throws(TrajpackError) -> any VideoByteSource
  ) throws(TrajpackError) {
    #if Video
      var hashes: [UInt32] = []
      let index = try VideoFile.index(source) { (packet) throws(TrajpackError) in
        hashes.append(checksum(packet.payload))
      }
      let order = try VideoOrder(index.packets)
      guard frames.lowerBound >= 0, frames.upperBound <= order.frameCount, !frames.isEmpty else {
        throw TrajpackError(
          .usage, "\(source.name): has \(order.frameCount) frames, so there are no frames \(frames)"
        )
      }
      let packets = try packets(index, order, frames, source.name)
      try write(source, index, order, packets, frames, to: descriptor)
      var found: [UInt32] = []
      let written = try VideoFile.index(output()) { (packet) throws(TrajpackError) in
        found.append(checksum(packet.payload))
      }
      let own = try VideoOrder(written.packets)
      guard own.frameCount == frames.count,
        zip(frames, own.packetOfFrame).allSatisfy({
          hashes[Int(order.packetOfFrame[$0])] == found[Int($1)]
        })
      else {
        throw TrajpackError(
          .usage,
          "\(source.name): frames \(frames.lowerBound):\(frames.upperBound) cannot be an mp4 of their own without encoding them "
            + "anew (\(own.frameCount) frames would be shown): end at a frame that no later one precedes, such as \(goodEnd(order, frames.upperBound)), or take --to png"
        )
      }
    #else
      throw .noVideo
    #endif
  }

  #if Video
    private static func checksum(_ payload: UnsafeRawBufferPointer) -> UInt32 {
      av_crc(
        av_crc_get_table(AV_CRC_32_IEEE_LE), 0,
        payload.baseAddress?.assumingMemoryBound(to: UInt8.self), payload.count)
    }

    /// The first end from `end` on at which all packets before it show frames before it.
    private static func goodEnd(_ order: VideoOrder, _ end: Int) -> Int {
      (end...order.frameCount).first { end in
        let last = order.packetOfFrame[..<end].suffix(64).max() ?? 0
        return order.frameOfPacket[...Int(last)].suffix(128).allSatisfy { $0 < Int32(end) }
      } ?? order.frameCount
    }

    private static func packets(
      _ index: VideoIndex, _ order: VideoOrder, _ frames: Range<Int>, _ name: String
    ) throws(TrajpackError) -> Range<Int> {
      let numbers = order.packetOfFrame[frames].map { Int($0) }
      guard let least = numbers.min(), let last = numbers.max() else { return 0..<0 }
      let first = (0...least).last { packet in
        let flags = index.packets.flags[packet]
        let frame = order.frameOfPacket[packet]
        return flags.contains(.keyframe) && !flags.contains(.gradual) && frame >= 0
          && Int(frame) <= frames.lowerBound
      }
      guard let first else {
        throw TrajpackError(
          .data, "\(name): no keyframe lies before frame \(frames.lowerBound), so it cannot be cut")
      }
      // Whole videos keep what lies around them.
      return frames == 0..<order.frameCount ? 0..<index.packets.count : first..<last + 1
    }

    private static func write(
      _ source: any VideoByteSource, _ index: VideoIndex, _ order: VideoOrder,
      _ packets: Range<Int>, _ frames: Range<Int>, to descriptor: Int32
    ) throws(TrajpackError) {
      let demuxer = try Demuxer(source)
      let file = try MuxerFile(descriptor, "mp4")
      let (from, to) = try (demuxer.stream, file.addStream())
      try check(avcodec_parameters_copy(to.pointee.codecpar, from.pointee.codecpar), index, source)
      to.pointee.codecpar.pointee.codec_tag = 0
      to.pointee.time_base = from.pointee.time_base
      to.pointee.avg_frame_rate = from.pointee.avg_frame_rate
      to.pointee.sample_aspect_ratio = from.pointee.sample_aspect_ratio
      var bytes = 0
      if let matrix = av_stream_get_side_data(from, AV_PKT_DATA_DISPLAYMATRIX, &bytes),
        let copy = av_stream_new_side_data(to, AV_PKT_DATA_DISPLAYMATRIX, bytes)
      {
        copy.update(from: matrix, count: bytes)
      }
      tpv_log_clear()
      try check(avformat_write_header(try file.context, nil), index, source)
      // The first frame is at 0: what comes before it is hidden.
      let start = index.packets.pts[Int(order.packetOfFrame[frames.lowerBound])]
      var number = 0
      while try demuxer.next(), number < packets.upperBound {
        defer { number += 1 }
        guard packets.contains(number), let packet = demuxer.packet else { continue }
        let frame = Int(order.frameOfPacket[number])
        packet.pointee.flags &= ~tpv_flag_discard()
        if !frames.contains(frame) { packet.pointee.flags |= tpv_flag_discard() }
        packet.pointee.stream_index = 0
        packet.pointee.pos = -1
        if packet.pointee.pts != VideoPackets.absent { packet.pointee.pts -= start }
        if packet.pointee.dts != VideoPackets.absent { packet.pointee.dts -= start }
        av_packet_rescale_ts(packet, from.pointee.time_base, to.pointee.time_base)
        try check(av_interleaved_write_frame(try file.context, packet), index, source)
      }
      try check(file.finish(), index, source)
      // Packets behind the last frame that others refer to are shown unless the edit list ends before them.
      guard order.frameOfPacket[packets].contains(where: { $0 >= Int32(frames.upperBound) }) else {
        return
      }
      let last = index.packets.pts[Int(order.packetOfFrame[frames.upperBound])]
      let base = from.pointee.time_base
      try EditList.end(
        descriptor, after: Double(last - start) * Double(base.num) / Double(base.den))
    }

    private static func check(
      _ code: Int32, _ index: VideoIndex, _ source: any VideoByteSource
    ) throws(TrajpackError) {
      guard code < 0 else { return }
      let line = String(cString: tpv_log_line())
      throw TrajpackError(
        .usage,
        "\(source.name): \(index.stream.codec) cannot be put into an mp4 (\(line.isEmpty ? Demuxer.text(code) : line)): take --to "
          + "png, or store the video in another way by 'trajpack transcode' before")
    }
  #endif
}
