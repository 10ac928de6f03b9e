import Glibc

extension Evaluation {
  /// A number as people read it: four significant digits, `1.234e-07` where it is tiny or huge.
  static func short(_ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    if value == 0 { return "0" }
    let exponent = Int(log10(abs(value)).rounded(.down))
    guard exponent >= -4, exponent < 9 else {
      let mantissa = (value / pow(10, Double(exponent)) * 1000).rounded() / 1000
      // 9.9999 rounds to 10.
      return abs(mantissa) < 10
        ? "\(trimmed(mantissa))e\(exponent)" : "\(trimmed(mantissa / 10))e\(exponent + 1)"
    }
    let scale = pow(10, Double(max(3 - exponent, 0)))
    return trimmed((value * scale).rounded() / scale)
  }

  private static func trimmed(_ value: Double) -> String {
    value == value.rounded() ? "\(Int(value))" : "\(value)"
  }
}
