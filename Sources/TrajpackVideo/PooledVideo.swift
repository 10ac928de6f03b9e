#if Video
  import CPlatform
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

    /// All that wants one frame.
    private typealias Run = ArraySlice<Wanted>

    /// How frames are written.
    private struct Form {
      var output: VideoOutput
      var bytes: Int
      var writer: FrameWriter
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
      let form = Form(output: output, bytes: bytes, writer: pool.takeWriter())
      defer { pool.giveWriter(form.writer) }
      let sorted = wanted.sorted { $0.frame < $1.frame }
      var runs: [Run] = []
      var at = 0
      while at < sorted.count {
        let end = sorted[at...].firstIndex { $0.frame != sorted[at].frame } ?? sorted.count
        runs.append(sorted[at..<end])
        at = end
      }
      var decoded = wanted.count
      if pool.limits.frames > 0 {
        decoded = try share(runs, form, threads: threads, read: read)
      } else {
        try make(runs, DecodePolicy(ends: !goesOn), threads: threads, read: read) {
          (run, picture) throws(TrajpackError) in try write(picture, run, form)
        }
      }
      pool.count(frames: wanted.count, packets: 0, cached: wanted.count - decoded)
    }

    /// Writes frames whose pictures are kept, and decodes, keeps and writes the others; how many it has decoded.
    ///
    /// Only decoding is a matter of turns: pictures become frames on all threads at once.
    private func share(
      _ runs: [Run], _ form: Form, threads: Int,
      read: @escaping (Int64, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
    ) throws(TrajpackError) -> Int {
      var left: [Run] = []
      for run in runs {
        if let picture = pool.picture(number, frame(of: run)) {
          try write(picture, run, form)
        } else {
          left.append(run)
        }
      }
      guard let first = left.first else { return 0 }
      let isThere = order.packetOfFrame.indices.contains(frame(of: first))
      let key = isThere ? DecoderCore.key(keys, order, for: frame(of: first)) ?? 0 : 0
      var pictures: [(Picture, Run)] = []
      var missing: [Run] = []
      try turns[key % turns.count].lock.withLock { (_) throws(TrajpackError) in
        for run in left {
          // Another thread may have decoded it meanwhile.
          if let picture = pool.picture(number, frame(of: run)) {
            pictures.append((picture, run))
          } else {
            missing.append(run)
          }
        }
        try make(missing, DecodePolicy(skips: false), threads: threads, read: read) {
          (run, picture) throws(TrajpackError) in
          guard let held = Picture(picture) else { throw .noMemory }
          pictures.append((held, run))
        }
      }
      for (picture, run) in pictures { try write(picture, run, form) }
      return missing.reduce(0) { $0 + $1.count }
    }

    private func frame(of run: Run) -> Int { run.first?.frame ?? 0 }

    /// Decodes frames, in order, and calls `each` with the picture of each.
    private func make(
      _ runs: [Run], _ policy: DecodePolicy, threads: Int,
      read: @escaping (Int64, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void,
      each: (Run, UnsafeMutablePointer<AVFrame>) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      guard let first = runs.first else { return }
      let decoder = try self.decoder(for: frame(of: first), threads: threads)
      decoder.source.reading = read
      let before = decoder.core.packetsSent
      defer {
        decoder.source.reading = nil
        pool.count(frames: 0, packets: decoder.core.packetsSent - before, cached: 0)
        pool.give(decoder, of: number)
      }
      let passing = { [self] (frame: Int, picture: UnsafeMutablePointer<AVFrame>) in
        if let kept = Picture(picture) { pool.keep(kept, number, frame) }
      }
      var next = 0
      try within(name) { () throws(TrajpackError) in
        try decoder.core.decode(
          runs.map { frame(of: $0) }, policy, passing: pool.limits.frames > 0 ? passing : nil
        ) { (_, picture) throws(TrajpackError) in
          try each(runs[next], picture)
          next += 1
        }
      }
    }

    /// Writes a picture wherever it is wanted, and only copies it where the same part of it is.
    private func write(
      _ picture: UnsafeMutablePointer<AVFrame>, _ run: Run, _ form: Form
    ) throws(TrajpackError) {
      for one in run {
        if let first = run.first, one.memory != first.memory, one.place == first.place {
          one.memory.copyMemory(from: first.memory, byteCount: form.bytes)
          continue
        }
        try form.writer.write(
          picture, index.stream, form.output, at: one.place,
          into: UnsafeMutableRawBufferPointer(start: one.memory, count: form.bytes))
      }
    }

    private func write(_ picture: Picture, _ run: Run, _ form: Form) throws(TrajpackError) {
      try within("\(name): frame \(frame(of: run))") { () throws(TrajpackError) in
        try write(picture.frame, run, form)
      }
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
        try DecoderCore(index, order, source, threads: threads, lends: pool.limits.frames > 0)
      }
      let pixels = Int(index.stream.width) * Int(index.stream.height)
      let samples = index.stream.bitsPerComponent > 8 ? 2 : 1
      return PooledDecoder(
        core, source, bytes: pixels * samples * 3 / 2 * (5 + order.reorderDepth + threads) + 1 << 20
      )
    }
  }
#endif
