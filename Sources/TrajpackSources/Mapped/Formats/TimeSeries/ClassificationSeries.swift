import TrajpackFormat
import TrajpackStore

/// Series of `.ts` files, as sktime, aeon and timeseriesclassification.com have them: a case a line, its dimensions
/// between colons, its class or target behind the last.
enum ClassificationSeries: MappedFormat {
  static let format = FormatDescription(
    name: "ts", summary: "time series of sktime and aeon (.ts)",
    carries:
      "every case as a recording, dimensions, unequal lengths, missing values, timestamps; classes and targets as values",
    reads: true, writes: false)

  private static let endings = [".ts"]

  private static func isOwn(_ path: String) -> Bool {
    SeriesHeader(path)?.kind == .classification
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && !options.isTabular
      && files.named(endings).prefix(64).contains { isOwn($0.path) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let own = files.files(endings, where: isOwn)
    return try files.eachShared(of: own, "ts", options) { (file, source) throws(TrajpackError) in
      try recordings(file, options, &source)
    }
  }

  /// A case before its numbers are read.
  private struct Case {
    var line: Int
    var range: Range<Int>
    /// How many values each dimension has.
    var counts: [Int]
    var label: String?
  }

  private static func recordings(
    _ file: SourceFiles.File, _ options: MappingOptions, _ source: inout MappedSource
  ) throws(TrajpackError) -> [MappedRecording] {
    guard let header = SeriesHeader(file.path), let data = header.data else {
      throw TrajpackError(.data, "has no line '@data'; it was cut, or is no .ts file")
    }
    let hasTimes = header.flag("timestamps")
    let isTarget = header.flag("targetlabel")
    let hasLabel = header.flag("classlabel") || isTarget
    let classes = Set(
      (header["classlabel"] ?? "").split(whereSeparator: \.isWhitespace).dropFirst().map {
        $0.lowercased()
      })
    let opened = try LocalFile(file.path)
    var cases: [Case] = []
    var unknown: [String] = []
    try TextLines.forEach(opened, from: data.at) { (number, at, line) throws(TrajpackError) in
      // The first line here is the end of that of '@data'.
      let number = data.line + number - 1
      let parts = fields(line)
      if parts.count == 1, TextLines.text(parts[0]).trimmingSpaces.isEmpty { return true }
      if line.first == UInt8(ascii: "#") { return true }
      var found = Case(line: number, range: at..<at + line.count, counts: [], label: nil)
      var dimensions = parts
      if hasLabel {
        guard parts.count >= 2 else {
          throw TrajpackError(
            .data, "line \(number) has no ':' before its label; it was cut, or has no label",
            at: ErrorPlace(line: number))
        }
        let label = String(TextLines.text(dimensions.removeLast()).trimmingSpaces)
        if label.isEmpty {
          throw TrajpackError(
            .data, "line \(number) has an empty label", at: ErrorPlace(line: number))
        }
        if !isTarget, !classes.isEmpty, !classes.contains(label.lowercased()),
          !unknown.contains(label)
        {
          unknown.append(label)
        }
        found.label = label
      }
      for dimension in dimensions {
        found.counts.append(hasTimes ? pairs(dimension) : values(dimension))
      }
      cases.append(found)
      return true
    }
    guard let first = cases.first else { throw TrajpackError(.data, "has no case behind '@data'") }
    if let other = cases.first(where: { $0.counts.count != first.counts.count }) {
      throw TrajpackError(
        .data,
        "line \(other.line) has \(other.counts.count) dimensions, and line \(first.line) has \(first.counts.count)",
        at: ErrorPlace(line: other.line))
    }
    if let stated = (header["dimensions"] ?? header["dimension"]).flatMap({ Int($0) }),
      stated != first.counts.count
    {
      throw TrajpackError(
        .data,
        "says that it has \(stated) dimensions, and line \(first.line) has \(first.counts.count)",
        at: ErrorPlace(line: first.line))
    }
    if let length = header["serieslength"].flatMap({ Int($0) }), header.flag("equallength"),
      let other = cases.first(where: { $0.counts.contains { $0 != length } })
    {
      throw TrajpackError(
        .data,
        "line \(other.line) has \(other.counts.first { $0 != length } ?? 0) values, and @seriesLength says \(length)",
        at: ErrorPlace(line: other.line))
    }
    if !unknown.isEmpty {
      source.remarks.append(
        "\(file.place): @classLabel does not list \(unknown.prefix(4).map { "'\($0)'" }.joined(separator: ", ")), which cases have"
      )
    }
    // Where dimensions of a case differ in length, or have times of their own, each is a stream.
    let isApart =
      first.counts.count > 1 && (hasTimes || cases.contains { Set($0.counts).count > 1 })
    let width = String(cases.count - 1).count
    var out: [MappedRecording] = []
    for (number, item) in cases.enumerated() {
      if let empty = item.counts.firstIndex(of: 0) {
        throw TrajpackError(
          .data, "line \(item.line) has no values in dimension \(empty + 1)",
          at: ErrorPlace(line: item.line))
      }
      let text = String(number)
      let id = "\(file.stem)/\(String(repeating: "0", count: width - text.count))\(text)"
      var recording = MappedRecording(file, id: id)
      let stem = file.stem.uppercased()
      recording.split = stem.hasSuffix("_TRAIN") ? "train" : stem.hasSuffix("_TEST") ? "test" : ""
      if let label = item.label {
        if isTarget, let number = Double(label) {
          recording.values.append(.init("target", .double(number)))
        } else if isTarget {
          throw TrajpackError(
            .data, "line \(item.line) has the target '\(label.printable)', which is no number",
            at: ErrorPlace(line: item.line))
        } else {
          recording.values.append(.init("label", .string(label)))
        }
      }
      let rows = CaseRows(
        file: opened, line: item.line, range: item.range, hasLabel: hasLabel, hasTimes: hasTimes)
      recording.streams =
        isApart
        ? item.counts.enumerated().map { dimension, count in
          stream("dim_\(dimension)", count, rows, dimension, 1, options)
        } : [stream("series", item.counts[0], rows, nil, item.counts.count, options)]
      out.append(recording)
    }
    if let name = header["problemname"], source.attributes.isEmpty {
      source.attributes.append(.init("problem_name", .string(name)))
    }
    return out
  }

  private static func stream(
    _ name: String, _ count: Int, _ rows: CaseRows, _ dimension: Int?, _ width: Int,
    _ options: MappingOptions
  ) -> MappedStream {
    let channel = Channel(
      name: "values", kind: options.kinds["values"] ?? .scalar, type: .float64,
      shape: width == 1 ? [] : [width], units: options.units["values"], missing: .nan)
    let time: MappedStream.Time =
      rows.hasTimes
      ? .array(
        .made { () throws(TrajpackError) in try rows.times(dimension ?? 0) }, .float64, tick: .one,
        unit: options.timeUnit ?? "time")
      : MappedStream.time(rate: options.rate)
    return MappedStream(
      name: name, count: count, time: time,
      channels: [
        MappedChannel(channel, .made { () throws(TrajpackError) in try rows.values(dimension) })
      ])
  }

  /// The fields of a line: colons part them, but for those in parentheses.
  static func fields(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    var out: [ArraySlice<UInt8>] = []
    var (depth, first) = (0, line.startIndex)
    for i in line.indices {
      switch line[i] {
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth = max(depth - 1, 0)
      case UInt8(ascii: ":") where depth == 0:
        out.append(line[first..<i])
        first = i + 1
      default: continue
      }
    }
    out.append(line[first...])
    return out
  }

  private static func values(_ dimension: ArraySlice<UInt8>) -> Int {
    dimension.allSatisfy { $0 == 32 || $0 == 9 }
      ? 0 : 1 + dimension.count { $0 == UInt8(ascii: ",") }
  }

  private static func pairs(_ dimension: ArraySlice<UInt8>) -> Int {
    dimension.count { $0 == UInt8(ascii: "(") }
  }
}

/// The numbers of a case, read of the file when they are asked for.
private struct CaseRows: Sendable {
  let file: LocalFile
  let line: Int
  let range: Range<Int>
  let hasLabel: Bool
  let hasTimes: Bool

