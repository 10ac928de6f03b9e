import TrajpackFormat

/// Text that grows tag by tag.
struct Markup {
  private(set) var text = ""

  /// A tag with its attributes, its content written by `body`.
  mutating func tag(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:],
    _ body: (inout Markup) -> Void
  ) {
    open(name, attributes)
    body(&self)
    text += "</\(name)>"
  }

  /// A tag around escaped text.
  mutating func tag(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], text content: String
  ) {
    tag(name, attributes) { $0.write(content) }
  }

  /// A tag without content, closed at once.
  mutating func mark(_ name: String, _ attributes: KeyValuePairs<String, String>) {
    open(name, attributes, end: "/>")
  }

  private mutating func open(
    _ name: String, _ attributes: KeyValuePairs<String, String>, end: String = ">"
  ) {
    text += "<\(name)"
    for (key, value) in attributes { text += " \(key)=\"\(Self.escaped(value))\"" }
    text += end
  }

  /// Text, escaped.
  mutating func write(_ content: String) { text += Self.escaped(content) }

  /// Markup that is already as it should be.
  mutating func raw(_ content: String) { text += content }

  static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.printableLines(colours: false).unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
