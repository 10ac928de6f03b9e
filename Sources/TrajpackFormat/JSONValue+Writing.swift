extension JSONValue {
  /// The document as JSON text. `indent` spaces a level, or one line where it is `nil`. Numbers that
  /// JSON cannot say (NaN, infinities) are written as `null`.
  public func text(indent: Int? = nil) -> String {
    var out = ""
    write(to: &out, indent: indent, level: 0)
    return out
  }

  private func write(to out: inout String, indent: Int?, level: Int) {
    switch self {
    case .null: out += "null"
    case .bool(let truth): out += truth ? "true" : "false"
    case .int(let number): out += String(number)
    case .uint(let number): out += String(number)
    case .double(let number): out += number.isFinite ? number.description : "null"
    case .string(let text): Self.quote(text, into: &out)
    case .array(let elements):
      // Arrays of plain values stay on one line: shapes and ranges are easier to read so.
      let flat = elements.allSatisfy {
        switch $0 {
        case .array, .object: return false
        default: return true
        }
      }
      list(
        elements.count, "[", "]", to: &out, indent: flat ? nil : indent, level,
        spaced: indent != nil
      ) {
        elements[$0].write(to: &$1, indent: indent, level: level + 1)
      }
    case .object(let members):
      list(members.count, "{", "}", to: &out, indent: indent, level, spaced: indent != nil) {
        Self.quote(members[$0].name, into: &$1)
        $1 += indent == nil ? ":" : ": "
        members[$0].value.write(to: &$1, indent: indent, level: level + 1)
      }
    }
  }

  private func list(
    _ count: Int, _ open: String, _ close: String, to out: inout String, indent: Int?,
    _ level: Int, spaced: Bool, _ element: (Int, inout String) -> Void
  ) {
    out += open
    for i in 0..<count {
      if i > 0 { out += indent == nil && spaced ? ", " : "," }
      if let indent { out += "\n" + String(repeating: " ", count: indent * (level + 1)) }
      element(i, &out)
    }
    if count > 0, let indent { out += "\n" + String(repeating: " ", count: indent * level) }
    out += close
  }

  private static func quote(_ text: String, into out: inout String) {
    out += "\""
    defer { out += "\"" }
    let isPlain = text.utf8.allSatisfy {
      $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }
    // Appending a scalar at a time costs many times as much.
    if isPlain { return out += text }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
  }
}
