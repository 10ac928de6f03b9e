import TrajpackFormat

extension SplitRule.Bound {
  /// Reads `8640`, `-100`, `60%`, `-20%`, `12.5s` or `2016-07-01 05:00`.
  init(_ given: String) throws(TrajpackError) {
    let text = given.hasPrefix(" ") || given.hasSuffix(" ") ? given.trimmed : given
    if let row = Int(text) {
      guard row.magnitude < 1 << 48 else {
        throw TrajpackError(.usage, "'\(text)' is no row: there are never so many")
      }
      self = .row(row)
      return
    }
    if let share = SplitRule.Selector.share(text.hasPrefix("-") ? String(text.dropFirst()) : text) {
      guard share.numerator >= 0, share.value <= 1 else {
        throw TrajpackError(.usage, "'\(text)' is no share of the rows; it must be 0 % to 100 %")
      }
      self = .share(share, fromEnd: text.hasPrefix("-"))
      return
    }
    if let seconds = CivilDate.seconds(text) {
      self = .time(seconds, unit: nil)
      return
    }
    guard let (amount, unit) = SplitRule.amount(text) else {
      throw TrajpackError(
        .usage,
        "'\(text)' is no place in a recording: give a row (8640, or -100 from the end), a share (60%, or -20% from "
          + "the end), a time with its unit (12.5s), or a date (2016-07-01 05:00)")
    }
    self = .time(amount, unit: unit)
  }
}

extension SplitRule.Bound {
  /// Whether no recording has a row from `other` to this.
  func isNever(behind other: SplitRule.Bound) -> Bool {
    switch (other, self) {
    case (.row(let a), .row(let b)): return (a < 0) == (b < 0) && b <= a
    case (.share(let a, let x), .share(let b, let y)):
      return x == y && (x ? b.value >= a.value : b.value <= a.value)
    case (.time(let a, let x), .time(let b, let y)): return x == y && b.value <= a.value
    default: return false
    }
  }
}

extension SplitRule.Context {
  /// Reads a number of rows, or a time with its unit.
  init(_ option: OptionReader) throws(TrajpackError) {
    if option.value.int != nil {
      self = .rows(try option.integer(0...LoaderOptions.limit))
      return
    }
    let text = try option.text()
    if let rows = Int(text), (0...LoaderOptions.limit).contains(rows) {
      self = .rows(rows)
      return
    }
    guard let (amount, unit) = SplitRule.amount(text), amount.numerator >= 0 else {
      throw option.wrong("rows (96) or a time with its unit (2s)")
    }
    self = .time(amount, unit: unit)
  }
}

extension SplitRule {
  /// A decimal number and the unit behind it.
  static func amount(_ text: String) -> (Rational, unit: String)? {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || "-+./".contains($0)) }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    guard !digits.isEmpty, let first = unit.first, first.isLetter else { return nil }
    let isNegative = digits.hasPrefix("-")
    guard let number = Rational(decimal: isNegative ? digits.dropFirst() : digits) else {
      return nil
    }
    return (
      isNegative ? Rational(-number.numerator, number.denominator) ?? number : number, String(unit)
    )
  }

  /// Seconds of a unit of time; `nil` for one that has none.
  static func seconds(_ unit: String) -> Rational? {
    switch unit {
    case "s": .one
    case "ms": Rational(1, 1000)
    case "us", "µs": Rational(1, 1_000_000)
    case "ns": Rational(1, 1_000_000_000)
    case "min": Rational(60)
    case "h": Rational(3600)
    case "d": Rational(86_400)
    default: nil
    }
  }

  /// An amount of one unit in another.
  ///
  /// - Throws: A usage error where neither can be had from the other.
  static func convert(
    _ amount: Rational, _ unit: String, to own: String, stream: String
  ) throws(TrajpackError) -> Instant {
    if unit == own { return Instant(amount) }
    guard let from = seconds(unit), let to = seconds(own),
      let inverse = Rational(to.denominator, to.numerator)
    else {
      throw TrajpackError(
        .usage,
        "stream '\(stream)' counts time in '\(own)', which cannot be had from '\(unit)'; give times in '\(own)', or "
          + "rows")
    }
    return Instant(amount) * Instant(from) * Instant(inverse)
  }
}

/// Days and times of the proleptic Gregorian calendar, without a zone or of UTC.
enum CivilDate {
  /// Seconds since 1970-01-01 of `2016-07-01`, `2016-07-01 05:00` or `2016-07-01T05:00:07.25Z`; `nil` for other text.
  static func seconds(_ text: String) -> Rational? {
    var text = text[...]
    if text.last == "Z" { text = text.dropLast() }
    let halves = text.split(
      maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: { $0 == "T" || $0 == " " })
    let day = halves[0].split(separator: "-", omittingEmptySubsequences: false)
    guard day.count == 3, day[0].count == 4, day[1].count == 2, day[2].count == 2,
      let year = Int64(day[0]), let month = Int64(day[1]), let date = Int64(day[2]),
      (1...9999).contains(year), (1...12).contains(month),
      (1...days(in: month, of: year)).contains(date)
    else { return nil }
    var seconds = days(year, month, date) * 86_400
    guard halves.count == 2 else { return Rational(seconds) }
    let clock = halves[1].split(separator: ":", omittingEmptySubsequences: false)
    guard (2...3).contains(clock.count), clock[0].count == 2, clock[1].count == 2,
      let hour = Int64(clock[0]), let minute = Int64(clock[1]), (0...23).contains(hour),
      (0...59).contains(minute)
    else { return nil }
    seconds += hour * 3600 + minute * 60
    guard clock.count == 3 else { return Rational(seconds) }
    guard clock[2].prefix(2).allSatisfy(\.isNumber), clock[2].count >= 2,
      let rest = Rational(decimal: clock[2]), rest.numerator >= 0, rest.value < 60,
      rest.denominator < 1 << 31
    else { return nil }
    return Rational(seconds * rest.denominator + rest.numerator, rest.denominator)
  }

  private static func days(in month: Int64, of year: Int64) -> Int64 {
    let next = month == 12 ? days(year + 1, 1, 1) : days(year, month + 1, 1)
    return next - days(year, month, 1)
  }

  /// Days since 1970-01-01. Years are counted from March, so that leap days come last.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return y * 365 + y / 4 - y / 100 + y / 400 + dayOfYear - 719_468
  }
}

extension String {
  /// The text without spaces around it.
  fileprivate var trimmed: String {
    var rest = self[...]
    while rest.first == " " { rest = rest.dropFirst() }
    while rest.last == " " { rest = rest.dropLast() }
    return String(rest)
  }
}
