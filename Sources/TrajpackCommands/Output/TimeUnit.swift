/// Spans of time in the unit that a stream counts in, as people read them.
enum TimeUnit {
  /// How many seconds a unit has; `nil` for units that have none, such as `step`, and for years and months,
  /// which differ in length.
  static func seconds(_ unit: String) -> Double? {
    switch unit.lowercased() {
    case "s", "sec", "second", "seconds": 1
    case "ms", "msec", "millisecond", "milliseconds": 1e-3
    case "us", "µs", "μs", "microsecond", "microseconds": 1e-6
    case "ns", "nanosecond", "nanoseconds": 1e-9
    case "min", "minute", "minutes": 60
    case "h", "hr", "hour", "hours": 3600
    case "d", "day", "days": 86_400
    default: nil
    }
  }

  /// `20 s` for 20,000 `ms`, `4 d 19 h` for 115 `h`, `7,200 steps`.
  static func duration(_ amount: Double, _ unit: String) -> String {
    if let seconds = seconds(unit) { return Human.duration(seconds: amount * seconds) }
    let isWhole = amount == amount.rounded() && amount.magnitude < 1e15
    let number = isWhole ? Human.count(Int(amount)) : Human.figure(amount)
    let isPlural = amount != 1 && !unit.hasSuffix("s") && unit.count > 2
    return "\(number) \(unit.printable)\(isPlural ? "s" : "")"
  }

  /// The seconds of spans in several units; `nil` where no unit has seconds.
  static func seconds(_ durations: [String: Double]) -> Double? {
    let known = durations.sorted { $0.key < $1.key }.compactMap { unit, amount in
      seconds(unit).map { $0 * amount }
    }
    return known.isEmpty ? nil : known.reduce(0, +)
  }
}
