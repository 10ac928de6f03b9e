#if Video
  import CFFmpegShims

  /// A decoded picture that others may look at; it shares the decoder's memory.
  final class Picture: @unchecked Sendable {
    // Never changed after it was made.
    let frame: UnsafeMutablePointer<AVFrame>
    let bytes: Int

    /// nil where there is no memory.
    init?(_ other: UnsafeMutablePointer<AVFrame>) {
      guard let frame = av_frame_alloc() else { return nil }
      guard av_frame_ref(frame, other) >= 0 else {
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&frame)
        return nil
      }
      self.frame = frame
      var bytes = 0
      withUnsafePointer(to: &frame.pointee.buf) { buffers in
        buffers.withMemoryRebound(to: UnsafeMutablePointer<AVBufferRef>?.self, capacity: 8) {
          for i in 0..<8 { bytes += Int($0[i]?.pointee.size ?? 0) }
        }
      }
      self.bytes = bytes
    }

    deinit {
      var frame: UnsafeMutablePointer<AVFrame>? = frame
      av_frame_free(&frame)
    }
  }

  /// Decoded pictures by video and frame; those that were asked for longest ago go first.
  struct PictureCache: ~Copyable {
    private struct Key: Hashable {
      var video: UInt64
      var frame: Int
    }
    private struct Entry {
      var picture: Picture
      var used: UInt64
    }

    private var entries: [Key: Entry] = [:]
    private(set) var bytes = 0
    private var clock: UInt64 = 0

    mutating func find(_ video: UInt64, _ frame: Int) -> Picture? {
      let key = Key(video: video, frame: frame)
      guard entries[key] != nil else { return nil }
      clock += 1
      entries[key]?.used = clock
      return entries[key]?.picture
    }

    mutating func keep(_ picture: Picture, _ video: UInt64, _ frame: Int, limit: Int) {
      let key = Key(video: video, frame: frame)
      guard picture.bytes <= limit / 4, entries[key] == nil else { return }
      if bytes + picture.bytes > limit { makeRoom(picture.bytes, limit) }
      clock += 1
      entries[key] = Entry(picture: picture, used: clock)
      bytes += picture.bytes
    }

    mutating func forget(_ video: UInt64) {
      for (key, entry) in entries where key.video == video {
        bytes -= entry.picture.bytes
        entries[key] = nil
      }
    }

    /// Drops an eighth at least, so that finding the oldest costs little for each picture.
    private mutating func makeRoom(_ count: Int, _ limit: Int) {
      for (key, entry) in entries.sorted(by: { $0.value.used < $1.value.used }) {
        guard bytes + count > limit - limit / 8 else { return }
        bytes -= entry.picture.bytes
        entries[key] = nil
      }
    }
  }
#endif
