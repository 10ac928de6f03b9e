import TrajpackFormat

/// What the integers of numpy's `datetime64` or `timedelta64` count.
struct NPYDates: Sendable, Hashable {
  /// The time of one, in seconds; months and years are counted in days as they are read.
  let tick: Rational
  /// How many months one is, where it is months or years of the calendar.
  let months: Int64?
  /// Whether they are spans of time, and no dates.
  let isSpan: Bool
  /// numpy's name of the type.
  let name: String

  /// The integer that stands for no time.
  static let none = Int64.min

  /// Seconds of the units of numpy, below those of the calendar.
  private static let units: [String: (Int64, Int64)] = [
    "W": (604_800, 1), "D": (86_400, 1), "h": (3600, 1), "m": (60, 1), "s": (1, 1),
    "ms": (1, 1000), "us": (1, 1_000_000), "ns": (1, 1_000_000_000),
    "ps": (1, 1_000_000_000_000), "fs": (1, 1_000_000_000_000_000),
    "as": (1, 1_000_000_000_000_000_000),
  ]

  /// Reads the code of a type, `M8[25us]`, without the sign of its byte order; `nil` where it is another type, or one
  /// without a unit.
  init?(_ code: String) {
    guard code.hasPrefix("M8[") || code.hasPrefix("m8["), code.hasSuffix("]") else { return nil }
    isSpan = code.hasPrefix("m")
    let inner = code.dropFirst(3).dropLast()
    let digits = inner.prefix { $0.isASCII && $0.isNumber }
    let unit = String(inner.dropFirst(digits.count))
    let count: Int64
    if digits.isEmpty {
      count = 1
    } else {
      guard let number = Int64(digits), number > 0, number < 1 << 31 else { return nil }
      count = number
    }
    name = "\(isSpan ? "timedelta64" : "datetime64")[\(inner)]"
    if unit == "Y" || unit == "M" {
      // A span of months is no fixed time.
      guard !isSpan else { return nil }
      months = count * (unit == "Y" ? 12 : 1)
      tick = Rational(86_400, 1) ?? .one
      return
    }
    guard let (numerator, denominator) = Self.units[unit],
      let tick = Rational(numerator * count, denominator)
    else { return nil }
    months = nil
    self.tick = tick
  }

  /// The days from 1970-01-01 of `value` steps of ``months``; none where it is none or too far away.
  static func days(_ value: Int64, months: Int64) -> Int64 {
    let (all, overflow) = value.multipliedReportingOverflow(by: months)
    guard value != none, !overflow, abs(all) < 1 << 40 else { return none }
    let (year, month) = (1970 + all.floorDivided(by: 12), all - all.floorDivided(by: 12) * 12)
    // Days of the first of a month (H. Hinnant, "chrono-compatible low-level date algorithms").
    let y = month < 2 ? year - 1 : year
    let era = y.floorDivided(by: 400)
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * ((month + 10) % 12) + 2) / 5
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}

extension Int64 {
  /// The quotient rounded down.
  fileprivate func floorDivided(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
