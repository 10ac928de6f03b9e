import Glibc

/// Maps numbers of an axis onto pixels.
struct Scale {
  let low: Double
  let high: Double
  let isLogarithmic: Bool
  let pixels: ClosedRange<Double>
  /// Whether pixels fall as numbers rise, as on a vertical axis of a picture.
  let isFlipped: Bool

  /// A scale over the numbers, a little wider than they are.
  init(
    _ values: [Double], isLogarithmic: Bool, pixels: ClosedRange<Double>, isFlipped: Bool,
    margin: Double = 0.04
  ) {
    var low = Double.infinity
    var high = -Double.infinity
    for value in values where value.isFinite && (!isLogarithmic || value > 0) {
      let value = isLogarithmic ? log10(value) : value
      low = min(low, value)
      high = max(high, value)
    }
    if low > high { (low, high) = (0, 1) }
    // One number, or numbers that doubles can hardly tell apart: a range around them.
    let least = max(abs(low), abs(high)) * 1e-9
    if high - low <= least {
      (low, high) = (low - max(abs(low) * 0.1, 0.5), high + max(abs(high) * 0.1, 0.5))
    }
    let more = (high / 2 - low / 2) * 2 * margin
    self.init(
      low: low - more, high: high + more, isLogarithmic: isLogarithmic, pixels: pixels,
      isFlipped: isFlipped)
  }

  init(
    low: Double, high: Double, isLogarithmic: Bool, pixels: ClosedRange<Double>, isFlipped: Bool
  ) {
    self.low = low
    self.high = high
    self.isLogarithmic = isLogarithmic
    self.pixels = pixels
    self.isFlipped = isFlipped
  }

  /// The pixel of a number; NaN for what the axis cannot show.
  func place(_ value: Double) -> Double {
    let value = isLogarithmic ? (value > 0 ? log10(value) : .nan) : value
    let share = (value - low) / (high - low)
    let length = pixels.upperBound - pixels.lowerBound
    return isFlipped ? pixels.upperBound - share * length : pixels.lowerBound + share * length
  }

  /// Round numbers to be written at the axis, with their texts.
  var ticks: [(value: Double, text: String)] {
    if isLogarithmic {
      let first = Int(low.rounded(.up))
      let last = Int(high.rounded(.down))
      if last - first >= 1, last - first < 400 {
        let step = max((last - first) / 5, 1)
        return stride(from: first, through: last, by: step).map { n in
          (pow(10, Double(n)), abs(n) <= 3 ? Number.text(pow(10, Double(n))) : "1e\(n)")
        }
      }
    }
    let (from, to) = isLogarithmic ? (pow(10, low), pow(10, high)) : (low, high)
    let step = Self.step(to - from)
    guard step > 0, step.isFinite else { return [] }
    let first = (from / step).rounded(.up)
    return (0..<12).compactMap { n in
      let value = (first + Double(n)) * step
      return value <= to ? (value, Number.text(value, step: step)) : nil
    }
  }

  /// 1, 2 or 5 times a power of ten that cuts `length` into four to nine parts.
  private static func step(_ length: Double) -> Double {
    guard length > 0, length.isFinite else { return 0 }
    let power = pow(10, log10(length / 5).rounded(.down))
    let times = length / 5 / power
    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10)
  }
}

/// Numbers as people write them.
enum Number {
  /// Four significant digits, no more than needed.
  static func text(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    if value == 0 { return "0" }
    let power = log10(abs(value)).rounded(.down)
    if power < -4 || power > 6 {
      let scaled = (value / pow(10, power) * 1000).rounded() / 1000
      return "\(plain(scaled))e\(Int(power))"
    }
    let digits = pow(10, max(3 - power, 0))
    return plain((value * digits).rounded() / digits)
  }

  /// A multiple of `step`, without the dust of binary fractions.
  static func text(_ value: Double, step: Double) -> String {
    if abs(value) < step / 2 { return "0" }
    let power = log10(step).rounded(.down)
    if power < -5 || abs(value) >= 1e6 { return text(value) }
    let digits = pow(10, max(-power, 0) + 1)
    return plain((value * digits).rounded() / digits)
  }

  private static func plain(_ value: Double) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// A pixel: two digits after the point.
  static func pixel(_ value: Double) -> String {
    plain((min(max(value, -1e5), 1e5) * 100).rounded() / 100)
  }
}
