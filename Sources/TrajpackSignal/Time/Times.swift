import TrajpackFormat

/// When the rows of a stream happened. The buffers are borrowed for the call they are given to.
public enum Times {
  /// Row `i` at `clock.start + i / clock.rate`.
  case regular(RegularClock, count: Int)
  /// Integer ticks of `unit` seconds each.
  case ticks(UnsafeBufferPointer<Int64>, unit: Rational)
  /// Floating-point times, for systems without seconds.
  case floats(UnsafeBufferPointer<Double>)

  /// How many rows.
  public var count: Int {
    switch self {
    case .regular(_, let count): count
    case .ticks(let ticks, _): ticks.count
    case .floats(let values): values.count
    }
  }

  /// Refuses times that go back, repeat (unless they may) or are not finite, naming the first
  /// such row.
  public func requireIncreasing(
    _ name: String, mayRepeat: Bool = false
  ) throws(TrajpackError) {
    var fault: Int?
    switch self {
    case .regular(_, let count):
      if count < 0 { throw TrajpackError(.usage, "\(name) has \(count) rows: give 0 or more") }
    case .ticks(let ticks, let unit):
      guard unit.numerator > 0 else {
        throw TrajpackError(.usage, "\(name) counts ticks of \(unit) s: give a unit above 0")
      }
      var row = 1
      while row < ticks.count {
        if mayRepeat ? ticks[row] < ticks[row - 1] : ticks[row] <= ticks[row - 1] {
          fault = row
          break
        }
        row += 1
      }
    case .floats(let values):
      if let first = values.first, !first.isFinite { fault = 0 }
      var row = 1
      while row < values.count, fault == nil {
        // Written so that NaN fails too.
        let rises = mayRepeat ? values[row] >= values[row - 1] : values[row] > values[row - 1]
        if !(rises && values[row] < .infinity) { fault = row }
        row += 1
      }
    }
    if let fault {
      throw TrajpackError(
        .data,
        "the times of \(name) do not increase at row \(fault): sort them and drop repeats first")
    }
  }

  /// The denominator of the coarsest tick that makes every time whole; `nil` for floats or where
  /// it leaves 64 bits.
  var tickDenominator: Int64? {
    switch self {
    case .regular(let clock, _): clock.ticksPerUnit
    case .ticks(_, let unit): unit.denominator
    case .floats: nil
    }
  }

  /// Every time in ticks of `1 / unit`, a multiple of ``tickDenominator``.
  func exactTicks(_ unit: Int64) throws(TrajpackError) -> [Int64] {
    var result: [Int64] = []
    result.reserveCapacity(count)
    for row in 0..<count {
      let tick: Int128?
      switch self {
      case .regular(let clock, _):
        let start = Int128(clock.start.numerator) * Int128(unit / clock.start.denominator)
        let step = Int128(clock.rate.denominator) * Int128(unit / clock.rate.numerator)
        tick = step.multiplied(by: Int128(row)).flatMap { start.adding($0) }
      case .ticks(let ticks, let own):
        tick = (Int128(ticks[row]) * Int128(own.numerator))
          .multiplied(by: Int128(unit / own.denominator))
      case .floats: tick = 0
      }
      guard let narrow = tick.flatMap({ Int64(exactly: $0) }) else {
        throw TrajpackError(.usage, "row \(row) lies beyond 2^63 ticks of 1/\(unit) s")
      }
      result.append(narrow)
    }
    return result
  }
}

/// The least number that all divide; `nil` where one is not known, or it is more than `most`.
func leastCommonMultiple(_ numbers: [Int64?], atMost most: Int64 = (1 << 62) - 1) -> Int64? {
  var least: Int64 = 1
  for number in numbers {
    guard let number else { return nil }
    let divisor = Int64(greatestCommonDivisor(least.magnitude, number.magnitude))
    guard let next = (least / divisor).multiplied(by: number), next <= most else { return nil }
    least = next
  }
  return least
}
