import TrajpackFormat

/// What is said about the rows of a bin.
public enum BinStatistic: String, Sendable, CaseIterable {
  /// Sum over count, summed in `Double`.
  case mean
  /// Sum, in `Double`.
  case sum
  /// Smallest value.
  case minimum
  /// Largest value.
  case maximum
  /// First observed value.
  case first
  /// Last observed value.
  case last
  /// How many observed values; never missing.
  case count
}

/// Which time stands for a bin.
public enum BinLabel: Sendable, Hashable {
  /// Its closed beginning.
  case left
  /// Its middle.
  case centre
  /// Its open end.
  case right
}

/// Which half-open bin `[start + i·width, start + (i+1)·width)` each row falls into.
public struct BinPlan: Sendable {
  /// Rows of the source.
  public let sourceRows: Int
  /// How many bins.
  public let bins: Int
  /// Bin of each source row; -1 outside all.
  public let index: [Int32]

  /// Bins laid by a regular clock: bin `i` begins at its row `i`. Exact for exact clocks.
  public init(_ source: Times, bins clock: RegularClock, count: Int) throws(TrajpackError) {
    try source.requireIncreasing("the source", mayRepeat: true)
    guard count >= 0, count < Int(Int32.max) else {
      throw TrajpackError(.usage, "\(count) bins: give 0 to 2^31")
    }
    // One more edge, which closes the last bin.
    let edges = Times.regular(clock, count: count + 1)
    let found = try AlignPlan(edges, to: source, .backward).rows
    sourceRows = source.count
    bins = count
    index = found.map { $0 >= count ? -1 : $0 }
  }

  /// The clock of the labels.
  public static func labels(
    of clock: RegularClock, _ label: BinLabel
  ) throws(TrajpackError) -> RegularClock {
    let halves: Int64 = label == .left ? 0 : (label == .centre ? 1 : 2)
    let half = Instant.exact(Int128(clock.rate.denominator), 2 * Int128(clock.rate.numerator))
    guard let start = Rational(Instant(clock.start) + .exact(Int128(halves), 1) * half) else {
      throw TrajpackError(.usage, "the labels' start leaves 64 bits: use simpler clocks")
    }
    return try RegularClock(start: start, rate: clock.rate)
  }

  /// One statistic of every bin and component; NaN and mask 0 where a bin has no observed value.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    _ statistic: BinStatistic, _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    let x = try values.require(sourceRows, components, "values")
    let seen = try observed?.require(sourceRows, components, "observed")
    let out = try output.require(bins, components, "output")
    let outMask = try mask.require(bins, components, "mask")
    for i in 0..<bins * components {
      out[i] = statistic == .count ? 0 : .nan
      outMask[i] = statistic == .count ? 1 : 0
    }
    // Rows of a bin lie together, so one accumulator a component is enough.
    let sum = Scratch<Double>(components, filledWith: 0)
    let count = Scratch<Int>(components, filledWith: 0)
    var row = 0
    while row < sourceRows {
      let bin = Int(index[row])
      var end = row + 1
      while end < sourceRows, Int(index[end]) == bin { end += 1 }
      if bin >= 0 {
        sum.pointer.update(repeating: 0, count: components)
        count.pointer.update(repeating: 0, count: components)
        let to = out + bin * components
        for k in row..<end {
          for c in 0..<components {
            let value = x[k * components + c]
            guard value == value, seen?[k * components + c] != 0 else { continue }
            count[c] += 1
            switch statistic {
            case .mean, .sum: sum[c] += Double(value)
            case .minimum: to[c] = count[c] == 1 ? value : min(to[c], value)
            case .maximum: to[c] = count[c] == 1 ? value : max(to[c], value)
            case .first: if count[c] == 1 { to[c] = value }
            case .last: to[c] = value
            case .count: break
            }
          }
        }
        for c in 0..<components {
          switch statistic {
          case .mean where count[c] > 0: to[c] = S(sum[c] / Double(count[c]))
          case .sum where count[c] > 0: to[c] = S(sum[c])
          case .count: to[c] = S(count[c])
          default: break
          }
          if count[c] > 0 { outMask[bin * components + c] = 1 }
        }
      }
      row = end
    }
  }
}

/// What a clock's rows know of events: derived, never interpolated.
public struct EventSummary: Sendable {
  /// Events after the previous row and up to this one; the first row counts all before it too.
  public let counts: [Int32]
  /// The last event at or before each row; -1 before the first.
  public let last: [Int32]
  /// Time since that event; NaN before the first.
  public let timeSince: [Double]

  /// Summarises events (their times may repeat) onto a clock.
  public init(_ events: Times, onto clock: Times) throws(TrajpackError) {
    let plan = try AlignPlan(events, to: clock, .backward)
    last = plan.rows
    timeSince = plan.offsets.map { -$0 + 0 }
    var counts: [Int32] = []
    var previous: Int32 = -1
    for row in plan.rows {
      counts.append(row - previous)
      previous = row
    }
    self.counts = counts
  }
}
