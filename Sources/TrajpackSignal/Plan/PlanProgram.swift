import TrajpackFormat

/// A stream as a plan sees it: its name, and its channels without the times.
public struct PlanStream: Sendable {
  /// The name.
  public var name: String
  /// The channels but the one that holds the clock's times.
  public var channels: [Channel]
  /// Whether its rows are packets of a video, which are only ever taken whole.
  public var isVideo: Bool

  /// A stream.
  public init(name: String, channels: [Channel], isVideo: Bool = false) {
    self.name = name
    self.channels = channels
    self.isVideo = isVideo
  }
}

/// What a plan does to the tracks of one stream: a pure function over buffers, for whole tracks and for
/// runs of their rows.
public struct PlanProgram: Sendable {
  /// Gives the clock of another stream's only track in the same episode after that many steps.
  ///
  /// ``clock(_:steps:key:reference:)`` of that stream's program is how.
  public typealias Reference = (
    _ stream: String, _ steps: Int
  ) throws(TrajpackError) -> PlanClock

  /// The stream's name.
  public let stream: String
  /// The channels that go in, in the order of the columns.
  public let inputs: [Channel]
  /// The channels that come out; their storage says nothing.
  public internal(set) var outputs: [Channel]
  /// What each step does; `nil` for nothing.
  var stages: [(any PlanStage)?] = []
  /// What has become of the values of channels that keep their name, where the statistics of what was recorded are no
  /// longer theirs.
  package internal(set) var changed: [String: Change] = [:]
  /// The channels whose values or absences are drawn anew in each epoch, and what is made of them.
  package internal(set) var varying: Set<String> = []

  init(_ stream: PlanStream) {
    self.stream = stream.name
    inputs = stream.channels
    outputs = stream.channels
  }

  /// What a step makes of the values of a channel.
  package enum Change: Sendable, Hashable {
    /// Shifted and scaled.
    case normalized
    /// A statistic of each bin that is not of the size of its rows: their sum, smallest, largest, or how many there are.
    case binned(BinStatistic)
  }

  /// The channel as it was recorded that one of the outputs is, whatever was done to its rows; `nil` for
  /// one that a step has made.
  package func recorded(_ output: Channel) -> Channel? {
    inputs.first {
      $0.name == output.name && $0.elements == output.elements && $0.kind == output.kind
    }
  }

  /// Adds a channel that a step makes of others; it varies where one of them does.
  mutating func add(_ channel: Channel, from columns: [Int]) {
    if columns.contains(where: { varying.contains(outputs[$0].name) }) {
      varying.insert(channel.name)
    }
    outputs.append(channel)
  }

  /// Whether tracks come out as they went in.
  public var isIdentity: Bool {
    stages.allSatisfy { $0 == nil }
  }

  /// Runs every step on rows of a track.
  ///
  /// What comes out of a run of rows is, bit for bit, what comes out of the whole track, inside the rows
  /// that ``sourceRows(for:of:key:reference:)`` was asked for; trim it with ``PlanTrack/trimmed(to:)``.
  /// Behind an anti-aliasing filter it is the same but for rounding, because a filter takes the first
  /// value that it sees off.
  ///
  /// - Parameters:
  ///   - track: columns in the order of ``inputs``.
  ///   - key: whose rows they are.
  ///   - reference: gives clocks of other streams.
  /// - Throws: `.data` or `.usage`, naming the episode, the stream and the rule.
  public func run(
    _ track: PlanTrack, key: PlanKey, reference: Reference
  ) throws(TrajpackError) -> PlanTrack {
    guard track.columns.count == inputs.count else {
      throw TrajpackError(
        .usage,
        "stream '\(stream)' has \(inputs.count) channels, not \(track.columns.count): give all")
    }
    var track = track
    for i in track.columns.indices { track.columns[i].markMissing() }
    do throws(TrajpackError) {
      for (number, stage) in stages.enumerated() {
        let clock = track.clock
        try stage?.run(&track, key) { () throws(TrajpackError) in
          try target(number, clock, key, reference)
        }
      }
      for i in track.columns.indices { try track.columns[i].settle(as: outputs[i]) }
    } catch {
      throw error.within(key.place)
    }
    return track
  }

