import TrajpackFormat

/// Why an entry of a batch has no value, or that it has one. The absences stay apart.
public enum Presence: UInt8, Sendable, CaseIterable {
  /// The entity is there and nobody measured it.
  case notObserved = 0
  /// A value.
  case observed = 1
  /// The entity is not there.
  case notPresent = 2
  /// The row lies outside this series' span: it exists only because the batch is a rectangle.
  case padding = 3
}

/// One series of a batch; buffers are borrowed.
public struct BatchSeries<S: SignalScalar> {
  /// Increasing times.
  public let times: Times
  /// Rows times components.
  public let values: UnsafeBufferPointer<S>
  /// One byte an entry, or all observed (but NaN).
  public let observed: UnsafeBufferPointer<MaskByte>?
  /// One byte a row, 0 where the entity is absent; or always present.
  public let present: UnsafeBufferPointer<MaskByte>?

  /// A series.
  public init(
    times: Times, values: UnsafeBufferPointer<S>,
    observed: UnsafeBufferPointer<MaskByte>? = nil, present: UnsafeBufferPointer<MaskByte>? = nil
  ) {
    self.times = times
    self.values = values
    self.observed = observed
    self.present = present
  }
}

/// Series with different times side by side on the sorted union of their times (the batching of
/// latent ODEs, Rubanova et al. 2019).
public struct UnionBatch<S: SignalScalar>: Sendable {
  /// The union of the times at which any series has an observed value.
  public let times: [Double]
  /// The same, exactly, in ticks of `1 / ticksPerUnit`; `nil` where a series has floats for times,
  /// which are then compared as they are.
  public let ticks: [Int64]?
  /// Ticks a second; 0 where there are none.
  public let ticksPerUnit: Int64
  /// Series times rows times components; 0 where there is no value.
  public let values: [S]
  /// A ``Presence`` for each value.
  public let presence: [UInt8]

  /// - Throws: `.data` for times that do not increase, naming the series; `.usage` for sizes, and
  ///   for exact clocks without a common tick of 64 bits.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init(_ batch: [BatchSeries<S>], components: Int) throws(TrajpackError) {
    for (i, series) in batch.enumerated() {
      try series.times.requireIncreasing("series \(i)")
      let n = series.times.count
      _ = try series.values.require(n, components, "values")
      _ = try series.observed?.require(n, components, "observed")
      _ = try series.present?.require(n, 1, "present")
    }
    if let unit = try Self.commonUnit(batch) {
      var ticks: [[Int64]] = []
      for series in batch { ticks.append(try series.times.exactTicks(unit)) }
      let merged = Self.merge(batch, ticks, components)
      times = merged.union.map { Double($0) / Double(unit) }
      self.ticks = merged.union
      ticksPerUnit = unit
      (values, presence) = (merged.values, merged.presence)
    } else {
      let merged = Self.merge(batch, batch.map { $0.times.rounded() }, components)
      times = merged.union
      ticks = nil
      ticksPerUnit = 0
      (values, presence) = (merged.values, merged.presence)
    }
  }

  /// Ticks a second that make every time whole; `nil` where a series has floats.
  private static func commonUnit(_ batch: [BatchSeries<S>]) throws(TrajpackError) -> Int64? {
    if batch.contains(where: { if case .floats = $0.times { true } else { false } }) { return nil }
    guard let unit = leastCommonMultiple(batch.map(\.times.tickDenominator), atMost: .max)
    else {
      throw TrajpackError(
        .usage,
        "the clocks of the batch have no common tick below 2^62 a second: convert them to "
          + "floating-point times")
    }
    return unit
  }

  private static func merge<T: Comparable>(
    _ batch: [BatchSeries<S>], _ times: [[T]], _ components: Int
  ) -> (union: [T], values: [S], presence: [UInt8]) {
    var kept: [T] = []
    for (series, times) in zip(batch, times) {
      for row in 0..<times.count where has(series, row, components) { kept.append(times[row]) }
    }
    kept.sort()
    var union: [T] = []
    for t in kept where union.last != t { union.append(t) }
    let count = union.count * components
    var values = [S](repeating: 0, count: batch.count * count)
    var presence = [UInt8](repeating: Presence.padding.rawValue, count: batch.count * count)
    for (b, (series, times)) in zip(batch, times).enumerated() {
      guard let first = times.first, let last = times.last else { continue }
      var row = 0
      for (t, time) in union.enumerated() where time >= first && time <= last {
        while row < times.count, times[row] < time { row += 1 }
        let isRow = row < times.count && times[row] == time
        // Between two rows of an absent entity it is absent too.
        let near = isRow ? row : row - 1
        let absent = series.present.map { $0[near] == 0 } ?? false
        for c in 0..<components {
          let to = b * count + t * components + c
          let from = row * components + c
          presence[to] = (absent ? Presence.notPresent : .notObserved).rawValue
          guard isRow, !absent, series.observed?[from] != 0 else { continue }
          let value = series.values[from]
          guard value == value else { continue }
          values[to] = value
          presence[to] = Presence.observed.rawValue
        }
      }
    }
    return (union, values, presence)
  }

  private static func has(_ series: BatchSeries<S>, _ row: Int, _ components: Int) -> Bool {
    if let present = series.present, present[row] == 0 { return false }
    return (row * components..<(row + 1) * components).contains { i in
      series.values[i] == series.values[i] && series.observed?[i] != 0
    }
  }
}

/// Times rounded to a grid, rows of one grid time averaged (latent ODEs' rule: `round(t / q) · q`,
/// half to even).
public struct QuantisedSeries<S: SignalScalar>: Sendable {
  /// Grid numbers; the time is the number times the quantum.
  public let ticks: [Int64]
  /// Rows times components; NaN where nothing is observed.
  public let values: [S]
  /// 1 where at least one value was averaged.
  public let mask: [MaskByte]

  /// - Throws: `.data` for times that go back or leave the grid's 64 bits, `.usage` for a quantum
  ///   of zero or less.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init(
    _ times: UnsafeBufferPointer<Double>, quantum: Double, _ series: UnsafeBufferPointer<S>,
    components: Int, observed: UnsafeBufferPointer<MaskByte>? = nil
  ) throws(TrajpackError) {
    guard quantum > 0, quantum < .infinity else {
      throw TrajpackError(.usage, "a quantum of \(quantum): give a time above 0")
    }
    try Times.floats(times).requireIncreasing("the series", mayRepeat: true)
    let x = try series.require(times.count, components, "values")
    let seen = try observed?.require(times.count, components, "observed")
    var ticks: [Int64] = []
    var sums: [Double] = []
    var counts: [Double] = []
    for row in 0..<times.count {
      let grid = (times[row] / quantum).rounded(.toNearestOrEven)
      guard let tick = Int64(exactly: grid) else {
        throw TrajpackError(.data, "time \(times[row]) of row \(row) is no 64-bit number of quanta")
      }
      if ticks.last != tick {
        ticks.append(tick)
        sums.append(contentsOf: repeatElement(0, count: components))
        counts.append(contentsOf: repeatElement(0, count: components))
      }
      let to = (ticks.count - 1) * components
      for c in 0..<components {
        let value = x[row * components + c]
        guard value == value, seen?[row * components + c] != 0 else { continue }
        sums[to + c] += Double(value)
        counts[to + c] += 1
      }
    }
    self.ticks = ticks
    values = zip(sums, counts).map { $1 > 0 ? S($0 / $1) : .nan }
    mask = counts.map { $0 > 0 ? 1 : 0 }
  }
}
