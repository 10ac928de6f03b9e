import Glibc
import TrajpackFormat
import TrajpackStore

/// Reads delimited text (RFC 4180) record by record, in flat memory.
///
/// Fields may be quoted, with `""` for a quote inside; records end in LF, CRLF or CRCRLF, others as a
/// ``TableDialect`` says; a UTF-8 byte order mark is skipped. The file is read, not mapped: a file that
/// shrinks meanwhile is an error, no trap.
final class CSVScanner {
  /// A field of the current record: its bytes, without the quotes around it.
  struct Field {
    /// The bytes, which live until the next record is read.
    var bytes: UnsafeBufferPointer<UInt8>
    /// Whether the field was quoted.
    var isQuoted: Bool
    /// Whether `""` in it stands for a quote.
    var hasEscapes: Bool

    /// The text of the field; bytes that are no UTF-8 are repaired, see ``isUTF8``.
    var text: String {
      let text = String(decoding: bytes, as: UTF8.self)
      return hasEscapes ? text.replacing("\"\"", with: "\"") : text
    }

    /// Whether the bytes are UTF-8.
    var isUTF8: Bool { String(validating: bytes, as: UTF8.self) != nil }
  }

  struct Span {
    var start: Int
    var end: Int
    var flags: UInt8
  }

  /// The longest record that is read.
  static let maximumRecord = 64 << 20

  /// The most fields of a record: each costs memory, also where it is an empty one of a single byte.
  static let maximumFields = 1 << 16

  private let file: TextFile
  let dialect: TableDialect
  private let isPlain: Bool
  private let delimiter: UInt8
  // One thread uses a scanner, and nothing calls back while these are changed, so that the check of
  // exclusive access, a fifth of the time of a pass over numbers, finds nothing.
  @exclusivity(unchecked) private(set) var buffer: UnsafeMutableBufferPointer<UInt8>
  @exclusivity(unchecked) private(set) var filled = 0
  @exclusivity(unchecked) private(set) var position = 0
  private var fileOffset: Int
  private let end: Int
  @exclusivity(unchecked) var spans: [Span] = []
  private var started = false

  /// The number of the current record; 0 for the first.
  private(set) var record = -1
  /// Empty lines that were passed over.
  private(set) var emptyLines = 0
  /// Lines of a comment that were passed over.
  private(set) var commentLines = 0
  /// Where the current record begins in the file.
  private(set) var recordOffset = 0

  /// The line of the file, from 1, on which the current record begins: for errors, so it is counted
  /// only then.
  var line: Int { file.line(ofByte: recordOffset) }

  /// The error of a fault at byte `offset` of the buffer.
  private func wrong(at offset: Int, _ what: String) -> TrajpackError {
    let byte = fileOffset - filled + offset
    let line = file.line(ofByte: byte)
    return TrajpackError(
      .data, "line \(line) (byte \(byte)): \(what)", at: ErrorPlace(line: line, byte: byte))
  }

  /// A scanner of a file, or of whole records of it that lie at `range`, that reads up to `capacity` bytes at a time; small ones are for tests.
  init(
    _ file: TextFile, _ dialect: TableDialect, range: Range<Int>? = nil, capacity: Int = 1 << 20
  ) {
    let range = (range ?? 0..<file.length).clamped(to: 0..<file.length)
    self.file = file
    self.dialect = dialect
    isPlain = dialect.isPlain
    delimiter = dialect.delimiter
    fileOffset = range.lowerBound
    end = range.upperBound
    buffer = .allocate(capacity: min(max(range.count, 1), capacity))
  }

  deinit { buffer.deallocate() }

  /// Fields of the current record.
  var count: Int { spans.count }

  /// A field of the current record.
  @inline(__always)
  subscript(_ i: Int) -> Field {
    let span = spans[i]
    return Field(
      bytes: UnsafeBufferPointer(rebasing: buffer[span.start..<span.end]),
      isQuoted: span.flags & 1 != 0, hasEscapes: span.flags & 2 != 0)
  }

