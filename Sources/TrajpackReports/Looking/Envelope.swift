import TrajpackFormat

/// A curve along time as the smallest and the largest value of each of some stretches, which is what a screen can show:
/// no spike is lost, however long the curve is.
struct Envelope {
  /// What stands for a stretch without a row, over which the curve goes on.
  static let nothing: UInt8 = 254
  /// What stands for a stretch in which something was not observed or nobody was there: the curve ends.
  static let gap: UInt8 = 255

  private let from: Double
  private let scale: Double
  private var low: [Double]
  private var high: [Double]
  private var isBroken: [Bool]

  init(from: Double, to: Double, bins: Int) {
    self.from = from
    scale = to > from ? Double(bins) / (to - from) : 0
    low = [Double](repeating: .infinity, count: bins)
    high = [Double](repeating: -.infinity, count: bins)
    isBroken = [Bool](repeating: false, count: bins)
  }

  /// The stretch of a time.
  func bin(_ time: Double) -> Int {
    // A row that begins a stretch is in it, in spite of rounding.
    let place = (time - from) * scale + 1e-6
    guard place.isFinite else { return 0 }
    return min(max(Int(min(max(place, 0), 1e9)), 0), low.count - 1)
  }

  mutating func add(_ value: Double, at bin: Int) {
    guard value.isFinite else {
      isBroken[bin] = true
      return
    }
    if value < low[bin] { low[bin] = value }
    if value > high[bin] { high[bin] = value }
  }

  /// Ends the curve in stretches between two times, where there is no row.
  mutating func cut(after: Double, before: Double) {
    let (a, b) = (bin(after), bin(before))
    guard b > a + 1 else { return }
    for n in a + 1..<b where low[n] > high[n] { isBroken[n] = true }
  }

  /// The range of the values; nil where there is none.
  var range: ClosedRange<Double>? {
    let (least, most) = (low.min() ?? .infinity, high.max() ?? -.infinity)
    return least <= most ? least...most : nil
  }

  /// Two bytes a stretch, smallest and largest, of 0 to 253 over the range.
  func bytes(_ range: ClosedRange<Double>) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(2 * low.count)
    let half = range.upperBound / 2 - range.lowerBound / 2
    func code(_ value: Double) -> UInt8 {
      guard half > 0 else { return 126 }
      let share = (value / 2 - range.lowerBound / 2) / half
      return UInt8(min(max((share * 253).rounded(), 0), 253))
    }
    for n in low.indices {
      if low[n] <= high[n] {
        out += [code(low[n]), code(high[n])]
      } else {
        out += isBroken[n] ? [Self.gap, Self.gap] : [Self.nothing, Self.nothing]
      }
    }
    return out
  }
}

/// Base64 (RFC 4648).
enum Base64 {
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The bytes of a text that ``text(_:)`` has made.
  static func bytes(_ text: String) -> [UInt8] {
    var out: [UInt8] = []
    var (word, bits) = (0, 0)
    for digit in text.utf8 where digit != 0x3D {
      word = (word << 6 | values[Int(digit)]) & 0xFFFFFF
      bits += 6
      if bits >= 8 {
        bits -= 8
        out.append(UInt8(word >> bits & 255))
      }
    }
    return out
  }

  private static let values: [Int] = {
    var out = [Int](repeating: 0, count: 256)
    for (value, digit) in digits.enumerated() { out[Int(digit)] = value }
    return out
  }()

  static func text(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    var at = 0
    while at < bytes.count {
      let left = min(bytes.count - at, 3)
      let word =
        Int(bytes[at]) << 16 | (left > 1 ? Int(bytes[at + 1]) << 8 : 0)
        | (left > 2 ? Int(bytes[at + 2]) : 0)
      for n in 0..<4 { out.append(n <= left ? digits[word >> (18 - 6 * n) & 63] : 0x3D) }
      at += 3
    }
    return String(decoding: out, as: UTF8.self)
  }
}
