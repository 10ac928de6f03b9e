#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// Writes a decoded picture as a ``VideoOutput`` asks for. Owned by one thread.
  ///
  /// The corresponding C functions are `av_image_copy_to_buffer` and `sws_scale`.
  final class FrameWriter {
    private var scaler: OpaquePointer?
    private var scratch: UnsafeMutablePointer<AVFrame>?

    deinit {
      if scaler != nil { sws_freeContext(scaler) }
      if scratch != nil { av_frame_free(&scratch) }
    }

    /// Bytes of one frame.
    static func bytes(_ output: VideoOutput, of stream: VideoStream) throws(TrajpackError) -> Int {
      let (width, height) = try size(output, of: stream)
      try FFmpeg.load()
      let format = av_get_pix_fmt(stream.pixelFormat)
      switch output.format {
      case .rgb24: return Int(width) * Int(height) * 3
      case .gray8, .gray16:
        _ = try brightness(format, output.format)
        return Int(width) * Int(height) * (output.format == .gray8 ? 1 : 2)
      case .native:
        guard format != AV_PIX_FMT_NONE else {
          throw TrajpackError(.usage, "the pixel format '\(stream.pixelFormat)' is unknown")
        }
        let bytes = av_image_get_buffer_size(format, width, height, 1)
        guard bytes > 0 else {
          throw TrajpackError(.usage, "no frame of \(width) × \(height) pixels can be made")
        }
        return Int(bytes)
      }
    }

    /// What frames of a stream are unless somebody says otherwise: gray where they have nothing but brightness.
    static func usual(of stream: VideoStream) throws(TrajpackError) -> VideoOutput.Format {
      try FFmpeg.load()
      let format = av_get_pix_fmt(stream.pixelFormat)
      guard let facts = av_pix_fmt_desc_get(format), facts.pointee.nb_components == 1 else {
        return .rgb24
      }
      for gray in [VideoOutput.Format.gray8, .gray16]
      where (try? brightness(format, gray)) != nil { return gray }
      return .rgb24
    }

    /// Whether the first plane of a pixel format, which holds its brightness, is of the other byte order.
    ///
    /// - Throws: `.usage` where it is no plane of samples of that width.
    private static func brightness(
      _ format: AVPixelFormat, _ output: VideoOutput.Format
    ) throws(TrajpackError) -> Bool {
      let name = av_get_pix_fmt_name(format).map { String(cString: $0) } ?? "unknown"
      let bytes: Int32 = output == .gray8 ? 1 : 2
      guard let facts = av_pix_fmt_desc_get(format)?.pointee else {
        throw TrajpackError(.usage, "the pixel format '\(name)' is unknown")
      }
      let first = facts.comp.0
      let kinds =
        AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM
        | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER
      guard facts.flags & UInt64(kinds) == 0, first.plane == 0, first.offset == 0, first.shift == 0,
        first.step == bytes, output == .gray8 ? first.depth == 8 : (9...16).contains(first.depth)
      else {
        throw TrajpackError(
          .usage,
          "a video of the pixel format '\(name)' has no plane of brightness of \(output == .gray8 ? "8" : "9 to 16") "
            + "bits, so it gives no '\(output.rawValue)': ask for 'rgb24' or 'native'")
      }
      return facts.flags & UInt64(AV_PIX_FMT_FLAG_BE) != 0
    }

    /// Fills `room`, which is as long as `bytes` says.
    func write(
      _ frame: UnsafeMutablePointer<AVFrame>, _ stream: VideoStream, _ output: VideoOutput,
      into room: UnsafeMutableRawBufferPointer
    ) throws(TrajpackError) {
      guard frame.pointee.width == stream.width, frame.pointee.height == stream.height else {
        throw TrajpackError(
          .data,
          "the picture is \(frame.pointee.width) × \(frame.pointee.height) pixels and the stream "
            + "\(stream.width) × \(stream.height): a video that changes its size has no frames of one shape"
        )
      }
      let source = AVPixelFormat(rawValue: frame.pointee.format)
      let (width, height) = try Self.size(output, of: stream)
      switch output.format {
      case .native:
        guard source == av_get_pix_fmt(stream.pixelFormat) else {
          throw TrajpackError(
            .data, "the picture has another pixel format than the stream's \(stream.pixelFormat)")
        }
        try copy(frame, source, into: room)
      case .gray8, .gray16:
        let isSwapped = try Self.brightness(source, output.format)
        guard let plane = frame.pointee.data.0, let out = room.baseAddress else { return }
        tpv_take_nearest(
          plane, Int(frame.pointee.linesize.0), Int(stream.width), Int(stream.height), out,
          Int(width), Int(height), output.format == .gray8 ? 1 : 2, isSwapped ? 1 : 0)
      case .rgb24: try colours(frame, source, width, height, output, into: room)
      }
    }

    private func colours(
      _ frame: UnsafeMutablePointer<AVFrame>, _ source: AVPixelFormat, _ width: Int32,
      _ height: Int32, _ output: VideoOutput, into room: UnsafeMutableRawBufferPointer
    ) throws(TrajpackError) {
      let wanted = AV_PIX_FMT_RGB24
      if source == wanted, width == frame.pointee.width, height == frame.pointee.height {
        return try put(frame, width, height, output, into: room)
      }
      let scaled = try target(wanted, width, height)
      try prepare(frame.pointee, source, wanted, width, height, output.scaling)
      let rows = withUnsafePointer(to: &frame.pointee.data) { data in
        data.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: 8) { planes in
          withUnsafePointer(to: &frame.pointee.linesize) { lines in
            lines.withMemoryRebound(to: Int32.self, capacity: 8) { strides in
              withUnsafePointer(to: &scaled.pointee.data) { out in
                out.withMemoryRebound(to: UnsafeMutablePointer<UInt8>?.self, capacity: 8) { into in
                  withUnsafePointer(to: &scaled.pointee.linesize) { outLines in
                    outLines.withMemoryRebound(to: Int32.self, capacity: 8) { outStrides in
                      sws_scale(
                        scaler, planes, strides, 0, frame.pointee.height, into, outStrides)
                    }
                  }
                }
              }
            }
          }
        }
      }
      guard rows == height else {
        throw TrajpackError(.data, "the picture cannot be converted")
      }
      try put(scaled, width, height, output, into: room)
    }

    /// Copies an RGB picture, side by side or as three planes.
    private func put(
      _ frame: UnsafeMutablePointer<AVFrame>, _ width: Int32, _ height: Int32,
      _ output: VideoOutput, into room: UnsafeMutableRawBufferPointer
    ) throws(TrajpackError) {
      guard output.isPlanar else { return try copy(frame, AV_PIX_FMT_RGB24, into: room) }
      guard let from = frame.pointee.data.0, let out = room.baseAddress else { return }
      tpv_split_rgb(
        from, Int(frame.pointee.linesize.0), Int(width), Int(height),
        out.assumingMemoryBound(to: UInt8.self))
    }

    private func copy(
      _ frame: UnsafeMutablePointer<AVFrame>, _ format: AVPixelFormat,
      into room: UnsafeMutableRawBufferPointer
    ) throws(TrajpackError) {
      let copied = withUnsafePointer(to: &frame.pointee.data) { data in
        data.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: 8) { planes in
          withUnsafePointer(to: &frame.pointee.linesize) { lines in
            lines.withMemoryRebound(to: Int32.self, capacity: 8) { strides in
              av_image_copy_to_buffer(
                room.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(clamping: room.count),
                planes, strides, format, frame.pointee.width, frame.pointee.height, 1)
            }
          }
        }
      }
      guard Int(copied) == room.count else {
        throw TrajpackError(.data, "the picture cannot be copied")
      }
    }

    /// A padded picture to scale into: swscale may write whole vectors past the end of a row.
    private func target(_ format: AVPixelFormat, _ width: Int32, _ height: Int32)
      throws(TrajpackError) -> UnsafeMutablePointer<AVFrame>
    {
      if let scratch, scratch.pointee.format == format.rawValue, scratch.pointee.width == width,
        scratch.pointee.height == height
      {
        return scratch
      }
      av_frame_free(&scratch)
      scratch = av_frame_alloc()
      guard let scratch else { throw .noMemory }
      scratch.pointee.format = format.rawValue
      scratch.pointee.width = width
      scratch.pointee.height = height
      guard av_frame_get_buffer(scratch, 64) >= 0 else { throw .noMemory }
      return scratch
    }

    private func prepare(
      _ frame: AVFrame, _ source: AVPixelFormat, _ wanted: AVPixelFormat, _ width: Int32,
      _ height: Int32, _ scaling: VideoOutput.Scaling
    ) throws(TrajpackError) {
      let filter: Int32 =
        switch scaling {
        case .nearest: SWS_POINT
        case .bilinear: SWS_BILINEAR
        case .area: SWS_AREA
        }
      // The same numbers on every processor, and full chroma.
      let exact = SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT
      scaler = sws_getCachedContext(
        scaler, frame.width, frame.height, source, width, height, wanted, filter | exact, nil, nil,
        nil)
      guard let scaler else {
        throw TrajpackError(
          .usage, "this pixel format cannot be converted: ask for 'native' frames instead")
      }
      let isGray = av_pix_fmt_desc_get(source).map { $0.pointee.nb_components <= 2 } ?? false
      let isFull = isGray || frame.color_range == AVCOL_RANGE_JPEG
      let matrix: Int32 =
        frame.colorspace == AVCOL_SPC_UNSPECIFIED || frame.colorspace == AVCOL_SPC_RGB
        ? SWS_CS_DEFAULT : Int32(frame.colorspace.rawValue)
      sws_setColorspaceDetails(
        scaler, sws_getCoefficients(matrix), isFull ? 1 : 0, sws_getCoefficients(SWS_CS_DEFAULT), 1,
        0, 1 << 16, 1 << 16)
    }

    private static func size(_ output: VideoOutput, of stream: VideoStream)
      throws(TrajpackError) -> (Int32, Int32)
    {
      let width = output.width ?? Int(stream.width)
      let height = output.height ?? Int(stream.height)
      guard (1...1 << 15).contains(width), (1...1 << 15).contains(height) else {
        throw TrajpackError(.usage, "\(width) × \(height) is no size of a frame")
      }
      if output.format == .native, width != Int(stream.width) || height != Int(stream.height) {
        throw TrajpackError(
          .usage, "native frames are not scaled: ask for 'gray8', 'gray16' or 'rgb24'")
      }
      return (Int32(width), Int32(height))
    }
  }
#endif
