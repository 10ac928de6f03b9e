/// A pattern of names: `*` stands for any run of characters, `?` for one. The name of a stream alone
/// stands for all of its channels.
package struct Pattern: Sendable, Equatable {
  package let text: String
  private let bytes: [UInt8]

  package init(_ text: String) {
    self.text = text
    bytes = Array(text.utf8)
  }

  /// Whether it stands for one name alone: its own text.
  package var isLiteral: Bool {
    !bytes.contains(UInt8(ascii: "*")) && !bytes.contains(UInt8(ascii: "?"))
  }

  /// Whether it stands for the channel of that stream.
  package func matches(stream: String, channel: String) -> Bool {
    matches(stream) || matches("\(stream)/\(channel)")
  }

  /// Whether it stands for a name.
  package func matches(_ name: String) -> Bool {
    let name = Array(name.utf8)
    var (p, n) = (0, 0)
    var retry: (p: Int, n: Int)?
    while n < name.count {
      if p < bytes.count, bytes[p] == UInt8(ascii: "*") {
        retry = (p + 1, n)
        p += 1
      } else if p < bytes.count, bytes[p] == UInt8(ascii: "?") || bytes[p] == name[n] {
        p += 1
        n += 1
      } else if let (before, at) = retry {
        retry = (before, at + 1)
        (p, n) = (before, at + 1)
      } else {
        return false
      }
    }
    return bytes[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}

/// Values by pattern; the first that matches counts.
package struct Rules<Value: Sendable>: Sendable {
  package var rules: [(pattern: Pattern, value: Value)] = []
  package var otherwise: Value?

  package init() {}

  package func value(stream: String, channel: String) -> Value? {
    rules.first { $0.pattern.matches(stream: stream, channel: channel) }?.value ?? otherwise
  }

  package func value(stream: String) -> Value? {
    rules.first { $0.pattern.matches(stream) }?.value ?? otherwise
  }
}

/// Names that are nearly what somebody wrote.
package enum Suggestion {
  /// `; did you mean 'x'?` for the nearest of `names`, or the names themselves where they are few.
  package static func text(for wanted: String, among names: [String]) -> String {
    let near = names.map { ($0, distance(Array(wanted.utf8), Array($0.utf8))) }
      .min { $0.1 < $1.1 }
    if let near, near.1 <= max(2, wanted.utf8.count / 3) { return "; did you mean '\(near.0)'?" }
    if names.isEmpty { return "; there are none" }
    let list = names.prefix(12).map { "'\($0)'" }.joined(separator: ", ")
    return "; there \(names.count == 1 ? "is" : "are") \(list)\(names.count > 12 ? ", …" : "")"
  }

  /// The first three of several names that there are not, each with the nearest of `names`, where one is near.
  package static func list(of wanted: [String], among names: [String]) -> String {
    let some = wanted.prefix(3).map { name -> String in
      let near = text(for: name, among: names)
      guard near.hasPrefix("; did") else { return "'\(name)'" }
      return "'\(name)' (\(near.dropFirst(2)))"
    }
    return some.joined(separator: ", ") + (wanted.count > 3 ? ", …" : "")
  }

  /// Edits between two texts (Levenshtein 1966).
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[b.count]
  }
}
