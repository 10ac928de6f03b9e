/// How the rows of a track map to time.
///
/// Never float32: at three hours its steps are a millisecond.
public enum Clock: Sendable, Hashable {
  /// Row `i` lies at `start + i / rate`, exactly.
  case regular(start: Rational, rate: Rational)
  /// Row `i` lies at `time[i] · tick`, where `time` is the stream's int64 channel of that name.
  case ticks(Rational)
  /// Row `i` lies at `time[i]`, the stream's float64 channel of that name: for systems whose time
  /// has no seconds, and sources that recorded floating-point times.
  case float64

  /// The number by which the kind of clock is written.
  var code: Int64 {
    switch self {
    case .regular: return 0
    case .ticks: return 1
    case .float64: return 2
    }
  }

  /// The time of row `row` of a regular clock, in units of the stream's clock.
  public func time(ofRow row: Int) -> Double? {
    guard case .regular(let start, let rate) = self else { return nil }
    // One rounding where the exact value has one: start/d + row·den/num over a common denominator.
    let (a, o1) = start.numerator.multipliedReportingOverflow(by: rate.numerator)
    let (b, o2) = Int64(row).multipliedReportingOverflow(by: rate.denominator)
    let (c, o3) = b.multipliedReportingOverflow(by: start.denominator)
    let (n, o4) = a.addingReportingOverflow(c)
    let (d, o5) = start.denominator.multipliedReportingOverflow(by: rate.numerator)
    if o1 || o2 || o3 || o4 || o5 || n.magnitude > 1 << 53 || d.magnitude > 1 << 53 {
      return start.value + Double(row) * Double(rate.denominator) / Double(rate.numerator)
    }
    return Double(n) / Double(d)
  }

  /// Rows a unit of time of a regular clock; `nil` where times are data.
  package var rate: Rational? {
    if case .regular(_, let rate) = self { return rate }
    return nil
  }

  /// Whether rows lie at a rate, so that no channel holds their times.
  package var isRegular: Bool { rate != nil }

  /// The time that 1 in the channel of times stands for.
  package var timeScale: Double {
    if case .ticks(let tick) = self { return tick.value }
    return 1
  }

  /// The exact time of a row of a regular clock.
  package func instant(ofRow row: Int) -> Instant? {
    guard case .regular(let start, let rate) = self else { return nil }
    return Instant(ofRow: row, start: start, rate: rate)
  }

  /// Where a time lies among the rows of a regular clock, in rows from the first.
  package func place(of time: Double) -> Double? {
    guard case .regular(let start, let rate) = self else { return nil }
    return (time - start.value) * rate.value
  }

  /// The row of a regular clock that lies at a time, to half a row; `nil` where there is none.
  package func row(nearest time: Double, of count: Int) -> Int? {
    guard let place = place(of: time)?.rounded(), place >= 0, place < Double(count) else {
      return nil
    }
    return Int(place)
  }

  /// Where row 0 of another clock lies among the rows of this one; `nil` unless both are regular and have one rate.
  package func place(ofStart other: Clock) -> Double? {
    guard case .regular(let start, let rate) = other, rate == self.rate else { return nil }
    return place(of: start.value)
  }

  /// The clock of row `row` on of a track that has this one.
  ///
  /// - Parameter origin: The time that is to be 0 of a regular clock; `nil` to leave times as they are.
  /// - Throws: A usage error where the new start is no fraction of 64 bits.
  package func from(row: Int, since origin: Rational? = nil) throws(TrajpackError) -> Clock {
    guard case .regular(_, let rate) = self, row != 0 || origin != nil else { return self }
    let moment = instant(ofRow: row).map { $0 - Instant(origin ?? .zero) }
    guard let start = Rational(moment) else {
      throw TrajpackError(
        .usage, "row \(row) of a track is at a time that is no fraction of 64 bits")
    }
    return .regular(start: start, rate: rate)
  }
}

extension Stream {
  /// The channel that holds the times of rows on that clock; `nil` where the clock gives them, beside which a channel
  /// may be called `time`.
  package func timeChannel(on clock: Clock) -> Int? {
    clock.isRegular ? nil : channel(named: "time")
  }
}
