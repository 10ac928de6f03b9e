import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// Predictions in a CSV or TSV file: a row a frame, a column a number.
///
/// The column `NAME` is a scalar, `NAME.0`, `NAME.1`, … together an array. A column `episode` says whose
/// frame it is, a column `row` which; an empty cell, `nan` and the other words for missing values are no number. Cells
/// are cut, and numbers read, as `trajpack convert` does it. A column of text is an error once it is asked for.
enum PredictionTable {
  private struct Column {
    var name: String
    /// The numbers of a row, as columns of the file.
    var cells: [Int]
    /// The error of the first cell that is no number.
    var fault: TrajpackError?
  }

  private struct Part {
    var id: String
    var rows: [Int] = []
    var numbers: [[Double]] = []
  }

  /// The arrays of a table, by episode.
  ///
  /// - Parameter isExport: Whether 'trajpack export' wrote it: columns are times and channels, whatever their names.
  static func read(
    _ file: LocalFile, delimiter: UInt8?, _ truth: [String], isExport: Bool = false
  ) throws(TrajpackError) -> [(id: String, arrays: PredictedArrays)] {
    let (columns, parts) = try within(file: file.path) { () throws(TrajpackError) in
      try scan(file, delimiter, truth, isExport)
    }
    return try parts.map { (part) throws(TrajpackError) in
      let rows = (part.rows.max() ?? -1) + 1
      guard rows <= max(4 * part.rows.count + 1000, 0) else {
        throw TrajpackError(
          .data, file: file.path,
          "episode '\(part.id)' has row \(rows - 1), but \(part.rows.count) rows")
      }
      let readers = columns.indices.map { number in
        (
          columns[number].name,
          { () throws(TrajpackError) in
            if let fault = columns[number].fault { throw fault }
            let count = columns[number].cells.count
            let out = Numbers(shape: [rows] + (count == 1 ? [] : [count]))
            if part.rows.count < rows {
              var present = [Bool](repeating: false, count: rows)
              for row in part.rows { present[row] = true }
              out.present = present
            }
            for (place, row) in part.rows.enumerated() {
              for element in 0..<count {
                out.values[row * count + element] = part.numbers[number][place * count + element]
              }
            }
            return out
          } as () throws(TrajpackError) -> Numbers
        )
      }
      return (part.id, PredictedArrays(file.path, readers))
    }
  }

  private static func scan(
    _ file: LocalFile, _ delimiter: UInt8?, _ truth: [String], _ isExport: Bool
  ) throws(TrajpackError) -> ([Column], [Part]) {
    let table = try TableReader(lookingAt: file.path, delimiter: delimiter)
    let head = table.names
    var seen: Set<String> = []
    if let twice = head.first(where: { !$0.isEmpty && !seen.insert($0).inserted }) {
      throw TrajpackError(.data, "the column '\(twice)' comes twice")
    }
    let episode = isExport ? nil : head.firstIndex(of: "episode")
    let row = isExport ? nil : head.firstIndex(of: "row")
    var columns = columns(head, except: [episode, row, head.firstIndex(of: "time")])
    guard !columns.isEmpty else { throw TrajpackError(.data, "the table has no column of numbers") }
    var parts: [Part] = []
    var places: [String: Int] = [:]
    let alone =
      episode == nil
      ? try PredictionFiles.only(truth, "the table", "it has no column 'episode'") : ""
    while try table.next() {
      let id = try episode.map { (i) throws(TrajpackError) in try table.text(i) } ?? alone
      let place = places[id] ?? parts.count
      if place == parts.count {
        places[id] = place
        var part = Part(id: id)
        part.numbers = columns.map { _ in [] }
        parts.append(part)
      }
      var number = parts[place].rows.count
      if let row {
        let text = table.number(row)
        guard text.form == .integer, text.mantissa >= 0, text.mantissa < 1 << 40 else {
          throw table.wrong(
            "'\(table.shown(row))' is no number of a row, a whole number from 0 on; write it as one "
              + "(in pandas: astype(int)), or leave the column 'row' out where rows follow one another"
          )
        }
        number = Int(text.mantissa)
      }
      parts[place].rows.append(number)
      for (c, column) in columns.enumerated() {
        for cell in column.cells {
          let text = table.number(cell)
          if text.form == .text, columns[c].fault == nil {
            columns[c].fault = table.wrong(
              "column '\(head[cell])' holds '\(table.shown(cell))', which is no number")
          }
          parts[place].numbers[c].append(text.value)
        }
      }
    }
    for part in parts where Set(part.rows).count != part.rows.count {
      throw TrajpackError(.data, "episode '\(part.id)' has a row twice")
    }
    return (columns, parts)
  }

  /// Columns that belong together: `pos.0`, `pos.1`, `pos.2` in any order.
  private static func columns(_ head: [String], except used: [Int?]) -> [Column] {
    var groups: [(name: String, cells: [Int: Int])] = []
    var positions: [String: Int] = [:]
    var out: [Column] = []
    for (cell, name) in head.enumerated() where !used.contains(cell) {
      let dot = name.lastIndex(of: ".")
      let index = dot.flatMap { Int(name[name.index(after: $0)...]) }
      guard let dot, let index, index >= 0 else {
        out.append(Column(name: name, cells: [cell]))
        continue
      }
      let base = String(name[..<dot])
      if let at = positions[base] {
        groups[at].cells[index] = cell
      } else {
        positions[base] = groups.count
        groups.append((base, [index: cell]))
      }
    }
    for group in groups {
      let cells = (0..<group.cells.count).compactMap { group.cells[$0] }
      if cells.count == group.cells.count {
        out.append(Column(name: group.name, cells: cells))
      } else {
        for (index, cell) in group.cells.sorted(by: { $0.key < $1.key }) {
          out.append(Column(name: "\(group.name).\(index)", cells: [cell]))
        }
      }
    }
    return out
  }
}
