import TrajpackFormat

/// How a dataset is to be split, as it was asked for; ``SplitScheme/make(_:of:)`` finds what that comes to.
package struct SplitRule: Sendable {
  /// A place in an episode.
  enum Bound: Sendable {
    case row(Int)
    /// A share of the rows; one below 0 counts from the end, as Python's slices do.
    case share(Rational, fromEnd: Bool)
    /// A time of the episode's clock, in a unit; `nil` for seconds since 1970-01-01, which a date says.
    case time(Rational, unit: String?)
  }

  /// What belongs to a split.
  enum Selector: Sendable {
    case range(from: Bound?, to: Bound?)
    case ids([String])
    case pattern(String)
    case folder(String)
    case condition(path: String, LoaderOptions.Condition)
    /// A share of the episodes, drawn at random.
    case share(Rational)
    /// All that no other split has.
    case rest
  }

  /// Rows or time before a span that windows may see.
  enum Context: Sendable {
    case rows(Int)
    case time(Rational, unit: String)
  }

  /// The splits, in order, each with what belongs to it.
  var splits: [(name: String, selectors: [Selector])] = []
  /// Splits are the values of this member of the metadata, or the folders of the ids (`folder`).
  var by: String?
  /// Folds.
  var folds: Int?
  /// Whether folds are stretches of each episode's rows, not sets of episodes.
  var foldsCutRows = false
  /// Whether the training rows of a fold are only those before its test, as of scikit-learn's `TimeSeriesSplit`.
  var foldsGrow = false
  /// What windows may see before a span.
  var context = Context.rows(0)
  /// Contexts of single splits.
  var contexts: [String: Context] = [:]
  /// The stream whose rows are counted; `nil` for the reference stream of windows.
  var stream: String?
  var seed: UInt64 = 0
  /// Whether folds of episodes are drawn; otherwise they follow the order of the dataset.
  var isShuffled = false
  /// The value whose shares are to be the same in each split.
  var stratify: String?
  /// The value whose episodes stay together.
  var group: String?

  /// The rule as it was given.
  package private(set) var json: JSONValue

  /// Reads the JSON of a rule.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  package init(json: JSONValue) throws(TrajpackError) {
    self.json = json
    guard json.members != nil else {
      throw TrajpackError(
        .usage, "a rule of splits must be an object, like {\"splits\": {\"train\": \"0:60%\"}}")
    }
    try Self.table.read(json, into: &self)
    try check()
  }

  /// Every member; `schemas/splits.schema.json` says more.
  private static let table = OptionTable<Self>(
    [
      OptionDeclaration("splits", .type("object"), "The splits, each with what belongs to it.") {
        (rule, option) throws(TrajpackError) in try rule.setSplits(option)
      },
      OptionDeclaration(
        "by", \.by, .text, "Splits are the values of this member, or the folders of the ids."),
      OptionDeclaration("folds", \.folds, .integer(2...1 << 20), "How many folds there are."),
      OptionDeclaration(
        "over", .choice(["episodes", "rows", "time"]), default: "episodes",
        "What folds are cut from."
      ) { (rule, option) throws(TrajpackError) in
        switch try option.text() {
        case "episodes": rule.foldsCutRows = false
        case "rows": rule.foldsCutRows = true
        case "time": (rule.foldsCutRows, rule.foldsGrow) = (true, true)
        default: throw option.wrong("'episodes', 'rows' or 'time'")
        }
      },
      OptionDeclaration(
        "context", \.context,
        OptionForm(.type("integer", "string")) { (o) throws(TrajpackError) in try Context(o) },
        "What windows may see before a range."),
      OptionDeclaration("contexts", .type("object"), "Contexts of single splits.") {
        (rule, option) throws(TrajpackError) in
        for member in try option.object() {
          rule.contexts[member.name] = try Context(option.member(member))
        }
      },
      OptionDeclaration("stream", \.stream, .text, "The stream whose rows are counted."),
      OptionDeclaration(
        "seed", \.seed, .integer(Int.min...Int.max), "What shares and folds are drawn from."),
      OptionDeclaration("shuffle", \.isShuffled, .truth, "Whether folds of episodes are drawn."),
      OptionDeclaration(
        "stratify", \.stratify, .text, "The value whose shares are to be the same in each split."),
      OptionDeclaration("group", \.group, .text, "The value whose episodes stay together."),
    ], unknown: { "a rule of splits has no member '\($0)'" })

  private mutating func setSplits(_ option: OptionReader) throws(TrajpackError) {
    for member in try option.object() {
      guard !member.name.isEmpty, member.name.utf8.count <= 200,
        member.name == member.name.printable
      else {
        throw TrajpackError(
          .usage,
          "\(String(reflecting: member.name)) cannot be the name of a split; use printable text")
      }
      let reader = option.member(member)
      let selectors =
        try member.value.array != nil
        ? reader.list { (o) throws(TrajpackError) in try Selector(o) } : [Selector(reader)]
      splits.append((member.name, selectors))
    }
  }

  private func check() throws(TrajpackError) {
    let ways = [!splits.isEmpty, by != nil, folds != nil].count { $0 }
    guard ways == 1 else {
      throw TrajpackError(
        .usage,
        "a rule of splits needs one of 'splits' (what belongs to each), 'by' (a split a value) and 'folds'"
          + (ways == 0 ? "" : ", not several"))
    }
    if let twice = splits.map(\.name).enumerated().first(where: { i, name in
      splits[..<i].contains { $0.name == name }
    }) {
      throw TrajpackError(
        .usage, "the split '\(twice.element)' comes twice; give its parts as a list")
    }
    for name in contexts.keys.sorted() where !splits.contains(where: { $0.name == name }) {
      throw TrajpackError(
        .usage,
        "'contexts' names a split '\(name)'"
          + Suggestion.text(for: name, among: splits.map(\.name)))
    }
    let draws = splits.contains { $0.selectors.contains(where: \.isShare) }
    guard draws || folds != nil && !foldsCutRows || stratify == nil && group == nil else {
      throw TrajpackError(
        .usage,
        "'stratify' and 'group' are for shares of the episodes (train=80%) and for folds of episodes"
      )
    }
    guard stratify == nil || group == nil else {
      throw TrajpackError(
        .usage,
        "'stratify' and 'group' cannot be had at once: groups that stay together have no equal shares; give one"
      )
    }
    guard !foldsCutRows || folds != nil && !isShuffled else {
      throw TrajpackError(
        .usage,
        "'over' is for folds; stretches of rows are in order of time, so they are not shuffled")
    }
  }
}

