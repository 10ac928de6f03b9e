import TrajpackFormat

/// A condition over the channels of a row: `npc/hp <= npc/max_hp`, `abs(change(arm/pos[2])) < 0.1`.
///
/// Numbers, channels (`stream/channel`, `stream/channel[element]`, in single quotes where the name has other signs than
/// letters, digits, `_` and `.`), `+ - * /` with blanks around the division, `< <= > >= == !=` also in chains,
/// `and or not`, parentheses, and the functions `abs(x)`, `min(x, y)`, `max(x, y)` and `change(channel)`, the difference
/// to the row before. A condition on a value that was not observed is neither kept nor broken.
struct Expression: Sendable {
  indirect enum Node: Sendable {
    case number(Double)
    /// A number that was written without a fraction.
    case whole(Int64)
    case channel(Int)
    case change(Int)
    case unary(Unary, Node)
    case binary(Binary, Node, Node)
  }
  /// Gives a channel's value, by its number, of the row itself or of the one `before`.
  typealias Reading<Value> = (_ reference: Int, _ before: Int) -> Value
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
  let root: Node
  /// The channels, all of one stream.
  let references: [Reference]

  /// Reads an expression.
  ///
  /// - Throws: A usage error that says what was expected, and where.
  init(_ text: String) throws(TrajpackError) {
    var parser = ExpressionParser(text)
    self.text = text
    root = try parser.whole()
    references = parser.references
    guard let first = references.first else {
      throw TrajpackError(.usage, "expression '\(text)': names no channel, like state/hp")
    }
    guard references.allSatisfy({ $0.stream == first.stream }) else {
      throw TrajpackError(
        .usage,
        "expression '\(text)': its channels are of several streams, whose rows need not be of the same moments; "
          + "resample them onto one clock first, or compare channels of one stream")
    }
  }

  var stream: String { references[0].stream }
}

/// Reads expressions, by descent: or, and, not, comparisons, sums, products, signs.
private struct ExpressionParser {
  private enum Token: Equatable {
    case number(Double)
    case whole(Int64)
    case name(String)
    case path(String)
    case sign(String)
  }
  private let text: String
  private var tokens: [Token] = []
  private var at = 0
  private var failure: String?
  var references: [Expression.Reference] = []

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
        tokens.append(Int64(word).map { .whole($0) } ?? .number(number))
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

  mutating func whole() throws(TrajpackError) -> Expression.Node {
    if let failure { throw TrajpackError(.usage, "expression '\(text)': \(failure)") }
    let node = try either(0)
    guard at == tokens.count else { throw wrong("the end or an operator") }
    return node
  }

  private mutating func either(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    guard depth < 64 else {
      throw TrajpackError(.usage, "expression '\(text)': is nested more than 64 deep")
    }
    var node = try both(depth)
    while take("or") { node = .binary(.or, node, try both(depth)) }
    return node
  }

  private mutating func both(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    var node = try negation(depth)
    while take("and") { node = .binary(.and, node, try negation(depth)) }
    return node
  }

  private mutating func negation(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    var isNot = false
    while take("not") { isNot.toggle() }
    let node = try comparison(depth)
    return isNot ? .unary(.not, node) : node
  }

  private mutating func comparison(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    var left = try sum(depth)
    var all: Expression.Node?
    while at < tokens.count, case .sign(let sign) = tokens[at],
      Expression.Binary.comparisons.contains(sign), let how = Expression.Binary(rawValue: sign)
    {
      at += 1
      let right = try sum(depth)
      let one = Expression.Node.binary(how, left, right)
      all = all.map { .binary(.and, $0, one) } ?? one
      left = right
    }
    return all ?? left
  }

  private mutating func sum(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    var node = try product(depth)
    while true {
      if take("+") {
        node = .binary(.add, node, try product(depth))
      } else if take("-") {
        node = .binary(.subtract, node, try product(depth))
      } else {
        return node
      }
    }
  }

  private mutating func product(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    var node = try signed(depth)
    while true {
      if take("*") {
        node = .binary(.multiply, node, try signed(depth))
      } else if take("/") {
        node = .binary(.divide, node, try signed(depth))
      } else {
        return node
      }
    }
  }

  private mutating func signed(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    var isMinus = false
    while take("-") { isMinus.toggle() }
    let node = try atom(depth)
    return isMinus ? .unary(.minus, node) : node
  }

  private mutating func atom(_ depth: Int) throws(TrajpackError) -> Expression.Node {
    if take("(") {
      let node = try either(depth + 1)
      guard take(")") else { throw wrong("')'") }
      return node
    }
    guard at < tokens.count else { throw wrong("a number, a channel or '('") }
    switch tokens[at] {
    case .number(let x):
      at += 1
      return .number(x)
    case .whole(let x):
      at += 1
      return .whole(x)
    case .path(let path):
      at += 1
      return .channel(try reference(path))
    case .name(let name): return try function(name, depth)
    case .sign: throw wrong("a number, a channel or '('")
    }
  }

  private mutating func function(
    _ name: String, _ depth: Int
  ) throws(TrajpackError) -> Expression.Node {
    guard ["abs", "min", "max", "change"].contains(name), at + 1 < tokens.count,
      tokens[at + 1] == .sign("(")
    else { throw wrong("a channel as stream/channel, or abs, min, max or change") }
    at += 2
    if name == "change" {
      guard at < tokens.count, case .path(let path) = tokens[at] else {
        throw wrong("a channel in change(...)")
      }
      at += 1
      let number = try reference(path)
      guard take(")") else { throw wrong("')'") }
      return .change(number)
    }
    let first = try either(depth + 1)
    if name == "abs" {
      guard take(")") else { throw wrong("')'") }
      return .unary(.abs, first)
    }
    guard take(",") else { throw wrong("',' between two values") }
    let second = try either(depth + 1)
    guard take(")") else { throw wrong("')'") }
    return .binary(name == "min" ? .min : .max, first, second)
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
