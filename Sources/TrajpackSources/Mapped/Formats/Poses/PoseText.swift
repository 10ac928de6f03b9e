import TrajpackFormat
import TrajpackStore

/// The lines of a text whose rows are numbers, of poses or of anything else, or texts where a column has some.
struct PoseText: Sendable {
  /// Bytes of a text that is read at once.
  private static let most = 512 << 20

  let path: String
  /// The comments and headers above the first row, without their sign.
  private(set) var comments: [String] = []
  /// The fields of each row, and the number of its line, from 1 on.
  private(set) var rows: [(line: Int, fields: [Substring])] = []

  /// Whether fields end at commas, and not at runs of blanks.
  let hasCommas: Bool

  /// Reads a text.
  ///
  /// - Parameter rows: The most rows that are read, for a look.
  init(_ path: String, commas: Bool, rows most: Int = .max) throws(TrajpackError) {
    self.path = path
    hasCommas = commas
    let file = try LocalFile(path)
    guard file.length <= Self.most else {
      throw TrajpackError(
        .data, file: path, "is longer than \(Self.most) bytes; split it into several files of poses"
      )
    }
    let bytes = try file.bytes(0..<(most == .max ? file.length : min(file.length, 64 << 10)))
    let isWhole = bytes.count == file.length
    let text = String(decoding: bytes, as: UTF8.self)
    var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    // The last line of a look may be cut.
    if !isWhole, lines.count > 1 { lines.removeLast() }
    for (number, line) in lines.enumerated() {
      let line = number == 0 && line.hasPrefix("\u{FEFF}") ? line.dropFirst() : line
      guard let first = line.first(where: { !$0.isWhitespace }) else { continue }
      if first == "#" || first == "%" {
        if rows.isEmpty { comments.append(String(line.drop { "#% \t".contains($0) })) }
        continue
      }
      let fields =
        commas
        ? line.split(separator: ",", omittingEmptySubsequences: false).map { Self.trimmed($0) }
        : line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," })
      rows.append((number + 1, fields))
      if rows.count >= most { break }
    }
  }

  static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }

  /// The numbers of all rows, each of which has `count` of them.
  func numbers(_ count: Int) throws(TrajpackError) -> [[Double]] {
    var out: [[Double]] = []
    out.reserveCapacity(rows.count)
    for row in rows {
      guard row.fields.count == count else {
        throw TrajpackError(
          .data, file: path,
          "line \(row.line) has \(row.fields.count) numbers where \(count) are expected")
      }
      var numbers: [Double] = []
      for field in row.fields { numbers.append(try number(field, row.line)) }
      out.append(numbers)
    }
    return out
  }

  func number(_ field: Substring, _ line: Int) throws(TrajpackError) -> Double {
    guard let value = Double(field) else {
      throw TrajpackError(
        .data, file: path,
        "line \(line) has '\(String(field.prefix(40)).printable)', which is no number")
    }
    return value
  }

  /// Whether the first rows are so many numbers each, and `accepts` all of them.
  static func look(
    _ path: String, commas: Bool, count: Int, _ accepts: ([Double]) -> Bool
  ) -> Bool {
    guard let text = try? PoseText(path, commas: commas, rows: 40), !text.rows.isEmpty,
      let numbers = try? text.numbers(count)
    else { return false }
    // Rows of NaN are poses that were not found.
    let known = numbers.filter { !$0.dropFirst().contains { $0.isNaN } }
    return !known.isEmpty && known.allSatisfy(accepts)
  }
}

extension RowSource {
  /// Rows of doubles.
  static func doubles(_ values: [Double]) -> RowSource {
    .made { () throws(TrajpackError) in
      var out: [UInt8] = []
      out.reserveCapacity(values.count * 8)
      for value in values {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { out.append(contentsOf: $0) }
      }
      return out
    }
  }

  /// Rows of whole numbers.
  static func integers(_ values: [Int64]) -> RowSource {
    .made { () throws(TrajpackError) in
      var out: [UInt8] = []
      out.reserveCapacity(values.count * 8)
      for value in values { withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) } }
      return out
    }
  }
}

extension MappedChannel {
  /// A channel of doubles.
  static func doubles(
    _ name: String, _ kind: Kind, _ shape: [Int], _ values: [Double], units: String? = nil,
    _ conventions: [(String, String)] = []
  ) -> MappedChannel {
    var channel = Channel(
      name: name, kind: kind, type: .float64, shape: shape, units: units, missing: .nan)
    channel.conventions = conventions.map { .init($0.0, .string($0.1)) }
    return MappedChannel(channel, .doubles(values))
  }
}

/// What the formats of poses have in common.
enum Poses {
  /// Nanoseconds as the ticks of times.
  static let tick = Rational(1, 1_000_000_000) ?? .one

  /// Reads each file as a recording.
  static func read(
    _ files: SourceFiles, _ own: [SourceFiles.File], _ options: MappingOptions, _ name: String,
    _ used: (SourceFiles.File) -> [String] = { _ in [] },
    _ body: (SourceFiles.File, inout MappedSource) throws(TrajpackError) -> [MappedStream]
  ) throws(TrajpackError) -> MappedSource {
    guard !options.isTabular else {
      throw TrajpackError(
        .usage,
        "--from \(name) takes no options of tables; '--from series' reads the file as a table")
    }
    return try files.each(of: own, name, options, used: used) {
      (file, source) throws(TrajpackError) in
      var recording = MappedRecording(file, id: file.stem)
      recording.streams = try body(file, &source)
      return [recording]
    }
  }

  /// The places of rows in the order of their times; a remark where they are in another.
  static func order<Time: Comparable>(
    _ times: [Time], _ file: SourceFiles.File, _ source: inout MappedSource
  ) -> [Int] {
    guard zip(times, times.dropFirst()).contains(where: { $0 > $1 }) else {
      return Array(times.indices)
    }
    let count = zip(times, times.dropFirst()).count { $0 > $1 }
    source.remarks.append(
      "\(file.place): \(count) of its lines lie\(count == 1 ? "s" : "") before the one above in time; lines are sorted by time"
    )
    return times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
  }

  /// Whether four numbers are a unit quaternion, as texts round it.
  static func isUnit(_ numbers: some Sequence<Double>) -> Bool {
    abs(numbers.reduce(0) { $0 + $1 * $1 } - 1) < 0.02
  }
}