  private func dimensions(
    _ body: ([ArraySlice<UInt8>]) throws(TrajpackError) -> [UInt8]
  ) throws(TrajpackError) -> [UInt8] {
    let bytes = try file.bytes(range)
    let fields = ClassificationSeries.fields(bytes[...])
    return try body(hasLabel ? Array(fields.dropLast()) : fields)
  }

  /// The values of one dimension, or of all, the values of a row side by side.
  func values(_ dimension: Int?) throws(TrajpackError) -> [UInt8] {
    try dimensions { (fields) throws(TrajpackError) in
      var columns: [[Double]] = []
      for field in dimension.map({ [fields[$0]] }) ?? fields {
        var column: [Double] = []
        if hasTimes {
          column = try pairs(field).map(\.value)
        } else {
          try SeriesNumbers.parse(field, line, into: &column)
        }
        columns.append(column)
      }
      var out: [UInt8] = []
      let count = columns.first?.count ?? 0
      out.reserveCapacity(count * columns.count * 8)
      for row in 0..<count {
        for column in columns where row < column.count {
          withUnsafeBytes(of: column[row].bitPattern.littleEndian) { out.append(contentsOf: $0) }
        }
      }
      return out
    }
  }

  /// The times of a dimension: numbers, or dates in seconds since 1970.
  func times(_ dimension: Int) throws(TrajpackError) -> [UInt8] {
    try dimensions { (fields) throws(TrajpackError) in
      littleEndian(try pairs(fields[dimension]).map { $0.time.bitPattern })
    }
  }

  private func pairs(
    _ field: ArraySlice<UInt8>
  ) throws(TrajpackError) -> [(time: Double, value: Double)] {
    var out: [(time: Double, value: Double)] = []
    for part in field.split(separator: UInt8(ascii: "(")).dropFirst(0) {
      guard let end = part.firstIndex(of: UInt8(ascii: ")")) else {
        if part.allSatisfy({ $0 == 32 || $0 == 9 }) { continue }
        throw wrong(part)
      }
      let inner = part[..<end]
      guard let comma = inner.lastIndex(of: UInt8(ascii: ",")) else { throw wrong(part) }
      let text = String(decoding: inner[..<comma], as: UTF8.self).trimmingSpaces
      guard let time = Double(text) ?? Self.seconds(text) else { throw wrong(part) }
      out.append((time, try SeriesNumbers.number(inner[(comma + 1)...], line)))
    }
    return out
  }

  private func wrong(_ part: ArraySlice<UInt8>) -> TrajpackError {
    TrajpackError(
      .data,
      "line \(line) has '\(String(TextLines.text(part).prefix(40)).printable)', which is no pair of a time and a value",
      at: ErrorPlace(line: line))
  }

  private static func seconds(_ text: Substring) -> Double? {
    ForecastingSeries.seconds(String(text)).map { Double($0) }
  }
}
