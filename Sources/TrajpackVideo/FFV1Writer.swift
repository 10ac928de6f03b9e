#if Video
  import CFFmpegShims
#endif
import Glibc
import TrajpackFormat

/// Writes pictures as lossless FFV1 (RFC 9043) in Matroska. Owned by one thread.
///
/// The corresponding libraries are FFmpeg's libavcodec and libavformat, with no part under the GPL. Nothing of the day or the
/// machine is written: the same pictures give the same bytes.
public final class FFV1Writer {
  #if Video
    private let descriptor: Int32
    private var codec: UnsafeMutablePointer<AVCodecContext>?
    private var file: MuxerFile?
    private var picture: UnsafeMutablePointer<AVFrame>?
    private var packet: UnsafeMutablePointer<AVPacket>?
    private let timeBase: AVRational
    private let isConstant: Bool
    private let frameBytes: Int
  #endif

  /// Begins a file at the start of `descriptor`, which is open for writing and can be positioned; the caller closes it.
  ///
  /// - Parameters:
  ///   - stream: Width, height, pixel format, range and matrix of the pictures.
  ///   - gop: Every so many pictures one is a keyframe; 1 for all.
  ///   - tick: The unit of the times of pictures: seconds, numerator and denominator. The file has them to the millisecond.
  ///   - isConstant: Whether each picture is shown for one tick.
  /// - Throws: `.usage` for a pixel format that FFV1 does not have, and in a build without video.
  public init(
    _ descriptor: Int32, _ stream: VideoStream, gop: Int, tick: (Int64, Int64), isConstant: Bool
  ) throws(TrajpackError) {
    #if Video
      try FFmpeg.load()
      tpv_silence()
      self.descriptor = descriptor
      let (name, colorRange) = stream.formatWithoutRange
      let pixels = av_get_pix_fmt(name)
      let size = av_image_get_buffer_size(pixels, stream.width, stream.height, 1)
      frameBytes = Int(max(size, 0))
      guard let encoder = avcodec_find_encoder(AV_CODEC_ID_FFV1), size > 0,
        let num = Int32(exactly: tick.0), let den = Int32(exactly: tick.1), num > 0, den > 0
      else {
        throw TrajpackError(
          .usage, "this FFmpeg cannot write FFV1 of the pixel format '\(stream.pixelFormat)'")
      }
      timeBase = AVRational(num: num, den: den)
      self.isConstant = isConstant
      codec = avcodec_alloc_context3(encoder)
      picture = av_frame_alloc()
      packet = av_packet_alloc()
      guard let codec, let picture, packet != nil else { throw .noMemory }
      (codec.pointee.width, codec.pointee.height) = (stream.width, stream.height)
      codec.pointee.pix_fmt = pixels
      codec.pointee.time_base = timeBase
      codec.pointee.gop_size = Int32(gop)
      codec.pointee.level = 3
      codec.pointee.slices = 4
      codec.pointee.thread_count = 1
      codec.pointee.flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER
      let range = av_color_range_from_name(colorRange)
      if range >= 0 { codec.pointee.color_range = AVColorRange(UInt32(range)) }
      let matrix = av_color_space_from_name(stream.colorSpace)
      if matrix >= 0 { codec.pointee.colorspace = AVColorSpace(UInt32(matrix)) }
      // The range coder: a third fewer bytes than Rice codes on smooth depth.
      var options: OpaquePointer?
      for (name, value) in [("coder", "range_def"), ("context", "0"), ("slicecrc", "1")] {
        av_dict_set(&options, name, value, 0)
      }
      defer { av_dict_free(&options) }
      tpv_log_clear()
      try Self.check(avcodec_open2(codec, encoder, &options), "FFV1 of '\(stream.pixelFormat)'")
      (picture.pointee.width, picture.pointee.height) = (stream.width, stream.height)
      picture.pointee.format = pixels.rawValue
      try Self.check(av_frame_get_buffer(picture, 0), "a picture")
      try beginFile()
    #else
      throw .noVideo
    #endif
  }

