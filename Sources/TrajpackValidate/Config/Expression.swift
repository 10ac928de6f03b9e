import TrajpackFormat

/// A condition over the channels of a row: `npc/hp <= npc/max_hp`, `abs(change(arm/pos[2])) < 0.1`.
///
/// Numbers, channels (`stream/channel`, `stream/channel[element]`, in single quotes where the name has other signs than
/// letters, digits, `_` and `.`), `+ - * /` with blanks around the division, `< <= > >= == !=` also in chains,
/// `and or not`, parentheses, and the functions `abs(x)`, `min(x, y)`, `max(x, y)` and `change(channel)`, the difference
/// to the row before. A condition on a value that was not observed is neither kept nor broken.
struct Expression: Sendable {
  /// What is done with a stack of values. A list of steps, and no tree: it is gone through for every row.
  enum Step: Sendable {
    case number(Double)
    /// A number that was written without a fraction.
    case whole(Int128)
    case channel(Int)
    case change(Int)
    case unary(Unary)
    /// Puts one value in the place of two.
    case binary(Binary)
    /// Puts the truth of a comparison in the place of the first of two values: the second one is compared with the next.
    case chain(Binary)
  }
  enum Unary: Sendable { case minus, not, abs }
  enum Binary: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case less = "<"
    case atMost = "<="
    case more = ">"
    case atLeast = ">="
    case equal = "=="
    case unequal = "!="
    case and, or, min, max

    static let comparisons: [String] = ["<", "<=", ">", ">=", "==", "!="]
  }
  /// A channel that it names.
  struct Reference: Sendable, Equatable {
    var stream: String
    var channel: String
    var element: Int?
  }

  let text: String
  let steps: [Step]
  /// The channels, all of one stream.
  let references: [Reference]

  /// Reads an expression.
  ///
  /// - Throws: A usage error that says what was expected, and where.
  init(_ text: String) throws(TrajpackError) {
    var parser = ExpressionParser(text)
    self.text = text
    try parser.whole()
    steps = parser.steps
    references = parser.references
    guard let first = references.first else {
      throw TrajpackError(.usage, "expression '\(text)': names no channel, like state/hp")
    }
    guard references.allSatisfy({ $0.stream == first.stream }) else {
      throw TrajpackError(
        .usage,
        "expression '\(text)': its channels are of several streams, whose rows need not be of the same moments; "
          + "resample them onto one clock first, or compare channels of one stream"
          + (hint.map { "; \($0)" } ?? ""))
    }
  }

  /// What a name tells that may have been meant as a division.
  var hint: String? {
    func isNumber(_ text: String) -> Bool { text.utf8.allSatisfy { 48...57 ~= $0 } }
    let first = references.first {
      $0.stream.contains("/") && isNumber($0.channel) || $0.stream.count { $0 == "/" } > 1
    }
    return first.map {
      "'\($0.stream)/\($0.channel)' is the channel '\($0.channel)' of the stream '\($0.stream)'; a division has "
        + "blanks around it" + (isNumber($0.channel) ? ": \($0.stream) / \($0.channel)" : "")
    }
  }

  var stream: String { references[0].stream }
}

/// Reads expressions, by descent: or, and, not, comparisons, sums, products, signs. What was read is added to the steps.
private struct ExpressionParser {
  private enum Token: Equatable {
    case number(Double)
    case whole(Int128)
    case name(String)
    case path(String)
    case sign(String)
  }
  private let text: String
  private var tokens: [Token] = []
  private var at = 0
  private var failure: String?
  var references: [Expression.Reference] = []
  var steps: [Expression.Step] = []

  init(_ text: String) {
    self.text = text
    scan()
  }

