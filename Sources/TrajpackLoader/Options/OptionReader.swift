import TrajpackFormat

/// One member of the options, and the sentences about it.
struct OptionReader {
  let name: String
  let value: JSONValue

  func wrong(_ expected: String) -> TrajpackError {
    var text = value.text()
    if text.utf8.count > 60 { text = String(text.prefix(60)) + "…" }
    return TrajpackError(.usage, "option '\(name)' is \(text), but must be \(expected)")
  }

  func text() throws(TrajpackError) -> String {
    guard let text = value.string else { throw wrong("text") }
    return text
  }

  func truth() throws(TrajpackError) -> Bool {
    guard let truth = value.bool else { throw wrong("true or false") }
    return truth
  }

  func number() throws(TrajpackError) -> Double {
    guard let number = value.double else { throw wrong("a number") }
    return number
  }

  func integer(_ range: ClosedRange<Int>) throws(TrajpackError) -> Int {
    // 8.0 is 8: arithmetic of arrays gives such numbers.
    let whole = value.int ?? value.double.flatMap { Int(exactly: $0) }
    guard let number = whole, range.contains(number) else {
      if range.lowerBound == .min { throw wrong("an integer") }
      throw wrong("an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// An exact positive number: an integer, text, or a decimal as it prints.
  func positive() throws(TrajpackError) -> Rational {
    guard let number = rational(), number.numerator > 0 else {
      throw wrong("a positive number, or exact text like \"30000/1001\"")
    }
    return number
  }

  private func rational() -> Rational? {
    switch value {
    case .int(let number): return Rational(number)
    case .double(let number): return Self.rational(number.description)
    case .string(let text): return Self.rational(text)
    default: return nil
    }
  }

  /// The number that a text says: exact up to 15 decimals; beyond, it is a float that was printed, and the
  /// simplest fraction that is the same float is meant: 0.03333333333333333 is 1/30.
  private static func rational(_ text: String) -> Rational? {
    let isNegative = text.hasPrefix("-")
    let magnitude = isNegative ? String(text.dropFirst()) : text
    guard magnitude.utf8.first.map({ $0 >= 0x30 && $0 <= 0x39 || $0 == 0x2e }) == true else {
      return nil
    }
    guard
      let number = Rational(decimal: magnitude)
        ?? Double(magnitude).flatMap(Rational.init(nearest:))
    else { return nil }
    return isNegative ? Rational(-number.numerator, number.denominator) : number
  }

  /// A length of time from 0 up.
  func span() throws(TrajpackError) -> Double {
    guard let number = rational(), number.numerator >= 0 else {
      throw wrong("a time of 0 or more, like 0.001")
    }
    return number.value
  }

  /// What stands in place of a value that was not observed.
  func fill() throws(TrajpackError) -> LoaderOptions.Fill {
    let number = try number()
    return LoaderOptions.Fill(number: number, integer: value.int ?? Int(exactly: number))
  }

  /// A type of numbers that batches can have.
  func elementType() throws(TrajpackError) -> ElementType {
    if let name = value.string, ["float16", "bfloat16"].contains(name) {
      throw TrajpackError(
        .usage,
        "option '\(self.name)' is \(name), which batches do not have: take float32, and make it \(name) on the "
          + "device (tensor.to(torch.\(name)), or array.astype)")
    }
    let type: ElementType = try choice()
    guard type != .bytes else { throw wrong("a type of numbers") }
    return type
  }

  /// One type for all, or an object of types by pattern, or of "float", "int" and "bool" for all of a sort.
  func types() throws(TrajpackError) -> LoaderOptions.TypeRules {
    var rules = LoaderOptions.TypeRules()
    guard let members = value.members else {
      rules.otherwise = try elementType()
      return rules
    }
    for member in members {
      let reader = OptionReader(name: "\(name).\(member.name)", value: member.value)
      let target: LoaderOptions.TypeTarget
      switch member.name {
      case "float": target = .floats
      case "int": target = .integers
      case "bool": target = .booleans
      default: target = .pattern(Pattern(member.name))
      }
      rules.rules.append((target, try reader.elementType()))
    }
    return rules
  }

  func offset() throws(TrajpackError) -> LoaderOptions.Offset {
    if let rows = value.int {
      guard rows.magnitude <= LoaderOptions.limit else {
        throw wrong("nearer than \(LoaderOptions.limit) rows")
      }
      return .rows(rows)
    }
    guard let seconds = rational() else {
      throw wrong("a list of rows (integers) or seconds (fractions)")
    }
    return .seconds(seconds)
  }

  func choice<Choice: RawRepresentable & CaseIterable>() throws(TrajpackError) -> Choice
  where Choice.RawValue == String {
    guard let text = value.string, let choice = Choice(rawValue: text) else {
      throw wrong(Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))
    }
    return choice
  }

  func list<Element>(
    _ element: (OptionReader) throws(TrajpackError) -> Element
  ) throws(TrajpackError) -> [Element] {
    guard let elements = value.array, !elements.isEmpty else {
      throw wrong("a list that is not empty")
    }
    var out: [Element] = []
    for value in elements { out.append(try element(OptionReader(name: name, value: value))) }
    return out
  }

  /// Height and width of frames.
  func frameSize() throws(TrajpackError) -> [Int] {
    guard value.array?.isEmpty == false else { throw wrong("[height, width]") }
    let size = try list { (o) throws(TrajpackError) in try o.integer(1...1 << 15) }
    guard size.count == 2 else { throw wrong("[height, width]") }
    return size
  }

  /// What is cut out of frames: [height, width], or [top, left, height, width].
  func frameCrop() throws(TrajpackError) -> [Int] {
    let crop = try list { (o) throws(TrajpackError) in try o.integer(0...1 << 15) }
    guard crop.count == 2 || crop.count == 4, crop.suffix(2).allSatisfy({ $0 > 0 }) else {
      throw wrong("[height, width], or [top, left, height, width]")
    }
    return crop
  }

  func finite() throws(TrajpackError) -> Double {
    let value = try number()
    guard value.isFinite else { throw wrong("finite numbers") }
    return value
  }

  /// One text, or a list.
  func texts() throws(TrajpackError) -> [String] {
    if let text = value.string { return [text] }
    return try list { (o) throws(TrajpackError) in try o.text() }
  }

  func patterns() throws(TrajpackError) -> [Pattern] { try texts().map { Pattern($0) } }

  func object() throws(TrajpackError) -> [JSONValue.Member] {
    guard let members = value.members else { throw wrong("an object") }
    return members
  }

  /// One value for all, or an object of values by pattern.
  func rules<Value: Sendable>(
    _ read: (OptionReader) throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Rules<Value> {
    var rules = Rules<Value>()
    guard let members = value.members else {
      rules.otherwise = try read(self)
      return rules
    }
    for member in members {
      let reader = OptionReader(name: "\(name).\(member.name)", value: member.value)
      rules.rules.append((Pattern(member.name), try read(reader)))
    }
    return rules
  }

  /// How depth is wanted: for all depth, or an object by pattern. An encoding is an object that names it.
  func depths() throws(TrajpackError) -> Rules<DepthRequest> {
    if value["encoding"] != nil {
      var rules = Rules<DepthRequest>()
      rules.otherwise = try DepthRequest(name, value)
      return rules
    }
    return try rules { (o) throws(TrajpackError) in try DepthRequest(o.name, o.value) }
  }

  func condition(_ member: JSONValue.Member) throws(TrajpackError) -> LoaderOptions.Condition {
    switch member.value {
    case .array(let values): return .oneOf(values)
    case .object(let bounds):
      guard !bounds.isEmpty,
        bounds.allSatisfy({ ["min", "max"].contains($0.name) && $0.value.double != nil })
      else {
        throw OptionReader(name: "\(name).\(member.name)", value: member.value)
          .wrong("a value, a list of values, or {\"min\": x, \"max\": y}")
      }
      return .range(
        member.value["min"]?.double ?? -.infinity, member.value["max"]?.double ?? .infinity)
    default: return .oneOf([member.value])
    }
  }
}
