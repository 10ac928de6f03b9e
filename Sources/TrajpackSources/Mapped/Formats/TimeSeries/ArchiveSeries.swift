import TrajpackFormat
import TrajpackStore

/// Series as the UCR and UEA archives of time series classification have them: a series a line, in text without a
/// header whose first cell is the class, or in ARFF, whose last is.
enum ArchiveSeries: MappedFormat {
  static let format = FormatDescription(
    name: "ucr", summary: "series of the UCR and UEA archives (_TRAIN.tsv, .txt, .arff)",
    carries:
      "every line as a recording, dimensions, unequal lengths, missing values; classes as values",
    reads: true, writes: false)

  private static let endings = [".tsv", ".txt", ".arff"]

  /// How the lines of a file are to be read.
  fileprivate enum Form { case text, arff(ARFFSeries) }

  private static func form(_ path: String) -> Form? {
    if path.lowercased().hasSuffix(".arff") { return ARFFSeries(path).map { .arff($0) } }
    return isText(path) ? .text : nil
  }

  /// Whether a file has the archive's name and, in its first lines, whole numbers before as many cells: a table of
  /// measurements is hardly both.
  private static func isText(_ path: String) -> Bool {
    let stem = FileSystem.name(of: path).split(separator: ".").dropLast().joined(separator: ".")
    guard stem.hasSuffix("_TRAIN") || stem.hasSuffix("_TEST"), let file = try? LocalFile(path)
    else { return false }
    var counts: Set<Int> = []
    var lines = 0
    try? TextLines.forEach(file) { (number, _, line) throws(TrajpackError) in
      if TextLines.text(line).trimmingSpaces.isEmpty { return true }
      var values: [Double] = []
      for cell in cells(line) { values.append(try SeriesNumbers.number(cell, number)) }
      guard values.count > 8, let first = values.first, first == first.rounded() else {
        counts = []
        return false
      }
      counts.insert(values.count)
      lines += 1
      return lines < 8
    }
    return counts.count == 1
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && !options.isTabular
      && files.named(endings).prefix(64).contains { form($0.path) != nil }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let own = files.files(endings) { form($0) != nil }
    return try files.eachShared(of: own, "ucr", options) { (file, source) throws(TrajpackError) in
      try recordings(file, options, &source)
    }
  }

  private static func recordings(
    _ file: SourceFiles.File, _ options: MappingOptions, _ source: inout MappedSource
  ) throws(TrajpackError) -> [MappedRecording] {
    guard let form = form(file.path) else {
      throw TrajpackError(.data, "is no file of the UCR or UEA archive")
    }
    let opened = try LocalFile(file.path)
    let series: ARFFSeries? = if case .arff(let series) = form { series } else { nil }
    let start = series?.data ?? (at: 0, line: 1)
    var cases: [SeriesLine] = []
    var padded = 0
    var unknown: [String] = []
    try TextLines.forEach(opened, from: start.at) { (number, at, line) throws(TrajpackError) in
      let number = start.line + number - 1
      let text = TextLines.text(line).trimmingSpaces
      if text.isEmpty || text.hasPrefix("%") { return true }
      var item = SeriesLine(file: opened, line: number, range: at..<at + line.count, form: form)
      let content = try item.content(line)
      guard let first = content.dimensions.first, !first.isEmpty else {
        throw TrajpackError(
          .data, "line \(number) has no values beside its class", at: ErrorPlace(line: number))
      }
      if let known = cases.first, known.width != content.dimensions.count {
        throw TrajpackError(
          .data,
          "line \(number) has \(content.dimensions.count) dimensions, and line \(known.line) has \(known.width)",
          at: ErrorPlace(line: number))
      }
      let (count, length) = (content.count, series?.length ?? cases.first?.cells ?? content.count)
      guard count == length else {
        throw TrajpackError(
          .data,
          "line \(number) has \(counted(count, "value")) in a dimension, and "
            + (series == nil ? "the first line" : "the header")
            + " has \(length); it was cut, or a value is missing",
          at: ErrorPlace(line: number))
      }
      if let series, !series.classes.contains(content.label), !unknown.contains(content.label) {
        unknown.append(content.label)
      }
      (item.count, item.width, item.label) = (first.count, content.dimensions.count, content.label)
      item.cells = count
      padded += content.isPadded ? 1 : 0
      cases.append(item)
      return true
    }
    guard !cases.isEmpty else { throw TrajpackError(.data, "has no series") }
    if !unknown.isEmpty {
      source.remarks.append(
        "\(file.place): the header does not list the classes "
          + unknown.prefix(4).map { "'\($0)'" }.joined(separator: ", ") + ", which lines have")
    }
    source.remarks.append(
      "\(file.place): each line is a recording, its \(series == nil ? "first" : "last") cell a class, as in the UCR "
        + "archive"
        + (padded > 0
          ? "; NaN behind the last value of \(counted(padded, "line")) is left out" : "")
        + (series == nil ? "; --from series reads each line as a row" : ""))
    let digits = String(cases.count - 1).count
    let stem = file.stem.uppercased()
    return cases.enumerated().map { number, item in
      let text = String(number)
      var recording = MappedRecording(
        file, id: "\(file.stem)/\(String(repeating: "0", count: digits - text.count))\(text)")
      recording.split = stem.hasSuffix("_TRAIN") ? "train" : stem.hasSuffix("_TEST") ? "test" : ""
      recording.values.append(.init("label", .string(item.label)))
      let channel = Channel(
        name: "values", kind: options.kinds["values"] ?? .scalar, type: .float64,
        shape: item.width == 1 ? [] : [item.width], units: options.units["values"], missing: .nan)
      recording.streams = [
        MappedStream(
          name: "series", count: item.count, time: MappedStream.time(rate: options.rate),
          channels: [
            MappedChannel(channel, .made { () throws(TrajpackError) in try item.values() })
          ])
      ]
      return recording
    }
  }

