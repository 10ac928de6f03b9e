#if Video
  import CForkGuard
  import CFFmpegShims
  import Synchronization
  import TrajpackFormat

  /// Decoders and decoded pictures of many videos, bounded in bytes. Any number of threads may use it.
  package final class VideoPool: Sendable {
    /// What may be kept, in bytes.
    package struct Limits: Sendable {
      package var frames: Int
      package var decoders: Int
      package init(frames: Int, decoders: Int) {
        (self.frames, self.decoders) = (frames, decoders)
      }
    }

    /// What was done and what is held.
    package struct Counts: Sendable {
      package var frames = 0
      package var packets = 0
      package var cachedFrames = 0
      package var frameBytes = 0
      package var decoderBytes = 0
    }

    private struct Idle {
      var video: UInt64
      var decoder: PooledDecoder
    }

    private struct State: ~Copyable {
      var idle: [Idle] = []
      var counts = Counts()
      var nextVideo: UInt64 = 0
      var pictures = PictureCache()
      /// Idle writers with their scalers, which take long to make.
      var writers: [FrameWriter] = []
    }
    private static let maximumWriters = 16

    let limits: Limits
    private let state = Mutex(State())

    package init(_ limits: Limits) {
      self.limits = limits
      tp_fork_install()
    }

    package var counts: Counts {
      state.withLock { state in
        var counts = state.counts
        counts.frameBytes = state.pictures.bytes
        counts.decoderBytes = state.idle.reduce(0) { $0 + $1.decoder.bytes }
        return counts
      }
    }

    /// A number for a video that nobody else has.
    func number() -> UInt64 {
      state.withLock { state in
        state.nextVideo += 1
        return state.nextVideo
      }
    }

    /// The idle decoder of a video that has the shortest way to `frame`: the one that stands nearest before it, not
    /// before `first`; else any; nil where there is none.
    ///
    /// Where pictures are kept, one that stands elsewhere is left there: what follows it is likely to be wanted, too.
    func take(_ video: UInt64, before frame: Int, from first: Int) -> PooledDecoder? {
      state.withLock { state in
        var best: Int?
        var nearest = -1
        for (i, idle) in state.idle.enumerated() where idle.video == video {
          let position = idle.decoder.core.position ?? -1
          let isOnTheWay = position >= first && position <= frame
          if !isOnTheWay, position >= 0, limits.frames > 0 { continue }
          let distance = isOnTheWay ? position + 1 : 0
          if distance > nearest { (best, nearest) = (i, distance) }
        }
        return best.map { state.idle.remove(at: $0).decoder }
      }
    }

    /// Keeps a decoder that has done its work, and lets go of those that were used longest ago.
    func give(_ decoder: PooledDecoder, of video: UInt64) {
      var gone: [PooledDecoder] = []
      state.withLock { state in
        state.idle.append(Idle(video: video, decoder: decoder))
        var bytes = state.idle.reduce(0) { $0 + $1.decoder.bytes }
        while bytes > limits.decoders, !state.idle.isEmpty {
          let oldest = state.idle.removeFirst().decoder
          bytes -= oldest.bytes
          gone.append(oldest)
        }
      }
      // Freed outside of the lock.
      gone.removeAll()
    }

    /// Lets go of everything of a video.
    func forget(_ video: UInt64) {
      let gone = state.withLock { state in
        state.pictures.forget(video)
        let gone = state.idle.filter { $0.video == video }.map(\.decoder)
        state.idle.removeAll { $0.video == video }
        return gone
      }
      withExtendedLifetime(gone) {}
    }

    func count(frames: Int, packets: Int, cached: Int) {
      state.withLock { state in
        state.counts.frames += frames
        state.counts.packets += packets
        state.counts.cachedFrames += cached
      }
    }

    func takeWriter() -> FrameWriter { state.withLock { $0.writers.popLast() } ?? FrameWriter() }

    func giveWriter(_ writer: FrameWriter) {
      state.withLock { state in
        if state.writers.count < Self.maximumWriters { state.writers.append(writer) }
      }
    }

    // MARK: Pictures

    func picture(_ video: UInt64, _ frame: Int) -> Picture? {
      limits.frames == 0 ? nil : state.withLock { $0.pictures.find(video, frame) }
    }

    func keep(_ picture: Picture, _ video: UInt64, _ frame: Int) {
      state.withLock { $0.pictures.keep(picture, video, frame, limit: limits.frames) }
    }
  }

  /// A decoder of one video; one thread at a time has it.
  final class PooledDecoder: @unchecked Sendable {
    // The pool gives it to one thread at a time.
    let core: DecoderCore
    let source: LentBytes
    /// What it holds, by an estimate: its reference pictures and those that wait for their turn.
    let bytes: Int

    init(_ core: DecoderCore, _ source: LentBytes, bytes: Int) {
      (self.core, self.source, self.bytes) = (core, source, bytes)
    }
  }

  /// Bytes of a file that somebody lends for the time of a call.
  final class LentBytes: VideoByteSource, @unchecked Sendable {
    // Set and read by the thread that has the decoder.
    let name: String
    let byteCount: Int64
    var reading: ((Int64, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void)?

    init(name: String, byteCount: Int64) { (self.name, self.byteCount) = (name, byteCount) }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
      -> Int
    {
      let count = Int(min(Int64(buffer.count), max(byteCount - offset, 0)))
      guard count > 0, let reading else { return 0 }
      try reading(offset, UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
      return count
    }
  }
#endif
