import TrajpackFormat

/// What times that were recorded as doubles have shown: whether they go on, and whether a clock
/// gives every one of them, bit for bit.
struct ClockDetector: Sendable {
  private(set) var count = 0
  private var first = 0.0
  private var last = -Double.infinity
  private var candidate: Clock?
  private var isEven = true

  /// Adds a time; `false` where it lies before the one before or is no time.
  mutating func add(_ value: Double) -> Bool {
    guard value.isFinite, value >= last else { return false }
    if count == 0 { first = value }
    if count == 1 { candidate = Self.clock(first, value) }
    if count >= 1, isEven, candidate?.time(ofRow: count)?.bitPattern != value.bitPattern {
      isEven = false
    }
    last = value
    count += 1
    return true
  }

  /// The clock that gives every time; `nil` where there is none.
  var regularClock: Clock? {
    guard isEven, count > 0 else { return nil }
    let clock = count == 1 ? Self.clock(first, first + 1) : candidate
    guard case .regular(let start, let rate) = clock, TimeProfile.isExact(start, rate, rows: count),
      clock?.time(ofRow: 0)?.bitPattern == first.bitPattern
    else { return nil }
    return clock
  }

  /// The clock of two times, taken as the shortest decimals that are read as these doubles.
  private static func clock(_ first: Double, _ second: Double) -> Clock? {
    func number(_ value: Double) -> DecimalLiteral {
      Array("\(value)".utf8).withUnsafeBufferPointer { DecimalLiteral($0) }
    }
    var facts = TimeProfile()
    guard facts.add(number(first)), facts.add(number(second)) else { return nil }
    return facts.regularClock
  }
}

/// What the times of a recording have shown, whatever they were recorded as.
enum RecordedTimes: Sendable {
  /// There are none.
  case none
  /// Integers.
  case whole(TimeProfile)
  /// Doubles.
  case doubles(ClockDetector)

  /// The clock of even times.
  var regularClock: Clock? {
    switch self {
    case .none: return nil
    case .whole(let facts): return facts.regularClock
    case .doubles(let times): return times.regularClock
    }
  }
}

/// Looks at the times of rows, one after the other, before it is known what they are taken as.
struct RecordedTimesReader: Sendable {
  private var whole = TimeProfile()
  private var doubles = ClockDetector()
  /// Times so far.
  private(set) var count = 0

  /// Adds a time, whole ones in `ticks` of a second where they are; `false` where it lies before the one before, or is none.
  mutating func add(_ number: StoredNumber, ticks tick: Rational? = nil) -> Bool {
    let isForward: Bool
    switch number {
    case .whole(let value):
      isForward =
        tick.map { whole.add(Int64(truncatingIfNeeded: value), of: $0) } ?? whole.add(whole: value)
    case .double(let value): isForward = doubles.add(value)
    }
    if isForward { count += 1 }
    return isForward
  }

  /// What they have shown.
  func found(isFloat: Bool) -> RecordedTimes { isFloat ? .doubles(doubles) : .whole(whole) }
}
