import TrajpackFormat
import TrajpackStore

/// What actions are called, from a CSV: a column for each number of an action, in which `*` fits any, then perhaps
/// `class`, then `name`. The first row that fits counts.
public struct ActionNames: Sendable {
  private var rows: [(key: [Int64?], name: String)] = []
  /// Numbers of an action.
  public private(set) var width = 0
  /// The path of the table.
  public let path: String

  /// Reads a table.
  ///
  /// - Throws: A usage error for a file that is none, naming the line.
  public init(_ path: String) throws(TrajpackError) {
    self.path = path
    let file = try LocalFile(path)
    do throws(TrajpackError) { try read(file) } catch {
      throw TrajpackError(
        error.fault == .data ? .usage : error.fault, file: path, error.message, at: error.place)
    }
  }

  private mutating func read(_ file: LocalFile) throws(TrajpackError) {
    let table = try TableReader(csv: file)
    let names = table.names
    guard names.count >= 2, names.last == "name" else {
      throw TrajpackError(
        .data,
        "the header of a table of actions has a column for each number of an action and ends in 'name', "
          + "or 'class' and 'name'")
    }
    width = names.count - (names.count >= 3 && names[names.count - 2] == "class" ? 2 : 1)
    while try table.next() {
      var key: [Int64?] = []
      for column in 0..<width {
        let text = try table.text(column)
        let number = Int64(text)
        guard number != nil || text == "*" else {
          throw table.wrong(
            "has '\(table.shown(column))' where an action has a whole number or *")
        }
        key.append(number)
      }
      let name = try table.text(names.count - 1)
      guard !name.isEmpty else { throw table.wrong("has no name") }
      rows.append((key, name))
    }
  }

  /// - Throws: A usage error where actions have another number of channels.
  public func check(_ channels: [String]) throws(TrajpackError) {
    guard width == channels.count else {
      throw TrajpackError(
        .usage, file: path,
        "has \(counted(width, "column")) of numbers, and actions are made of "
          + "\(counted(channels.count, "channel")): \(channels.joined(separator: ", "))")
    }
  }

  /// The name of an action; `nil` where no row fits.
  public func name(_ action: [Int64]) -> String? {
    rows.first { row in zip(row.key, action).allSatisfy { $0 == nil || $0 == $1 } }?.name
  }
}
