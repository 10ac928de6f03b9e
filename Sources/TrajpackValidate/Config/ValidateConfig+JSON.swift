import TrajpackFormat

extension ValidateConfig {
  /// Reads a configuration, as `trajpack-validate.json` has it (docs/validate.md).
  ///
  /// - Throws: A usage error that names the member that is wrong.
  public init(json: JSONValue, at path: String) throws(TrajpackError) {
    let reader = ConfigReader(json, path)
    try reader.only(["profile", "select", "ignore", "severity", "window", "speed", "rules"])
    if let profile = try reader.text("profile") {
      guard Rule.profiles.contains(profile) else {
        throw reader.wrong("'profile' as one of \(Rule.profiles.joined(separator: ", "))")
      }
      self.profile = profile
    }
    select = try reader.texts("select") ?? []
    ignore = try reader.texts("ignore") ?? []
    window = try reader.integer("window", least: 1)
    if let severity = json["severity"] {
      guard let members = severity.members else { throw reader.wrong("'severity' as an object") }
      for member in members {
        guard let value = member.value.string.flatMap(Severity.init) else {
          throw reader.wrong("'severity.\(member.name)' as error, warning or suggestion")
        }
        severities[member.name] = value
      }
    }
    if let speed = json["speed"] {
      let limits = ConfigReader(speed, path, inside: "speed: ")
      try limits.only(["position", "angle"])
      speeds = (try limits.number("position"), try limits.number("angle"))
      guard [speeds.position, speeds.angle].allSatisfy({ $0 ?? 1 > 0 }) else {
        throw reader.wrong("'speed' as numbers above 0: 'position' in m/s, 'angle' in degrees/s")
      }
    }
    guard let list = json["rules"] else { return }
    guard let list = list.array else { throw reader.wrong("'rules' as a list") }
    var ids: Set<String> = []
    for (number, item) in list.enumerated() {
      let rule = try UserRule(ConfigReader(item, path, inside: "rules[\(number)]: "))
      guard ids.insert(rule.id).inserted else {
        throw TrajpackError(.usage, file: path, "rules[\(number)]: the id '\(rule.id)' comes twice")
      }
      rules.append(rule)
    }
  }
}

/// An object of the configuration, and where it is.
struct ConfigReader {
  let value: JSONValue
  let path: String
  /// `rules[2]: `; empty for the whole.
  let inside: String

  init(_ value: JSONValue, _ path: String, inside: String = "") {
    self.value = value
    self.path = path
    self.inside = inside
  }

  func wrong(_ expected: String) -> TrajpackError {
    TrajpackError(.usage, file: path, "\(inside)expected \(expected)")
  }

  func only(_ names: [String]) throws(TrajpackError) {
    guard let members = value.members else { throw wrong("an object") }
    for member in members where !names.contains(member.name) {
      throw TrajpackError(
        .usage, file: path,
        "\(inside)there is no '\(member.name)'" + Suggestion.text(for: member.name, among: names))
    }
  }

  func text(_ name: String) throws(TrajpackError) -> String? {
    guard let member = value[name] else { return nil }
    guard let text = member.string, !text.isEmpty else { throw wrong("'\(name)' as text") }
    return text
  }

  func texts(_ name: String) throws(TrajpackError) -> [String]? {
    guard let member = value[name] else { return nil }
    guard let list = member.array, list.allSatisfy({ $0.string != nil }) else {
      throw wrong("'\(name)' as a list of texts")
    }
    return list.compactMap(\.string)
  }

  func integer(_ name: String, least: Int) throws(TrajpackError) -> Int? {
    guard let member = value[name] else { return nil }
    guard let number = member.int, number >= least else {
      throw wrong("'\(name)' as a whole number of at least \(least)")
    }
    return number
  }

  func number(_ name: String) throws(TrajpackError) -> Double? {
    guard let member = value[name] else { return nil }
    guard let number = member.double else { throw wrong("'\(name)' as a number") }
    return number
  }

  func limit(_ name: String) throws(TrajpackError) -> UserRule.Limit? {
    guard let number = try number(name) else { return nil }
    switch value[name] {
    case .int(let whole): return .init(value: number, whole: Int128(whole))
    case .uint(let whole): return .init(value: number, whole: Int128(whole))
    default: return .init(value: number)
    }
  }
}

