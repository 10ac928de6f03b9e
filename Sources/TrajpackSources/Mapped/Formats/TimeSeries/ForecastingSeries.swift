import TrajpackFormat
import TrajpackStore

/// Series of `.tsf` files of the Monash archive: a series a line, its attributes before the last colon.
enum ForecastingSeries: MappedFormat {
  static let format = FormatDescription(
    name: "tsf", summary: "time series of the Monash archive (.tsf)",
    carries:
      "every series as a recording at its frequency from its start, missing values; attributes as values",
    reads: true, writes: false)

  private static let endings = [".tsf"]

  private static func isOwn(_ path: String) -> Bool { SeriesHeader(path)?.kind == .forecasting }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && !options.isTabular
      && files.named(endings).prefix(64).contains { isOwn($0.path) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let own = files.files(endings, where: isOwn)
    return try files.eachShared(of: own, "tsf", options) { (file, source) throws(TrajpackError) in
      try recordings(file, options, own.count > 1, &source)
    }
  }

  /// How far rows lie apart.
  enum Spacing: Equatable {
    case seconds(Int64)
    case months(Int64)
  }

  /// What a word of `@frequency` says; `nil` where it is not known.
  static func spacing(_ word: String) -> Spacing? {
    let word = word.lowercased()
    let known: [String: Spacing] = [
      "secondly": .seconds(1), "minutely": .seconds(60), "half_hourly": .seconds(1800),
      "hourly": .seconds(3600), "daily": .seconds(86_400), "weekly": .seconds(604_800),
      "monthly": .months(1), "quarterly": .months(3), "yearly": .months(12),
    ]
    if let found = known[word] { return found }
    let parts = word.split(separator: "_")
    guard parts.count == 2, let count = Int64(parts[0]), count > 0, count < 1 << 24 else {
      return nil
    }
    switch parts[1] {
    case "seconds", "second": return .seconds(count)
    case "minutes", "minute": return .seconds(count * 60)
    case "hours", "hour": return .seconds(count * 3600)
    case "days", "day": return .seconds(count * 86_400)
    case "weeks", "week": return .seconds(count * 604_800)
    case "months", "month": return .months(count)
    case "years", "year": return .months(count * 12)
    default: return nil
    }
  }

  private static func recordings(
    _ file: SourceFiles.File, _ options: MappingOptions, _ isOneOfMany: Bool,
    _ source: inout MappedSource
  ) throws(TrajpackError) -> [MappedRecording] {
    guard let header = SeriesHeader(file.path), let data = header.data else {
      throw TrajpackError(.data, "has no line '@data'; it was cut, or is no .tsf file")
    }
    var attributes: [(name: String, type: String)] = []
    for line in header.lines where line.word == "attribute" {
      let words = line.rest.split(whereSeparator: \.isWhitespace).map { String($0) }
      guard words.count == 2, ["string", "numeric", "date"].contains(words[1].lowercased()) else {
        throw TrajpackError(
          .data,
          "has the line '@attribute \(line.rest.printable)', which is no name and type (string, numeric, date)"
        )
      }
      attributes.append((words[0], words[1].lowercased()))
    }
    var spacing: Spacing?
    if let word = header["frequency"], options.rate == nil {
      spacing = Self.spacing(word)
      if spacing == nil {
        source.remarks.append(
          "\(file.place): the frequency '\(word.printable)' is not known; rows are counted in steps, and --rate gives them a rate"
        )
      }
    }
    let opened = try LocalFile(file.path)
    var out: [MappedRecording] = []
    var names: Set<String> = []
    let attributeNames = attributes
    try TextLines.forEach(opened, from: data.at) { (number, at, line) throws(TrajpackError) in
      let number = data.line + number - 1
      if line.allSatisfy({ $0 == 32 || $0 == 9 }) || line.first == UInt8(ascii: "#") { return true }
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count == attributeNames.count + 1, let series = fields.last else {
        throw TrajpackError(
          .data,
          "line \(number) has \(fields.count) fields between colons, where \(attributeNames.count) attributes and a series are expected",
          at: ErrorPlace(line: number))
      }
      guard !series.allSatisfy({ $0 == 32 }) else {
        throw TrajpackError(.data, "line \(number) has no values", at: ErrorPlace(line: number))
      }
      var recording = MappedRecording(file, id: "")
      var (start, name): (Int64?, String?) = (nil, nil)
      for (attribute, field) in zip(attributeNames, fields) {
        let text = String(TextLines.text(field).trimmingSpaces)
        switch attribute.type {
        case "numeric":
          guard let value = Double(text) else {
            throw TrajpackError(
              .data, "line \(number) has '\(text.printable)' for the number '\(attribute.name)'",
              at: ErrorPlace(line: number))
          }
          recording.values.append(
            .init(attribute.name, Int64(text).map { .int($0) } ?? .double(value)))
        case "date":
          guard let seconds = Self.seconds(text) else {
            throw TrajpackError(
              .data, "line \(number) has '\(text.printable)' for the date '\(attribute.name)'",
              at: ErrorPlace(line: number))
          }
          if start == nil { start = seconds }
          recording.values.append(.init(attribute.name, .string(text)))
        default:
          if attribute.name == "series_name" { name = text }
          recording.values.append(.init(attribute.name, .string(text)))
        }
      }
      let place =
        name.flatMap { !$0.isEmpty && names.insert($0).inserted ? $0 : nil } ?? "line \(number)"
      recording.id = isOneOfMany ? "\(file.stem)/\(place)" : place
      let count = 1 + series.count { $0 == UInt8(ascii: ",") }
      let range = at + (series.startIndex - line.startIndex)..<at + line.count
      let channel = Channel(
        name: "values", kind: options.kinds["values"] ?? .scalar, type: .float64,
        units: options.units["values"], missing: .nan)
      recording.streams = [
        MappedStream(
          name: "series", count: count, time: time(spacing, start, count, options),
          channels: [
            MappedChannel(
              channel,
              .made { () throws(TrajpackError) in
                var values: [Double] = []
                try SeriesNumbers.parse(try opened.bytes(range)[...], number, into: &values)
                return littleEndian(values.map(\.bitPattern))
              })
          ])
      ]
      out.append(recording)
      return true
    }
    guard !out.isEmpty else { throw TrajpackError(.data, "has no series behind '@data'") }
    for word in ["relation", "frequency", "horizon"] {
      if let text = header[word], !source.attributes.contains(where: { $0.name == word }),
        !isOneOfMany
      {
        source.attributes.append(.init(word, Int64(text).map { .int($0) } ?? .string(text)))
      }
    }
    return out
  }

