import TrajpackFormat

/// What the times of a recording have shown: whether they go on, whether they are even, and how
/// exactly they are known.
struct TimeProfile: Sendable {
  /// Times are counted in this part of a unit while they are exact.
  static let scale: Int128 = 1_000_000_000_000_000_000
  static let scaleDigits = 18

  /// Times so far.
  private(set) var count = 0
  /// Whether every time is known as a decimal number of at most 18 digits after the point.
  private(set) var isExact = true
  /// The most digits after the point.
  private(set) var digits = 0
  /// The form of the dates, while they have one.
  private(set) var form: DateForm?
  /// Whether the dates differ in form, so that their text must be kept.
  private(set) var hasManyForms = false
  /// What must be known to store the times as numbers.
  private(set) var numbers = ColumnProfile()
  private var first: Int128 = 0
  private var last: Int128 = 0
  private var lastValue = -Double.infinity
  private var delta: Int128?
  private var isEven = true

  /// Adds a number; `false` where it lies before the one before.
  mutating func add(_ number: DecimalLiteral) -> Bool {
    numbers.add(number)
    guard isExact, let exact = Self.exact(number) else {
      isExact = false
      return add(number.value)
    }
    return add(exact, digits: number.decimals, number.value)
  }

  /// Adds a whole number; `false` where it lies before the one before.
  mutating func add(whole value: Int128) -> Bool {
    add(value * Self.scale, digits: 0, Double(value))
  }

  /// Adds a count of ticks of so many seconds; `false` where it lies before the one before, or too far away.
  mutating func add(_ ticks: Int64, of tick: Rational) -> Bool {
    let (wide, overflow) = Int128(ticks).multipliedReportingOverflow(
      by: Self.scale / Int128(tick.denominator) * Int128(tick.numerator))
    guard ticks != NPYDates.none, !overflow else { return false }
    var digits = 0
    while Self.power(digits) < Int128(tick.denominator) { digits += 1 }
    return add(wide, digits: digits, Double(ticks) * tick.value)
  }

  /// Adds a date; `false` where it lies before the one before.
  mutating func add(_ date: DateText) -> Bool {
    if date.needsText { hasManyForms = true }
    if let known = form {
      if let merged = known.merged(date.form) { form = merged } else { hasManyForms = true }
    } else {
      form = date.form
    }
    return add(Self.exact(date), digits: date.form.fractionDigits, Double(date.seconds))
  }

  /// A number as a count of ``scale``; `nil` where it is not exact.
  static func exact(_ number: DecimalLiteral) -> Int128? {
    guard number.form == .integer || number.form == .decimal, number.decimals <= scaleDigits else {
      return nil
    }
    return Int128(number.mantissa) * power(scaleDigits - number.decimals)
  }

  /// A date as a count of ``scale``.
  static func exact(_ date: DateText) -> Int128 {
    Int128(date.seconds) * scale + Int128(date.nanoseconds) * power(scaleDigits - 9)
  }

  static func power(_ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { p, _ in p * 10 } }

  private mutating func add(_ value: Int128, digits: Int, _ double: Double) -> Bool {
    self.digits = max(self.digits, digits)
    defer {
      count += 1
      last = value
      lastValue = double
    }
    guard count > 0 else {
      first = value
      return true
    }
    let step = value - last
    if let delta, delta != step { isEven = false }
    delta = step
    return step >= 0
  }

  private mutating func add(_ value: Double) -> Bool {
    defer {
      count += 1
      lastValue = value
    }
    return value >= lastValue
  }

  /// The clock of even times: each row's time, computed from it, is the nearest double to the exact
  /// one.
  var regularClock: Clock? {
    guard isExact, isEven, count > 0, !hasManyForms else { return nil }
    guard let start = Rational(wide: first, Self.scale) else { return nil }
    guard let delta else { return .regular(start: start, rate: .one) }
    guard delta > 0, let rate = Rational(wide: Self.scale, delta) else { return nil }
    return Self.isExact(start, rate, rows: count) ? .regular(start: start, rate: rate) : nil
  }

  /// Whether what `Clock.time(ofRow:)` divides is exact in doubles for all rows.
  static func isExact(_ start: Rational, _ rate: Rational, rows: Int) -> Bool {
    let limit: Int128 = 1 << 53
    let first = Int128(start.numerator) * Int128(rate.numerator)
    let step = Int128(rate.denominator) * Int128(start.denominator)
    func isDouble(_ row: Int) -> Bool {
      let sum = step.multiplied(by: Int128(row))?.adding(first)
      return sum.map { $0.magnitude <= limit } ?? false
    }
    return Int128(start.denominator) * Int128(rate.numerator) <= limit && isDouble(0)
      && isDouble(max(rows - 1, 0))
  }

  /// Whether each time is a whole number of ticks that fits 64 bits, beside the smallest ones.
  var fitsTicks: Bool {
    guard isExact, digits <= Self.scaleDigits else { return false }
    let tick = Self.power(Self.scaleDigits - digits)
    let limit = Int128(Int64.max)
    return (first / tick).magnitude < limit && (last / tick).magnitude < limit
  }

  /// Whether each time is a double, without rounding, when it is a whole number.
  var fitsDoubles: Bool {
    let limit = Int128(9_000_000_000_000_000) * Self.scale
    return !isExact || (first.magnitude < limit.magnitude && last.magnitude < limit.magnitude)
  }

  /// The clock of times that are counted in ticks of the last digit.
  var tickClock: Clock {
    .ticks(Rational(1, Int64(Self.power(min(digits, 18)))) ?? .one)
  }

  /// An exact time as a count of the ticks of ``tickClock``.
  func ticks(_ exact: Int128) -> Int64 {
    Int64(truncatingIfNeeded: exact / Self.power(Self.scaleDigits - digits))
  }
}
