import TrajpackFormat
import TrajpackStore

/// A file of values beside recordings: a table with a row a recording, or the JSON that `export` writes.
public struct ValueFile: Sendable {
  /// The path.
  public let path: String
  /// The ids, and the values of each.
  public let values: ValueAnnotations
  /// The column of the ids; `nil` of JSON.
  public let idColumn: String?

  /// Names of a column of ids, the first that there is counts.
  private static let idNames = ["id", "episode", "episode_id", "recording"]

  /// Reads a file.
  ///
  /// - Throws: A data error where it is no such file, or a row is wrong or comes twice.
  public init(_ path: String) throws(TrajpackError) {
    self.path = path
    if Self.isDocument(path) {
      let file = try LocalFile(path)
      values = try within(file: path) { () throws(TrajpackError) in
        try ValueAnnotations(
          json: try JSONValue(parsing: try file.bytes(0..<file.length)), at: "the document")
      }
      idColumn = nil
      return
    }
    guard FileSystem.item(at: path) != nil else { throw FileSystem.noFile(at: path) }
    let table = try within(file: path) { () throws(TrajpackError) in
      try Cells(TextFile(path, InflatedCache()))
    }
    idColumn = table.names[table.id]
    values = try within(file: path) { () throws(TrajpackError) in try table.values() }
  }

  /// Whether a file is the JSON of values.
  public static func isDocument(_ path: String) -> Bool {
    guard let file = try? LocalFile(path),
      let head = try? file.bytes(0..<min(file.length, 256)), head.first == UInt8(ascii: "{")
    else { return false }
    return ValueAnnotations.recognises(String(decoding: head, as: UTF8.self))
  }

  /// What was understood, for a person: the columns and their types.
  public var summary: String {
    let columns = values.table.columns.map { column in
      "'\(column.field.name)' \(column.field.typeText)"
        + (column.field.type == .category ? " of \(column.field.categories.count)" : "")
    }
    let shown =
      columns.prefix(12).joined(separator: ", ")
      + (columns.count > 12 ? " and \(columns.count - 12) more" : "")
    return "\(path): values \(shown)" + (idColumn.map { ", joined by column '\($0)'" } ?? "")
  }

  /// The row of each of some recordings: that of its id, or of the folder that it lies in, also by the name that an
  /// export gives to the folder of an id.
  ///
  /// - Parameter isPartial: Whether recordings may have no row.
  /// - Throws: A data error where a recording has no row, or a row is of no recording.
  public func join(_ ids: [String], isPartial: Bool) throws(TrajpackError) -> [Int?] {
    var rows: [String: Int] = [:]
    for (row, id) in values.ids.enumerated() { rows[id] = row }
    for (row, id) in values.ids.enumerated() {
      guard let folder = try? Export.folderName(id), rows[folder] == nil else { continue }
      rows[folder] = row
    }
    var used = [Bool](repeating: false, count: values.ids.count)
    var found: [Int?] = []
    for id in ids {
      var row = rows[id]
      var folder = id[...]
      while row == nil, let slash = folder.lastIndex(of: "/") {
        folder = folder[..<slash]
        row = rows[String(folder)]
      }
      if let row { used[row] = true }
      found.append(row)
    }
    let surplus = values.ids.indices.filter { !used[$0] }
    if let first = surplus.first {
      let shown = surplus.prefix(3).map { "'\(values.ids[$0])'" }.joined(separator: ", ")
      throw TrajpackError(
        .data, file: path,
        "\(counted(surplus.count, "row")) of \(values.ids.count) "
          + "\(surplus.count == 1 ? "names an id that is" : "name ids that are") no recording's: \(shown)"
          + (surplus.count > 3 ? ", …" : "")
          + Suggestion.text(for: values.ids[first], among: Array(ids.prefix(10_000))))
    }
    let missing = zip(ids, found).filter { $0.1 == nil }.map(\.0)
    guard isPartial || missing.isEmpty else {
      let shown = missing.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
      throw TrajpackError(
        .data, file: path,
        "\(missing.count) of \(counted(ids.count, "recording")) "
          + "\(missing.count == 1 ? "has" : "have") no row: \(shown)"
          + (missing.count > 3 ? ", …" : "")
          + "; add \(missing.count == 1 ? "it" : "them"), or say --values-partial to leave them without"
      )
    }
    return found
  }
}

extension ValueFile {
  /// The cells of a table, and what its columns are.
  private struct Cells {
    var names: [String]
    var id = 0
    private var count = 0
    private var texts: [[String?]]
    private var numbers: [[DecimalLiteral]]
    private var units: [String]