extension SplitRule.Selector {
  var isShare: Bool {
    if case .share = self { return true }
    return false
  }

  /// Reads `0:60%`, `id:a,b`, `like:walk_*`, `folder:s1`, `where:subject=3`, `80%` or `rest`; a list of ids is
  /// `{"ids": [...]}`.
  init(_ option: OptionReader) throws(TrajpackError) {
    if let ids = option.value["ids"] {
      self = .ids(
        try option.member(.init("ids", ids)).list { (o) throws(TrajpackError) in
          try o.text()
        })
      return
    }
    if let condition = option.value["where"] {
      let reader = option.member(.init("where", condition))
      guard let member = condition.members?.first, condition.members?.count == 1 else {
        throw reader.wrong("an object with one value")
      }
      self = .condition(path: member.name, try reader.condition(member))
      return
    }
    let text = try option.text()
    if text == "rest" {
      self = .rest
      return
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let word = parts.count == 2 ? String(parts[0]) : ""
    let value = parts.count == 2 ? String(parts[1]) : ""
    switch word {
    case "id":
      self = .ids(value.split(separator: ",").map { String($0) })
      return
    case "like":
      self = .pattern(value)
      return
    case "folder":
      self = .folder(value.hasSuffix("/") ? String(value.dropLast()) : value)
      return
    case "where":
      let pair = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2, !pair[0].isEmpty else {
        throw TrajpackError(
          .usage, "'\(text)' is no condition, like where:subject=3 or where:age=20..40")
      }
      self = .condition(path: String(pair[0]), Self.condition(String(pair[1])))
      return
    default: break
    }
    if parts.count == 1, !text.contains(".."), let share = Self.share(text) {
      guard share.numerator > 0, share.value <= 1 else {
        throw TrajpackError(
          .usage, "'\(text)' is no share of the episodes; it must be above 0 % and at most 100 %")
      }
      self = .share(share)
      return
    }
    self = try Self.range(text)
  }

  static func share(_ text: String) -> Rational? {
    guard text.hasSuffix("%"), let number = Rational(decimal: text.dropLast()),
      number.denominator < Int64.max / 100
    else { return nil }
    return Rational(number.numerator, number.denominator * 100)
  }

  /// `a..b` is from one number to another, both included; all else one value, a number where it is one.
  private static func condition(_ text: String) -> LoaderOptions.Condition {
    if let dots = text.firstRange(of: "..") {
      let (low, high) = (text[..<dots.lowerBound], text[dots.upperBound...])
      if let low = low.isEmpty ? -.infinity : Double(low),
        let high = high.isEmpty ? .infinity : Double(high)
      {
        return .range(low, high)
      }
    }
    let json = (try? JSONValue(parsing: text)) ?? .string(text)
    return .oneOf(json == .string(text) ? [json] : [json, .string(text)])
  }

  /// `a:b`, or `a..b` where the ends are dates with times; an end that is left out is that of the episode.
  private static func range(_ text: String) throws(TrajpackError) -> Self {
    let ends: (String, String)
    if let dots = text.firstRange(of: "..") {
      ends = (String(text[..<dots.lowerBound]), String(text[dots.upperBound...]))
    } else {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        throw TrajpackError(
          .usage,
          "'\(text)' says nothing of what belongs to a split: a range like 0:60%, 8640:11520, 0s:30s or "
            + "2016-07-01..2017-06-26, a share of the episodes like 80%, id:a,b, like:walk_*, folder:s1, "
            + "where:subject=3, or rest")
      }
      ends = (String(parts[0]), String(parts[1]))
    }
    let from = ends.0.isEmpty ? nil : try SplitRule.Bound(ends.0)
    let to = ends.1.isEmpty ? nil : try SplitRule.Bound(ends.1)
    if let from, let to, to.isNever(behind: from) {
      throw TrajpackError(
        .usage, "the range '\(text)' has nothing in it: its end does not come after its beginning")
    }
    return .range(from: from, to: to)
  }
}