  private static func time(
    _ spacing: Spacing?, _ start: Int64?, _ count: Int, _ options: MappingOptions
  ) -> MappedStream.Time {
    switch spacing {
    case .seconds(let step):
      return .regular(
        .regular(
          start: start.flatMap { Rational($0, 1) } ?? .zero, rate: Rational(1, step) ?? .one),
        unit: "s")
    case .months(let step):
      guard let start else { return MappedStream.steps }
      return .array(
        .made { () throws(TrajpackError) in
          littleEndian((0..<Int64(count)).map { Calendar.add(months: $0 * step, to: start) })
        }, .int64, tick: .one, unit: "s")
    case nil: return MappedStream.time(rate: options.rate)
    }
  }

  /// Seconds since 1970 of `2001-02-03 04-05-06`, also with colons, or without a time of day.
  static func seconds(_ text: String) -> Int64? {
    let halves = text.split(separator: " ")
    guard let first = halves.first, halves.count <= 2 else { return nil }
    let date = first.split(separator: "-").map { Int64($0) }
    let clock = (halves.count == 2 ? halves[1].split { $0 == "-" || $0 == ":" } : []).map {
      Int64($0)
    }
    guard date.count == 3, let year = date[0], let month = date[1], let day = date[2],
      (1...9999).contains(year), (1...12).contains(month),
      (1...Calendar.days(of: year, month)).contains(day),
      clock.isEmpty || (2...3).contains(clock.count)
    else { return nil }
    var seconds: Int64 = 0
    for (part, limit) in zip(clock, [24, 60, 60] as [Int64]) {
      guard let part, part >= 0, part < limit else { return nil }
      seconds = seconds * 60 + part
    }
    if clock.count == 2 { seconds *= 60 }
    return Calendar.day(year, month, day) * 86_400 + seconds
  }
}

/// Months of the proleptic Gregorian calendar.
private enum Calendar {
  static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    NPYDates.days((year - 1970) * 12 + month - 1, months: 1) + day - 1
  }

  static func days(of year: Int64, _ month: Int64) -> Int64 {
    day(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) - day(year, month, 1)
  }

  /// A time some months later: on the same day of the month, or its last where it has none such.
  static func add(months: Int64, to seconds: Int64) -> Int64 {
    let days = Int64((Double(seconds) / 86_400).rounded(.down))
    // The month in which the day lies, from an estimate that is never too late.
    var month = Int64((Double(days - 31) / 30.436875).rounded(.down))
    while NPYDates.days(month + 1, months: 1) <= days { month += 1 }
    let inMonth = days - NPYDates.days(month, months: 1)
    let first = NPYDates.days(month + months, months: 1)
    let length = NPYDates.days(month + months + 1, months: 1) - first
    return (first + min(inMonth, length - 1)) * 86_400 + seconds - days * 86_400
  }
}
