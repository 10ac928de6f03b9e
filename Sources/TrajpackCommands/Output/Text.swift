// Text for a terminal: how wide it is, and where to break it.

extension String {
  /// Columns on a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks.
  var displayWidth: Int {
    if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
    return reduce(0) { $0 + $1.displayWidth }
  }

  /// The start of the text, with `…` at its end when it is wider than `width` columns.
  func truncated(to width: Int, mark: String = "…") -> String {
    guard displayWidth > width else { return self }
    let room = width - mark.displayWidth
    guard room >= 0 else { return "" }
    var text = ""
    var used = 0
    for character in self {
      used += character.displayWidth
      if used > room { break }
      text.append(character)
    }
    return text + mark
  }

  /// Lines of at most `width` columns, broken at spaces; a longer word stands alone.
  func wrapped(to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in split(whereSeparator: { $0 == " " || $0 == "\n" }) {
      if !line.isEmpty && line.displayWidth + 1 + String(word).displayWidth > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return line.isEmpty ? lines : lines + [line]
  }

  /// The parts between empty lines.
  var paragraphs: [String] {
    var parts: [String] = [""]
    for line in split(separator: "\n", omittingEmptySubsequences: false) {
      if line.allSatisfy({ $0 == " " }) {
        parts.append("")
      } else {
        parts[parts.count - 1] += line + "\n"
      }
    }
    return parts.filter { !$0.isEmpty }
  }

  var trimmedRight: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }

  /// The text in a column of `width`, filled up with spaces.
  func padded(to width: Int, isRight: Bool = false) -> String {
    let space = String(repeating: " ", count: Swift.max(0, width - displayWidth))
    return isRight ? space + self : self + space
  }
}

extension Character {
  var displayWidth: Int {
    let widths = unicodeScalars.map(\.displayWidth)
    // A variation selector 16 asks for the emoji form, which is wide.
    if unicodeScalars.contains("\u{fe0f}") { return 2 }
    return widths.max() ?? 0
  }
}

extension Unicode.Scalar {
  fileprivate var displayWidth: Int {
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    switch value {
    // East Asian Wide and Fullwidth blocks (Unicode Standard Annex 11), and emoji.
    case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xa960...0xa97c, 0xac00...0xd7a3,
      0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x17000...0x18cff,
      0x1b000...0x1b2ff, 0x20000...0x3fffd:
      return 2
    default: return value > 0xff && properties.isEmojiPresentation ? 2 : 1
    }
  }
}
