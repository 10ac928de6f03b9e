import TrajpackFormat

/// Statistics of any rows of a dataset, from their values, in one pass.
///
/// Counts, extremes, mean and standard deviation come from exact sums (``ExactMoments``), quantiles from
/// ``QuantileSketch``. A result depends on the values in their order and on nothing else: not on threads, shards,
/// chunks, or on what else is measured.
public struct SubsetStatistics: Sendable {
  /// What is known of a channel in a group: its components, in order.
  public typealias Found = [ComponentStatistics]

  let shards: [Shard]
  let channels: [MeasuredChannel]
  /// The streams in turn, and the channels of each.
  let streams: [(name: String, channels: [Int])]
  /// For each shard, the number of each of `streams` in it, -1 where it has none.
  let streamNumbers: [[Int]]
  /// For each shard, the place of each of `channels` in its stream, -1 where it has none.
  let channelNumbers: [[Int]]

  /// Rows that are taken at once: so many that the channels' values take some 4 MiB.
  static let unitBytes = 4 << 20

  /// Prepares to measure channels of shards.
  ///
  /// - Throws: A usage error where a channel has another shape in one of them.
  public init(_ shards: [Shard], _ channels: [MeasuredChannel]) throws(TrajpackError) {
    self.shards = shards
    self.channels = channels
    var streams: [(name: String, channels: [Int])] = []
    var places: [String: Int] = [:]
    for (number, channel) in channels.enumerated() {
      if let at = places[channel.stream] {
        streams[at].channels.append(number)
      } else {
        places[channel.stream] = streams.count
        streams.append((channel.stream, [number]))
      }
    }
    self.streams = streams
    streamNumbers = shards.map { shard in
      streams.map { stream in
        shard.schema.streams.firstIndex { $0.name == stream.name } ?? -1
      }
    }
    var channelNumbers: [[Int]] = []
    channelNumbers.reserveCapacity(shards.count)
    for (shard, numbers) in zip(shards, streamNumbers) {
      var inStream = [Int](repeating: -1, count: channels.count)
      for (stream, number) in zip(streams, numbers) where number >= 0 {
        let stored = shard.schema.streams[number].channels
        // A lookup a channel, since tables have tens of thousands of them.
        let places = Dictionary(
          stored.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        for place in stream.channels {
          let wanted = channels[place]
          guard let at = places[wanted.name] else { continue }
          inStream[place] = at
          let found = stored[at]
          guard found.type == .bytes || found.shape != wanted.shape else { continue }
          throw TrajpackError(
            .usage,
            "channel '\(wanted.path)' has rows of shape \(found.shape) in \(shard.name) and of "
              + "\(wanted.shape) in another shard, so that they have no statistics together: choose other "
              + "channels, or episodes of one of them")
        }
      }
      channelNumbers.append(inStream)
    }
    self.channelNumbers = channelNumbers
  }

  /// Measures groups of rows, each by itself; the rows of a group are taken in their order.
  ///
  /// - Parameters:
  ///   - threads: How many; 0 for one a processor.
  ///   - isStopped: Asked between two pieces of work; where it is true, an interruption is thrown.
  ///   - progress: Told how many rows have been taken since.
  /// - Returns: For each group and channel, its components.
  /// - Throws: The first damage.
  public func measure(
    _ groups: [[TrackPart]], threads: Int = 0, isStopped: () -> Bool = { false },
    progress: (Int) -> Void = { _ in }
  ) throws(TrajpackError) -> [[Found]] {
    let pool = try WorkerPool(threads: threads > 0 ? threads : WorkerPool.processors)
    let tools = Tools()
    var out: [[Found]] = []
    out.reserveCapacity(groups.count)
    var at = 0
    while at < groups.count {
      guard !isStopped() else { throw Self.stopped }
      // Small groups are shared out among the threads; the units of a large one are.
      var end = at
      var small: [[TrackPart]] = []
      while end < groups.count, small.count < 8 * pool.count, isSmall(groups[end]) {
        small.append(groups[end])
        end += 1
      }
      if small.count > 1 || (small.count == 1 && pool.count == 1) {
        let jobs = small.map { group in
          pool.run { () throws(TrajpackError) in try measureAlone(group, tools) }
        }
        for (job, group) in zip(jobs, small) {
          out.append(try job.value())
          progress(group.reduce(0) { $0 + $1.rows.count })
        }
        at = end
      } else {
        out.append(
          try measureTogether(groups[at], pool, tools, isStopped: isStopped, progress: progress))
        at += 1
      }
    }
    return out
  }

  /// Why a measurement has ended early.
  static let stopped = TrajpackError(.usage, "stopped before all rows were measured")

  private func isSmall(_ group: [TrackPart]) -> Bool {
    group.reduce(0) { $0 + $1.rows.count } * widest <= 1 << 20
  }

  private var widest: Int {
    streams.map { $0.channels.reduce(0) { $0 + channels[$1].elements } }.max() ?? 1
  }

  /// All rows of the episodes of a split, or of all episodes.
  package static func parts(of shards: [Shard], split: String?) -> [TrackPart] {
    var out: [TrackPart] = []
    for (number, shard) in shards.enumerated() {
      for episode in 0..<shard.index.episodeCount {
        let own = shard.index.split(ofEpisode: episode)
        if let split, (own < 0 ? "" : shard.schema.splits[own]) != split { continue }
        for track in shard.index.tracks(ofEpisode: episode) {
          let count = shard.index.numbers(ofTrack: track).count
          if count > 0 { out.append(TrackPart(shard: number, track: track, rows: 0..<count)) }
        }
      }
    }
    return out
  }

  // MARK: Units

  private func measureAlone(
    _ group: [TrackPart], _ tools: Tools
  ) throws(TrajpackError) -> [Found] {
    let tool = tools.borrow()
    defer { tools.giveBack(tool) }
    let all = components()
    for unit in units(of: group) {
      for loaded in try load(unit, tool) {
        for (c, component) in all[loaded.channel].enumerated() {
          Self.add(loaded, c, to: component, tool)
          guard let full = component.sketch?.takeUnsorted(), !full.isEmpty else { continue }
          component.sketch?.settle(full.map(QuantileSketch.sorted))
        }
      }
    }
    return all.map { $0.map(\.statistics) }
  }

  static func add(_ loaded: Loaded, _ c: Int, to component: Component, _ tool: Tool) {
    loaded.values.withUnsafeBufferPointer { values in
      component.add(
        UnsafeBufferPointer(rebasing: values[loaded.starts[c]..<loaded.starts[c + 1]]), tool)
    }
  }

  private func measureTogether(
    _ group: [TrackPart], _ pool: WorkerPool, _ tools: Tools, isStopped: () -> Bool,
    progress: (Int) -> Void
  ) throws(TrajpackError) -> [Found] {
    let all = components()
    let units = units(of: group)
    let wave = 2 * pool.count
    var jobs: [(rows: Int, values: Future<[Loaded]>)] = []
    var started = 0
    func start() {
      for unit in units[started..<min(started + wave, units.count)] {
        jobs.append(
          (
            unit.rows,
            pool.run { () throws(TrajpackError) in
              let tool = tools.borrow()
              defer { tools.giveBack(tool) }
              return try load(unit, tool)
            }
          ))
        started += 1
      }
    }
    start()
    while !jobs.isEmpty {
      guard !isStopped() else { throw Self.stopped }
      var loaded: [Loaded] = []
      var rows = 0
      for job in jobs {
        loaded += try job.values.value()
        rows += job.rows
      }
      jobs = []
      // The next rows are read while these are counted.
      start()
      absorb(loaded, into: all, pool, tools)
      progress(rows)
    }
    let flat = all.flatMap { $0 }
    let found = flat.map { component in
      pool.run { () throws(TrajpackError) in component.statistics }
    }
    var statistics: [ComponentStatistics] = []
    for one in found { statistics.append(try one.value()) }
    var at = 0
    return all.map { components in
      defer { at += components.count }
      return Array(statistics[at..<at + components.count])
    }
  }

  /// Adds values to their components, in their order; each component is one thread's.
  private func absorb(
    _ loaded: [Loaded], into all: [[Component]], _ pool: WorkerPool, _ tools: Tools
  ) {
    let byChannel = Dictionary(grouping: loaded.indices, by: { loaded[$0].channel })
    let work = byChannel.keys.sorted().flatMap { channel in
      stride(from: 0, to: all[channel].count, by: 64).map { (channel, $0) }
    }
    pool.forEach(work.count) { number in
      let (channel, first) = work[number]
      let tool = tools.borrow()
      defer { tools.giveBack(tool) }
      for c in first..<min(first + 64, all[channel].count) {
        for at in byChannel[channel] ?? [] {
          Self.add(loaded[at], c, to: all[channel][c], tool)
        }
      }
    }
    // Sorting takes most of the time, so that each full buffer is work of its own.
    let sketched = all.joined().filter { $0.sketch != nil }
    let full = sketched.map { component in
      (component.sketch?.takeUnsorted() ?? []).map { buffer in
        pool.run { () throws(TrajpackError) in QuantileSketch.sorted(buffer) }
      }
    }
    for (component, buffers) in zip(sketched, full) where !buffers.isEmpty {
      component.sketch?.settle(buffers.compactMap { try? $0.value() })
    }
  }
}
