import TrajpackFormat

/// The struct types that a schema defines, by name, as the text definitions of ROS and IDL give them.
struct StructTypes: Sendable {
  /// The type of a field, without what repeats it.
  enum Base: Sendable, Equatable {
    case number(ElementType)
    case text
    /// Seconds and nanoseconds of 32 bits each.
    case time
    case named(String)
    /// What is not read, and its name.
    case unread(String)
  }

  /// How often a field comes.
  enum Repeat: Sendable, Equatable {
    case once
    case fixed(Int)
    case list
  }

  struct Field: Sendable {
    var name: String
    var base: Base
    var times = Repeat.once
  }

  /// The fields of each type, in the order in which they are encoded.
  var types: [String: [Field]] = [:]

  /// The types of a schema that can be compiled.
  ///
  /// - Parameter name: The name of the message type.
  /// - Throws: A data error where the text is no definition.
  static func ros(_ text: String, _ name: String, isROS1: Bool) throws(TrajpackError) -> StructTypes
  {
    var out = StructTypes()
    let root = full(name)
    var current = root
    out.types[root] = []
    var isFirst = true
    for (number, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let line = raw.trimmingSpaces
      if line.count >= 10, line.allSatisfy({ $0 == "=" }) {
        isFirst = false
        continue
      }
      if line.hasPrefix("MSG:") {
        current = full(String(line.dropFirst(4).trimmingSpaces))
        if !isFirst || out.types[current] == nil { out.types[current] = [] }
        continue
      }
      do throws(TrajpackError) {
        if let field = try field(String(line), in: current, isROS1) {
          out.types[current, default: []].append(field)
        }
      } catch {
        throw TrajpackError(
          .data, "line \(number + 1) of the definition of \(name) \(error.message)")
      }
    }
    return out
  }

  /// `pkg/Type` for any of its spellings.
  static func full(_ name: String) -> String {
    let parts = name.split(separator: "/")
    return parts.count > 2 ? "\(parts[0])/\(parts[parts.count - 1])" : name
  }

  private static let numbers: [String: ElementType] = [
    "bool": .bool, "byte": .uint8, "char": .uint8, "int8": .int8, "uint8": .uint8,
    "int16": .int16, "uint16": .uint16, "int32": .int32, "uint32": .uint32, "int64": .int64,
    "uint64": .uint64, "float32": .float32, "float64": .float64,
  ]

  private static func field(
    _ line: String, in type: String, _ isROS1: Bool
  ) throws(TrajpackError) -> Field? {
    guard let first = line.first, first != "#" else { return nil }
    let words = line.split(maxSplits: 1) { $0 == " " || $0 == "\t" }
    guard words.count == 2 else { throw TrajpackError(.data, "is no field: '\(line)'") }
    var word = String(words[0])
    let rest = words[1].trimmingSpaces
    let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    guard !name.isEmpty else { throw TrajpackError(.data, "names no field: '\(line)'") }
    // NAME=value is a constant; a value behind a blank is a default.
    if rest.dropFirst(name.count).trimmingSpaces.hasPrefix("=") { return nil }
    var times = Repeat.once
    if word.hasSuffix("]"), let open = word.lastIndex(of: "[") {
      let inner = word[word.index(after: open)...].dropLast()
      if inner.isEmpty || inner.hasPrefix("<=") {
        times = .list
      } else if let count = Int(inner), count >= 0, count <= 1 << 24 {
        times = .fixed(count)
      } else {
        throw TrajpackError(.data, "has an array of no size: '\(line)'")
      }
      word = String(word[..<open])
    }
    if let bound = word.firstRange(of: "<=") { word = String(word[..<bound.lowerBound]) }
    let base: Base
    if word == "string" {
      base = .text
    } else if word == "wstring" {
      base = .unread("wstring")
    } else if isROS1, word == "time" || word == "duration" {
      base = .time
    } else if let number = numbers[word] {
      base = .number(isROS1 && word == "byte" ? .int8 : number)
    } else if word == "Header" {
      base = .named("std_msgs/Header")
    } else if word.contains("/") {
      base = .named(full(word))
    } else {
      base = .named("\(type.split(separator: "/").first ?? "")/\(word)")
    }
    return Field(name: String(name), base: base, times: times)
  }
}

extension StringProtocol {
  /// Without blanks at both ends.
  var trimmingSpaces: SubSequence {
    let front = drop { $0 == " " || $0 == "\t" || $0 == "\r" }
    guard let last = front.lastIndex(where: { $0 != " " && $0 != "\t" && $0 != "\r" }) else {
      return front.prefix(0)
    }
    return front[...last]
  }
}
