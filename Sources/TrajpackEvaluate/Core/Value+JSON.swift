/// JSON text of scores, without Foundation: numbers in the shortest form that reads back the same.
extension Value {
  /// Appends this value as JSON.
  func write(to text: inout String) {
    switch self {
    case .none: text += "null"
    case .flag(let flag): text += flag ? "true" : "false"
    case .count(let count): text += String(count)
    case .number(let number): text += number.isFinite ? "\(number)" : "null"
    case .text(let string): Self.write(string, to: &text)
    case .list(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += "," }
        value.write(to: &text)
      }
      text += "]"
    case .fields(let fields): Self.write(fields, to: &text)
    }
  }

  /// Appends an object.
  static func write(_ fields: [Field], to text: inout String) {
    text += "{"
    for (index, field) in fields.enumerated() {
      if index > 0 { text += "," }
      write(field.name, to: &text)
      text += ":"
      field.value.write(to: &text)
    }
    text += "}"
  }

  /// Appends a quoted string: RFC 8259, section 7.
  static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension Score {
  /// The score as fields in the order of a report.
  public var fields: [Field] {
    [
      Field("name", .text(name)),
      Field("value", value.map { .number($0) } ?? .none),
      Field("count", .count(count)),
      Field("reason", reason.map { .text($0) } ?? .none),
      Field("options", .fields(options)),
      Field("details", .fields(details)),
    ]
  }

  /// Scores as one JSON array.
  public static func json(_ scores: [Score]) -> String {
    var text = ""
    Value.list(scores.map { .fields($0.fields) }).write(to: &text)
    return text
  }
}

extension Evaluator {
  /// The catalogue as JSON: for help texts and for other languages.
  public static func catalogue() -> String {
    let entries = all.map { evaluator -> Value in
      .fields([
        Field("name", .text(evaluator.name)), Field("summary", .text(evaluator.summary)),
        Field("scores", .list(evaluator.scores.map { .text($0) })),
        Field(
          "inputs",
          .list(
            evaluator.inputs.map { input in
              .fields([
                Field("name", .text(input.name)), Field("shape", .text(input.shape)),
                Field("help", .text(input.help)), Field("required", .flag(input.required)),
              ])
            })),
        Field(
          "options",
          .list(
            evaluator.settings.map { setting in
              .fields([
                Field("name", .text(setting.name)), Field("default", setting.standard),
                Field("choices", .list(setting.choices.map { .text($0) })),
                Field("help", .text(setting.help)),
              ])
            })),
      ])
    }
    var text = ""
    Value.list(entries).write(to: &text)
    return text
  }
}
