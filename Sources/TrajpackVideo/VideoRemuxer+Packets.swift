#if Video
  import CFFmpegShims
#endif
import Glibc
import TrajpackFormat

extension VideoRemuxer {
  /// The container that packets of one are put into; `nil` where that is none of both.
  private static func muxer(_ index: VideoIndex) -> String? {
    if index.container.hasPrefix("mov") {
      // Pictures are in a mov: an mp4 has no tag for JPEG and PNG.
      return ["mjpeg", "png"].contains(index.stream.codec) ? "mov" : "mp4"
    }
    return index.container.hasPrefix("matroska") ? "matroska" : nil
  }

  /// Writes some packets of the video in `source`, and no others, as a file of its container, from the start of
  /// `descriptor` on. Times stay whole ticks of the source. What can be decoded of it is for the caller to find out.
  ///
  /// - Parameters:
  ///   - packets: The packets, by their numbers in decode order.
  ///   - start: The presentation time that becomes 0, in the source's ticks.
  /// - Returns: `false` for a container that is not written.
  /// - Throws: `.data` for a source that cannot be read; `.machine` where writing fails.
  public static func write(
    _ index: VideoIndex, of source: any VideoByteSource, packets: Set<Int>, from start: Int64,
    to descriptor: Int32
  ) throws(TrajpackError) -> Bool {
    #if Video
      guard let name = muxer(index), let last = packets.max() else { return false }
      let demuxer = try Demuxer(source)
      let file = try MuxerFile(descriptor, name)
      let (from, to) = try (demuxer.stream, file.addStream())
      try check(
        avcodec_parameters_copy(to.pointee.codecpar, from.pointee.codecpar), "the stream")
      to.pointee.time_base = from.pointee.time_base
      to.pointee.avg_frame_rate = from.pointee.avg_frame_rate
      var options: OpaquePointer?
      defer { av_dict_free(&options) }
      if name != "matroska", from.pointee.time_base.num == 1 {
        av_dict_set(&options, "video_track_timescale", "\(from.pointee.time_base.den)", 0)
      }
      tpv_log_clear()
      try check(
        avformat_write_header(try file.context, &options), "the beginning of the file")
      var number = 0
      while number <= last, try demuxer.next(), let packet = demuxer.packet {
        defer { number += 1 }
        guard packets.contains(number) else { continue }
        if packet.pointee.pts != VideoPackets.absent { packet.pointee.pts -= start }
        if packet.pointee.dts != VideoPackets.absent { packet.pointee.dts -= start }
        packet.pointee.stream_index = 0
        packet.pointee.pos = -1
        av_packet_rescale_ts(packet, from.pointee.time_base, to.pointee.time_base)
        try check(
          av_interleaved_write_frame(try file.context, packet), "packet \(number)")
      }
      try check(file.finish(), "the end of the file")
      return true
    #else
      throw .noVideo
    #endif
  }

  #if Video
    private static func check(_ code: Int32, _ what: String) throws(TrajpackError) {
      guard code < 0 else { return }
      let line = String(cString: tpv_log_line())
      throw TrajpackError(
        .machine,
        "\(what) of a part of a video cannot be written: \(line.isEmpty ? Demuxer.text(code) : line)"
      )
    }
  #endif
}