  /// The cells of a line: tabs, commas or blanks part them.
  fileprivate static func cells(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    let separators: [UInt8] = [9, UInt8(ascii: ",")]
    let found = separators.first { line.contains($0) }
    guard let found else { return line.split { $0 == 32 || $0 == 13 } }
    return line.split(separator: found, omittingEmptySubsequences: false)
  }
}

/// What the header of an ARFF file says, where its lines are series.
private struct ARFFSeries {
  /// The first byte behind the line `@data`, and its number.
  var data: (at: Int, line: Int)
  /// Whether a series stands between quotes, its dimensions parted by `\n`.
  var isRelational = false
  /// How many values a dimension has.
  let length: Int
  let classes: Set<String>

  /// The header of a file; `nil` where its attributes are not the values of a series and then a class: numbers whose
  /// names differ in a count alone.
  init?(_ path: String) {
    guard let header = SeriesHeader(path), header.kind == .arff, let data = header.data else {
      return nil
    }
    self.data = data
    var attributes = header.lines.filter { $0.word == "attribute" }.map(\.rest)
    guard let last = attributes.popLast(), let begin = last.firstIndex(of: "{"),
      let end = last.lastIndex(of: "}"), begin < end
    else { return nil }
    var rest = Array(last[last.index(after: begin)..<end].utf8)[...]
    var classes: Set<String> = []
    while let (label, before) = Self.lastCell(rest) {
      classes.insert(label)
      rest = before
    }
    self.classes = classes
    if attributes.first?.lowercased().hasSuffix(" relational") == true {
      isRelational = true
      attributes.removeFirst()
      guard header.lines.last(where: { $0.word == "end" }) != nil else { return nil }
    }
    var names: Set<Substring> = []
    for attribute in attributes {
      let words = attribute.split { $0 == " " || $0 == "\t" }
      guard words.count == 2, ["numeric", "real", "integer"].contains(words[1].lowercased()) else {
        return nil
      }
      let name = words[0].drop { $0 == "'" || $0 == "\"" }
      names.insert(name.prefix { !$0.isNumber })
    }
    guard attributes.count >= 8, names.count == 1 else { return nil }
    length = attributes.count
  }

