/// How the text of a table is cut into records and cells, beyond RFC 4180.
struct TableDialect: Sendable, Hashable {
  /// What separates cells; where ``separatesByBlanks``, a space.
  var delimiter: UInt8
  /// Whether runs of spaces and tabs separate cells, as in aligned columns.
  var separatesByBlanks = false
  /// Whether spaces behind a delimiter belong to no cell.
  var skipsBlanks = false
  /// Whether a carriage return by itself ends a record, as a line feed does.
  var endsAtReturn = false
  /// The byte with which lines of comments begin.
  var comment: UInt8?
  /// Whether ``comment`` ends a record anywhere outside of quotes.
  var cutsComments = false

  init(_ delimiter: UInt8) { self.delimiter = delimiter }

  /// What spreadsheets write for a value that is none.
  private static let errorWords = [
    "#N/A", "#NA", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!",
  ].map { Array($0.utf8) }

  /// Whether a line that begins with the mark of comments is one, and not a cell such as `#N/A`.
  func isComment(_ line: some Collection<UInt8>) -> Bool {
    guard let comment, line.first == comment else { return false }
    if cutsComments { return true }
    guard
      let word = Self.errorWords.first(where: { $0.count <= line.count && line.starts(with: $0) })
    else { return true }
    guard let next = line.dropFirst(word.count).first else { return false }
    return next != delimiter && !"\r\n\t ".utf8.contains(next)
  }

  /// Whether records are those of RFC 4180.
  var isPlain: Bool {
    !separatesByBlanks && !skipsBlanks && !endsAtReturn && comment == nil
  }

  /// The delimiter in words.
  var delimiterName: String {
    if separatesByBlanks { return "blanks" }
    switch delimiter {
    case UInt8(ascii: ","): return "comma"
    case UInt8(ascii: "\t"): return "tab"
    case UInt8(ascii: ";"): return "semicolon"
    case UInt8(ascii: "|"): return "bar"
    case UInt8(ascii: " "): return "space"
    default: return "'\(Character(UnicodeScalar(delimiter)))'"
    }
  }
}

extension CSVScanner {
  /// Finds the fields of the record at the position, as the dialect says.
  func scanDialect(atEnd: Bool) -> Scan {
    spans.removeAll(keepingCapacity: true)
    guard let bytes = buffer.baseAddress else { return .more }
    var at = position
    if let comment = dialect.comment, at < filled, bytes[at] == comment,
      dialect.isComment(UnsafeBufferPointer(start: bytes + at, count: min(filled - at, 16)))
    {
      return endOfLine(bytes, at, atEnd).map { .comment(end: $0) } ?? .more
    }
    while true {
      guard spans.count < Self.maximumFields else { return .tooManyFields }
      if dialect.separatesByBlanks || dialect.skipsBlanks {
        while at < filled, isBlank(bytes[at]) { at += 1 }
        if at == filled, !atEnd { return .more }
      }
      if at < filled, bytes[at] == UInt8(ascii: "\"") {
        switch quoted(bytes, at, atEnd) {
        case .field(let span, let next): (at, _) = (next, spans.append(span))
        case .fault(let scan): return scan
        }
      } else {
        let start = at
        while at < filled, !isDelimiter(bytes[at]), !endsLine(bytes[at]), !cuts(bytes[at]) {
          at += 1
        }
        if at == filled, !atEnd { return .more }
        // A record of blanks ends with its last cell.
        if !dialect.separatesByBlanks || at > start || spans.isEmpty {
          spans.append(Span(start: start, end: Self.trimmed(bytes, start, at), flags: 0))
          if dialect.separatesByBlanks, spans.count > 1, spans[spans.count - 1].isEmpty {
            spans.removeLast()
          }
        }
      }
      if at < filled, cuts(bytes[at]) {
        guard let end = endOfLine(bytes, at, atEnd) else { return .more }
        let isEmpty = spans.count == 1 && spans[0].isEmpty && spans[0].flags == 0
        return isEmpty ? .comment(end: end) : .record(end: end)
      }
      if at == filled || endsLine(bytes[at]) {
        return endOfLine(bytes, at, atEnd).map { .record(end: $0) } ?? .more
      }
      at += 1
    }
  }

  private enum Quoted { case field(Span, next: Int), fault(Scan) }

  /// Reads the quoted field at byte `start`, and the blanks and carriage returns behind it.
  private func quoted(_ bytes: UnsafeMutablePointer<UInt8>, _ start: Int, _ atEnd: Bool) -> Quoted {
    let quote = UInt8(ascii: "\"")
    var at = start + 1
    var flags: UInt8 = 1
    while true {
      while at < filled, bytes[at] != quote { at += 1 }
      guard at < filled else { return .fault(atEnd ? .openQuote : .more) }
      at += 1
      if at == filled, !atEnd { return .fault(.more) }
      guard at < filled, bytes[at] == quote else { break }
      flags |= 2
      at += 1
    }
    let span = Span(start: start + 1, end: at - 1, flags: flags)
    let skips = dialect.separatesByBlanks || dialect.skipsBlanks
    let close = at
    while at < filled, skips && isBlank(bytes[at]) || bytes[at] == UInt8(ascii: "\r") {
      if dialect.endsAtReturn, bytes[at] == UInt8(ascii: "\r") { break }
      at += 1
    }
    if at == filled { return atEnd ? .field(span, next: at) : .fault(.more) }
    if endsLine(bytes[at]) || cuts(bytes[at]) { return .field(span, next: at) }
    if dialect.separatesByBlanks, at > close { return .field(span, next: at - 1) }
    return isDelimiter(bytes[at]) ? .field(span, next: at) : .fault(.afterQuote(at))
  }

  /// The byte behind the end of the line that ends at `at` or later; `nil` where it is not yet known.
  private func endOfLine(
    _ bytes: UnsafeMutablePointer<UInt8>, _ at: Int, _ atEnd: Bool
  ) -> Int? {
    var at = at
    while at < filled, !endsLine(bytes[at]) { at += 1 }
    if at == filled { return atEnd ? at : nil }
    guard bytes[at] == UInt8(ascii: "\r") else { return at + 1 }
    if at + 1 == filled { return atEnd ? at + 1 : nil }
    return bytes[at + 1] == UInt8(ascii: "\n") ? at + 2 : at + 1
  }

  @inline(__always)
  private func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || (byte == 0x09 && dialect.delimiter != 0x09)
  }

  @inline(__always)
  private func isDelimiter(_ byte: UInt8) -> Bool {
    dialect.separatesByBlanks ? byte == 0x20 || byte == 0x09 : byte == dialect.delimiter
  }

  @inline(__always)
  private func endsLine(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || (dialect.endsAtReturn && byte == UInt8(ascii: "\r"))
  }

  @inline(__always)
  private func cuts(_ byte: UInt8) -> Bool { dialect.cutsComments && byte == dialect.comment }
}

extension CSVScanner.Span {
  fileprivate var isEmpty: Bool { start == end }
}
