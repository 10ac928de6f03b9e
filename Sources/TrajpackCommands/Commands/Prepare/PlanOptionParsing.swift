import TrajpackFormat
import TrajpackSources

/// Options of the command line as members of a plan's JSON.
enum PlanOptionParsing {
  /// `auto`, or `state/hp=linear` and `*=auto`: one value for all channels, or values by selector.
  static func rules(
    _ words: [String], _ option: String, _ value: (String) -> JSONValue = { .string($0) }
  ) throws(TrajpackError) -> JSONValue? {
    if words.isEmpty { return nil }
    if words.count == 1, !words[0].contains("=") { return value(words[0]) }
    var members: [JSONValue.Member] = []
    for word in words {
      guard let equals = word.lastIndex(of: "="), equals > word.startIndex else {
        // A bare value beside others is that of all other channels.
        members.append(.init("*", value(word)))
        continue
      }
      members.append(
        .init(String(word[..<equals]), value(String(word[word.index(after: equals)...]))))
    }
    guard Set(members.map(\.name)).count == members.count else {
      throw TrajpackError(.usage, "\(option): gives two values for the same channels")
    }
    return .object(members.filter { $0.name != "*" } + members.filter { $0.name == "*" })
  }

  /// A whole number, or the word itself for the plan to refuse or to know (`auto`).
  static func number(_ word: String) -> JSONValue { Int64(word).map { .int($0) } ?? .string(word) }

  /// A number as text, which the plan reads exactly.
  static func texts(_ words: [String]) -> JSONValue? {
    words.isEmpty ? nil : .array(words.map { .string($0) })
  }

  /// Numbers or dates between commas.
  static func times(_ word: String, _ option: String) throws(TrajpackError) -> JSONValue {
    var out: [JSONValue] = []
    for part in word.split(separator: ",") {
      guard let number = Double(part) ?? Dates.seconds(part), number.isFinite else {
        throw TrajpackError(
          .usage, "\(option): '\(part)' is neither a number nor a date like 2024-02-29T12:00:00Z")
      }
      out.append(.double(number))
    }
    return .array(out)
  }
}
