import TrajpackFormat

// The words of an argument table. The type of the property decides: a plain value has a default
// and the last one given wins, an optional has none, a list grows each time it is given (what is
// given replaces a default list).

extension Parameter where Root: ArgumentSet {
  /// A switch: `--force`, `-f`. Giving it sets the property to `value`.
  static func flag(
    _ names: String..., to path: WritableKeyPath<Root, Bool>, sets value: Bool = true, help: String
  ) -> Parameter {
    Parameter(shape: ParameterShape(names: names, role: .flag, help: help)) { root, _, _ in
      root[keyPath: path] = value
    }
  }

  /// An option with a value: `--codec zstd`, `--codec=zstd`, `-c zstd`, `-czstd`.
  static func option<Value: ArgumentValue>(
    _ names: String..., to path: WritableKeyPath<Root, Value>, value: String,
    choices: [String] = [], in range: (any ArgumentRange<Value>)? = nil,
    completes: ParameterShape.Completion = .nothing, help: String
  ) -> Parameter {
    one(
      ParameterShape(names: names, role: .option(value: value), completion: completes, help: help),
      path, Reader(choices, range), isDefaultShown: true)
  }

  /// An option without a default.
  static func option<Value: ArgumentValue>(
    _ names: String..., to path: WritableKeyPath<Root, Value?>, value: String,
    choices: [String] = [], in range: (any ArgumentRange<Value>)? = nil,
    completes: ParameterShape.Completion = .nothing, help: String
  ) -> Parameter {
    optional(
      ParameterShape(names: names, role: .option(value: value), completion: completes, help: help),
      path, Reader(choices, range))
  }

  /// An option that takes more than the values that its help names and a shell offers.
  static func option(
    _ names: String..., to path: WritableKeyPath<Root, String?>, value: String,
    suggesting choices: [String], help: String
  ) -> Parameter {
    let parameter = optional(
      ParameterShape(names: names, role: .option(value: value), help: help), path,
      Reader<String>([], nil))
    var shape = parameter.shape
    shape.choices = choices
    return Parameter(shape: shape, read: parameter.read)
  }

  /// An option that can be given again: `--stream state --stream camera`.
  static func option<Value: ArgumentValue>(
    _ names: String..., to path: WritableKeyPath<Root, [Value]>, value: String,
    choices: [String] = [], in range: (any ArgumentRange<Value>)? = nil,
    completes: ParameterShape.Completion = .nothing, help: String
  ) -> Parameter {
    many(
      ParameterShape(names: names, role: .option(value: value), completion: completes, help: help),
      path, Reader(choices, range))
  }

  /// An argument by place: `"DST"` must be there, `"[DST]"` may be left out.
  static func positional<Value: ArgumentValue>(
    _ name: String, to path: WritableKeyPath<Root, Value>, choices: [String] = [],
    in range: (any ArgumentRange<Value>)? = nil,
    completes: ParameterShape.Completion = .files, help: String
  ) -> Parameter {
    let shape = positionalShape(name, completes, help)
    return one(shape, path, Reader(choices, range), isDefaultShown: !shape.isRequired)
  }

  /// An argument by place that may be left out.
  static func positional<Value: ArgumentValue>(
    _ name: String, to path: WritableKeyPath<Root, Value?>, choices: [String] = [],
    in range: (any ArgumentRange<Value>)? = nil,
    completes: ParameterShape.Completion = .files, help: String
  ) -> Parameter {
    var shape = positionalShape(name, completes, help)
    shape.isRequired = false
    return optional(shape, path, Reader(choices, range))
  }

  /// A list by place: `"SRC..."` takes one or more, `"[SRC...]"` also none.
  static func positional<Value: ArgumentValue>(
    _ name: String, to path: WritableKeyPath<Root, [Value]>, choices: [String] = [],
    in range: (any ArgumentRange<Value>)? = nil,
    completes: ParameterShape.Completion = .files, help: String
  ) -> Parameter {
    many(positionalShape(name, completes, help), path, Reader(choices, range))
  }
}

extension Parameter where Root: ArgumentSet {
  private static func positionalShape(
    _ name: String, _ completes: ParameterShape.Completion, _ help: String
  ) -> ParameterShape {
    ParameterShape(
      names: [String(name.filter { !"[].".contains($0) })], role: .positional,
      isRequired: !name.hasPrefix("["), completion: completes, help: help)
  }

  private static func one<Value>(
    _ shape: ParameterShape, _ path: WritableKeyPath<Root, Value>, _ reader: Reader<Value>,
    isDefaultShown: Bool
  ) -> Parameter {
    var shape = reader.completing(shape)
    let text = Root()[keyPath: path].argumentText
    shape.defaultText = isDefaultShown && !text.isEmpty ? text : nil
    return Parameter(shape: shape) { (root, word, _) throws(TrajpackError) in
      root[keyPath: path] = try reader.read(word)
    }
  }

  private static func optional<Value>(
    _ shape: ParameterShape, _ path: WritableKeyPath<Root, Value?>, _ reader: Reader<Value>
  ) -> Parameter {
    Parameter(shape: reader.completing(shape)) { (root, word, _) throws(TrajpackError) in
      root[keyPath: path] = try reader.read(word)
    }
  }

  private static func many<Value>(
    _ shape: ParameterShape, _ path: WritableKeyPath<Root, [Value]>, _ reader: Reader<Value>
  ) -> Parameter {
    var shape = reader.completing(shape)
    shape.isRepeated = true
    let initial = Root()[keyPath: path]
    shape.defaultText =
      initial.isEmpty ? nil : initial.map(\.argumentText).joined(separator: ", ")
    return Parameter(shape: shape) { (root, word, isFirst) throws(TrajpackError) in
      let value = try reader.read(word)
      root[keyPath: path] = isFirst ? [value] : root[keyPath: path] + [value]
    }
  }
}

/// Reads one value and holds it against choices and range.
private struct Reader<Value: ArgumentValue> {
  let choices: [String]
  let range: (any ArgumentRange<Value>)?

  init(_ choices: [String], _ range: (any ArgumentRange<Value>)?) {
    self.choices = choices.isEmpty ? Value.argumentChoices : choices
    self.range = range
  }

  func completing(_ shape: ParameterShape) -> ParameterShape {
    var shape = shape
    shape.choices = choices
    shape.limits = range?.words
    return shape
  }

  func read(_ word: String) throws(TrajpackError) -> Value {
    guard choices.isEmpty || choices.contains(word) else {
      // Nobody reads a list of more in an error.
      let what =
        choices.count > 20
        ? "none of the \(choices.count) that there are" : "not \(list(choices))"
      throw TrajpackError(
        .usage, "'\(word)' is \(what)\(suggestion(for: word, among: choices))")
    }
    let value = try Value.parse(word)
    if let range, !range.allows(value) {
      throw TrajpackError(.usage, "'\(word)' is out of range, take \(range.words)")
    }
    return value
  }
}
