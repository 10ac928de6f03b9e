// Text that came from a file, for people: in a terminal, a message, Markdown.

extension String {
  /// The same text with everything that could drive a terminal or reorder a line spelled out:
  /// control characters as `\n`, `\t`, `\x1b`, direction marks and line separators as `\u{202e}`.
  /// For names that come from files.
  public var printable: String {
    guard unicodeScalars.contains(where: \.drivesTerminal) else { return self }
    var text = ""
    for scalar in unicodeScalars { text += scalar.printable }
    return text
  }

  /// The text with its line ends and, where asked for, the colours that the program itself has put in; all
  /// else as in ``printable``.
  public func printableLines(colours: Bool) -> String {
    guard unicodeScalars.contains(where: { $0.drivesTerminal && $0 != "\n" }) else { return self }
    var text = ""
    var rest = unicodeScalars[...]
    while let scalar = rest.first {
      let colour = colours ? rest.colourLength : 0
      if colour > 0 {
        text.unicodeScalars.append(contentsOf: rest.prefix(colour))
        rest = rest.dropFirst(colour)
      } else {
        text += scalar == "\n" ? "\n" : scalar.printable
        rest = rest.dropFirst()
      }
    }
    return text
  }

  /// A JSON document with everything that could drive a terminal as `\u202e`: it means the same.
  public var printableJSON: String {
    guard unicodeScalars.contains(where: { $0.drivesTerminal && $0 != "\n" }) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if scalar == "\n" || !scalar.drivesTerminal {
        text.unicodeScalars.append(scalar)
      } else {
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return text
  }

  /// The text as Markdown that shows it and does nothing else: no HTML, no links or pictures, no cells.
  public var markdownText: String {
    var text = ""
    for scalar in printable.unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\\", "|", "`", "*", "[", "]": text += "\\\(scalar)"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// The text as a cell of CSV (RFC 4180).
  ///
  /// - Parameter escapingFormulas: Whether a cell that a spreadsheet would compute, one that begins with `=`,
  ///   `+`, `-`, `@`, a tab or a carriage return, gets an apostrophe in front.
  public func csvCell(escapingFormulas: Bool = false) -> String {
    var text = self
    if escapingFormulas, let first = utf8.first, "=+-@\t\r".utf8.contains(first) {
      text = "'" + text
    }
    guard text.utf8.contains(where: { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }) else { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" { quoted += "\"" }
      quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
  }
}

extension Substring.UnicodeScalarView {
  /// The length of a colour at the beginning, `ESC [ numbers m`; 0 where there is none.
  fileprivate var colourLength: Int {
    guard first == "\u{1b}", dropFirst().first == "[" else { return 0 }
    let numbers = dropFirst(2).prefix { ("0"..."9").contains($0) || $0 == ";" }
    return dropFirst(2 + numbers.count).first == "m" ? numbers.count + 3 : 0
  }
}

extension Unicode.Scalar {
  fileprivate var printable: String {
    switch self {
    case "\n": return "\\n"
    case "\r": return "\\r"
    case "\t": return "\\t"
    case _ where !drivesTerminal: return String(self)
    case _ where value < 0x100:
      return "\\x" + (value < 16 ? "0" : "") + String(value, radix: 16)
    default: return "\\u{" + String(value, radix: 16) + "}"
    }
  }

  fileprivate var drivesTerminal: Bool {
    switch value {
    case 0..<0x20, 0x7f..<0xa0: true
    case 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069, 0x61c, 0xfeff: true
    default: false
    }
  }
}
