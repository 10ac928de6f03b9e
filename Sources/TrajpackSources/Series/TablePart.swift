import TrajpackFormat
import TrajpackStore

/// Rows of a table that make one episode.
struct TablePart: Sendable {
  /// The text of the episode column; `nil` where the table is not cut by one.
  var episode: String?
  /// The number of the episode, where rows that end one cut the table.
  var number: Int?
  /// The number of the piece, where rows are cut in pieces.
  var piece: Int?
  /// Where its records lie in the file; the header is not among them.
  var range: Range<Int>
}

extension TablePart {
  /// Cuts a table, whose rows begin at byte `start`, into episodes, in one pass over its records where the
  /// options ask for a cut.
  ///
  /// - Returns: The episodes, and how many rows at the end no row of the terminals has ended.
  static func parts(
    of file: TextFile, _ form: TableForm, from start: Int, _ options: SeriesOptions
  ) throws(TrajpackError) -> (parts: [TablePart], unfinished: Int) {
    guard form.episode != nil || options.segment != nil || !options.terminals.isEmpty else {
      return ([TablePart(range: start..<file.length)], 0)
    }
    let terminals = try form.terminals(options)
    var (number, isEnded) = (0, false)
    let reader = TableReader(file, form, range: start..<file.length)
    var parts: [TablePart] = []
    var seen: Set<String> = []
    var rows = 0
    while try reader.next() {
      var isNew = parts.isEmpty
      var episode: String?
      if let column = form.episode {
        let text = reader[column].text
        guard !text.isEmpty, reader[column].isUTF8 else {
          throw reader.wrong(
            "the episode column is \(text.isEmpty ? "empty" : "no UTF-8 text")")
        }
        episode = text
        if parts.last?.episode != text {
          isNew = true
          guard seen.insert(text).inserted else {
            throw reader.wrong(
              "episode '\(TableForm.shown(text))' comes again after another; sort the rows by episode"
            )
          }
          rows = 0
        }
      }
      if isEnded {
        (isNew, isEnded, rows) = (true, false, 0)
        number += 1
      }
      if let segment = options.segment, rows > 0, rows % segment == 0 { isNew = true }
      if isNew {
        let at = reader.offset
        if let last = parts.indices.last { parts[last].range = parts[last].range.lowerBound..<at }
        parts.append(
          TablePart(
            episode: episode, number: terminals.isEmpty ? nil : number,
            piece: options.segment.map { rows / $0 }, range: at..<file.length))
      }
      rows += 1
      for column in terminals where try form.isTrue(reader, column) { isEnded = true }
    }
    return (parts, terminals.isEmpty || isEnded ? 0 : rows)
  }
}

extension TableForm {
  /// The columns whose true rows end an episode.
  fileprivate func terminals(_ options: SeriesOptions) throws(TrajpackError) -> [Int] {
    guard !options.terminals.isEmpty else { return [] }
    let names = uniqueNames
    let columns = (0..<count).filter { SeriesOptions.matches(options.terminals, names[$0]) }
    guard !columns.isEmpty else {
      throw TrajpackError(
        .usage,
        "--terminals: there is no column '\(options.terminals.joined(separator: "', '"))'"
          + Suggestion.text(for: options.terminals[0], among: names))
    }
    return columns
  }

  /// Whether a cell says that its row ends an episode.
  fileprivate func isTrue(_ row: TableReader, _ column: Int) throws(TrajpackError) -> Bool {
    switch row[column].text.trimmingBlanks.lowercased() {
    case "", "0", "0.0", "false": return false
    case "1", "1.0", "true": return true
    case let text:
      throw row.wrong(
        "--terminals: '\(uniqueNames[column])' is '\(Self.shown(text))', where 0 and 1 (false and true) "
          + "are possible")
    }
  }
}

extension TableForm {
  /// Text of a stranger as an error shows it: short and printable.
  static func shown(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(40).map { scalar in
      scalar.properties.generalCategory == .control ? "\u{FFFD}" : Character(scalar)
    }
    return String(shown) + (text.unicodeScalars.count > 40 ? "…" : "")
  }
}
