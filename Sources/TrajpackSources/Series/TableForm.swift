import TrajpackFormat
import TrajpackStore

/// How a table of text is laid out, as its first records show.
struct TableForm: Sendable, Hashable {
  /// What separates cells.
  var delimiter: UInt8
  /// Whether the first record names the columns.
  var hasHeader: Bool
  /// The names, as the header has them; empty where there is none.
  var header: [String]
  /// How many columns.
  var count: Int
  /// The column of times, and whether they are dates.
  var time: Int?
  var timeIsDate = false
  /// The column that names episodes.
  var episode: Int?

  /// What a cell looks like.
  private enum Look { case empty, number, date, text }

  /// Looks at the first two records of a file.
  ///
  /// - Throws: A data error where there is no row, or the options name what is not there.
  init(_ file: TextFile, _ options: SeriesOptions) throws(TrajpackError) {
    guard file.length > 0 else { throw TrajpackError(.data, "the file is empty; fetch it again") }
    if let given = options.delimiter {
      delimiter = given
    } else {
      delimiter = try Self.delimiter(of: file)
    }
    let scanner = CSVScanner(file, delimiter: delimiter)
    guard try scanner.next() else { throw TrajpackError(.data, "the file has no row") }
    count = scanner.count
    let (names, first) = try Self.record(scanner, file)
    let body = try scanner.next() ? Self.record(scanner, file) : nil
    switch options.header {
    case .yes: hasHeader = true
    case .no: hasHeader = false
    case .auto:
      let differs = zip(first, body?.looks ?? []).contains { $0 == .text && $1 != .text }
      hasHeader = differs || first.allSatisfy { $0 == .text }
    }
    guard !hasHeader || body != nil else {
      throw TrajpackError(.data, "the file has a header but no row")
    }
    header = hasHeader ? names : []
    let looks = (hasHeader ? body?.looks : first) ?? first
    try checkNames()
    try findTime(looks, first: hasHeader ? body?.cells ?? [] : names, options)
    if let name = options.episodeColumn {
      episode = try column(name, "--episode-column")
      guard episode != time else {
        throw TrajpackError(
          .usage, "column '\(name)' cannot both hold the times and name the episodes")
      }
    }
    guard (0..<count).contains(where: { $0 != time && $0 != episode }) else {
      throw TrajpackError(.data, "there is no column of values beside times and episodes")
    }
  }

  /// The text of a record's cells and what they look like.
  private static func record(
    _ scanner: CSVScanner, _ file: TextFile
  ) throws(TrajpackError) -> (cells: [String], looks: [Look]) {
    var cells: [String] = []
    var looks: [Look] = []
    for i in 0..<scanner.count {
      guard scanner[i].isUTF8, !scanner[i].bytes.contains(0) else {
        throw try wrong(
          file, scanner.recordOffset,
          "cell \(i + 1) is no text: it has a zero byte or is not UTF-8; save the file as UTF-8")
      }
      cells.append(scanner[i].text)
      switch NumberText(scanner[i].bytes).form {
      case .missing: looks.append(.empty)
      case .text: looks.append(DateText(scanner[i].bytes) == nil ? .text : .date)
      default: looks.append(.number)
      }
    }
    return (cells, looks)
  }

  private func checkNames() throws(TrajpackError) {
    var seen: Set<String> = []
    for name in header where !seen.insert(name).inserted {
      throw TrajpackError(.data, "column '\(name)' comes twice in the header; rename one")
    }
  }

  private mutating func findTime(
    _ looks: [Look], first: [String], _ options: SeriesOptions
  ) throws(TrajpackError) {
    if case .named(let name) = options.time {
      let column = try column(name, "--time")
      (time, timeIsDate) = (column, looks.indices.contains(column) && looks[column] == .date)
      return
    }
    guard options.time == .auto else { return }
    if !hasHeader {
      // Without names only dates show that they are times.
      if looks.first == .date { (time, timeIsDate) = (0, true) }
      return
    }
    for (i, name) in header.enumerated() where looks.indices.contains(i) && options.mayBeTime(name)
    {
      // A cell that begins like a number is meant to be a time, and must be one.
      let isMeant = first[i].first.map { $0.isNumber || "+-.".contains($0) } ?? false
      guard looks[i] == .date || looks[i] == .number || isMeant else { continue }
      let isDate = first[i].drop { $0.isNumber }.first.map { "-/:".contains($0) } ?? false
      (time, timeIsDate) = (i, looks[i] == .date || (looks[i] == .text && isDate))
      return
    }
  }

  /// The column of a name that an option gives.
  private func column(_ name: String, _ option: String) throws(TrajpackError) -> Int {
    if let i = header.firstIndex(of: name) { return i }
    if !hasHeader, let i = (0..<count).first(where: { Self.unnamed($0) == name }) { return i }
    let names = hasHeader ? header : (0..<count).map(Self.unnamed)
    let list = names.prefix(12).map { "'\($0)'" }.joined(separator: ", ")
    throw TrajpackError(
      .usage,
      "\(option): there is no column '\(name)'; there are \(list)"
        + "\(names.count > 12 ? " and \(names.count - 12) more" : "")")
  }

  /// What a column without a name is called.
  private static func unnamed(_ column: Int) -> String { "column\(column + 1)" }

  /// The channel names of the columns, unique, and never that of the times.
  var channelNames: [String] {
    var seen: Set<String> = ["time", Self.timeText]
    return (0..<count).map { i in
      if i == time { return "time" }
      var name = hasHeader && !header[i].isEmpty ? header[i] : Self.unnamed(i)
      while !seen.insert(name).inserted { name += "_" }
      return name
    }
  }

  /// The candidate that separates the most cells of the first record.
  private static func delimiter(of file: TextFile) throws(TrajpackError) -> UInt8 {
    let start = try file.bytes(0..<min(file.length, 64 << 10))
    let candidates = Array(",\t;|".utf8)
    var counts = [0, 0, 0, 0]
    var isQuoted = false
    for byte in start {
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if isQuoted { continue }
      if byte == UInt8(ascii: "\n"), counts.contains(where: { $0 > 0 }) { break }
      if let i = candidates.firstIndex(of: byte) { counts[i] += 1 }
    }
    let most = counts.max() ?? 0
    return candidates[counts.firstIndex(of: most) ?? 0]
  }
}
