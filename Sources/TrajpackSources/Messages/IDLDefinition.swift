import TrajpackFormat

extension StructTypes {
  /// The types of a schema in IDL, as rosbag2 writes it: modules, structs, typedefs, constants, enumerations, sequences,
  /// arrays and bounded texts.
  ///
  /// - Throws: A data error where the text is none of these.
  static func idl(_ text: String, _ name: String) throws(TrajpackError) -> StructTypes {
    var reader = IDLReader(text)
    do throws(TrajpackError) {
      try reader.read()
    } catch {
      throw TrajpackError(.data, "the definition of \(name): \(error.message)")
    }
    var out = StructTypes()
    out.types = reader.types
    return out
  }
}

/// Reads IDL (OMG IDL 4.2, as far as `rosidl` makes it).
private struct IDLReader {
  /// The structs that were read, as `pkg/Type`.
  private(set) var types: [String: [StructTypes.Field]] = [:]
  private var aliases: [String: (base: StructTypes.Base, times: StructTypes.Repeat)] = [:]
  private var constants: [String: Int] = [:]
  private var words: [Substring] = []
  private var at = 0
  private var depth = 0

  private static let numbers: [String: ElementType] = [
    "boolean": .bool, "octet": .uint8, "char": .uint8, "int8": .int8, "uint8": .uint8,
    "short": .int16, "int16": .int16, "uint16": .uint16, "long": .int32, "int32": .int32,
    "uint32": .uint32, "int64": .int64, "uint64": .uint64, "float": .float32, "double": .float64,
  ]

