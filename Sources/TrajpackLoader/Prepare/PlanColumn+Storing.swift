import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension PlanColumn {
  /// The rows of a channel as they are stored, as elements of the channel's own type.
  package init(_ values: ChannelValues) {
    let channel = values.channel
    if channel.type == .bytes {
      var observed = [MaskByte](repeating: 1, count: values.count)
      for row in 0..<values.count {
        if case .int(let offset) = values.value(row, 0), offset >= 0 { continue }
        observed[row] = 0
      }
      let isWhole = !observed.contains(0)
      self.init(
        channel: channel, values: .opaque(values.bytes, rowBytes: 16),
        observed: isWhole ? nil : observed)
      return
    }
    switch channel.type {
    case .float64: self.init(channel: channel, values: .float64(values.doubles()))
    case .float32:
      if values.stored == .float32 {
        let x = values.bytes.withUnsafeBytes { raw in
          (0..<raw.count / 4).map {
            Float(
              bitPattern: UInt32(
                littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
          }
        }
        self.init(channel: channel, values: .float32(x))
      } else {
        self.init(channel: channel, values: .float32(values.doubles().map { Float($0) }))
      }
    default: self.init(whole: values)
    }
  }

  /// Whole numbers, widened to the channel's type.
  private init(whole values: ChannelValues) {
    let channel = values.channel
    let size = channel.type.size
    let count = values.count * channel.elements
    let mayMiss = channel.missing == .sentinel
    if values.stored == channel.type, !mayMiss {
      self.init(
        channel: channel, values: .opaque(values.bytes, rowBytes: size * channel.elements))
      return
    }
    var bytes = [UInt8](repeating: 0, count: count * size)
    var observed = [MaskByte](repeating: 1, count: count)
    for i in 0..<count {
      let word: UInt64
      switch values.value(i / channel.elements, i % channel.elements) {
      case .int(let n): word = UInt64(bitPattern: n)
      case .uint(let n): word = n
      case .missing, .double, .float:
        observed[i] = 0
        continue
      }
      for k in 0..<size { bytes[i * size + k] = UInt8(truncatingIfNeeded: word >> UInt64(8 * k)) }
    }
    self.init(
      channel: channel, values: .opaque(bytes, rowBytes: size * channel.elements),
      observed: mayMiss ? observed : nil)
  }

  /// The rows packed as a block stores them, with the marks of what was not observed.
  ///
  /// - Throws: `.data` where a number that was observed is the mark itself.
  package func stored() throws(TrajpackError) -> [UInt8] {
    switch values {
    case .float32(let x): return x.withUnsafeBytes { Array($0) }
    case .float64(let x): return x.withUnsafeBytes { Array($0) }
    case .opaque(var bytes, let rowBytes):
      if channel.type == .bytes {
        for row in (observed ?? []).indices where observed?[row] == 0 {
          // Offset -1 and size 0: no bytes.
          for k in 0..<16 { bytes[row * rowBytes + k] = k < 8 ? 0xFF : 0 }
        }
        return bytes
      }
      guard channel.missing == .sentinel else { return bytes }
      let size = channel.type.size
      for i in 0..<bytes.count / size {
        let isMark =
          bytes[i * size + size - 1] == 0x80
          && bytes[i * size..<i * size + size - 1].allSatisfy { $0 == 0 }
        guard observed?[i] == 0 else {
          guard isMark else { continue }
          throw TrajpackError(
            .data,
            "channel '\(channel.name)' holds the smallest \(channel.type.rawValue), which stands for what "
              + "was not observed; leave it out of the step")
        }
        for k in 0..<size { bytes[i * size + k] = k == size - 1 ? 0x80 : 0 }
      }
      return bytes
    }
  }
}

extension PlanClock {
  /// The clock as a shard writes it.
  package func stored() throws(TrajpackError) -> Clock {
    switch self {
    case .regular(let clock, let first, _):
      let start = try clock.time(ofRow: first)
      return .regular(start: start, rate: clock.rate)
    case .ticks(_, let unit, _, _): return .ticks(unit)
    case .floats: return .float64
    }
  }

  /// The rows of the channel of times; empty for a regular clock.
  package var storedTimes: [UInt8] {
    switch self {
    case .regular: []
    case .ticks(let ticks, _, _, _): ticks.withUnsafeBytes { Array($0) }
    case .floats(let times, _, _): times.withUnsafeBytes { Array($0) }
    }
  }

  /// The most rows whose times are listed: 512 MiB of them.
  private static let mostListed = 1 << 26

  /// The same times, listed: as ticks, or as floats.
  package func listed(as sort: Sort) throws(TrajpackError) -> PlanClock {
    guard case .regular(let clock, let first, let count) = self else { return self }
    guard count <= Self.mostListed else {
      throw TrajpackError(
        .usage,
        "the plan makes \(count) rows of a track whose times are listed one by one; use a lower rate"
      )
    }
    if sort == .ticks { return try picked(Array(0..<count)) }
    let shown = Clock.regular(start: clock.start, rate: clock.rate)
    return .floats(
      (0..<count).map { shown.time(ofRow: first + $0) ?? .nan }, first: 0,
      origin: shown.time(ofRow: 0) ?? .nan)
  }
}

extension Clock {
  /// What sort of clock it is.
  package var sort: PlanClock.Sort {
    switch self {
    case .regular: .regular
    case .ticks: .ticks
    case .float64: .floats
    }
  }
}

extension Schema {
  /// The streams as a plan sees them, with the number of the channel of times that is the clock; `sorts`
  /// are those of the clocks that tracks of each stream have.
  package func planStreams(
    _ sorts: [Set<PlanClock.Sort>]
  ) -> [(stream: PlanStream, time: Int?)] {
    streams.enumerated().map { number, stream in
      let isClock = sorts[number].contains { $0 != .regular }
      let time = isClock ? stream.channel(named: "time") : nil
      var channels = stream.channels
      if let time { channels.remove(at: time) }
      return (
        PlanStream(
          name: stream.name, channels: channels,
          isVideo: stream.attributes["video"]?.bool == true), time
      )
    }
  }
}
