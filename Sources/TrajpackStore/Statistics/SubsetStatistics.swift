import TrajpackFormat

/// Rows of a track of a shard.
public struct TrackPart: Sendable, Equatable {
  /// The shard's place among those that are measured.
  public var shard: Int
  /// The track's number in the shard.
  public var track: Int
  /// Rows, counted from the track's first.
  public var rows: Range<Int>

  /// Some rows of a track.
  public init(shard: Int, track: Int, rows: Range<Int>) {
    self.shard = shard
    self.track = track
    self.rows = rows
  }
}

/// A channel whose statistics are wanted, and what a component of it is.
public struct MeasuredChannel: Sendable {
  /// The stream's name.
  public var stream: String
  /// The channel's name.
  public var name: String
  /// The shape of a row.
  public var shape: [Int]
  /// For each component, the elements of a row that belong to it.
  public var components: [[Int]]
  /// Whether quantiles are wanted.
  public var hasQuantiles: Bool

  /// A channel of numbers.
  public init(
    stream: String, name: String, shape: [Int], components: [[Int]], hasQuantiles: Bool
  ) {
    self.stream = stream
    self.name = name
    self.shape = shape
    self.components = components
    self.hasQuantiles = hasQuantiles
  }

  /// `stream/channel`.
  public var path: String { "\(stream)/\(name)" }
  var elements: Int { shape.reduce(1, *) }
}

/// Statistics of any rows of a dataset, from their values, in one pass.
///
/// Counts, extremes, mean and standard deviation come from exact sums (``ExactMoments``), quantiles from
/// ``QuantileSketch``. A result depends on the values in their order and on nothing else: not on threads, shards,
/// chunks, or on what else is measured.
public struct SubsetStatistics: Sendable {
  /// What is known of a channel in a group: its components, in order.
  public typealias Found = [ComponentStatistics]

  private let shards: [Shard]
  private let channels: [MeasuredChannel]
  /// The streams in turn, and the channels of each.
  private let streams: [(name: String, channels: [Int])]
  /// For each shard, the number of each of `streams` in it, -1 where it has none.
  private let streamNumbers: [[Int]]
  /// For each shard, the place of each of `channels` in its stream, -1 where it has none.
  private let channelNumbers: [[Int]]

  /// Rows that are taken at once: so many that the channels' values take some 4 MiB.
  private static let unitBytes = 4 << 20

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

  /// Rows of one stream that are read at once.
  private struct Unit: Sendable {
    var stream: Int
    var parts: [TrackPart] = []
    var rows = 0
  }

  private func units(of group: [TrackPart]) -> [Unit] {
    var out: [Unit] = []
    for stream in streams.indices {
      let elements = streams[stream].channels.reduce(0) { $0 + channels[$1].elements }
      let most = min(max(Self.unitBytes / 8 / max(elements, 1), 1), 65_536)
      var unit = Unit(stream: stream)
      for part in group {
        let number = streamNumbers[part.shard][stream]
        guard number >= 0, shards[part.shard].index.numbers(ofTrack: part.track).stream == number
        else { continue }
        var rows = part.rows
        while !rows.isEmpty {
          let taken = rows.prefix(most - unit.rows)
          unit.parts.append(TrackPart(shard: part.shard, track: part.track, rows: taken))
          unit.rows += taken.count
          rows = rows.dropFirst(taken.count)
          if unit.rows == most {
            out.append(unit)
            unit = Unit(stream: stream)
          }
        }
      }
      if unit.rows > 0 { out.append(unit) }
    }
    return out
  }

  /// A reader, and room, of one thread.
  private final class Tool {
    var shard = -1
    var reader: BlockReader?
    let table = ExactMoments.Table()
    var bytes = ByteBuffer(0)
    var finite: [Double] = []

    func reader(_ number: Int, of shards: [Shard]) -> BlockReader {
      if shard == number, let reader { return reader }
      let made = BlockReader(shards[number])
      (shard, reader) = (number, made)
      return made
    }
  }