  private mutating func scan() {
    let signs = Array(text.unicodeScalars)
    var i = 0
    func isWord(_ s: Unicode.Scalar) -> Bool {
      s.properties.isAlphabetic || (s.value >= 48 && s.value <= 57) || s == "_" || s == "."
    }
    while i < signs.count {
      let s = signs[i]
      if s == " " || s == "\t" || s == "\n" {
        i += 1
      } else if s == "'" {
        guard let end = signs[(i + 1)...].firstIndex(of: "'") else {
          failure = "a quote is not closed"
          return
        }
        tokens.append(.path(String(String.UnicodeScalarView(signs[i + 1..<end]))))
        i = end + 1
      } else if s.value >= 48 && s.value <= 57 || s == "." {
        var end = i
        while end < signs.count,
          isWord(signs[end])
            || ((signs[end] == "+" || signs[end] == "-")
              && (signs[end - 1] == "e" || signs[end - 1] == "E"))
        {
          end += 1
        }
        let word = String(String.UnicodeScalarView(signs[i..<end]))
        guard let number = Double(word), number.isFinite else {
          failure = "'\(word)' is no number"
          return
        }
        tokens.append(Int128(word).map { .whole($0) } ?? .number(number))
        i = end
      } else if isWord(s) {
        var end = i
        // A slash without blanks belongs to a name.
        while end < signs.count,
          isWord(signs[end])
            || (signs[end] == "/" && end + 1 < signs.count && isWord(signs[end + 1]))
        {
          end += 1
        }
        let word = String(String.UnicodeScalarView(signs[i..<end]))
        tokens.append(word.contains("/") ? .path(word) : .name(word))
        i = end
      } else {
        let two = String(String.UnicodeScalarView(signs[i..<min(i + 2, signs.count)]))
        if ["<=", ">=", "==", "!="].contains(two) {
          tokens.append(.sign(two))
          i += 2
        } else if "<>+-*/(),[]".unicodeScalars.contains(s) {
          tokens.append(.sign(String(s)))
          i += 1
        } else {
          failure = "'\(s)' is no sign of an expression"
          return
        }
      }
    }
  }

  private func wrong(_ expected: String) -> TrajpackError {
    let found: String
    switch at < tokens.count ? tokens[at] : nil {
    case .number(let x): found = "\(x)"
    case .whole(let x): found = "\(x)"
    case .name(let name), .path(let name): found = "'\(name)'"
    case .sign(let sign): found = "'\(sign)'"
    case nil: found = "the end"
    }
    return TrajpackError(.usage, "expression '\(text)': expected \(expected), not \(found)")
  }

  private mutating func take(_ sign: String) -> Bool {
    guard at < tokens.count, tokens[at] == .sign(sign) || tokens[at] == .name(sign) else {
      return false
    }
    at += 1
    return true
  }

  mutating func whole() throws(TrajpackError) {
    if let failure { throw TrajpackError(.usage, "expression '\(text)': \(failure)") }
    let kind = try either(0)
    guard at == tokens.count else { throw wrong("the end or an operator") }
    try check(kind)
  }

  /// What comes of a part: a channel by itself may hold truths, a computed number is none.
  private enum Kind { case truth, channel, number }

  /// Refuses a number where a condition is to be.
  private func check(_ kind: Kind) throws(TrajpackError) {
    guard kind == .number else { return }
    throw TrajpackError(
      .usage,
      "expression '\(text)': gives a number where a condition is to be; compare it with something, as in "
        + "state/hp + 1 <= state/max_hp")
  }

  private mutating func either(_ depth: Int) throws(TrajpackError) -> Kind {
    guard depth < 64 else {
      throw TrajpackError(.usage, "expression '\(text)': is nested more than 64 deep")
    }
    var kind = try both(depth)
    while take("or") {
      try check(kind)
      try check(try both(depth))
      kind = .truth
      steps.append(.binary(.or))
    }
    return kind
  }

  private mutating func both(_ depth: Int) throws(TrajpackError) -> Kind {
    var kind = try negation(depth)
    while take("and") {
      try check(kind)
      try check(try negation(depth))
      kind = .truth
      steps.append(.binary(.and))
    }
    return kind
  }

  private mutating func negation(_ depth: Int) throws(TrajpackError) -> Kind {
    var (isNot, isCondition) = (false, false)
    while take("not") {
      isNot.toggle()
      isCondition = true
    }
    let kind = try comparison(depth)
    if isCondition { try check(kind) }
    if isNot { steps.append(.unary(.not)) }
    return isCondition ? .truth : kind
  }

