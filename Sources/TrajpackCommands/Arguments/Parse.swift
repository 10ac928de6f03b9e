import TrajpackFormat

/// Fills `root` from `words` by folding over `table`.
///
/// - Returns: The options that were given, as they were spelled.
/// - Throws: a usage error of one clause (`no option '--codc' (did you mean '--codec'?)`).
@discardableResult
func parse<Root>(
  _ words: [String], by table: [Parameter<Root>], into root: inout Root
) throws(TrajpackError) -> [String] {
  var scan = Scan(words, table)
  while let word = scan.next() {
    if word == "--" {
      scan.operands += scan.rest()
    } else if word.hasPrefix("--") {
      try scan.long(word, into: &root)
    } else if word.hasPrefix("-") && word != "-" && !isNegativeNumber(word) {
      try scan.cluster(word, into: &root)
    } else {
      scan.operands.append(word)
    }
  }
  try scan.fill(&root)
  return scan.given
}

/// `-1`, `-.5`, `-1e3`: a value, never an option.
private func isNegativeNumber(_ word: String) -> Bool {
  let second = word.dropFirst().first
  return word.hasPrefix("-") && (second == "." || second?.isWholeNumber == true)
    && Double(word) != nil
}

private struct Scan<Root> {
  let words: [String]
  let table: [Parameter<Root>]
  var position = 0
  var operands: [String] = []
  var given: [String] = []
  var isSet: [Bool]

  init(_ words: [String], _ table: [Parameter<Root>]) {
    self.words = words
    self.table = table
    isSet = table.map { _ in false }
  }

  mutating func next() -> String? {
    guard position < words.count else { return nil }
    defer { position += 1 }
    return words[position]
  }

  mutating func rest() -> [String] {
    defer { position = words.count }
    return Array(words[position...])
  }

  /// `--name`, `--name value`, `--name=value`.
  mutating func long(_ word: String, into root: inout Root) throws(TrajpackError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    let index = try find(name)
    if table[index].shape.takesValue {
      let value = try parts.count == 2 ? String(parts[1]) : value(of: index, name)
      try set(index, name, value, &root)
    } else if parts.count == 2 {
      throw TrajpackError(.usage, "\(name) takes no value", at: ErrorPlace(option: name))
    } else {
      try set(index, name, "", &root)
    }
  }

  /// `-v`, `-vq`, `-c value`, `-cvalue`, `-c=value`.
  mutating func cluster(_ word: String, into root: inout Root) throws(TrajpackError) {
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      let name = "-\(letter)"
      let index = try find(name)
      guard table[index].shape.takesValue else {
        if letters.first == "=" {
          throw TrajpackError(.usage, "\(name) takes no value", at: ErrorPlace(option: name))
        }
        try set(index, name, "", &root)
        continue
      }
      if letters.isEmpty {
        try set(index, name, try value(of: index, name), &root)
      } else {
        let value = letters.first == "=" ? letters.dropFirst() : letters
        try set(index, name, String(value), &root)
      }
      return
    }
  }

  private func find(_ name: String) throws(TrajpackError) -> Int {
    if let index = table.firstIndex(where: {
      !$0.shape.isPositional && $0.shape.names.contains(name)
    }) {
      return index
    }
    let names = table.filter { !$0.shape.isPositional }.flatMap(\.shape.names)
    throw TrajpackError(
      .usage, "no option '\(name)'\(suggestion(for: name, among: names))",
      at: ErrorPlace(option: name))
  }

  /// The next word, unless it is an option itself (then the value was forgotten).
  private mutating func value(of index: Int, _ name: String) throws(TrajpackError) -> String {
    if position < words.count {
      let word = words[position]
      if word == "-" || !word.hasPrefix("-") || isNegativeNumber(word) {
        position += 1
        return word
      }
    }
    let shape = table[index].shape
    var wanted = shape.choices.isEmpty ? "" : list(shape.choices)
    if case .option(let value) = shape.role, wanted.isEmpty { wanted = value }
    throw TrajpackError(
      .usage, "\(name) needs a value: \(wanted)", at: ErrorPlace(option: name))
  }

  private mutating func set(
    _ index: Int, _ name: String, _ value: String, _ root: inout Root
  ) throws(TrajpackError) {
    let isFirst = !isSet[index]
    isSet[index] = true
    if !table[index].shape.isPositional { given.append(name) }
    try within(name, at: ErrorPlace(option: name)) { () throws(TrajpackError) in
      try table[index].read(&root, value, isFirst)
    }
  }

  /// Deals the operands out to the positional arguments: each required one gets its own, the list
  /// among them, wherever it stands, gets what is left.
  mutating func fill(_ root: inout Root) throws(TrajpackError) {
    let places = table.indices.filter { table[$0].shape.isPositional }
    let required = places.filter { table[$0].shape.isRequired }
    guard operands.count >= required.count else {
      let missing = required[operands.count...].map { table[$0].shape.spelling }
      throw TrajpackError(
        .usage, "\(list(missing, "and")) \(missing.count == 1 ? "is" : "are") missing",
        at: ErrorPlace(option: missing.first))
    }
    var spare = operands.count - required.count
    var left = operands[...]
    for index in places {
      let shape = table[index].shape
      let extra = shape.isRepeated ? spare : min(spare, shape.isRequired ? 0 : 1)
      spare -= extra
      for _ in 0..<(extra + (shape.isRequired ? 1 : 0)) {
        try set(index, shape.names[0], left.removeFirst(), &root)
      }
    }
    if let word = left.first {
      throw TrajpackError(.usage, "'\(word)' is one argument too many")
    }
  }
}
