#if Video
  import CFFmpegShims
  import Glibc
  import TrajpackFormat

  /// What libavformat writes a file through: a descriptor that can be positioned.
  enum VideoOutputFile {
    /// The context; `nil` where there is no memory.
    static func open(_ descriptor: Int32) -> UnsafeMutablePointer<AVIOContext>? {
      let bytes: Int32 = 64 << 10
      guard let buffer = av_malloc(Int(bytes)) else { return nil }
      let io = avio_alloc_context(
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
      if io == nil { av_free(buffer) }
      return io
    }

    /// Frees the context; the descriptor stays open.
    static func close(_ io: inout UnsafeMutablePointer<AVIOContext>?) {
      if let io { av_free(io.pointee.buffer) }
      avio_context_free(&io)
    }
  }
#endif
