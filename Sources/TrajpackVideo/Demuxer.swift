#if Video
  import CFFmpegShims
  import Glibc
  import TrajpackFormat

  /// The bytes behind an `AVIOContext`, with the error that its callbacks cannot return.
  final class DemuxerInput {
    let source: any VideoByteSource
    var position: Int64 = 0
    var failure: TrajpackError?

    init(_ source: any VideoByteSource) { self.source = source }
  }

  /// libavformat over a byte source. Owned by one thread.
  ///
  /// The corresponding C functions are `avformat_open_input`, `avformat_find_stream_info` and
  /// `av_read_frame`.
  final class Demuxer {
    private let input: DemuxerInput
    private var io: UnsafeMutablePointer<AVIOContext>?
    private(set) var format: UnsafeMutablePointer<AVFormatContext>?
    private(set) var packet: UnsafeMutablePointer<AVPacket>?
    /// The first video stream that is no cover picture.
    private(set) var streamNumber: Int32 = -1

    /// The containers that are read: none of them names other files, and raw elementary streams,
    /// which have no timestamps, are not among them.
    static let containers =
      "matroska,mov,avi,mpegts,mpeg,flv,ivf,ogg,nut,asf,mxf,gif,yuv4mpegpipe"
    private static let bufferBytes = 1 << 16

    /// Opens a container; `containers` are the names of those that it may be.
    init(
      _ source: any VideoByteSource, containers: String = Demuxer.containers
    ) throws(TrajpackError) {
      try FFmpeg.load()
      input = DemuxerInput(source)
      tpv_silence()
      tpv_log_clear()
      packet = av_packet_alloc()
      io = Self.makeIO(input)
      format = avformat_alloc_context()
      guard let format, let io, packet != nil else { throw .noMemory }
      format.pointee.pb = io
      format.pointee.format_whitelist = av_strdup(containers)
      tpv_refuse_nested_files(format)

      var opened: UnsafeMutablePointer<AVFormatContext>? = format
      let code = avformat_open_input(&opened, nil, nil, nil)
      self.format = opened
      guard code >= 0, let opened else { throw refusal(code) }
      let known = avformat_find_stream_info(opened, nil)
      guard known >= 0 else { throw refusal(known) }
      try chooseStream(opened)
    }

    deinit {
      av_packet_free(&packet)
      avformat_close_input(&format)
      if io != nil {
        // libavformat may have replaced the buffer, so the one in the context is freed.
        av_free(io?.pointee.buffer)
        avio_context_free(&io)
      }
    }

    /// The chosen stream.
    var stream: UnsafeMutablePointer<AVStream> {
      get throws(TrajpackError) {
        guard let format, let streams = format.pointee.streams,
          streamNumber >= 0, UInt32(streamNumber) < format.pointee.nb_streams,
          let stream = streams[Int(streamNumber)]
        else { throw TrajpackError(.data, "holds no video stream") }
        return stream
      }
    }

    /// Reads the next packet of the chosen stream into `packet`; false at the end of the file.
    func next() throws(TrajpackError) -> Bool {
      guard let format, let packet else { return false }
      while true {
        av_packet_unref(packet)
        let code = av_read_frame(format, packet)
        if let failure = input.failure { throw failure }
        if code == tpv_error_eof() { return false }
        guard code >= 0 else {
          throw TrajpackError(.data, "byte \(input.position): \(Self.text(code))")
        }
        if packet.pointee.stream_index == streamNumber { return true }
      }
    }

    /// Goes to a keyframe at or before `timestamp`; false where the container cannot.
    func seek(to timestamp: Int64) throws(TrajpackError) -> Bool {
      guard let format else { return false }
      let code = av_seek_frame(format, streamNumber, timestamp, AVSEEK_FLAG_BACKWARD)
      if let failure = input.failure { throw failure }
      return code >= 0
    }

    private func chooseStream(_ format: UnsafeMutablePointer<AVFormatContext>)
      throws(TrajpackError)
    {
      for number in 0..<Int(format.pointee.nb_streams) {
        guard let stream = format.pointee.streams[number] else { continue }
        let isCover = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
        let isVideo = stream.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO
        if isVideo, !isCover, streamNumber < 0 {
          streamNumber = Int32(number)
        } else {
          stream.pointee.discard = AVDISCARD_ALL
        }
      }
      guard streamNumber >= 0 else {
        throw TrajpackError(
          .data, "holds no video stream, only \(format.pointee.nb_streams) of other kinds")
      }
      // The packets of these containers are no frames: it takes the codec to find where one begins.
      let container = format.pointee.iformat.map { String(cString: $0.pointee.name) }
      if container == "mpeg" || container == "mpegts",
        try stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_NONE
      {
        throw TrajpackError(
          .data,
          "its video has no codec that FFmpeg recognises, and without one an MPEG stream cannot be divided into "
            + "frames; write it anew as mp4 or Matroska, or leave it out")
      }
    }

    private func refusal(_ code: Int32) -> TrajpackError {
      if let failure = input.failure { return failure }
      let line = String(cString: tpv_log_line())
      let why = line.isEmpty ? Self.text(code) : line
      return TrajpackError(.data, "is no video file that can be read, or is cut: \(why)")
    }

    /// libavutil's sentence for an error code (`av_strerror`).
    static func text(_ code: Int32) -> String {
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
        guard let start = buffer.baseAddress, av_strerror(code, start, 128) >= 0 else {
          return "FFmpeg error \(code)"
        }
        return String(cString: start)
      }
    }

    private static func makeIO(_ input: DemuxerInput) -> UnsafeMutablePointer<AVIOContext>? {
      guard let buffer = av_malloc(bufferBytes) else { return nil }
      let io = avio_alloc_context(
        buffer.assumingMemoryBound(to: UInt8.self), Int32(bufferBytes), 0,
        Unmanaged.passUnretained(input).toOpaque(), readBytes, nil, seekBytes)
      if io == nil { av_free(buffer) }
      return io
    }
  }

  private func readBytes(
    _ opaque: UnsafeMutableRawPointer?, _ buffer: UnsafeMutablePointer<UInt8>?, _ count: Int32
  ) -> Int32 {
    guard let opaque, let buffer, count > 0 else { return tpv_error_eof() }
    let input = Unmanaged<DemuxerInput>.fromOpaque(opaque).takeUnretainedValue()
    guard input.failure == nil else { return tpv_error_external() }
    let room = UnsafeMutableRawBufferPointer(start: buffer, count: Int(count))
    do {
      let read = try input.source.read(at: input.position, into: room)
      guard read > 0, read <= room.count else { return tpv_error_eof() }
      input.position += Int64(read)
      return Int32(read)
    } catch {
      input.failure = error
      return tpv_error_external()
    }
  }

  private func seekBytes(_ opaque: UnsafeMutableRawPointer?, _ offset: Int64, _ whence: Int32)
    -> Int64
  {
    guard let opaque else { return -1 }
    let input = Unmanaged<DemuxerInput>.fromOpaque(opaque).takeUnretainedValue()
    let base: Int64
    switch whence & ~AVSEEK_FORCE {
    case AVSEEK_SIZE: return input.source.byteCount
    case SEEK_SET: base = 0
    case SEEK_CUR: base = input.position
    case SEEK_END: base = input.source.byteCount
    default: return -1
    }
    let (target, overflow) = base.addingReportingOverflow(offset)
    guard !overflow, target >= 0 else { return -1 }
    input.position = target
    return target
  }

  extension TrajpackError {
    static let noMemory = TrajpackError(.machine, "memory for the video library is exhausted")
  }
#endif
