import TrajpackFormat

/// A picture file (PNG, JPEG) as the packet of a video.
public enum PictureFile {
  /// What a picture says of a stream of pictures like it.
  ///
  /// - Parameters:
  ///   - codec: libavcodec's name, `png` or `mjpeg`.
  ///   - width: What its head says; more is not decoded.
  ///   - height: The same.
  /// - Throws: A data error where it cannot be decoded; `.machine` where FFmpeg is missing.
  public static func stream(
    of file: [UInt8], codec: String, width: Int, height: Int
  ) throws(TrajpackError) -> VideoStream {
    #if Video
      try PictureDecoder.stream(of: file, codec: codec, width: width, height: height)
    #else
      throw .noVideo
    #endif
  }
}

#if Video
  import CFFmpegShims

  private enum PictureDecoder {
    static func stream(
      of file: [UInt8], codec: String, width: Int, height: Int
    ) throws(TrajpackError) -> VideoStream {
      var stream = VideoStream()
      stream.codec = codec
      (stream.width, stream.height) = (Int32(clamping: width), Int32(clamping: height))
      let context = try CodecContext(stream, reorderDepth: 0)
      try context.open(threads: 1)
      guard let size = Int32(exactly: file.count), size > 0,
        av_new_packet(context.packet, size) >= 0, let data = context.packet.pointee.data
      else { throw .noMemory }
      UnsafeMutableRawBufferPointer(start: data, count: file.count).copyBytes(from: file)
      tpv_log_clear()
      var code = context.send(context.packet)
      if code >= 0 { code = context.send(nil) }
      if code >= 0 { code = context.receive() }
      guard code >= 0 else {
        let line = String(cString: tpv_log_line())
        throw TrajpackError(
          .data, "a picture cannot be decoded: \(line.isEmpty ? Demuxer.text(code) : line)")
      }
      let frame = context.frame.pointee
      (stream.width, stream.height) = (frame.width, frame.height)
      let pixels = AVPixelFormat(rawValue: frame.format)
      guard let facts = av_pix_fmt_desc_get(pixels), let name = facts.pointee.name else {
        throw TrajpackError(.data, "a picture has an unknown pixel format")
      }
      stream.pixelFormat = String(cString: name)
      stream.bitsPerComponent = facts.pointee.comp.0.depth
      stream.colorRange =
        av_color_range_name(frame.color_range).map { String(cString: $0) } ?? "unknown"
      stream.colorSpace =
        av_color_space_name(frame.colorspace).map { String(cString: $0) } ?? "unknown"
      return stream
    }
  }
#endif