  private final class Tools: @unchecked Sendable {
    private let lock = ConditionLock()
    private var free: [Tool] = []
    func borrow() -> Tool { lock.locked { free.popLast() } ?? Tool() }
    func giveBack(_ tool: Tool) { lock.locked { free.append(tool) } }
  }

  /// What is known so far of one component. One thread at a time.
  private final class Component: @unchecked Sendable {
    var moments = ExactMoments()
    var sketch: QuantileSketch?

    init(hasQuantiles: Bool) { sketch = hasQuantiles ? QuantileSketch() : nil }

    func add(_ values: UnsafeBufferPointer<Double>, _ tool: Tool) {
      guard sketch != nil else {
        moments.add(values, tool.table)
        return
      }
      if tool.finite.count < values.count {
        tool.finite = [Double](repeating: 0, count: values.count)
      }
      tool.finite.withUnsafeMutableBufferPointer { finite in
        let found = moments.add(values, tool.table, finite: finite.baseAddress)
        sketch?.append(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(finite)[..<found]))
      }
    }

    var statistics: ComponentStatistics {
      var out = moments.statistics
      if let sketch { out.quantiles = sketch.quantiles(ComponentStatistics.probabilities) }
      return out
    }
  }

  private func components() -> [[Component]] {
    channels.map { channel in
      channel.components.map { _ in Component(hasQuantiles: channel.hasQuantiles) }
    }
  }

  /// The values of a channel in a unit, those of each component one after the other.
  private struct Loaded: Sendable {
    var channel: Int
    var values: [Double]
    var starts: [Int]
  }

  private func load(_ unit: Unit, _ tool: Tool) throws(TrajpackError) -> [Loaded] {
    var out: [Loaded] = []
    for number in streams[unit.stream].channels {
      let wanted = channels[number]
      let elements = wanted.elements
      var rows = [Double](repeating: .nan, count: unit.rows * elements)
      var found = 0
      for part in unit.parts {
        let shard = shards[part.shard]
        let stream = shard.schema.streams[streamNumbers[part.shard][unit.stream]]
        let place = channelNumbers[part.shard][number]
        guard place >= 0 else { continue }
        let channel = stream.channels[place]
        let block = channel.storage.block
        let type = shard.schema.blocks[block].type
        let (width, column) = (elements * type.size, channel.storage.column * type.size)
        if tool.bytes.bytes.count < part.rows.count * width {
          tool.bytes = ByteBuffer(part.rows.count * width)
        }
        let first = shard.index.numbers(ofTrack: part.track).first
        let reader = tool.reader(part.shard, of: shards)
        guard let base = tool.bytes.bytes.baseAddress else { continue }
        try reader.read(
          block: block, rows: first + part.rows.lowerBound..<first + part.rows.upperBound,
          columns: column..<column + width, into: base, stride: width)
        rows.withUnsafeMutableBufferPointer { rows in
          guard let to = rows.baseAddress else { return }
          ElementReading(channel, stored: type).doubles(
            base, count: part.rows.count * elements, stride: type.size, into: to + found)
        }
        found += part.rows.count * elements
      }
      out.append(Self.arranged(rows[..<found], number, wanted))
    }
    return out
  }

  private static func arranged(
    _ rows: ArraySlice<Double>, _ number: Int, _ channel: MeasuredChannel
  ) -> Loaded {
    let elements = channel.elements
    let count = elements > 0 ? rows.count / elements : 0
    var starts = [0]
    for component in channel.components {
      starts.append(starts[starts.count - 1] + component.count * count)
    }
    if channel.components.count == 1, channel.components[0].count == elements {
      return Loaded(channel: number, values: Array(rows), starts: starts)
    }
    let values = [Double](unsafeUninitializedCapacity: starts[starts.count - 1]) { out, used in
      used = out.count
      rows.withUnsafeBufferPointer { rows in
        for (component, start) in zip(channel.components, starts) {
          var at = start
          for row in 0..<count {
            for element in component {
              out[at] = rows[row * elements + element]
              at += 1
            }
          }
        }
      }
    }
    return Loaded(channel: number, values: values, starts: starts)
  }

  // MARK: Measuring

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

  private static func add(_ loaded: Loaded, _ c: Int, to component: Component, _ tool: Tool) {
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
