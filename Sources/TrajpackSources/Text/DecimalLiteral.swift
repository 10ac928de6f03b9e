import Glibc
import TrajpackFormat

/// A number as text says it: exactly, as digits and a power of ten, where it has at most 18 digits.
public struct DecimalLiteral: Sendable, Equatable {
  /// What the text is.
  public enum Form: UInt8, Sendable {
    /// Nothing, or `nan` in any case: a value that was not observed.
    case missing
    /// Digits only.
    case integer
    /// With a point or an exponent.
    case decimal
    /// An infinity.
    case infinite
    /// A number with more digits than are kept exactly; ``value`` is the nearest double. Its mantissa is
    /// 1 where the text is digits only.
    case wide
    /// No number.
    case text
  }

  /// What the text is.
  public var form: Form
  /// The number is `mantissa / 10^decimals`; trailing zeros are not counted.
  public var mantissa: Int64
  /// Digits after the point.
  public var decimals: Int
  /// Whether a minus sign is there; it matters for zero and infinity.
  public var isNegative: Bool
  /// The double of a ``Form/wide`` number.
  public var wide: Double

  private init(
    _ form: Form, _ mantissa: Int64 = 0, _ decimals: Int = 0, negative: Bool = false,
    wide: Double = 0
  ) {
    self.form = form
    self.mantissa = mantissa
    self.decimals = decimals
    self.isNegative = negative
    self.wide = wide
  }

  /// Not observed.
  public static let missing = DecimalLiteral(.missing)
  /// No number.
  static let text = DecimalLiteral(.text)

  /// The nearest double; NaN where missing or no number.
  public var value: Double {
    switch form {
    case .missing, .text: return .nan
    case .infinite: return isNegative ? -.infinity : .infinity
    case .wide: return wide
    case .integer, .decimal:
      if mantissa == 0 { return isNegative && form == .decimal ? -0.0 : 0 }
      return Double(mantissa) / DecimalCode.powers[decimals]
    }
  }

  /// Whether its nearest double is infinite or zero, and it is neither.
  @inline(__always)
  var isOutOfRange: Bool { form == .wide && (wide == 0 || wide.isInfinite) }

  /// Reads a number. Spaces around it are allowed.
  public init(_ text: UnsafeBufferPointer<UInt8>) {
    var at = 0
    var end = text.count
    while at < end, text[at] == 0x20 || text[at] == 0x09 { at += 1 }
    while end > at, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
    if at == end {
      self = .missing
      return
    }
    let first = at
    var negative = false
    if text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
      negative = text[at] == UInt8(ascii: "-")
      at += 1
    }
    var mantissa: Int64 = 0
    var digits = 0
    var significant = 0
    var decimals = 0
    var seenPoint = false
    while at < end {
      let c = text[at] &- UInt8(ascii: "0")
      if c < 10 {
        digits += 1
        if significant > 0 || c != 0 { significant += 1 }
        if significant <= 18 {
          mantissa = mantissa &* 10 &+ Int64(c)
          if seenPoint { decimals += 1 }
        }
      } else if text[at] == UInt8(ascii: "."), !seenPoint {
        seenPoint = true
      } else {
        break
      }
      at += 1
    }
    guard digits > 0 else {
      self = Self.word(UnsafeBufferPointer(rebasing: text[first..<end]), negative: negative)
      return
    }
    var form: Form = seenPoint ? .decimal : .integer
    if at < end, text[at] | 0x20 == UInt8(ascii: "e") {
      form = .decimal
      at += 1
      var minus = false
      if at < end, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
        minus = text[at] == UInt8(ascii: "-")
        at += 1
      }
      var exponent = 0
      let start = at
      while at < end, text[at] &- UInt8(ascii: "0") < 10 {
        exponent = min(exponent * 10 + Int(text[at] - UInt8(ascii: "0")), 100_000)
        at += 1
      }
      guard at > start else {
        self.init(.text)
        return
      }
      decimals += minus ? exponent : -exponent
    }
    guard at == end else {
      self.init(.text)
      return
    }
    // `-0` is what `%g` prints for a negative zero: its sign is kept.
    if significant == 0, negative { form = .decimal }
    if significant <= 18 {
      while mantissa != 0, decimals > 0, mantissa % 10 == 0 {
        mantissa /= 10
        decimals -= 1
      }
      if mantissa == 0 {
        decimals = 0
        // An integer has no negative zero, but the double that `-0` is read as is one.
        if negative { form = .decimal }
      }
      while decimals < 0, mantissa <= Int64.max / 10 {
        mantissa *= 10
        decimals += 1
      }
      if decimals >= 0, decimals <= DecimalCode.maximumDecimals,
        form == .integer || mantissa < 1 << 53
      {
        self.init(form, negative ? -mantissa : mantissa, decimals, negative: negative)
        return
      }
    } else if form == .integer,
      let whole = Int64(String(decoding: text[first..<end], as: UTF8.self)),
      whole > .min + 4
    {
      self.init(.integer, whole, 0, negative: negative)
      return
    }
    guard let double = Double(String(decoding: text[first..<end], as: UTF8.self)) else {
      self.init(.text)
      return
    }
    // 1 for whole digits: a number that no float may stand for.
    self.init(.wide, form == .integer ? 1 : 0, negative: negative, wide: double)
  }

  private static func word(
    _ text: UnsafeBufferPointer<UInt8>, negative: Bool
  ) -> DecimalLiteral {
    let letters = text.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
    func matches(_ word: StaticString) -> Bool {
      letters.count == word.utf8CodeUnitCount
        && zip(letters, UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
          .allSatisfy { $0 | 0x20 == $1 }
    }
    if matches("nan") { return .missing }
    if matches("inf") || matches("infinity") {
      return DecimalLiteral(.infinite, negative: negative)
    }
    return DecimalLiteral(.text)
  }
}