  init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      let line = line.trimmingSpaces
      if line.hasPrefix("===") || line.hasPrefix("IDL:") || line.hasPrefix("#") { continue }
      split(line)
    }
  }

  private mutating func split(_ line: Substring) {
    var rest = line
    while let first = rest.first {
      if first == " " || first == "\t" {
        rest = rest.dropFirst()
      } else if rest.hasPrefix("//") {
        return
      } else if first == "\"" {
        var end = rest.index(after: rest.startIndex)
        while end < rest.endIndex, rest[end] != "\"" {
          let step = rest[end] == "\\" ? 2 : 1
          end = rest.index(end, offsetBy: step, limitedBy: rest.endIndex) ?? rest.endIndex
        }
        if end < rest.endIndex { end = rest.index(after: end) }
        words.append(rest[..<end])
        rest = rest[end...]
      } else if first.isLetter || first.isNumber || first == "_" {
        let word = rest.prefix {
          $0.isLetter || $0.isNumber || $0 == "_" || $0 == ":" || $0 == "."
        }
        words.append(word)
        rest = rest[word.endIndex...]
      } else {
        words.append(rest.prefix(1))
        rest = rest.dropFirst()
      }
    }
  }

  private var word: Substring? { at < words.count ? words[at] : nil }

  private mutating func next() throws(TrajpackError) -> String {
    guard at < words.count else { throw TrajpackError(.data, "it ends within a type") }
    at += 1
    return String(words[at - 1])
  }

  private mutating func take(_ expected: String) throws(TrajpackError) {
    let found = try next()
    guard found == expected else {
      throw TrajpackError(.data, "'\(found)' stands where '\(expected)' is expected")
    }
  }

  mutating func read() throws(TrajpackError) {
    while word != nil { try declaration([]) }
  }

  private mutating func annotations() throws(TrajpackError) {
    while word == "@" {
      at += 2
      guard word == "(" else { continue }
      var depth = 0
      repeat {
        let found = try next()
        if found == "(" { depth += 1 } else if found == ")" { depth -= 1 }
      } while depth > 0
    }
  }

  private mutating func declaration(_ modules: [String]) throws(TrajpackError) {
    try annotations()
    guard word != nil else { return }
    guard modules.count < 16 else { throw TrajpackError(.data, "it nests without end") }
    switch try next() {
    case ";": return
    case "module":
      let name = try next()
      try take("{")
      while word != "}" {
        guard word != nil else { throw TrajpackError(.data, "it ends within a module") }
        try declaration(modules + [name])
      }
      try take("}")
    case "struct":
      let name = try next()
      try take("{")
      var fields: [StructTypes.Field] = []
      while true {
        try annotations()
        if word == "}" { break }
        let (base, times) = try type(modules)
        repeat {
          let name = try next()
          var own = times
          if word == "[" { own = try combined(times, try size(modules)) }
          // Some structs of one member stand for those without any.
          if name != "structure_needs_at_least_one_member" {
            fields.append(StructTypes.Field(name: name, base: base, times: own))
          }
        } while try isMore()
      }
      try take("}")
      types[Self.full(modules + [name])] = fields
    case "typedef":
      let (base, times) = try type(modules)
      let name = try next()
      var own = times
      if word == "[" { own = try combined(times, try size(modules)) }
      aliases[(modules + [name]).joined(separator: "::")] = (base, own)
    case "const":
      _ = try type(modules)
      let name = try next()
      try take("=")
      let value = try next()
      if let number = Int(value) {
        constants[(modules + [name]).joined(separator: "::")] = number
      }
      while let word, word != ";" { at += 1 }
    case "enum":
      let name = try next()
      while let word, word != "}" { at += 1 }
      try take("}")
      aliases[(modules + [name]).joined(separator: "::")] = (.number(.uint32), .once)
    case let other: throw TrajpackError(.data, "'\(other)' is no declaration that is read")
    }
  }

  /// Whether another name of the same type follows, and what ends them is taken.
  private mutating func isMore() throws(TrajpackError) -> Bool {
    if word == "," {
      at += 1
      return true
    }
    try take(";")
    return false
  }

  /// The sizes in brackets, as one.
  private mutating func size(_ modules: [String]) throws(TrajpackError) -> StructTypes.Repeat {
    var count = 1
    while word == "[" {
      try take("[")
      count *= try number(modules)
      guard count <= 1 << 24 else { throw TrajpackError(.data, "an array has \(count) items") }
      try take("]")
    }
    return .fixed(count)
  }

  private mutating func number(_ modules: [String]) throws(TrajpackError) -> Int {
    let word = try next()
    if let number = Int(word), number >= 0, number <= 1 << 24 { return number }
    for count in (0...modules.count).reversed() {
      let name = (modules.prefix(count) + [word]).joined(separator: "::")
      if let number = constants[name], number >= 0, number <= 1 << 24 { return number }
    }
    throw TrajpackError(.data, "'\(word)' is no size of an array")
  }

  private func combined(
    _ one: StructTypes.Repeat, _ other: StructTypes.Repeat
  ) throws(TrajpackError) -> StructTypes.Repeat {
    switch (one, other) {
    case (.once, let times), (let times, .once): return times
    case (.fixed(let a), .fixed(let b)) where a * b <= 1 << 24: return .fixed(a * b)
    default: throw TrajpackError(.data, "an array of sequences is not read")
    }
  }

  private mutating func type(
    _ modules: [String]
  ) throws(TrajpackError) -> (StructTypes.Base, StructTypes.Repeat) {
    depth += 1
    defer { depth -= 1 }
    guard depth < 16 else { throw TrajpackError(.data, "it nests without end") }
    var name = try next()
    switch name {
    case "sequence":
      try take("<")
      let (base, times) = try type(modules)
      if word == "," {
        at += 1
        _ = try number(modules)
      }
      try take(">")
      guard times == .once else { throw TrajpackError(.data, "a sequence of arrays is not read") }
      return (base, .list)
    case "string", "wstring":
      if word == "<" {
        at += 1
        _ = try number(modules)
        try take(">")
      }
      return (name == "string" ? .text : .unread("wstring"), .once)
    case "unsigned":
      let size = try next()
      if size == "short" { return (.number(.uint16), .once) }
      if word == "long" {
        at += 1
        return (.number(.uint64), .once)
      }
      return (.number(.uint32), .once)
    case "long":
      if word == "long" {
        at += 1
        return (.number(.int64), .once)
      }
      if word == "double" {
        at += 1
        return (.unread("long double"), .once)
      }
    case "wchar", "any", "map", "fixed": return (.unread(name), .once)
    default: break
    }
    if let number = Self.numbers[name] { return (.number(number), .once) }
    if name.hasPrefix("::") { name = String(name.dropFirst(2)) }
    for count in (0...modules.count).reversed() {
      let whole = modules.prefix(count) + [name]
      if let alias = aliases[whole.joined(separator: "::")] { return alias }
      let parts = whole.joined(separator: "::").split(separator: ":").map(String.init)
      if types[Self.full(parts)] != nil, count > 0 || parts.count > 1 {
        return (.named(Self.full(parts)), .once)
      }
    }
    // Types may be defined behind their use.
    let parts = name.split(separator: ":").map(String.init)
    return (.named(Self.full(parts.count > 1 ? parts : modules + parts)), .once)
  }

  /// `pkg/Type` of the parts of a name.
  private static func full(_ parts: [String]) -> String {
    parts.count > 1 ? "\(parts[0])/\(parts[parts.count - 1])" : parts.joined()
  }
}
