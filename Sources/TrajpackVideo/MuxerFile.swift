#if Video
  import CFFmpegShims
  import Glibc
  import TrajpackFormat

  /// A container that libavformat writes through a file descriptor. Owned by one thread; nothing of the day or the machine is
  /// written.
  final class MuxerFile {
    private var format: UnsafeMutablePointer<AVFormatContext>?
    private var io: UnsafeMutablePointer<AVIOContext>?

    /// Begins a container of the muxer `name` at the start of `descriptor`, which can be positioned; the caller closes it.
    init(_ descriptor: Int32, _ name: String) throws(TrajpackError) {
      try FFmpeg.load()
      tpv_silence()
      guard avformat_alloc_output_context2(&format, nil, name, nil) >= 0, let format else {
        throw TrajpackError(.machine, "this FFmpeg writes no \(name)")
      }
      let bytes: Int32 = 64 << 10
      guard let buffer = av_malloc(Int(bytes)) else { throw .noMemory }
      io = avio_alloc_context(
        buffer.assumingMemoryBound(to: UInt8.self), bytes, 1,
        UnsafeMutableRawPointer(bitPattern: Int(descriptor) + 1), nil,
        { context, bytes, count in
          var done = 0
          while done < Int(count), let bytes {
            let written = write(
              Int32(Int(bitPattern: context) - 1), bytes + done, Int(count) - done)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return -errno }
            done += written
          }
          return count
        },
        { context, offset, origin in
          let descriptor = Int32(Int(bitPattern: context) - 1)
          if origin & AVSEEK_SIZE != 0 {
            var facts = stat()
            return fstat(descriptor, &facts) == 0 ? Int64(facts.st_size) : -1
          }
          return Int64(lseek(descriptor, off_t(offset), origin & ~Int32(AVSEEK_FORCE)))
        })
      guard let io else {
        av_free(buffer)
        throw .noMemory
      }
      format.pointee.pb = io
      format.pointee.flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO
    }

    deinit {
      avformat_free_context(format)
      if let io { av_free(io.pointee.buffer) }
      avio_context_free(&io)
    }

    var context: UnsafeMutablePointer<AVFormatContext> {
      get throws(TrajpackError) {
        guard let format else { throw .noMemory }
        return format
      }
    }

    func addStream() throws(TrajpackError) -> UnsafeMutablePointer<AVStream> {
      guard let stream = avformat_new_stream(format, nil) else { throw .noMemory }
      return stream
    }

    /// Writes the file's end; libavformat's code.
    func finish() -> Int32 {
      let code = av_write_trailer(format)
      avio_flush(io)
      return code < 0 ? code : (io?.pointee.error ?? 0)
    }
  }
#endif
