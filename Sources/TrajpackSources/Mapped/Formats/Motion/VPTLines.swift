import Synchronization
import TrajpackFormat
import TrajpackStore

/// The lines of a VPT recording, an object a frame, and the columns that they make.
final class VPTLines: Sendable {
  /// What the lines of all files have.
  struct Facts: Sendable {
    /// What a column holds; columns by their names, as `mouse/dx`.
    enum Form: Sendable { case whole, number, truth, text, json }
    var forms: [String: Form] = [:]
    var order: [String] = []
    var keys: Set<String> = []
    var buttons: Set<Int> = []

    /// Takes in a value of a column.
    mutating func add(_ name: String, _ value: JSONValue) {
      let form: Form
      switch value {
      case .int: form = .whole
      case .double: form = .number
      case .bool: form = .truth
      case .string: form = .text
      default: form = .json
      }
      guard let known = forms[name] else {
        forms[name] = form
        order.append(name)
        return
      }
      if known == form { return }
      forms[name] =
        [.whole, .number].contains(known) && [.whole, .number].contains(form) ? .number : .json
    }
  }

  let path: String
  let count: Int
  /// The columns that this file has, and how many lines have each.
  let columns: [String: Int]
  private let parsed = Mutex<[JSONValue]?>(nil)

  /// Columns that are lists of what is held.
  static let lists: Set<String> = [
    "keyboard/keys", "keyboard/newKeys", "mouse/buttons", "mouse/newButtons",
  ]

  /// Reads all lines once.
  ///
  /// - Throws: A data error that names the line that is no object.
  init(_ path: String, _ facts: inout Facts) throws(TrajpackError) {
    self.path = path
    var columns: [String: Int] = [:]
    var found = facts
    count = try Self.forEach(path) { (line) throws(TrajpackError) in
      Self.flat(line) { name, value in
        columns[name, default: 0] += 1
        if Self.lists.contains(name), let items = value.array {
          found.keys.formUnion(items.compactMap(\.string))
          found.buttons.formUnion(items.compactMap(\.int))
        } else {
          found.add(name, value)
        }
      }
    }
    self.columns = columns
    facts = found
  }

  /// Whether the first line of a file is one of a VPT recording.
  static func recognises(_ path: String) -> Bool {
    guard path.lowercased().hasSuffix(".jsonl"), let file = try? LocalFile(path) else {
      return false
    }
    var isOwn = false
    try? TextLines.forEach(file) { (_, _, line) throws(TrajpackError) in
      let json = try? JSONValue(parsing: Array(line), mostValues: 1 << 16)
      isOwn = json?["mouse"]?.members != nil && json?["keyboard"]?["keys"]?.array != nil
      return false
    }
    return isOwn
  }

  private static func forEach(
    _ path: String, _ body: (JSONValue) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Int {
    var count = 0
    try TextLines.forEach(try LocalFile(path)) { (number, _, line) throws(TrajpackError) in
      if line.allSatisfy({ $0 == 32 || $0 == 9 }) { return true }
      let json: JSONValue
      do throws(TrajpackError) {
        json = try JSONValue(parsing: Array(line), mostValues: 1 << 20)
      } catch {
        throw TrajpackError(
          .data, "line \(number): \(error.message)", at: ErrorPlace(line: number))
      }
      guard json.members != nil else {
        throw TrajpackError(.data, "line \(number) is no object", at: ErrorPlace(line: number))
      }
      try body(json)
      count += 1
      return true
    }
    return count
  }

  /// The columns of a line: members, and those of `mouse` and `keyboard` below their names.
  private static func flat(_ line: JSONValue, _ body: (String, JSONValue) -> Void) {
    for member in line.members ?? [] {
      guard ["mouse", "keyboard"].contains(member.name), let inner = member.value.members else {
        body(member.name, member.value)
        continue
      }
      for item in inner { body("\(member.name)/\(item.name)", item.value) }
    }
  }

  private static func value(_ line: JSONValue, _ name: String) -> JSONValue? {
    let parts = name.split(separator: "/", maxSplits: 1).map { String($0) }
    if parts.count == 2, let found = line[parts[0]]?[parts[1]] { return found }
    return line[name]
  }

  private func lines() throws(TrajpackError) -> [JSONValue] {
    try parsed.withLock { (known) throws(TrajpackError) in
      if let known { return known }
      var lines: [JSONValue] = []
      _ = try Self.forEach(path) { (line) throws(TrajpackError) in lines.append(line) }
      guard lines.count == count else {
        throw TrajpackError(
          .data, "has \(lines.count) lines, and had \(count) when it was first read")
      }
      known = lines
      return lines
    }
  }

  /// Forgets the lines, so that many files do not fill memory.
  func forget() { parsed.withLock { $0 = nil } }

  /// The values of a column, a line each.
  func column(_ name: String) throws(TrajpackError) -> [JSONValue?] {
    try lines().map { Self.value($0, name) }
  }
}
