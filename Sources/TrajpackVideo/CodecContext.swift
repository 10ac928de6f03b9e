#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// An `AVCodecContext` with its packet and picture.
  final class CodecContext {
    /// The picture that `receive` filled last.
    let frame: UnsafeMutablePointer<AVFrame>
    /// A packet for the caller to fill and `send`.
    let packet: UnsafeMutablePointer<AVPacket>
    private let stream: VideoStream
    private let reorderDepth: Int
    /// Whether others keep its pictures.
    private let lends: Bool
    private let codec: UnsafePointer<AVCodec>
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private var threads = 0

    init(_ stream: VideoStream, reorderDepth: Int, lends: Bool = false) throws(TrajpackError) {
      try FFmpeg.load()
      tpv_silence()
      guard let descriptor = avcodec_descriptor_get_by_name(stream.codec),
        descriptor.pointee.type == AVMEDIA_TYPE_VIDEO,
        let codec = avcodec_find_decoder(descriptor.pointee.id)
      else {
        throw TrajpackError(.usage, "no decoder for the codec \(stream.codec) is installed")
      }
      guard stream.width > 0, stream.height > 0, stream.width <= 1 << 15, stream.height <= 1 << 15
      else {
        throw TrajpackError(
          .data, "\(stream.width) × \(stream.height) is no size of a picture that can be decoded")
      }
      guard let frame = av_frame_alloc() else { throw .noMemory }
      guard let packet = av_packet_alloc() else {
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&frame)
        throw .noMemory
      }
      self.stream = stream
      self.reorderDepth = reorderDepth
      self.lends = lends
      self.codec = codec
      self.frame = frame
      self.packet = packet
    }

    deinit {
      var frame: UnsafeMutablePointer<AVFrame>? = frame
      var packet: UnsafeMutablePointer<AVPacket>? = packet
      av_frame_free(&frame)
      av_packet_free(&packet)
      avcodec_free_context(&context)
    }

    /// Opens the codec anew, unless it is open with this many threads.
    func open(threads: Int) throws(TrajpackError) {
      if context != nil, threads == self.threads { return }
      avcodec_free_context(&context)
      context = avcodec_alloc_context3(codec)
      guard let context else { throw .noMemory }
      context.pointee.codec_tag = stream.codecTag
      context.pointee.profile = stream.profile
      context.pointee.level = stream.level
      context.pointee.width = stream.width
      context.pointee.height = stream.height
      context.pointee.pix_fmt = av_get_pix_fmt(stream.pixelFormat)
      context.pointee.bits_per_coded_sample = stream.bitsPerCodedSample
      // What the container says of colours, where the bits themselves say nothing (-22 for an unknown name).
      let range = av_color_range_from_name(stream.colorRange)
      if range >= 0 { context.pointee.color_range = AVColorRange(UInt32(range)) }
      let matrix = av_color_space_from_name(stream.colorSpace)
      if matrix >= 0 { context.pointee.colorspace = AVColorSpace(UInt32(matrix)) }
      // Coded pictures are larger than shown ones by less than two blocks.
      context.pointee.max_pixels = (Int64(stream.width) + 256) * (Int64(stream.height) + 256)
      context.pointee.has_b_frames = Int32(min(reorderDepth, 16))
      // No more than asked for: with one thread more than processors, reading in order took 10 to 18 % longer.
      context.pointee.thread_count = Int32(threads)
      context.pointee.thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE
      context.pointee.err_recognition = tpv_strict_decoding()
      if !stream.extradata.isEmpty {
        let padded = stream.extradata.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)
        guard let copy = av_mallocz(padded) else { throw .noMemory }
        copy.copyMemory(from: stream.extradata, byteCount: stream.extradata.count)
        context.pointee.extradata = copy.assumingMemoryBound(to: UInt8.self)
        context.pointee.extradata_size = Int32(stream.extradata.count)
      }
      if lends { tpv_allocate_pictures(context) }
      tpv_log_clear()
      let code = avcodec_open2(context, codec, nil)
      guard code >= 0 else {
        let line = String(cString: tpv_log_line())
        throw TrajpackError(
          .data,
          "the decoder for \(stream.codec) refuses the stream's parameters: "
            + (line.isEmpty ? Demuxer.text(code) : line))
      }
      self.threads = threads
    }

    /// Forgets all pictures (`avcodec_flush_buffers`).
    func flush() {
      if let context { avcodec_flush_buffers(context) }
    }

    /// `avcodec_send_packet`; nil ends the stream. The packet's payload is let go.
    func send(_ packet: UnsafeMutablePointer<AVPacket>?) -> Int32 {
      defer { av_packet_unref(self.packet) }
      return avcodec_send_packet(context, packet)
    }

    /// `avcodec_receive_frame` into `frame`.
    func receive() -> Int32 {
      let code = avcodec_receive_frame(context, frame)
      if isMonochrome, code >= 0,
        [AV_PIX_FMT_YUV420P.rawValue, AV_PIX_FMT_YUVJ420P.rawValue].contains(frame.pointee.format)
      {
        frame.pointee.format = AV_PIX_FMT_GRAY8.rawValue
        (frame.pointee.data.1, frame.pointee.data.2) = (nil, nil)
        (frame.pointee.linesize.1, frame.pointee.linesize.2) = (0, 0)
      }
      return code
    }

    /// Whether libavcodec adds planes of chroma to pictures that have none.
    private var isMonochrome: Bool { stream.codec == "h264" && stream.pixelFormat == "gray" }
  }
#endif