  /// The last cell of a line without its quotes, in which a comma may stand, and what is before its comma; `nil` of nothing.
  static func lastCell(
    _ line: ArraySlice<UInt8>
  ) -> (text: String, before: ArraySlice<UInt8>)? {
    let blanks: [UInt8] = [9, 13, 32]
    var line = line
    while let last = line.last, blanks.contains(last) { line.removeLast() }
    guard let last = line.last else { return nil }
    var cell = line
    if [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(last),
      let begin = line.dropLast().lastIndex(of: last)
    {
      cell = line[(begin + 1)..<(line.endIndex - 1)]
      line = line[..<begin]
      while let last = line.last, blanks.contains(last) { line.removeLast() }
      if line.last == UInt8(ascii: ",") { line.removeLast() }
    } else if let comma = line.lastIndex(of: UInt8(ascii: ",")) {
      (cell, line) = (line[(comma + 1)...], line[..<comma])
    } else {
      line = line[..<line.startIndex]
    }
    return (String(TextLines.text(cell).trimmingSpaces), line)
  }
}

/// A series in a line of a file, which is read when its values are asked for.
private struct SeriesLine: Sendable {
  let file: LocalFile
  let line: Int
  let range: Range<Int>
  let form: ArchiveSeries.Form
  var count = 0
  /// Values of a dimension, with those that fill the line.
  var cells = 0
  var width = 1
  var label = ""

  init(file: LocalFile, line: Int, range: Range<Int>, form: ArchiveSeries.Form) {
    (self.file, self.line, self.range, self.form) = (file, line, range, form)
  }

  /// The values of each dimension, the class, how many values there were before NaN behind the last one was left out, and
  /// whether it was.
  func content(
    _ bytes: ArraySlice<UInt8>
  ) throws(TrajpackError) -> (dimensions: [[Double]], label: String, count: Int, isPadded: Bool) {
    var bytes = bytes
    while let last = bytes.last, [9, 13, 32].contains(last) { bytes.removeLast() }
    switch form {
    case .text:
      var cells = ArchiveSeries.cells(bytes)
      let label = try SeriesNumbers.number(cells.removeFirst(), line)
      var values: [Double] = []
      values.reserveCapacity(cells.count)
      for cell in cells { values.append(try SeriesNumbers.number(cell, line)) }
      let end = (values.lastIndex { !$0.isNaN } ?? -1) + 1
      guard label == label.rounded(), abs(label) < 1e15 else {
        throw TrajpackError(
          .data, "line \(line) begins with \(label), which is no class", at: ErrorPlace(line: line))
      }
      return ([Array(values[..<end])], String(Int(label)), values.count, end < values.count)
    case .arff(let series):
      guard let (label, values) = ARFFSeries.lastCell(bytes), !values.isEmpty else {
        throw TrajpackError(.data, "line \(line) has no class", at: ErrorPlace(line: line))
      }
      var dimensions: [[Double]] = []
      for part in series.isRelational ? try parts(values) : [values] {
        var values: [Double] = []
        try SeriesNumbers.parse(part, line, into: &values)
        dimensions.append(values)
      }
      // All are as long as the header says, or the first one that is not tells.
      let count = dimensions.map(\.count).first { $0 != series.length } ?? series.length
      return (dimensions, label, count, false)
    }
  }

  /// The dimensions between quotes, which the letters `\n` part.
  private func parts(_ text: ArraySlice<UInt8>) throws(TrajpackError) -> [ArraySlice<UInt8>] {
    guard text.count > 2, let quote = text.first, quote == text.last,
      quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else {
      throw TrajpackError(
        .data, "line \(line) has no series between quotes; it was cut, or is of another relation",
        at: ErrorPlace(line: line))
    }
    var (out, first) = ([ArraySlice<UInt8>](), text.startIndex + 1)
    let end = text.endIndex - 1
    for i in first..<end - 1 where text[i] == UInt8(ascii: "\\") && text[i + 1] == UInt8(ascii: "n")
    {
      out.append(text[first..<i])
      first = i + 2
    }
    return out + [text[first..<end]]
  }

  /// All values, those of a row side by side.
  func values() throws(TrajpackError) -> [UInt8] {
    let dimensions = try content(try file.bytes(range)[...]).dimensions
    var bits: [UInt64] = []
    bits.reserveCapacity(count * width)
    for row in 0..<count {
      for dimension in dimensions { bits.append(dimension[row].bitPattern) }
    }
    return littleEndian(bits)
  }
}