  private mutating func comparison(_ depth: Int) throws(TrajpackError) -> Kind {
    let kind = try sum(depth)
    var next = takeComparison()
    let isComparison = next != nil
    var chained = 0
    while let how = next {
      _ = try sum(depth)
      next = takeComparison()
      steps.append(next == nil ? .binary(how) : .chain(how))
      if next != nil { chained += 1 }
    }
    for _ in 0..<chained { steps.append(.binary(.and)) }
    return isComparison ? .truth : kind
  }

  private mutating func takeComparison() -> Expression.Binary? {
    guard at < tokens.count, case .sign(let sign) = tokens[at],
      Expression.Binary.comparisons.contains(sign)
    else { return nil }
    at += 1
    return Expression.Binary(rawValue: sign)
  }

  private mutating func sum(_ depth: Int) throws(TrajpackError) -> Kind {
    var kind = try product(depth)
    while true {
      let how: Expression.Binary
      if take("+") { how = .add } else if take("-") { how = .subtract } else { return kind }
      _ = try product(depth)
      kind = .number
      steps.append(.binary(how))
    }
  }

  private mutating func product(_ depth: Int) throws(TrajpackError) -> Kind {
    var kind = try signed(depth)
    while true {
      let how: Expression.Binary
      if take("*") { how = .multiply } else if take("/") { how = .divide } else { return kind }
      _ = try signed(depth)
      kind = .number
      steps.append(.binary(how))
    }
  }

  private mutating func signed(_ depth: Int) throws(TrajpackError) -> Kind {
    var isMinus = false
    while take("-") { isMinus.toggle() }
    let kind = try atom(depth)
    if isMinus { steps.append(.unary(.minus)) }
    return isMinus ? .number : kind
  }

  private mutating func atom(_ depth: Int) throws(TrajpackError) -> Kind {
    if take("(") {
      let kind = try either(depth + 1)
      guard take(")") else { throw wrong("')'") }
      return kind
    }
    guard at < tokens.count else { throw wrong("a number, a channel or '('") }
    switch tokens[at] {
    case .number(let x):
      at += 1
      steps.append(.number(x))
      return .number
    case .whole(let x):
      at += 1
      steps.append(.whole(x))
      return .number
    case .path(let path):
      at += 1
      steps.append(.channel(try reference(path)))
      return .channel
    case .name(let name): return try function(name, depth)
    case .sign: throw wrong("a number, a channel or '('")
    }
  }

  private mutating func function(_ name: String, _ depth: Int) throws(TrajpackError) -> Kind {
    guard ["abs", "min", "max", "change"].contains(name), at + 1 < tokens.count,
      tokens[at + 1] == .sign("(")
    else { throw wrong("a channel as stream/channel, or abs, min, max or change") }
    at += 2
    if name == "change" {
      guard at < tokens.count, case .path(let path) = tokens[at] else {
        throw wrong("a channel in change(...)")
      }
      at += 1
      steps.append(.change(try reference(path)))
      guard take(")") else { throw wrong("')'") }
      return .number
    }
    var kind = try either(depth + 1)
    if name != "abs" {
      guard take(",") else { throw wrong("',' between two values") }
      let other = try either(depth + 1)
      if kind != other { kind = kind == .number || other == .number ? .number : .channel }
    } else {
      kind = .number
    }
    guard take(")") else { throw wrong("')'") }
    steps.append(
      name == "abs" ? .unary(.abs) : name == "min" ? .binary(.min) : .binary(.max))
    return kind
  }

  private mutating func reference(_ path: String) throws(TrajpackError) -> Int {
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex,
      path.index(after: slash) < path.endIndex
    else {
      throw TrajpackError(
        .usage, "expression '\(text)': '\(path)' is no channel; write stream/channel")
    }
    var reference = Expression.Reference(
      stream: String(path[..<slash]), channel: String(path[path.index(after: slash)...]))
    if take("[") {
      guard at < tokens.count, case .whole(let x) = tokens[at], let element = Int(exactly: x),
        element >= 0
      else { throw wrong("the number of an element") }
      at += 1
      guard take("]") else { throw wrong("']'") }
      reference.element = element
    }
    if let known = references.firstIndex(of: reference) { return known }
    references.append(reference)
    return references.count - 1
  }
}
