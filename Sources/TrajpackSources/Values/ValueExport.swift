import TrajpackFormat
import TrajpackStore

/// Writes what is known of the exported recordings beside their folders, in `values.json`, which `convert` takes
/// back, and for people as a table, `values.csv`.
package enum ValueExport {
  package static let document = "values.json"
  package static let table = "values.csv"

  /// Writes the values of some episodes, if they have any; the names of the files.
  static func write(
    _ table: ValueTable, ids: [String], asTable: Bool, escapingFormulas: Bool, into folder: String
  ) throws(TrajpackError) {
    guard !table.columns.isEmpty else { return }
    let json = ValueAnnotations(ids: ids, table: table).json
    try FileSystem.replace("\(folder)/\(document)", with: Array((json.text() + "\n").utf8))
    guard asTable else { return }
    var header = ["id"]
    for column in table.columns {
      let name = column.field.name
      let count = column.field.type == .array ? column.field.elements : 1
      header += column.field.type == .array ? (0..<count).map { "\(name).\($0)" } : [name]
    }
    func quoted(_ text: String) -> String {
      text.isEmpty ? "\"\"" : text.csvCell(escapingFormulas: escapingFormulas)
    }
    var text = header.map(quoted).joined(separator: ",") + "\n"
    for (row, id) in ids.enumerated() {
      var cells = [quoted(id)]
      for column in table.columns {
        switch column.cells[row] {
        case .missing:
          let count = column.field.type == .array ? column.field.elements : 1
          cells += [String](repeating: "", count: count)
        case .text(let text): cells.append(quoted(text))
        case .number(let x): cells.append(x.description)
        case .integer(let n): cells.append(String(n))
        case .numbers(let all): cells += all.map { $0.isNaN ? "" : $0.description }
        case .integers(let all): cells += all.map(String.init)
        }
      }
      text += cells.joined(separator: ",") + "\n"
    }
    try FileSystem.replace("\(folder)/\(Self.table)", with: Array(text.utf8))
  }
}
