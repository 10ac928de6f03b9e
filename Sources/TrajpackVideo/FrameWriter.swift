#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// Writes a decoded picture as a ``VideoOutput`` asks for. Owned by one thread.
  ///
  /// The corresponding C functions are `av_image_copy_to_buffer` and `sws_scale`.
  final class FrameWriter: @unchecked Sendable {
    // One thread at a time has it.
    private var scaler: OpaquePointer?
    private var scratch: UnsafeMutablePointer<AVFrame>?
    /// The part of a picture that is to be scaled, packed.
    private var cut: UnsafeMutablePointer<AVFrame>?

    deinit {
      if scaler != nil { sws_freeContext(scaler) }
      if scratch != nil { av_frame_free(&scratch) }
      if cut != nil { av_frame_free(&cut) }
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
        let isGray =
          facts.flags & UInt64(kinds) == 0 && first.plane == 0 && first.offset == 0
          && first.shift == 0 && first.depth <= 16
        throw TrajpackError(
          .usage,
          "a video of the pixel format '\(name)' has no plane of brightness of \(output == .gray8 ? "8" : "9 to 16") "
            + "bits, so it gives no '\(output.rawValue)': ask for '"
            + (isGray && first.depth == 8
              ? "gray8" : isGray && first.depth > 8 ? "gray16" : "rgb24") + "'")
      }
      return facts.flags & UInt64(AV_PIX_FMT_FLAG_BE) != 0
    }

    /// Fills `room`, which is as long as `bytes` says, with the part of a picture that lies at `place`.
    func write(
      _ frame: UnsafeMutablePointer<AVFrame>, _ stream: VideoStream, _ output: VideoOutput,
      at place: VideoOutput.Place = VideoOutput.Place(),
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
      let part = try Part(output, place, of: stream)
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
        let sample = output.format == .gray8 ? 1 : 2
        let stride = Int(frame.pointee.linesize.0)
        tpv_take_nearest(
          plane + part.top * stride + part.left * sample, stride, part.width, part.height, out,
          Int(width), Int(height), Int32(sample), isSwapped ? 1 : 0)
      case .rgb24: try colours(frame, source, part, width, height, output, into: room)
      }
      guard place.isMirrored, output.format != .native, let out = room.baseAddress else { return }
      let isInterleaved = output.format == .rgb24 && !output.isPlanar
      tpv_mirror(
        out.assumingMemoryBound(to: UInt8.self), Int(width),
        output.format == .rgb24 && output.isPlanar ? 3 * Int(height) : Int(height),
        isInterleaved ? 3 : output.format == .gray16 ? 2 : 1)
    }

    /// The part of a picture that is wanted.
    private struct Part {
      var left: Int
      var top: Int
      var width: Int
      var height: Int
      var isWhole: Bool

      /// - Throws: `.usage` where it does not lie inside the picture.
      init(_ output: VideoOutput, _ place: VideoOutput.Place, of stream: VideoStream)
        throws(TrajpackError)
      {
        (left, top) = (place.left, place.top)
        (width, height) = (Int(stream.width), Int(stream.height))
        isWhole = true
        guard let crop = output.crop else { return }
        guard left >= 0, top >= 0, crop.width > 0, crop.height > 0, left <= width - crop.width,
          top <= height - crop.height
        else {
          throw TrajpackError(
            .usage,
            "a crop of \(crop.width) × \(crop.height) pixels at (\(left), \(top)) does not lie inside the picture of "
              + "\(width) × \(height)")
        }
        isWhole = crop.width == width && crop.height == height
        (width, height) = (crop.width, crop.height)
      }
    }

    private func colours(
      _ frame: UnsafeMutablePointer<AVFrame>, _ source: AVPixelFormat, _ part: Part,
      _ width: Int32, _ height: Int32, _ output: VideoOutput,
      into room: UnsafeMutableRawBufferPointer
    ) throws(TrajpackError) {
      let isScaled = part.width != Int(width) || part.height != Int(height)
      if !isScaled, exact(frame, source, part, output.isPlanar, room.baseAddress) { return }
      if part.isWhole {
        let rgb = try converted(frame, source, width, height, output)
        return try put(rgb, part: (0, 0, width, height), output, into: room)
      }
      // A part of the picture is a part of its colours, so that a crop gives the same bytes as cutting the whole.
      let (fullWidth, fullHeight) = (frame.pointee.width, frame.pointee.height)
      guard isScaled else {
        let rgb = try converted(frame, source, fullWidth, fullHeight, output)
        return try put(
          rgb, part: (Int32(part.left), Int32(part.top), width, height), output, into: room)
      }
      let cut = try self.part(Int32(part.width), Int32(part.height))
      guard let start = cut.pointee.data.0 else { throw .noMemory }
      let packed = UnsafeMutableRawBufferPointer(start: start, count: part.width * part.height * 3)
      if !exact(frame, source, part, false, packed.baseAddress) {
        let rgb = try converted(frame, source, fullWidth, fullHeight, output)
        var side = output
        side.isPlanar = false
        try put(
          rgb,
          part: (Int32(part.left), Int32(part.top), Int32(part.width), Int32(part.height)), side,
          into: packed)
      }
      let rgb = try converted(cut, AV_PIX_FMT_RGB24, width, height, output)
      try put(rgb, part: (0, 0, width, height), output, into: room)
    }

    /// Converts 8-bit YUV of its own size by ``tpv_yuv_to_rgb``; false where that cannot.
    private func exact(
      _ frame: UnsafeMutablePointer<AVFrame>, _ source: AVPixelFormat, _ part: Part,
      _ isPlanar: Bool, _ out: UnsafeMutableRawPointer?
    ) -> Bool {
      let halves: (x: Int32, y: Int32)
      switch source {
      case AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P: halves = (1, 1)
      case AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUVJ422P: halves = (1, 0)
      case AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUVJ444P: halves = (0, 0)
      case AV_PIX_FMT_YUV440P, AV_PIX_FMT_YUVJ440P: halves = (0, 1)
      default: return false
      }
      let (width, height) = (Int(frame.pointee.width), Int(frame.pointee.height))
      // swscale takes other filters where a plane of chroma has fewer than four samples, or an odd picture's half.
      guard halves.x == 0 || width % 2 == 0 && width >= 8,
        halves.y == 0 || height % 2 == 0 && height >= 8, let out, let luma = frame.pointee.data.0,
        let u = frame.pointee.data.1, let v = frame.pointee.data.2
      else { return false }
      var picture = tpv_yuv_picture()
      picture.luma = UnsafePointer(luma)
      picture.chroma = (UnsafePointer(u), UnsafePointer(v))
      picture.luma_stride = Int(frame.pointee.linesize.0)
      picture.chroma_stride = (Int(frame.pointee.linesize.1), Int(frame.pointee.linesize.2))
      (picture.width, picture.height) = (width, height)
      (picture.left, picture.top) = (part.left, part.top)
      (picture.out_width, picture.out_height) = (part.width, part.height)
      (picture.sub_x, picture.sub_y) = halves
      let isFull = frame.pointee.color_range == AVCOL_RANGE_JPEG
      tpv_yuv_to_rgb(
        &picture,
        tpv_rgb_matrix_make(sws_getCoefficients(Self.matrix(frame.pointee)), isFull ? 1 : 0),
        isPlanar ? 1 : 0, out.assumingMemoryBound(to: UInt8.self))
      return true
    }

    /// The picture as RGB of a size, by swscale.
    private func converted(
      _ frame: UnsafeMutablePointer<AVFrame>, _ source: AVPixelFormat, _ width: Int32,
      _ height: Int32, _ output: VideoOutput
    ) throws(TrajpackError) -> UnsafeMutablePointer<AVFrame> {
      let wanted = AV_PIX_FMT_RGB24
      if source == wanted, width == frame.pointee.width, height == frame.pointee.height {
        return frame
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
      return scaled
    }

    /// Copies a part (left, top, width, height) of an RGB picture, side by side or as three planes.
    private func put(
      _ frame: UnsafeMutablePointer<AVFrame>,
      part: (left: Int32, top: Int32, width: Int32, height: Int32), _ output: VideoOutput,
      into room: UnsafeMutableRawBufferPointer
    ) throws(TrajpackError) {
      guard let data = frame.pointee.data.0, let out = room.baseAddress else { return }
      let stride = Int(frame.pointee.linesize.0)
      let from = data + Int(part.top) * stride + Int(part.left) * 3
      let row = Int(part.width) * 3
      guard room.count >= row * Int(part.height) else {
        throw TrajpackError(.data, "the picture cannot be copied")
      }
      if output.isPlanar {
        tpv_split_rgb(
          from, stride, Int(part.width), Int(part.height), out.assumingMemoryBound(to: UInt8.self))
      } else {
        for y in 0..<Int(part.height) {
          (out + y * row).copyMemory(from: from + y * stride, byteCount: row)
        }
      }
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

    /// A packed RGB picture to cut a part into, with room after it for whole vectors.
    private func part(_ width: Int32, _ height: Int32)
      throws(TrajpackError) -> UnsafeMutablePointer<AVFrame>
    {
      if let cut, cut.pointee.width == width, cut.pointee.height == height { return cut }
      av_frame_free(&cut)
      cut = av_frame_alloc()
      guard let cut else { throw .noMemory }
      cut.pointee.format = AV_PIX_FMT_RGB24.rawValue
      cut.pointee.width = width
      cut.pointee.height = height
      let bytes = Int(width) * Int(height) * 3 + 64
      guard let buffer = av_buffer_alloc(bytes) else { throw .noMemory }
      cut.pointee.buf.0 = buffer
      cut.pointee.data.0 = buffer.pointee.data
      cut.pointee.linesize.0 = width * 3
      return cut
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
      sws_setColorspaceDetails(
        scaler, sws_getCoefficients(Self.matrix(frame)), isFull ? 1 : 0,
        sws_getCoefficients(SWS_CS_DEFAULT), 1,
        0, 1 << 16, 1 << 16)
    }

    /// swscale's number of the matrix that a picture states.
    private static func matrix(_ frame: AVFrame) -> Int32 {
      frame.colorspace == AVCOL_SPC_UNSPECIFIED || frame.colorspace == AVCOL_SPC_RGB
        ? SWS_CS_DEFAULT : Int32(frame.colorspace.rawValue)
    }

    private static func size(_ output: VideoOutput, of stream: VideoStream)
      throws(TrajpackError) -> (Int32, Int32)
    {
      if let crop = output.crop {
        guard output.format != .native else {
          throw TrajpackError(
            .usage, "native frames are not cropped: ask for 'gray8', 'gray16' or 'rgb24'")
        }
        guard crop.width > 0, crop.height > 0, crop.width <= stream.width,
          crop.height <= stream.height
        else {
          throw TrajpackError(
            .usage,
            "a crop of \(crop.width) × \(crop.height) pixels does not fit into frames of \(stream.width) × "
              + "\(stream.height)")
        }
      }
      let width = output.width ?? output.crop?.width ?? Int(stream.width)
      let height = output.height ?? output.crop?.height ?? Int(stream.height)
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
