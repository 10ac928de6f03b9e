import TrajpackFormat
import TrajpackStore

/// How a table is cut into cells and where it begins, as its first lines show.
struct TableStart {
  var dialect = TableDialect(UInt8(ascii: ","))
  /// The byte of the first record.
  var offset = 0
  /// The text of the last line of comments at the top, without its mark.
  var comment: [UInt8]?
  /// How many lines of comments stand at the top.
  private(set) var commentLines = 0

  /// Bytes that are looked at.
  static let headBytes = 64 << 10

  private var head: [UInt8] = []
  private var isWhole = true

  /// Looks at the first bytes of a file.
  init(_ file: TextFile, _ options: SeriesOptions) throws(TrajpackError) {
    head = try file.bytes(0..<min(file.length, Self.headBytes))
    isWhole = head.count == file.length
    if head.starts(with: [0xEF, 0xBB, 0xBF]) { offset = 3 }
    dialect.endsAtReturn = hasReturns
    for number in 0..<options.skippedRows {
      guard offset < head.count else {
        throw TrajpackError(
          .usage,
          "--skip-rows \(options.skippedRows): the file has \(number) lines in its first "
            + "\(Self.headBytes >> 10) KiB")
      }
      offset = line(from: offset).upperBound
    }
    let first = line(from: offset)
    let separator = Self.separatorLine(head[first])
    if separator != nil { offset = first.upperBound }
    if let comment = options.comment {
      (dialect.comment, dialect.cutsComments) = (comment, true)
    }
    skipComments()
    if let blanks = options.separatesByBlanks, blanks {
      setBlanks()
    } else if let given = options.delimiter ?? separator {
      dialect.delimiter = given
    } else {
      chooseDelimiter()
    }
    if dialect.delimiter != 0x20, !dialect.separatesByBlanks { findSkippedBlanks() }
  }

  private mutating func setBlanks() {
    dialect.separatesByBlanks = true
    dialect.delimiter = 0x20
  }

  /// Whether a carriage return stands by itself somewhere outside of quotes.
  private var hasReturns: Bool {
    guard head.contains(UInt8(ascii: "\r")) else { return false }
    var isQuoted = false
    var at = 0
    while at < head.count {
      if head[at] == UInt8(ascii: "\"") { isQuoted.toggle() }
      if head[at] == UInt8(ascii: "\r"), !isQuoted {
        var end = at
        while end < head.count, head[end] == UInt8(ascii: "\r") { end += 1 }
        if end == head.count { return isWhole && !head.contains(UInt8(ascii: "\n")) }
        if head[end] != UInt8(ascii: "\n") { return true }
        at = end
      }
      at += 1
    }
    return false
  }

  /// The line of the head from byte `start` on, with its end.
  private func line(from start: Int) -> Range<Int> {
    var at = start
    while at < head.count {
      if head[at] == UInt8(ascii: "\n") { return start..<at + 1 }
      if dialect.endsAtReturn, head[at] == UInt8(ascii: "\r") {
        let hasFeed = at + 1 < head.count && head[at + 1] == UInt8(ascii: "\n")
        return start..<at + (hasFeed ? 2 : 1)
      }
      at += 1
    }
    return start..<head.count
  }

  /// The delimiter that a line `sep=;` names, as Excel writes it.
  private static func separatorLine(_ line: ArraySlice<UInt8>) -> UInt8? {
    let text = line.filter { !"\r\n\"".utf8.contains($0) }
    guard text.count == 5, String(decoding: text, as: UTF8.self).lowercased().hasPrefix("sep=")
    else { return nil }
    return text[4]
  }

  /// Passes over the lines at the top that begin with the mark of comments.
  private mutating func skipComments() {
    let mark = dialect.comment ?? UInt8(ascii: "#")
    var commented = dialect
    commented.comment = mark
    while offset < head.count, head[offset] == mark {
      let line = line(from: offset)
      // The delimiter is not known yet.
      let isCell = ",;\t| ".utf8.contains { sign in
        commented.delimiter = sign
        return !commented.isComment(head[line])
      }
      if isCell { break }
      let text = head[line].dropFirst().filter { $0 != UInt8(ascii: "\n") && $0 != 0x0D }
      comment = Array(text)
      commentLines += 1
      offset = line.upperBound
      dialect.comment = mark
    }
  }

  /// Up to 20 records of the head that are no comments, without the last where it may be cut.
  private var lines: [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var (start, at, isQuoted) = (offset, offset, false)
    while at < head.count, lines.count < 20 {
      let byte = head[at]
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      at += 1
      guard !isQuoted, byte == 0x0A || (dialect.endsAtReturn && byte == 0x0D) else { continue }
      let line = head[start..<at - 1]
      start = at
      if line.isEmpty || line.first == dialect.comment { continue }
      if line.allSatisfy({ $0 == 0x0D }) { continue }
      lines.append(line)
    }
    if start < head.count, lines.count < 20, isWhole || lines.isEmpty {
      lines.append(head[start...])
    }
    return lines
  }

  // MARK: Delimiters

  private struct Candidate {
    var delimiter: UInt8
    /// The share of the lines that have the most frequent count of cells.
    var share: Double
    /// The share of cells below the first line that are numbers, dates or empty.
    var values: Double
    var cells: Int
  }

