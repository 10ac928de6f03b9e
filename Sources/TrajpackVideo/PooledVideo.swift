#if Video
  import CForkGuard
  import CFFmpegShims
  import Synchronization
  import TrajpackFormat

  /// A video whose packets are known, decoded by the decoders of a pool. Any number of threads may use it.
  package final class PooledVideo: Sendable {
    /// A frame that is wanted, and where it goes.
    package struct Wanted {
      package var frame: Int
      package var memory: UnsafeMutableRawPointer
      /// Which part of it, where the output is cropped.
      package var place: VideoOutput.Place
      package init(
        frame: Int, memory: UnsafeMutableRawPointer,
        place: VideoOutput.Place = VideoOutput.Place()
      ) {
        (self.frame, self.memory, self.place) = (frame, memory, place)
      }
    }

    package let index: VideoIndex
    package let order: VideoOrder
    package let name: String
    private let pool: VideoPool
    private let number: UInt64
    private let keys: [Int]
    /// Threads that want pictures of the same group, one after the other: the second one finds them kept.
    private let turns: [Turn]

    private final class Turn: Sendable {
      let lock = Mutex(())
    }

    package init(_ pool: VideoPool, _ index: VideoIndex, _ order: VideoOrder, name: String) {
      (self.pool, self.index, self.order, self.name) = (pool, index, order, name)
      number = pool.number()
      keys = DecoderCore.keys(index)
      turns = pool.limits.frames > 0 ? (0..<8).map { _ in Turn() } : []
    }

    deinit { pool.forget(number) }

    /// For each frame the keyframe that it is decoded from, counted among those that decoding begins at.
    ///
    /// - Throws: `.data` where a frame has none before it.
    package func groups() throws(TrajpackError) -> [Int32] {
      var numbers: [Int: Int32] = [:]
      var groups: [Int32] = []
      groups.reserveCapacity(order.frameCount)
      for frame in 0..<order.frameCount {
        // Frames before the first keyframe: the decoder is asked, and says what it lacks.
        let key = DecoderCore.key(keys, order, for: frame) ?? 0
        let group = numbers[key] ?? Int32(numbers.count)
        numbers[key] = group
        groups.append(group)
      }
      return groups
    }

    /// Decodes frames into memory, each as `output` says.
    ///
    /// - Throws: `.data` naming video, frame and packet; what `read` throws.
    package func decode(
      _ wanted: [Wanted], as output: VideoOutput, threads: Int, goesOn: Bool,
      read: @escaping (Int64, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      let bytes = try within(name) { () throws(TrajpackError) in
        try FrameWriter.bytes(output, of: index.stream)
      }
      let writer = pool.takeWriter()
      defer { pool.giveWriter(writer) }
      let sorted = wanted.sorted { $0.frame < $1.frame }
      var left = try find(sorted, output, bytes, writer)
      if let first = left.first, !turns.isEmpty, order.packetOfFrame.indices.contains(first.frame) {
        let group = DecoderCore.key(keys, order, for: first.frame) ?? 0
        try turns[group % turns.count].lock.withLock { (_) throws(TrajpackError) in
          left = try find(left, output, bytes, writer)
          try make(left, output, bytes, writer, threads: threads, goesOn: goesOn, read: read)
        }
      } else {
        try make(left, output, bytes, writer, threads: threads, goesOn: goesOn, read: read)
      }
      pool.count(frames: wanted.count, packets: 0, cached: wanted.count - left.count)
    }

    /// Writes the frames whose pictures are kept; the others.
    private func find(
      _ wanted: [Wanted], _ output: VideoOutput, _ bytes: Int, _ writer: FrameWriter
    ) throws(TrajpackError) -> [Wanted] {
      guard pool.limits.frames > 0 else { return wanted }
      var left: [Wanted] = []
      for one in wanted {
        guard let picture = pool.picture(number, one.frame) else {
          left.append(one)
          continue
        }
        try within("\(name): frame \(one.frame)") { () throws(TrajpackError) in
          try write(picture.frame, output, bytes, one, writer)
        }
      }
      return left
    }

    /// Decodes frames, in order, and writes them.
    private func make(
      _ wanted: [Wanted], _ output: VideoOutput, _ bytes: Int, _ writer: FrameWriter, threads: Int,
      goesOn: Bool,
      read: @escaping (Int64, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      guard !wanted.isEmpty else { return }
      var frames: [Int] = []
      for one in wanted where frames.last != one.frame { frames.append(one.frame) }
      let decoder = try self.decoder(for: frames[0], threads: threads)
      decoder.source.reading = read
      let before = decoder.core.packetsSent
      defer {
        decoder.source.reading = nil
        pool.count(frames: 0, packets: decoder.core.packetsSent - before, cached: 0)
        pool.give(decoder, of: number)
      }
      let keeps = pool.limits.frames > 0
      let passing = { [self] (frame: Int, picture: UnsafeMutablePointer<AVFrame>) in
        if let kept = Picture(picture) { pool.keep(kept, number, frame) }
      }
      var next = wanted[...]
      try within(name) { () throws(TrajpackError) in
        try decoder.core.decode(
          frames, DecodePolicy(skips: !keeps, ends: !goesOn && !keeps),
          passing: keeps ? passing : nil
        ) { (frame, picture) throws(TrajpackError) in
          guard let first = next.first else { return }
          try write(picture, output, bytes, first, writer)
          next.removeFirst()
          while let more = next.first, more.frame == frame {
            if more.place == first.place {
              more.memory.copyMemory(from: first.memory, byteCount: bytes)
            } else {
              try write(picture, output, bytes, more, writer)
            }
            next.removeFirst()
          }
        }
      }
    }

    private func write(
      _ picture: UnsafeMutablePointer<AVFrame>, _ output: VideoOutput, _ bytes: Int,
      _ wanted: Wanted, _ writer: FrameWriter
    ) throws(TrajpackError) {
      try writer.write(
        picture, index.stream, output, at: wanted.place,
        into: UnsafeMutableRawBufferPointer(start: wanted.memory, count: bytes))
    }

    private func decoder(for frame: Int, threads: Int) throws(TrajpackError) -> PooledDecoder {
      guard frame >= 0, frame < order.frameCount else {
        throw TrajpackError(
          .usage,
          "\(name): there is no frame \(frame): the video has \(order.frameCount), counted from 0")
      }
      let key = DecoderCore.key(keys, order, for: frame) ?? 0
      let first = max(Int(order.frameOfPacket[key]), 0)
      if let idle = pool.take(number, before: frame, from: first) {
        idle.core.threads = threads
        return idle
      }
      // Codecs may take a lock of the library while they open, which a child of a fork must not inherit.
      tp_fork_gate_enter()
      defer { tp_fork_gate_leave() }
      let source = LentBytes(name: name, byteCount: index.byteCount)
      let core = try within(name) { () throws(TrajpackError) in
        try DecoderCore(index, order, source, threads: threads)
      }
      let pixels = Int(index.stream.width) * Int(index.stream.height)
      let samples = index.stream.bitsPerComponent > 8 ? 2 : 1
      return PooledDecoder(
        core, source, bytes: pixels * samples * 3 / 2 * (6 + order.reorderDepth) + 1 << 20)
    }
  }
#endif
