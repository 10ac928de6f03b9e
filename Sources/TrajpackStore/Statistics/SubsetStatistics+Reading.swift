import TrajpackFormat

extension SubsetStatistics {
  /// Rows of one stream that are read at once.
  struct Unit: Sendable {
    var stream: Int
    var parts: [TrackPart] = []
    var rows = 0
  }

  func units(of group: [TrackPart]) -> [Unit] {
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
  final class Tool {
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

  final class Tools: @unchecked Sendable {
    private let lock = ConditionLock()
    private var free: [Tool] = []
    func borrow() -> Tool { lock.locked { free.popLast() } ?? Tool() }
    func giveBack(_ tool: Tool) { lock.locked { free.append(tool) } }
  }

  /// What is known so far of one component. One thread at a time.
  final class Component: @unchecked Sendable {
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

  func components() -> [[Component]] {
    channels.map { channel in
      channel.components.map { _ in Component(hasQuantiles: channel.hasQuantiles) }
    }
  }

  /// The values of a channel in a unit, those of each component one after the other.
  struct Loaded: Sendable {
    var channel: Int
    var values: [Double]
    var starts: [Int]
  }

  func load(_ unit: Unit, _ tool: Tool) throws(TrajpackError) -> [Loaded] {
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
}
