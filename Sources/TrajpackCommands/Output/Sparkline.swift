/// A run of numbers as a line of characters, from their smallest to their largest.
enum Sparkline {
  private static let blocks = Array("▁▂▃▄▅▆▇█")
  private static let plain = Array("_.-=+*#@")

  /// The line, of at most `width` characters; what is no number is a gap. Where there are more numbers than
  /// characters, each stands for the mean of some.
  static func text(_ values: [Double], width: Int, isUTF8: Bool) -> String {
    let marks = isUTF8 ? blocks : plain
    let count = min(values.count, max(width, 1))
    guard count > 0 else { return "" }
    let means = (0..<count).map { i in
      let part = values[i * values.count / count..<(i + 1) * values.count / count].filter(
        \.isFinite)
      return part.isEmpty ? Double.nan : part.reduce(0) { $0 + $1 / Double(part.count) }
    }
    let seen = means.filter(\.isFinite)
    guard let low = seen.min(), let high = seen.max() else {
      return String(repeating: " ", count: count)
    }
    return String(
      means.map { value -> Character in
        guard value.isFinite else { return " " }
        // Halved, so that the span of any two numbers is one.
        let span = high / 2 - low / 2
        guard span > 0 else { return marks[0] }
        return marks[min(Int((value / 2 - low / 2) / span * Double(marks.count)), marks.count - 1)]
      })
  }
}
