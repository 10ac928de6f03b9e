import Glibc

/// Numbers as people read them.
enum Human {
  /// `734 B`, `1.5 KiB`, `12 MiB`, `3.2 TiB`: three digits at most, powers of 1024.
  static func bytes(_ count: Int) -> String {
    let sign = count < 0 ? "-" : ""
    var value = Double(count.magnitude)
    if value < 1000 { return "\(sign)\(count.magnitude) B" }
    var unit = -1
    // 999.5 would be rounded to four digits: it is the next unit already.
    while value >= 999.5 && unit < 5 {
      value /= 1024
      unit += 1
    }
    return "\(sign)\(rounded(value)) \(["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit])"
  }

  /// Bytes a second: `81 MiB/s`.
  static func rate(_ bytesPerSecond: Double) -> String {
    let isSane = bytesPerSecond.isFinite && bytesPerSecond >= 0
    return bytes(isSane ? Int(min(bytesPerSecond, 1e18)) : 0) + "/s"
  }

  /// `1,234,567`.
  static func count(_ number: Int) -> String {
    var text = ""
    for (place, digit) in String(number.magnitude).reversed().enumerated() {
      if place > 0 && place % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (number < 0 ? "-" : "") + String(text.reversed())
  }

  /// `1 episode`, `1,204 episodes`; `things` is the plural.
  static func count(_ number: Int, _ things: String) -> String {
    guard number == 1 else { return "\(count(number)) \(things)" }
    if things.hasSuffix("ies") { return "1 \(things.dropLast(3))y" }
    return "1 \(things.hasSuffix("s") ? things.dropLast() : things[...])"
  }

  /// The same for seconds as a number from a file, of any size.
  static func duration(seconds: Double) -> String {
    guard seconds.isFinite, seconds.magnitude < 1e15 else { return "\(seconds) s" }
    return duration(.milliseconds(Int64(seconds * 1000)))
  }

  /// `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`: two units at most.
  static func duration(_ time: Duration) -> String {
    let (seconds, attoseconds) = time.components
    if seconds < 0 || attoseconds < 0 { return "-" + duration(.zero - time) }
    let exact = Double(seconds) + Double(attoseconds) * 1e-18
    if exact < 0.0995 { return exact == 0 ? "0 s" : "\(Int((exact * 1000).rounded(.up))) ms" }
    if exact < 9.95 { return "\(rounded(exact)) s" }
    let whole = seconds + (attoseconds >= 500_000_000_000_000_000 ? 1 : 0)
    let units: [(Int64, String)] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")]
    let first = units.firstIndex { whole >= $0.0 } ?? 3
    let (size, name) = units[first]
    let head = "\(whole / size) \(name)"
    guard first < 3 else { return head }
    let (lesser, lesserName) = units[first + 1]
    let rest = whole % size / lesser
    return rest == 0 ? head : "\(head) \(rest) \(lesserName)"
  }

  /// A number in six significant digits: `0.033333`, `-1204.5`, `1.5e-09`.
  static func figure(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    if value.rounded() == value, value.magnitude < 1e15 { return String(Int64(value)) }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
      _ = withVaList([value]) { vsnprintf(text.baseAddress, text.count, "%.6g", $0) }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  /// A time on a clock, with at most six digits after the point: `4.966667`, `1545437100.25`,
  /// `1601772846458691584`.
  static func time(_ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    guard value.magnitude < 1e15, value == 0 || value.magnitude >= 1e-4 else {
      return value.magnitude < 9e18 && value == value.rounded()
        ? String(Int64(value)) : value.description
    }
    let rounded = (value * 1e6).rounded() / 1e6
    return rounded == rounded.rounded() ? String(Int64(rounded)) : rounded.description
  }

  /// One decimal below 10, none from there on.
  private static func rounded(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    guard tenths < 100 else { return "\(Int(value.rounded()))" }
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}