extension UserRule {
  /// The forms of a rule: the member that says what it asks, and the others that go with it.
  private static let forms: [(name: String, others: [String])] = [
    ("expression", []), ("min", ["channel", "max"]), ("max", ["channel", "min"]),
    ("units", ["channel"]), ("monotonic", ["channel"]), ("required", []), ("rate", ["stream"]),
    ("min_rows", ["stream", "max_rows"]), ("max_rows", ["stream", "min_rows"]), ("python", []),
  ]

  /// What a member goes with.
  private static func home(of name: String) -> String {
    guard let form = forms.first(where: { $0.name == name }) else {
      let names = forms.filter { $0.others.contains(name) }.map { "'\($0.name)'" }
      return "it belongs to a rule with one of \(names.joined(separator: ", "))"
    }
    return form.others.isEmpty
      ? "make it a rule of its own"
      : "make it a rule of its own, with '\(form.others[0])'"
  }

  private static let common = ["id", "severity", "summary", "remedy"]

  init(_ reader: ConfigReader) throws(TrajpackError) {
    try reader.only(
      Self.common + Self.forms.flatMap { [$0.name] + $0.others })
    guard let id = try reader.text("id"), id.utf8.count <= 64,
      id.utf8.allSatisfy({
        (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 46 || $0 == 95
      })
    else { throw reader.wrong("'id' of up to 64 small letters, digits, '-', '_' and '.'") }
    self.id = id
    summary = try reader.text("summary")
    remedy = try reader.text("remedy")
    severity = .error
    if let text = try reader.text("severity") {
      guard let value = Severity(rawValue: text) else {
        throw reader.wrong("'severity' as error, warning or suggestion")
      }
      severity = value
    }
    guard let form = Self.forms.first(where: { reader.value[$0.name] != nil }) else {
      throw reader.wrong(
        "one of \(Set(Self.forms.map(\.name)).sorted().joined(separator: ", ")), which says what it asks"
      )
    }
    let allowed = Self.common + [form.name] + form.others
    for member in reader.value.members ?? [] where !allowed.contains(member.name) {
      throw TrajpackError(
        .usage, file: reader.path,
        reader.inside + "'\(member.name)' does not go with '\(form.name)'; "
          + Self.home(of: member.name))
    }
    condition = try Self.condition(form.name, reader)
  }

  private static func condition(
    _ form: String, _ reader: ConfigReader
  ) throws(TrajpackError) -> Condition {
    func pattern(_ name: String) throws(TrajpackError) -> String {
      guard let text = try reader.text(name) else {
        throw reader.wrong("'\(name)', a name or a pattern with * and ?")
      }
      return text
    }
    switch form {
    case "expression":
      return .expression(
        try within(
          reader.path + ": " + reader.inside.dropLast(2), at: ErrorPlace(file: reader.path)
        ) {
          () throws(TrajpackError) in
          try Expression(try reader.text("expression") ?? "")
        })
    case "min", "max":
      let (low, high) = (try reader.limit("min"), try reader.limit("max"))
      if let low, let high, low.isAbove(high) {
        throw reader.wrong("'min' at most 'max'")
      }
      return .range(try pattern("channel"), low: low, high: high)
    case "units": return .units(try pattern("channel"), try reader.text("units") ?? "")
    case "monotonic":
      let words = ["rising", "falling", "strictly rising", "strictly falling"]
      guard let text = try reader.text("monotonic"), words.contains(text) else {
        throw reader.wrong("'monotonic' as one of \(words.joined(separator: ", "))")
      }
      return .monotonic(
        try pattern("channel"), isRising: text.hasSuffix("rising"),
        isStrict: text.hasPrefix("strictly"))
    case "required":
      guard let list = try reader.texts("required"), !list.isEmpty else {
        throw reader.wrong("'required' as a list of streams and channels")
      }
      return .required(list)
    case "python": return .python(try reader.text("python") ?? "")
    case "rate":
      let member = reader.value["rate"]
      let rate =
        member?.string.flatMap { Rational(decimal: $0) }
        ?? member?.double.flatMap { Rational(nearest: $0) }
      guard let rate, rate.numerator > 0 else {
        throw reader.wrong("'rate' above zero, like 30, 29.97 or \"30000/1001\"")
      }
      return .rate(try pattern("stream"), rate)
    default:
      let (least, most) = (
        try reader.integer("min_rows", least: 0), try reader.integer("max_rows", least: 0)
      )
      return .rows(try pattern("stream"), least: least, most: most)
    }
  }
}