    init(_ file: TextFile) throws(TrajpackError) {
      var options = SeriesOptions()
      options.time = .none
      let look = try TableLook(file, options)
      let form = look.form
      names = form.channelNames
      for (i, name) in form.header.enumerated() where i < names.count {
        names[i] = TableForm.clean(name).isEmpty ? names[i] : TableForm.clean(name)
      }
      units = form.units
      for name in ValueFile.idNames.reversed() {
        if let i = names.firstIndex(where: { $0.lowercased() == name }) { id = i }
      }
      texts = Array(repeating: [], count: form.count)
      numbers = Array(repeating: [], count: form.count)
      guard form.count > 1 else {
        throw TrajpackError(
          .data, "has one column, where the ids of recordings and a value are expected")
      }
      // Where the row of each id begins: its line is counted where an error needs it.
      var offsets: [String: Int] = [:]
      let table = TableReader(look)
      while try table.next() {
        for i in 0..<form.count {
          let isEmpty = table[i].bytes.isEmpty && !table[i].isQuoted
          texts[i].append(isEmpty ? nil : try table.text(i))
          numbers[i].append(isEmpty ? .missing : table.number(i))
        }
        guard let text = texts[id].last, let own = text, !own.isEmpty else {
          throw table.wrong("has no id in column '\(names[id])'", column: names[id])
        }
        if let first = offsets.updateValue(table.offset, forKey: own) {
          let lines = (file.line(ofByte: first), file.line(ofByte: table.offset))
          throw TrajpackError(
            .data, "id '\(own)' has two rows, lines \(lines.0) and \(lines.1); leave one",
            at: ErrorPlace(line: lines.1))
        }
        count += 1
      }
      guard count > 0 else { throw TrajpackError(.data, "the table has no row") }
      var seen: Set<String> = []
      for (i, name) in names.enumerated() {
        guard !seen.insert(name).inserted || !ValueField.isName(name) else { continue }
        throw TrajpackError(
          .data, "column \(i + 1): '\(name)' is no name of a value, or comes twice; rename it")
      }
    }

    /// The values: columns `NAME.0`, `NAME.1`, … of numbers are one array.
    func values() throws(TrajpackError) -> ValueAnnotations {
      var table = ValueTable(count: count)
      var done: Set<Int> = [id]
      for i in names.indices where !done.contains(i) {
        if let members = vector(from: i) {
          done.formUnion(members)
          table.set(array(members, named: String(names[i].dropLast(2))))
        } else {
          table.set(column(i))
        }
      }
      return ValueAnnotations(ids: texts[id].map { $0 ?? "" }, table: table)
    }

    private func isNumeric(_ i: Int) -> Bool { numbers[i].allSatisfy { $0.form != .text } }

    /// The columns of a vector whose first element is column `first`; `nil` where it is none.
    private func vector(from first: Int) -> [Int]? {
      guard names[first].hasSuffix(".0"), names[first].count > 2 else { return nil }
      let base = names[first].dropLast(1)
      var members: [Int] = []
      while let i = names.firstIndex(of: "\(base)\(members.count)") { members.append(i) }
      return members.allSatisfy(isNumeric) && members.count <= ValueField.maximumElements
        ? members : nil
    }

    private func array(_ members: [Int], named name: String) -> ValueTable.Column {
      let isWhole = members.allSatisfy { i in numbers[i].allSatisfy { $0.form == .integer } }
      let field = ValueField(
        name, .array, element: isWhole ? .int64 : .float64, shape: [members.count],
        units: unit(members[0]))
      return ValueTable.Column(
        field,
        (0..<count).map { row in
          if isWhole { return .integers(members.map { numbers[$0][row].mantissa }) }
          let all = members.map { numbers[$0][row].value }
          return all.allSatisfy(\.isNaN) ? .missing : .numbers(all)
        })
    }

    private func unit(_ i: Int) -> String? {
      guard units.indices.contains(i), !units[i].isEmpty else { return nil }
      return units[i]
    }

    private func column(_ i: Int) -> ValueTable.Column {
      let name = names[i]
      if isNumeric(i), numbers[i].contains(where: { $0.form != .missing }) {
        let isWhole = numbers[i].allSatisfy { $0.form == .integer || $0.form == .missing }
        return ValueTable.Column(
          ValueField(name, isWhole ? .integer : .number, units: unit(i)),
          numbers[i].map { number in
            if number.form == .missing { return .missing }
            if isWhole { return .integer(number.mantissa) }
            return number.value.isNaN ? .missing : .number(number.value)
          })
      }
      var distinct = DistinctTexts(atMost: TableExamination.maximumTexts)
      for case let text? in texts[i] { distinct.add(text) }
      let order = distinct.texts
      // As with the columns of series: few texts are categories; but not one for each recording.
      let isCategory = distinct.areFew(among: count) && !(order.count == count && count > 2)
      let field = ValueField(
        name, isCategory && !order.isEmpty ? .category : .text, units: unit(i),
        categories: isCategory ? order : [])
      return ValueTable.Column(
        field, texts[i].map { $0.map { .text($0) } ?? .missing })
    }
  }
}
