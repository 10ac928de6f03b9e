import TrajpackFormat

/// Frames as an option names them: `A:B`, or one number.
package enum FrameRange {
  /// - Throws: A usage error where the text is neither.
  package static func parse(_ text: String, _ option: String = "--frames") throws(TrajpackError)
    -> Range<Int>
  {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    if parts.count == 1, let one = parts[0], one >= 0, one < Int(Int32.max) { return one..<one + 1 }
    guard parts.count == 2, let first = parts[0], let end = parts[1], first >= 0, end > first,
      end <= Int(Int32.max)
    else {
      throw TrajpackError(
        .usage, "\(option) '\(text)': give A:B with A below B, counted from 0, or one number")
    }
    return first..<end
  }
}