  /// Adds a picture, its planes one after the other without padding, that is shown at a time, in ticks, no earlier than
  /// the one before.
  public func append(_ bytes: UnsafeRawBufferPointer, at time: Int64) throws(TrajpackError) {
    #if Video
      guard bytes.count == frameBytes, let codec, let picture else {
        throw TrajpackError(
          .usage, "a picture of \(frameBytes) bytes is due, not one of \(bytes.count)")
      }
      try Self.check(av_frame_make_writable(picture), "a picture")
      try fill(picture, bytes)
      picture.pointee.pts = time
      tpv_log_clear()
      try Self.check(avcodec_send_frame(codec, picture), "the picture at tick \(time)")
      try drain()
    #endif
  }

  /// Writes what is left, and the file's end.
  public func finish() throws(TrajpackError) {
    #if Video
      try Self.check(avcodec_send_frame(codec, nil), "the last picture")
      try drain()
      try Self.check(file?.finish() ?? 0, "the end of the file")
    #endif
  }

  #if Video
    deinit {
      avcodec_free_context(&codec)
      av_frame_free(&picture)
      av_packet_free(&packet)
    }

    private func beginFile() throws(TrajpackError) {
      let file = try MuxerFile(descriptor, "matroska")
      self.file = file
      let (format, stream) = try (file.context, file.addStream())
      stream.pointee.time_base = timeBase
      if isConstant {
        stream.pointee.avg_frame_rate = AVRational(num: timeBase.den, den: timeBase.num)
      }
      try Self.check(
        avcodec_parameters_from_context(stream.pointee.codecpar, codec), "the stream")
      try Self.check(avformat_write_header(format, nil), "the beginning of the file")
    }

    private func fill(
      _ picture: UnsafeMutablePointer<AVFrame>, _ bytes: UnsafeRawBufferPointer
    ) throws(TrajpackError) {
      var planes:
        (
          UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?,
          UnsafeMutablePointer<UInt8>?
        ) = (nil, nil, nil, nil)
      var lines: (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
      let format = AVPixelFormat(rawValue: picture.pointee.format)
      let (width, height) = (picture.pointee.width, picture.pointee.height)
      withUnsafeMutablePointer(to: &planes) { planes in
        planes.withMemoryRebound(to: UnsafeMutablePointer<UInt8>?.self, capacity: 4) { from in
          withUnsafeMutablePointer(to: &lines) { lines in
            lines.withMemoryRebound(to: Int32.self, capacity: 4) { strides in
              _ = av_image_fill_arrays(
                from, strides, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), format,
                width, height, 1)
              from.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: 4) { source in
                withUnsafeMutablePointer(to: &picture.pointee.data) { data in
                  data.withMemoryRebound(to: UnsafeMutablePointer<UInt8>?.self, capacity: 8) {
                    out in
                    withUnsafeMutablePointer(to: &picture.pointee.linesize) { outLines in
                      outLines.withMemoryRebound(to: Int32.self, capacity: 8) { outStrides in
                        av_image_copy(
                          out, outStrides, source, strides, format, width, height)
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }

    private func drain() throws(TrajpackError) {
      guard let codec, let packet, let format = try file?.context else { return }
      while true {
        let code = avcodec_receive_packet(codec, packet)
        if code == tpv_error_again() || code == tpv_error_eof() { return }
        try Self.check(code, "a packet")
        packet.pointee.duration = isConstant ? 1 : 0
        packet.pointee.stream_index = 0
        guard let stream = format.pointee.streams[0] else { return }
        av_packet_rescale_ts(packet, timeBase, stream.pointee.time_base)
        try Self.check(av_interleaved_write_frame(format, packet), "a packet")
      }
    }

    private static func check(_ code: Int32, _ what: String) throws(TrajpackError) {
      guard code < 0 else { return }
      let line = String(cString: tpv_log_line())
      throw TrajpackError(
        .machine,
        "\(what) cannot be written as FFV1: \(line.isEmpty ? Demuxer.text(code) : line)")
    }
  #endif
}
