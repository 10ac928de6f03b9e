#if Video
  import CFFmpegShims
#endif
import Glibc
import TrajpackFormat

/// Copies packets of a video into a file of their own, without decoding them. Nothing of the day or the machine is
/// written: the same packets give the same bytes.
///
/// The corresponding library is FFmpeg's libavformat (`ffmpeg -c copy`).
public enum VideoRemuxer {
  /// The containers that are written; `nil` stands for all others.
  static func muxer(_ container: String) -> String? {
    if container.hasPrefix("mov") { return "mp4" }
    return container.hasPrefix("matroska") ? "matroska" : nil
  }

  /// Writes some packets of the video in `source` as a file of its container, from the start of `descriptor` on.
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
      guard let name = muxer(index.container), let last = packets.max() else { return false }
      let demuxer = try Demuxer(source)
      var format: UnsafeMutablePointer<AVFormatContext>?
      try check(avformat_alloc_output_context2(&format, nil, name, nil), "a file of \(name)")
      var io = VideoOutputFile.open(descriptor)
      defer {
        avformat_free_context(format)
        VideoOutputFile.close(&io)
      }
      guard let format, io != nil, let stream = avformat_new_stream(format, nil) else {
        throw .noMemory
      }
      let old = try demuxer.stream
      format.pointee.pb = io
      format.pointee.flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO
      try check(
        avcodec_parameters_copy(stream.pointee.codecpar, old.pointee.codecpar), "the stream")
      stream.pointee.time_base = old.pointee.time_base
      stream.pointee.avg_frame_rate = old.pointee.avg_frame_rate
      var options: OpaquePointer?
      defer { av_dict_free(&options) }
      if name == "mp4", old.pointee.time_base.num == 1 {
        // Times stay whole ticks.
        av_dict_set(&options, "video_track_timescale", "\(old.pointee.time_base.den)", 0)
      }
      tpv_log_clear()
      try check(avformat_write_header(format, &options), "the beginning of the file")
      var number = 0
      while number <= last, try demuxer.next(), let packet = demuxer.packet {
        defer { number += 1 }
        guard packets.contains(number) else { continue }
        let absent = VideoPackets.absent
        if packet.pointee.pts != absent { packet.pointee.pts -= start }
        if packet.pointee.dts != absent { packet.pointee.dts -= start }
        packet.pointee.stream_index = 0
        packet.pointee.pos = -1
        guard let new = format.pointee.streams[0] else { return false }
        av_packet_rescale_ts(packet, old.pointee.time_base, new.pointee.time_base)
        try check(av_interleaved_write_frame(format, packet), "packet \(number)")
      }
      try check(av_write_trailer(format), "the end of the file")
      avio_flush(io)
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