  /// The clock of a track after the first `steps` steps; all where `nil`.
  public func clock(
    _ clock: PlanClock, steps: Int? = nil, key: PlanKey, reference: Reference
  ) throws(TrajpackError) -> PlanClock {
    var clock = clock
    for number in 0..<(steps ?? stages.count) {
      clock = try target(number, clock, key, reference)
    }
    return clock
  }

  /// The clock behind one step.
  private func target(
    _ number: Int, _ clock: PlanClock, _ key: PlanKey, _ reference: Reference
  ) throws(TrajpackError) -> PlanClock {
    guard let stage = stages[number] else { return clock }
    return try stage.clock(behind: clock, key) { (stream) throws(TrajpackError) in
      try reference(stream, number)
    }
  }
}

extension PlanClock {
  /// What sort of clock it is, which a schema must know before any row.
  public enum Sort: Sendable, Hashable {
    case regular, ticks, floats
  }

  /// What sort it is.
  public var sort: Sort {
    switch self {
    case .regular: .regular
    case .ticks: .ticks
    case .floats: .floats
    }
  }

  /// The rows whose times lie within the span of another clock: where an entity is present.
  func within(_ span: PlanClock) throws(TrajpackError) -> PlanClock {
    guard span.count > 0, count > 0 else { return slice(0..<0) }
    let (first, last) = try span.withTimes { (inner) throws(TrajpackError) in
      try withTimes { (outer) throws(TrajpackError) in
        let before = try AlignPlan(inner, to: outer, .backward).rows
        let after = try AlignPlan(inner, to: outer, .forward).rows
        return (before.firstIndex { $0 >= 0 } ?? outer.count, after.lastIndex { $0 >= 0 } ?? -1)
      }
    }
    return slice(first <= last ? first..<last + 1 : 0..<0)
  }
}

extension PlanProgram {
  /// What sort of clock comes out, for an input of some sort, after the first `steps` steps.
  public func sort(
    _ sort: PlanClock.Sort, steps: Int? = nil,
    reference: (_ stream: String, _ steps: Int) throws(TrajpackError) -> PlanClock.Sort
  ) throws(TrajpackError) -> PlanClock.Sort {
    var sort = sort
    for number in 0..<(steps ?? stages.count) {
      guard let stage = stages[number] else { continue }
      sort = try stage.sort(behind: sort) { (stream) throws(TrajpackError) in
        try reference(stream, number)
      }
    }
    return sort
  }
}

extension PlanColumn {
  /// Gives a floating-point column NaN where its mask says missing, and drops the mask: from here on NaN
  /// is the mark.
  mutating func markMissing() {
    guard let observed else { return }
    switch values {
    case .float32(var x):
      for i in x.indices where observed[i] == 0 { x[i] = .nan }
      values = .float32(x)
    case .float64(var x):
      for i in x.indices where observed[i] == 0 { x[i] = .nan }
      values = .float64(x)
    case .opaque: return
    }
    self.observed = nil
  }

  /// Brings the column into the type that was promised: wider where whole numbers had no room for a mark
  /// of what was not observed.
  mutating func settle(as wanted: Channel) throws(TrajpackError) {
    defer { channel = wanted }
    if case .float32(let x) = values, wanted.type == .float64 {
      values = .float64(x.map { Double($0) })
    }
    guard case .opaque(let bytes, _) = values, channel.type != wanted.type else { return }
    let count = bytes.count / max(channel.type.size, 1)
    var out = [UInt8](repeating: 0, count: count * wanted.type.size)
    for i in 0..<count {
      let number = bytes.withUnsafeBytes { StoredNumber($0, i, channel.type) }
      if case .whole(let n) = number, Int64(exactly: n) == nil {
        throw TrajpackError(
          .data,
          "channel '\(channel.name)' holds \(n), and a channel with missing entries holds numbers "
            + "to 2^63: leave it out of the step")
      }
      out.withUnsafeMutableBytes {
        guard let base = $0.baseAddress else { return }
        number.store(as: wanted.type, at: base + i * wanted.type.size)
      }
    }
    values = .opaque(out, rowBytes: wanted.type.size * channel.elements)
  }
}