  /// Takes the delimiter that cuts most lines into equally many cells, most of them values; among equals
  /// the one of more cells, then a rarer sign than the comma.
  private mutating func chooseDelimiter() {
    let lines = lines
    let signs = Array(";\t|,".utf8)
    let present = signs.filter { sign in lines.contains { $0.contains(sign) } }
    if present.count == 1, present[0] != UInt8(ascii: ",") || !hasRunsOfBlanks(lines) {
      dialect.delimiter = present[0]
      return
    }
    // Aligned columns may have decimal commas.
    let blanks = Self.blankCandidate(lines)
    var best: Candidate?
    for sign in present {
      guard let found = Self.candidate(lines, sign) else { continue }
      if let known = best {
        let isBetter =
          (found.share, found.values, found.cells) > (known.share, known.values, known.cells)
        if !isBetter { continue }
      }
      best = found
    }
    if let blanks, best.map({ ($0.share, $0.values) < (blanks.share, blanks.values) }) ?? true {
      setBlanks()
    } else if let best {
      dialect.delimiter = best.delimiter
    }
  }

  private static func candidate(_ lines: [ArraySlice<UInt8>], _ sign: UInt8) -> Candidate? {
    let rows = lines.map { cells($0, sign) }
    var counts: [Int: Int] = [:]
    for row in rows { counts[row.count, default: 0] += 1 }
    let most = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }
    guard let most, most.key > 1 else { return nil }
    let body = rows.dropFirst(rows.count > 1 ? 1 : 0).flatMap(\.self)
    let values = body.filter { isValue($0, allowsComma: sign != UInt8(ascii: ",")) }
    return Candidate(
      delimiter: sign, share: Double(most.value) / Double(max(rows.count, 1)),
      values: Double(values.count) / Double(max(body.count, 1)), cells: most.key)
  }

  /// Whether each line but the first has a blank, which may separate cells.
  private func hasRunsOfBlanks(_ lines: [ArraySlice<UInt8>]) -> Bool {
    lines.dropFirst().allSatisfy { $0.contains(0x20) }
  }

  /// Runs of blanks as the delimiter, where they cut every line into equally many cells, at least half of
  /// them values.
  private static func blankCandidate(_ lines: [ArraySlice<UInt8>]) -> Candidate? {
    let rows = lines.map(blankCells)
    // R writes no name for the names of rows.
    guard let count = rows.last?.count, count > 1, let first = rows.first,
      first.count == count || first.count == count - 1,
      rows.dropFirst().allSatisfy({ $0.count == count })
    else { return nil }
    let body = rows.dropFirst(rows.count > 1 ? 1 : 0).flatMap(\.self)
    let values = body.filter { isValue($0, allowsComma: true) || isMarkOrDate($0) }
    guard values.count * 2 >= body.count else { return nil }
    return Candidate(
      delimiter: 0x20, share: 1, values: Double(values.count) / Double(max(body.count, 1)),
      cells: count)
  }

  /// The cells of a line between runs of blanks, quotes and all.
  private static func blankCells(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    var isQuoted = false
    return line.split { byte in
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      return !isQuoted && (byte == 0x20 || byte == 0x09 || byte == 0x0D)
    }
  }

  /// The cells of a line, quotes and all.
  private static func cells(_ line: ArraySlice<UInt8>, _ sign: UInt8) -> [ArraySlice<UInt8>] {
    var cells: [ArraySlice<UInt8>] = []
    var start = line.startIndex
    var isQuoted = false
    for at in line.indices {
      if line[at] == UInt8(ascii: "\"") { isQuoted.toggle() }
      guard line[at] == sign, !isQuoted else { continue }
      cells.append(line[start..<at])
      start = at + 1
    }
    cells.append(line[start...])
    return cells
  }

  private static let numbers = CellReader()

  private static func isValue(_ cell: ArraySlice<UInt8>, allowsComma: Bool) -> Bool {
    if cell.last == UInt8(ascii: ",") { return false }
    let text = cell.filter { $0 != UInt8(ascii: "\"") && $0 != 0x0D }
      .map { allowsComma && $0 == UInt8(ascii: ",") ? UInt8(ascii: ".") : $0 }
    return text.withUnsafeBufferPointer {
      numbers.number($0).form != .text || DateText($0) != nil
    }
  }

  /// Whether a cell is a date of another form than ISO 8601, or a sign by which people mark missing values.
  private static func isMarkOrDate(_ cell: ArraySlice<UInt8>) -> Bool {
    if cell.elementsEqual("-".utf8) || cell.elementsEqual(".".utf8) { return true }
    let text = String(decoding: cell.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    return DatePattern.guess([text], areDigits: false) != .none
  }

  /// Notes whether a space stands behind every delimiter, as in `time, x, "a, b"`.
  private mutating func findSkippedBlanks() {
    let lines = lines
    // Most tables have no such space in their first line.
    guard let first = lines.first,
      zip(first, first.dropFirst()).contains(where: { $0 == dialect.delimiter && $1 == 0x20 })
    else { return }
    var (spaced, all) = (0, 0)
    for line in lines {
      var isQuoted = false
      for at in line.indices {
        let isStart =
          at == line.startIndex || line[at - 1] == dialect.delimiter
          || line[at - 1] == 0x20
        if line[at] == UInt8(ascii: "\""), isQuoted || isStart { isQuoted.toggle() }
        guard line[at] == dialect.delimiter, !isQuoted, at + 1 < line.endIndex,
          line[at + 1] != 0x0D
        else { continue }
        all += 1
        if line[at + 1] == 0x20 || line[at + 1] == dialect.delimiter { spaced += 1 }
      }
    }
    // EuRoC's files have the space in the header only.
    dialect.skipsBlanks = all > 0 && spaced == all
  }
}
