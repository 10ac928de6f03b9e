import TrajpackFormat

/// A number of bytes, spelled `4096`, `512MiB` (powers of 1024), `2GB` (powers of 1000), `1.5G`
/// (one letter is a power of 1024, as in `dd` and `tar`). Case does not matter.
struct ByteSize: ArgumentValue, Comparable, Hashable {
  var bytes: Int

  init(_ bytes: Int) { self.bytes = bytes }

  static func < (one: ByteSize, other: ByteSize) -> Bool { one.bytes < other.bytes }

  static func parse(_ text: String) throws(TrajpackError) -> ByteSize {
    let wrong = TrajpackError(.usage, "'\(text)' is not a size such as 4096, 512MiB or 2GB")
    guard let (number, rest) = Decimal.prefix(of: text[...]) else { throw wrong }
    guard let unit = unit(rest.lowercased()) else { throw wrong }
    guard let bytes = number.times(unit) else {
      throw TrajpackError(.usage, "'\(text)' is more bytes than any file has")
    }
    return ByteSize(bytes)
  }

  private static func unit(_ name: String) -> Int? {
    if name.isEmpty || name == "b" { return 1 }
    guard let power = Array("kmgtpe").firstIndex(of: name[name.startIndex]) else { return nil }
    let base: Int
    switch name.dropFirst() {
    case "", "ib": base = 1024
    case "b": base = 1000
    default: return nil
    }
    return (0...power).reduce(1) { unit, _ in unit * base }
  }

  private static let units: [(name: String, bytes: Int)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000),
    ("kB", 1000),
  ]

  /// The shortest spelling that gives back the same number.
  var argumentText: String {
    for (name, unit) in Self.units where bytes != 0 && bytes % unit == 0 {
      return "\(bytes / unit)\(name)"
    }
    return "\(bytes)"
  }
}

/// A span of time, spelled `250ms`, `30s`, `1.5h`, `1h30min`, `2d`; a bare number but 0 is refused.
extension Duration: ArgumentValue {
  private static let units: [(name: String, nanoseconds: Int)] = [
    ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("min", 60_000_000_000),
    ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1),
  ]

  static func parse(_ text: String) throws(TrajpackError) -> Duration {
    let wrong = TrajpackError(.usage, "'\(text)' is not a time such as 250ms, 30s or 1h30min")
    if text == "0" { return .zero }
    var rest = text[...]
    var total = 0
    repeat {
      guard let (number, after) = Decimal.prefix(of: rest) else { throw wrong }
      let name = after.prefix { $0.isLetter }.lowercased()
      if name.isEmpty && after.isEmpty && rest.startIndex == text.startIndex {
        throw TrajpackError(.usage, "'\(text)' needs a unit, such as \(text)s or \(text)min")
      }
      guard let unit = units.first(where: { $0.name == (name == "m" ? "min" : name) }) else {
        throw wrong
      }
      guard let part = number.times(unit.nanoseconds) else {
        throw TrajpackError(.usage, "'\(text)' is longer than 292 years")
      }
      let (sum, overflow) = total.addingReportingOverflow(part)
      if overflow { throw TrajpackError(.usage, "'\(text)' is longer than 292 years") }
      total = sum
      rest = after.dropFirst(name.count)
    } while !rest.isEmpty
    return .nanoseconds(total)
  }

  /// The spelling with as few parts as give back the same time, to the nanosecond.
  var argumentText: String {
    let (seconds, attoseconds) = components
    var left = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
    if left == 0 { return "0" }
    var text = ""
    for unit in Duration.units where left / Int128(unit.nanoseconds) != 0 {
      text += "\(left / Int128(unit.nanoseconds))\(unit.name)"
      left %= Int128(unit.nanoseconds)
    }
    return text
  }
}

/// A decimal number without sign, kept exact: `1.25` is 125 / 100.
private struct Decimal {
  var digits: Int128
  var scale: Int128

  /// The number that `text` starts with, and what follows it.
  static func prefix(of text: Substring) -> (Decimal, Substring)? {
    var number = Decimal(digits: 0, scale: 1)
    var isFraction = false
    var count = 0
    var rest = text
    while let character = rest.first {
      if character == "." && !isFraction {
        isFraction = true
      } else if let digit = character.wholeNumberValue, character.isASCII {
        count += 1
        if count > 19 { return nil }  // keeps every product within Int128
        number.digits = number.digits * 10 + Int128(digit)
        if isFraction { number.scale *= 10 }
      } else {
        break
      }
      rest.removeFirst()
    }
    return count == 0 || (isFraction && number.scale == 1) ? nil : (number, rest)
  }

  /// The product, rounded down, if it fits an `Int`.
  func times(_ unit: Int) -> Int? { Int(exactly: digits * Int128(unit) / scale) }
}
