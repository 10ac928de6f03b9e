import TrajpackFormat

extension PlanClock {
  /// The regular clock that these rows have but for the rounding of their stamps, with as many rows; itself where it
  /// is regular. Its row 0 is the first stamp, and its rate the simplest fraction that strays from the line through the
  /// stamps, from the first row to the last, by no more than the stamps do: 299/10 for `linspace(0, 10, 300)`.
  ///
  /// - Parameters:
  ///   - reading: how the clock is taken, as for the choice of a filter (``ClockLine``).
  ///   - what: who asks, for the error.
  /// - Returns: the clock, and the line that was found; `nil` where nothing was to be found.
  /// - Throws: `.usage` where the stamps lie on no line, or periods are skipped.
  func regular(
    _ reading: ClockReading, for what: String
  ) throws(TrajpackError) -> (clock: PlanClock, line: ClockLine?) {
    let start: Rational?
    switch self {
    case .regular: return (self, nil)
    case .ticks(let ticks, let unit, _, _):
      start = ticks.first.flatMap {
        Rational(wide: Int128($0) * Int128(unit.numerator), Int128(unit.denominator))
      }
    case .floats(let times, _, _):
      start = times.first.flatMap { Rational(decimal: $0.description) ?? Rational(nearest: $0) }
    }
    let rest = "give 'rate' instead, which any times have"
    return try withTimes { (times) throws(TrajpackError) in
      guard let line = ClockLine(times, reading) else {
        throw TrajpackError(.usage, "\(what), and these times have none: \(rest)")
      }
      guard line.skipped == 0 else {
        throw TrajpackError(
          .usage, "\(what), and these times skip \(line.skipped) of its periods: \(rest)")
      }
      guard let start, let rate = line.simplestRate(times) else {
        throw TrajpackError(.usage, "\(what), and that of these times leaves 64 bits: \(rest)")
      }
      let own = try RegularClock(start: start, rate: rate)
      return (.regular(try own.starting(atRow: -first), first: first, count: count), line)
    }
  }
}

extension ClockLine {
  /// The simplest rate by which no stamp is further from its row than the stamps are from the line; `nil` where it
  /// leaves 64 bits.
  fileprivate func simplestRate(_ times: Times) -> Rational? {
    let rows = times.count
    let stamps = (0..<rows).map { times.seconds($0) }
    let half = times.resolution(stamps) / 2
    let rounding = 8 * max(stamps[0].magnitude, stamps[rows - 1].magnitude) * 0x1p-52
    let slack = max(deviation <= half ? half : min(deviation, period / 100), rounding)
    let away = slack / Double(rows - 1)
    guard away < period / 2, let low = Self.fraction(1 / (period + away)),
      let high = Self.fraction(1 / (period - away))
    else { return nil }
    let simplest = Rational.simplestFraction(from: low, to: high)
    return Rational(wide: simplest.0, simplest.1)
  }

  /// A positive float as a fraction, exactly; `nil` beyond 2^62 or where it needs more than 2^100 parts.
  private static func fraction(_ x: Double) -> Rational.WideFraction? {
    guard x.isFinite, x > 0, x < 0x1p62 else { return nil }
    var (scaled, bottom) = (x, Int128(1))
    while scaled != scaled.rounded() {
      guard bottom < Int128(1) << 100 else { return nil }
      (scaled, bottom) = (scaled * 2, bottom * 2)
    }
    return Int128(exactly: scaled).map { ($0, bottom) }
  }
}
