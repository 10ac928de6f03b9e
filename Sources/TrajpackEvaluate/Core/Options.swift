import TrajpackFormat

/// The options of an evaluator: a plain struct with defaults, and one table that names each, says
/// what it does, which values it takes, and reads and writes it.
///
/// Everything else follows from the table: the list of options in a result, the parsing of
/// `name=value`, the check of ranges, and the help text.
protocol EvaluationOptions: Sendable {
  init()
  static var table: [Option<Self>] { get }
}

/// One row of an options table.
struct Option<Owner: Sendable>: Sendable {
  let name: String
  let help: String
  let read: @Sendable (Owner) -> Value
  /// Sets the option from text; returns what values it takes when the text is not one of them.
  let write: @Sendable (inout Owner, String) -> String?
  /// What values it takes, when the one it has is not one of them.
  let problem: @Sendable (Owner) -> String?
  /// The words that it takes, where it takes words.
  var choices: [String] = []
}

extension EvaluationOptions {
  /// Every option with its value, in the table's order.
  var described: [Field] { Self.table.map { Field($0.name, $0.read(self)) } }

  /// The defaults, changed by `settings`.
  init(_ settings: [(name: String, value: String)]) throws(TrajpackError) {
    self.init()
    for (name, value) in settings {
      guard let option = Self.table.first(where: { $0.name == name }) else {
        let known = Self.table.map(\.name).joined(separator: ", ")
        throw TrajpackError(
          .usage, "there is no option '\(name)' here; there are: \(known)",
          at: ErrorPlace(option: name))
      }
      if let expected = option.write(&self, value) {
        throw TrajpackError(
          .usage, "option \(name) takes \(expected), not '\(value)'", at: ErrorPlace(option: name))
      }
    }
    try validate()
  }

  /// Refuses options outside their ranges.
  func validate() throws(TrajpackError) {
    for option in Self.table {
      if let expected = option.problem(self) {
        throw TrajpackError(
          .usage, "option \(option.name) takes \(expected)", at: ErrorPlace(option: option.name))
      }
    }
  }
}

extension Option {
  /// A real number between `lowest` and `highest`, `above` being excluded itself.
  static func number(
    _ name: String, _ path: OptionPath<Owner, Double>, _ help: String,
    above: Double? = nil, lowest: Double? = nil, highest: Double? = nil
  ) -> Option {
    var expected = "a number"
    if let above { expected += " above \(above)" }
    if let lowest { expected += " of at least \(lowest)" }
    if let highest {
      expected += lowest == nil && above == nil ? " of at most" : " and at most"
      expected += " \(highest)"
    }
    let sentence = expected
    let fits: @Sendable (Double) -> Bool = { value in
      value.isFinite && value > (above ?? -.infinity) && value >= (lowest ?? -.infinity)
        && value <= (highest ?? .infinity)
    }
    return Option(
      name: name, help: help, read: { .number($0[keyPath: path]) },
      write: { owner, text in
        guard let value = Double(text) else { return sentence }
        owner[keyPath: path] = value
        return fits(value) ? nil : sentence
      },
      problem: { fits($0[keyPath: path]) ? nil : sentence })
  }

  /// A real number above zero, or `none`.
  static func optionalNumber(
    _ name: String, _ path: OptionPath<Owner, Double?>, _ help: String, above: Double? = nil
  ) -> Option {
    let sentence = "'none' or a number" + (above.map { " above \($0)" } ?? "")
    let fits: @Sendable (Double?) -> Bool = { value in
      guard let value else { return true }
      return value.isFinite && value > (above ?? -.infinity)
    }
    return Option(
      name: name, help: help, read: { $0[keyPath: path].map { .number($0) } ?? .none },
      write: { owner, text in
        guard text != "none" else {
          owner[keyPath: path] = nil
          return nil
        }
        guard let value = Double(text), fits(value) else { return sentence }
        owner[keyPath: path] = value
        return nil
      },
      problem: { fits($0[keyPath: path]) ? nil : sentence })
  }

  /// A whole number in a range.
  static func count(
    _ name: String, _ path: OptionPath<Owner, Int>, _ help: String,
    _ range: ClosedRange<Int> = 0...Int(Int32.max)
  ) -> Option {
    let sentence = "a whole number from \(range.lowerBound) to \(range.upperBound)"
    return Option(
      name: name, help: help, read: { .count($0[keyPath: path]) },
      write: { owner, text in
        guard let value = Int(text), range.contains(value) else { return sentence }
        owner[keyPath: path] = value
        return nil
      },
      problem: { range.contains($0[keyPath: path]) ? nil : sentence })
  }

  /// Yes or no.
  static func flag(_ name: String, _ path: OptionPath<Owner, Bool>, _ help: String) -> Option {
    Option(
      name: name, help: help, read: { .flag($0[keyPath: path]) },
      write: { owner, text in
        switch text {
        case "true", "yes", "1": owner[keyPath: path] = true
        case "false", "no", "0": owner[keyPath: path] = false
        default: return "true or false"
        }
        return nil
      },
      problem: { _ in nil })
  }

  /// One of the names of an enumeration.
  static func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ name: String, _ path: OptionPath<Owner, Choice>, _ help: String
  ) -> Option where Choice.RawValue == String {
    let sentence = "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ")
    return Option(
      name: name, help: help, read: { .text($0[keyPath: path].rawValue) },
      write: { owner, text in
        guard let value = Choice(rawValue: text) else { return sentence }
        owner[keyPath: path] = value
        return nil
      },
      problem: { _ in nil }, choices: Choice.allCases.map(\.rawValue))
  }

  /// A list of real numbers, written with commas.
  static func numbers(
    _ name: String, _ path: OptionPath<Owner, [Double]>, _ help: String, above: Double? = nil,
    emptyAllowed: Bool = false
  ) -> Option {
    let sentence =
      "numbers" + (above.map { " above \($0)" } ?? "") + " with commas between them"
    let fits: @Sendable ([Double]) -> Bool = { values in
      (emptyAllowed || !values.isEmpty)
        && values.allSatisfy { $0.isFinite && $0 > (above ?? -.infinity) }
    }
    return Option(
      name: name, help: help, read: { .numbers($0[keyPath: path]) },
      write: { owner, text in
        guard let values = parseList(text, Double.init), fits(values) else { return sentence }
        owner[keyPath: path] = values
        return nil
      },
      problem: { fits($0[keyPath: path]) ? nil : sentence })
  }

  /// A list of whole numbers, written with commas; may be empty.
  static func counts(
    _ name: String, _ path: OptionPath<Owner, [Int]>, _ help: String, lowest: Int = 0
  ) -> Option {
    let sentence = "whole numbers of at least \(lowest) with commas between them"
    let fits: @Sendable ([Int]) -> Bool = { $0.allSatisfy { $0 >= lowest && $0 <= Int32.max } }
    return Option(
      name: name, help: help, read: { .counts($0[keyPath: path]) },
      write: { owner, text in
        guard let values = parseList(text, { Int($0) }), fits(values) else { return sentence }
        owner[keyPath: path] = values
        return nil
      },
      problem: { fits($0[keyPath: path]) ? nil : sentence })
  }
}

/// The items of a comma-separated list, nil if one does not parse; the empty text is no items.
private func parseList<T>(_ text: String, _ parse: (Substring) -> T?) -> [T]? {
  if text.isEmpty { return [] }
  var items: [T] = []
  for part in text.split(separator: ",", omittingEmptySubsequences: false) {
    guard let item = parse(part) else { return nil }
    items.append(item)
  }
  return items
}
