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
      sws_freeContext(scaler)
      av_frame_free(&scratch)
    }

    /// Bytes of one frame.
    static func bytes(_ output: VideoOutput, of stream: VideoStream) throws(TrajpackError) -> Int {
      let (width, height) = try size(output, of: stream)
      guard let format = pixels(output.format, of: stream), format != AV_PIX_FMT_NONE else {
        throw TrajpackError(.usage, "the pixel format \(stream.pixelFormat) is unknown")
      }
      let bytes = av_image_get_buffer_size(format, width, height, 1)
      guard bytes > 0 else {
        throw TrajpackError(.usage, "no frame of \(width) × \(height) pixels can be made")
      }
      return Int(bytes)
    }

    /// Fills `room`, which is as long as `bytes` says.
    func write(
      _ frame: UnsafeMutablePointer<AVFrame>, _ stream: VideoStream, _ output: VideoOutput,
      into room: UnsafeMutableRawBufferPointer
    ) throws(TrajpackError) {
      let source = AVPixelFormat(rawValue: frame.pointee.format)
      guard frame.pointee.width == stream.width, frame.pointee.height == stream.height else {
        throw TrajpackError(
          .data,
          "frame \(frame.pointee.pts) is \(frame.pointee.width) × \(frame.pointee.height) "
            + "pixels, the stream \(stream.width) × \(stream.height)")
      }
      let (width, height) = try Self.size(output, of: stream)
      guard let wanted = Self.pixels(output.format, of: stream) else { return }
      if source == wanted, width == stream.width, height == stream.height {
        return try copy(frame, wanted, into: room)
      }
      guard output.format != .native else {
        throw TrajpackError(
          .data, "frame \(frame.pointee.pts) has another pixel format than \(stream.pixelFormat)")
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
                      sws_scale(scaler, planes, strides, 0, stream.height, into, outStrides)
                    }
                  }
                }
              }
            }
          }
        }
      }
      guard rows == height else {
        throw TrajpackError(.data, "frame \(frame.pointee.pts) cannot be converted")
      }
      try copy(scaled, wanted, into: room)
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
        throw TrajpackError(.data, "frame \(frame.pointee.pts) cannot be copied")
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
          .usage, "this pixel format cannot be converted: ask for native frames instead")
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
        throw TrajpackError(.usage, "native frames are not scaled: ask for gray8 or rgb24")
      }
      return (Int32(width), Int32(height))
    }

    private static func pixels(_ format: VideoOutput.Format, of stream: VideoStream)
      -> AVPixelFormat?
    {
      switch format {
      case .gray8: AV_PIX_FMT_GRAY8
      case .rgb24: AV_PIX_FMT_RGB24
      case .native: av_get_pix_fmt(stream.pixelFormat)
      }
    }
  }
#endif