  /// Goes to the next record; `false` at the end of the file. Empty lines are passed over.
  func next() throws(TrajpackError) -> Bool {
    if !started {
      started = true
      try refill()
      let isStart = fileOffset == filled
      if isStart, filled >= 3, buffer[0] == 0xEF, buffer[1] == 0xBB, buffer[2] == 0xBF {
        position = 3
      }
    }
    while true {
      if position == filled {
        try refill()
        if position == filled { return false }
      }
      switch isPlain ? scan() : scanDialect(atEnd: fileOffset == end) {
      case .comment(let end):
        position = end
        commentLines += 1
      case .record(let end):
        recordOffset = fileOffset - filled + position
        position = end
        if spans.count == 1, spans[0].start == spans[0].end, spans[0].flags == 0 {
          emptyLines += 1
          continue
        }
        record += 1
        return true
      case .more:
        let had = filled - position
        try refill()
        guard filled - position > had || fileOffset == end else { return false }
      case .tooManyFields:
        throw wrong(
          at: position,
          "the row that begins here has more than \(Self.maximumFields) cells; store such wide rows as .npy"
        )
      case .openQuote:
        throw wrong(
          at: position,
          "a quoted field of the row that begins here never ends; the file was cut or a quote is missing"
        )
      case .afterQuote(let at):
        // The row's first line, for a quote that is missing there runs on into the next one.
        throw wrong(
          at: position,
          "text follows a closing quote at byte \(fileOffset - filled + at); a quote before it "
            + "is missing, or one inside a field is not doubled")
      }
    }
  }

  /// What lies at the position: a record or a line of a comment up to byte `end` of the buffer, one that
  /// goes on behind the buffer, or a fault.
  enum Scan {
    case record(end: Int), comment(end: Int), more, tooManyFields, openQuote, afterQuote(Int)
  }

  /// Finds the fields of the record at `position`.
  private func scan() -> Scan {
    spans.removeAll(keepingCapacity: true)
    guard let bytes = buffer.baseAddress else { return .more }
    let atEnd = fileOffset == end
    var at = position
    let (quote, lf, cr) = (UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    while true {
      guard spans.count < Self.maximumFields else { return .tooManyFields }
      if at < filled, bytes[at] == quote {
        at += 1
        let start = at
        var flags: UInt8 = 1
        while true {
          guard let found = memchr(bytes + at, Int32(quote), filled - at) else {
            return atEnd ? .openQuote : .more
          }
          at = found - UnsafeMutableRawPointer(bytes) + 1
          if at == filled, !atEnd { return .more }
          guard at < filled, bytes[at] == quote else { break }
          flags |= 2
          at += 1
        }
        spans.append(Span(start: start, end: at - 1, flags: flags))
        while at < filled, bytes[at] == cr { at += 1 }
        if at == filled { return atEnd ? .record(end: at) : .more }
        if bytes[at] == lf { return .record(end: at + 1) }
        guard bytes[at] == delimiter else { return .afterQuote(at) }
        at += 1
      } else {
        let start = at
        while at < filled, bytes[at] != delimiter, bytes[at] != lf { at += 1 }
        if at == filled {
          guard atEnd else { return .more }
          spans.append(Span(start: start, end: Self.trimmed(bytes, start, at), flags: 0))
          return .record(end: at)
        }
        if bytes[at] == lf {
          spans.append(Span(start: start, end: Self.trimmed(bytes, start, at), flags: 0))
          return .record(end: at + 1)
        }
        spans.append(Span(start: start, end: at, flags: 0))
        at += 1
      }
    }
  }

  /// Where a field of bytes from `start` ends without the carriage returns before `end`.
  @inline(__always)
  static func trimmed(_ bytes: UnsafeMutablePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
    var end = end
    while end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return end
  }

  /// Moves the record under way to the front and reads on behind it.
  private func refill() throws(TrajpackError) {
    let kept = filled - position
    if kept == buffer.count {
      guard buffer.count < Self.maximumRecord else {
        throw wrong(
          at: position,
          "the row is longer than \(Self.maximumRecord >> 20) MiB; a quote may be missing")
      }
      let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: buffer.count * 2)
      _ = larger.update(fromContentsOf: buffer[position..<filled])
      buffer.deallocate()
      buffer = larger
    } else if position > 0, let base = buffer.baseAddress {
      memmove(base, base + position, kept)
    }
    position = 0
    filled = kept
    let count = min(buffer.count - kept, end - fileOffset)
    guard count > 0 else { return }
    try file.read(
      at: fileOffset,
      into: UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[kept..<kept + count]))
    fileOffset += count
    filled += count
  }
}
