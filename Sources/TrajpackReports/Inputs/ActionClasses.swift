import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// Which class an action belongs to, from a table as CSV or as JSON; the first row that fits counts.
/// `schemas/predictions.md` describes it.
struct ActionClasses {
  /// A row: the numbers of an id, −1 for any, and its class.
  private typealias Row = (key: [Double], label: String)

  private let path: String
  private var keys: [[Double]] = []
  private var labels: [Double] = []

  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let rows = try within(file: path) { () throws(TrajpackError) in
      let file = try LocalFile(path)
      let start = try file.bytes(0..<min(file.length, 4096))
        .first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
      let rows = start == UInt8(ascii: "[") ? try Self.json(file) : try Self.csv(file)
      guard let width = rows.first?.key.count else {
        throw TrajpackError(.data, "the table of classes has no row")
      }
      if let row = rows.firstIndex(where: { $0.key.count != width }) {
        throw TrajpackError(
          .data, "entry \(row) has \(rows[row].key.count) numbers of an action, the first \(width)")
      }
      return rows
    }
    keys = rows.map(\.key)
    // Names are numbered as they come.
    let numbers = rows.compactMap { Int32($0.label).flatMap { $0 >= -1 ? Double($0) : nil } }
    var names: [String: Double] = [:]
    labels =
      numbers.count == rows.count
      ? numbers
      : rows.map { row in
        let number = names[row.label] ?? Double(names.count)
        names[row.label] = number
        return number
      }
  }

  /// A header that ends in `class`, or in `class` and `name`; a cell of an id is a whole number, and `*` or −1
  /// fits any.
  private static func csv(_ file: LocalFile) throws(TrajpackError) -> [Row] {
    var rows: [Row] = []
    let table = try TableReader(csv: file)
    let keys = table.names.count - (table.names.count >= 3 && table.names.last == "name" ? 2 : 1)
    guard keys >= 1, table.names[keys] == "class" else {
      throw TrajpackError(
        .data, "the header of a table of classes ends in the column 'class', or 'class' and 'name'")
    }
    while try table.next() {
      var row: Row = ([], try table.text(keys))
      guard !row.label.isEmpty else { throw table.wrong("the class is empty") }
      for cell in 0..<keys {
        if try table.text(cell) == "*" {
          row.key.append(-1)
          continue
        }
        let number = table.number(cell)
        guard number.form == .integer, number.mantissa >= -1, number.mantissa <= Int32.max else {
          throw table.wrong("'\(table.shown(cell))' is neither a whole number from -1 on nor '*'")
        }
        row.key.append(number.value)
      }
      rows.append(row)
    }
    return rows
  }

  /// The table of the judges: `[{"action": [3, "*", 12], "class": "attack", "name": "draw slash"}]`.
  private static func json(_ file: LocalFile) throws(TrajpackError) -> [Row] {
    guard file.length <= 64 << 20 else {
      throw TrajpackError(.data, "is larger than 64 MiB, which no table of classes is")
    }
    let entries = try JSONValue(parsing: try file.bytes(0..<file.length)).array ?? []
    return try entries.enumerated().map { (number, entry) throws(TrajpackError) -> Row in
      let key = (entry["action"]?.array ?? []).map { part -> Double? in
        if part == "*" { return -1 }
        return part.int.flatMap { 0...Int(Int32.max) ~= $0 ? Double($0) : nil }
      }
      let label = entry["class"]?.string ?? entry["class"]?.int.map { "\($0)" } ?? ""
      guard !key.isEmpty, !key.contains(nil), !label.isEmpty else {
        throw TrajpackError(
          .data,
          "entry \(number) must have \"action\", a list of whole numbers from 0 on and \"*\", and \"class\", "
            + "a text or a whole number")
      }
      return (key.compactMap { $0 }, label)
    }
  }

  /// The arrays of `action.segments`, for ids of so many numbers.
  func arrays(keys count: Int) throws(TrajpackError) -> [String: Numbers] {
    guard keys[0].count == count else {
      throw TrajpackError(
        .usage, file: path,
        "has \(keys[0].count) columns of an action, but an action id here has \(count) numbers"
      )
    }
    return [
      "class_keys": Numbers(shape: [keys.count, count], keys.flatMap { $0 }),
      "class_labels": Numbers(shape: [labels.count], labels),
    ]
  }
}
