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
    let scanner = CSVScanner(file)
    func refuse(_ what: String) -> TrajpackError {
      TrajpackError(.usage, file: path, "line \(scanner.line) \(what)")
    }
    guard try scanner.next(), scanner.count >= 2, scanner[scanner.count - 1].text == "name" else {
      throw TrajpackError(
        .usage, file: path,
        "the header of a table of actions has a column for each number of an action and ends in 'name', "
          + "or 'class' and 'name'")
    }
    let columns = scanner.count
    let hasClass = columns >= 3 && scanner[columns - 2].text == "class"
    width = columns - (hasClass ? 2 : 1)
    while try scanner.next() {
      guard scanner.count == columns else {
        throw refuse("has \(counted(scanner.count, "cell")), and the header \(columns)")
      }
      var key: [Int64?] = []
      for column in 0..<width {
        let text = scanner[column].text
        if text == "*" {
          key.append(nil)
          continue
        }
        guard let number = Int64(text) else {
          throw refuse("has '\(text)' where an action has a whole number or *")
        }
        key.append(number)
      }
      let name = scanner[columns - 1].text
      guard !name.isEmpty else { throw refuse("has no name") }
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
