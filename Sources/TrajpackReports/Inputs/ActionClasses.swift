import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// Which class an action belongs to: a CSV table with a column for each number of the action id, and last the
/// class. The first row that fits counts; −1 fits any number. `schemas/predictions.md` describes it.
struct ActionClasses {
  private let path: String
  private var rows: [[Double]] = []

  init(_ path: String) throws(TrajpackError) {
    self.path = path
    rows = try within(path) { () throws(TrajpackError) in
      var rows: [[Double]] = []
      let scanner = CSVScanner(try LocalFile(path))
      guard try scanner.next(), scanner.count >= 2, scanner[scanner.count - 1].text == "class"
      else {
        throw TrajpackError(.data, "the header of a table of classes ends in the column 'class'")
      }
      let width = scanner.count
      while try scanner.next() {
        guard scanner.count == width else {
          throw TrajpackError(
            .data, "line \(scanner.line): has \(scanner.count) cells, the header \(width)")
        }
        var row: [Double] = []
        for cell in 0..<width {
          let text = NumberText(scanner[cell].bytes)
          guard text.form == .integer, text.mantissa >= -1, text.mantissa <= Int32.max else {
            throw TrajpackError(
              .data, "line \(scanner.line): '\(scanner[cell].text)' is no whole number from -1 on")
          }
          row.append(text.value)
        }
        rows.append(row)
      }
      guard !rows.isEmpty else { throw TrajpackError(.data, "the table of classes has no row") }
      return rows
    }
  }

  /// The arrays of `action.segments`, for ids of so many numbers.
  func arrays(keys: Int) throws(TrajpackError) -> [String: Numbers] {
    guard rows[0].count == keys + 1 else {
      throw TrajpackError(
        .usage,
        "\(path): has \(rows[0].count - 1) columns before 'class', but an action id here has \(keys) numbers"
      )
    }
    return [
      "class_keys": Numbers(shape: [rows.count, keys], rows.flatMap { $0.dropLast() }),
      "class_labels": Numbers(shape: [rows.count], rows.map { $0[keys] }),
    ]
  }
}
