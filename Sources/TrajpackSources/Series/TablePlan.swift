import TrajpackFormat

/// How a table's columns become channels: what all its parts in a shard have shown together.
struct TablePlan {
  private struct Merged {
    var facts = ColumnProfile()
    var texts = DistinctTexts(atMost: TableExamination.maximumTexts)
    var hasEmpty = false
    var words: [String: Int] = [:]
    var outOfRange = TableExamination.OutOfRange()
    var bytes = 0
  }

  private let form: TableForm
  private let options: SeriesOptions
  private var columns: [Merged]
  private var rows = 0
  private var emptyRows = 0
  private var times: [TimeProfile] = []

  /// How rows map to time.
  enum Axis: Equatable {
    /// No times in the source, or even ones.
    case regular
    /// An int64 channel of ticks.
    case ticks
    /// A float64 channel.
    case float64
  }

  init(_ form: TableForm, _ options: SeriesOptions) {
    self.form = form
    self.options = options
    columns = Array(repeating: Merged(), count: form.count)
  }

  /// Adds what a part has shown.
  ///
  /// - Throws: A data error where a column is text here and holds numbers elsewhere.
  mutating func add(_ part: TableExamination) throws(TrajpackError) {
    let names = form.channelNames
    for i in columns.indices where form.isValue(i) {
      let column = part.columns[i]
      columns[i].facts.merge(column.facts)
      let isText = [.text, .categorical, .label].contains(options.kinds[names[i]])
      if let kind = options.kinds[names[i]] { try Self.check(kind, names[i], column.facts.hasText) }
      guard isText || !columns[i].facts.hasText || !columns[i].facts.hasNumbers else {
        throw TrajpackError(
          .data,
          "column '\(names[i])' holds \(column.facts.hasText ? "text" : "numbers"), but "
            + "\(column.facts.hasText ? "numbers" : "text") in a recording before; convert them apart, "
            + "or say --kind '\(names[i])=text'")
      }
      columns[i].texts.merge(column.texts)
      columns[i].hasEmpty = columns[i].hasEmpty || column.hasEmpty
      columns[i].bytes += column.bytes
      columns[i].words.merge(column.words, uniquingKeysWith: +)
      columns[i].outOfRange.merge(column.outOfRange)
    }
    rows += part.rows
    emptyRows += part.emptyRows
    if form.time != nil { times.append(part.time) }
  }

  /// Refuses kinds that a column of single numbers, or of text, cannot have.
  private static func check(_ kind: Kind, _ name: String, _ isText: Bool) throws(TrajpackError) {
    let forText: [Kind] = [.text, .categorical, .label, .event]
    let forNumbers: [Kind] = forText + [.scalar, .position, .direction, .angle]
    guard (isText ? forText : forNumbers).contains(kind) else {
      throw TrajpackError(
        .usage,
        "column '\(name)' holds \(isText ? "text" : "single numbers"), which cannot be of kind "
          + kind.rawValue)
    }
  }

  /// How rows map to time.
  var axis: Axis {
    guard form.time != nil else { return .regular }
    if times.allSatisfy({ $0.regularClock != nil }) { return .regular }
    if form.timeIsDate { return .ticks }
    // Whole numbers past 2^53, such as nanoseconds since 1970, are no doubles.
    let isWhole = times.allSatisfy { $0.fitsTicks && $0.digits == 0 }
    return isWhole && times.contains { !$0.fitsDoubles } ? .ticks : .float64
  }

  /// The stream of these parts.
  func plan(named name: String) -> StreamPlan {
    let names = form.channelNames
    var channels: [ChannelPlan] = []
    if let column = form.time { channels += timeChannels(column) }
    for i in columns.indices where form.isValue(i) {
      channels.append(channel(names[i], columns[i], unit: form.units.isEmpty ? nil : form.units[i]))
    }
    let texts = channels.indices.filter { channels[$0].channel.type == .bytes }
    let unit =
      form.time == nil
      ? options.stepUnit : (form.timeIsDate ? "s" : options.timeUnit ?? form.timeUnit ?? "time")
    return StreamPlan(
      Stream(name: name, timeUnit: unit, attributes: attributes), channels: channels,
      blobBytes: texts.isEmpty ? 0 : max(columns.reduce(0) { $0 + $1.bytes }, 1))
  }

  private func timeChannels(_ column: Int) -> [ChannelPlan] {
    var channels: [ChannelPlan] = []
    switch axis {
    case .regular: break
    case .ticks:
      channels.append(
        ChannelPlan(
          Channel(
            name: "time", kind: .scalar, type: .int64,
            description: form.timeIsDate
              ? "ticks of the clock since 1970-01-01" : "times in ticks of the clock")))
    case .float64:
      var facts = ColumnProfile()
      for time in times { facts.merge(time.numbers) }
      var choice = facts.choice ?? .init(type: .float64, stored: .float64, missing: .never)
      if choice.type != .float64 {
        // Whole numbers: those below 2^53 are read as doubles all the same.
        let fits = times.allSatisfy(\.fitsDoubles)
        choice.decimals = fits ? 0 : nil
        choice.stored = fits ? choice.stored : .float64
      }
      channels.append(
        ChannelPlan(
          Channel(
            name: "time", kind: .scalar, type: .float64,
            storage: .init(block: 0, column: 0, decimals: choice.decimals)), stored: choice.stored))
    }
    if times.contains(where: \.hasManyForms) {
      channels.append(
        ChannelPlan(
          Channel(
            name: TableForm.timeText, kind: .text, type: .bytes,
            description: "the times as they are written, in more than one form")))
    }
    return channels
  }

  private func channel(_ name: String, _ column: Merged, unit: String?) -> ChannelPlan {
    let unit = unit.flatMap { $0.isEmpty ? nil : $0 }
    let kind = options.kinds[name]
    let units = options.units[name] ?? unit
    let choice = column.facts.choice
    let isWord = kind == .text || (kind != nil && column.facts.hasText && column.facts.hasNumbers)
    if column.facts.hasText || isWord || choice == nil {
      let isCategory =
        kind == nil ? column.texts.areFew(among: rows) : !column.texts.areTooMany
      if kind == .text || !isCategory || choice == nil {
        return ChannelPlan(Channel(name: name, kind: .text, type: .bytes, units: units))
      }
      return ChannelPlan(
        Channel(
          name: name, kind: kind ?? .categorical, type: .int32, units: units,
          categories: column.texts.texts,
          missing: column.hasEmpty ? .sentinel : .never))
    }
    var number = choice ?? .init(type: .float64, stored: .float64, missing: .nan)
    if !column.facts.hasNumbers {
      // Nothing was ever observed: a number of some kind, all the same.
      number = .init(type: .float64, stored: .int32, decimals: 0, missing: .nan)
    }
    return ChannelPlan(
      Channel(
        name: name, kind: kind ?? .scalar, type: number.type, units: units, missing: number.missing,
        storage: .init(block: 0, column: 0, decimals: number.decimals)), stored: number.stored)
  }

  /// What an export needs to write the same table again.
  private var attributes: JSONValue {
    var time: JSONValue?
    if let column = form.time {
      time = .record([
        "column": .int(Int64(column)),
        "date": form.timeIsDate ? .string(times.first?.form?.pattern ?? "") : nil,
        "time_of_day": form.timeOfDay.map { .int(Int64($0)) },
      ])
    }
    let plain = JSONValue.record([
      "source": "table", "delimiter": .string(String(UnicodeScalar(form.delimiter))),
      "header": .bool(form.hasHeader),
      "columns": .array(
        form.hasHeader ? form.header.map { .string($0) } : form.channelNames.map { .string($0) }),
      "channels": .array(form.channelNames.map { .string($0) }), "time": time,
      "episode": form.episode.map { .int(Int64($0)) },
    ])
    return .object((plain.members ?? []) + (reading.members ?? []))
  }

  /// What the rows of the shard's recordings had beside plain cells, where there is any of it.
  private var reading: JSONValue {
    var words: [String: Int] = [:]
    var outOfRange = TableExamination.OutOfRange()
    for column in columns where !column.facts.hasText {
      words.merge(column.words, uniquingKeysWith: +)
      if column.facts.choice != nil { outOfRange.merge(column.outOfRange) }
    }
    let missing = words.sorted { $0.key < $1.key }.map { word, count in
      JSONValue.Member(word, .int(Int64(count)))
    }
    return .record([
      "decimal_comma": form.numbers.hasDecimalComma ? .bool(true) : nil,
      "thousands": form.numbers.thousands.map { .string(String(UnicodeScalar($0))) },
      "comment": form.dialect.comment.map { .string(String(UnicodeScalar($0))) },
      "blanks": form.dialect.separatesByBlanks || form.dialect.skipsBlanks ? .bool(true) : nil,
      "line_end": form.dialect.endsAtReturn ? .string("CR") : nil,
      "trailing_delimiter": form.hasTrailingDelimiter ? .bool(true) : nil,
      "empty_rows": emptyRows == 0 ? nil : .int(Int64(emptyRows)),
      "missing": missing.isEmpty ? nil : .object(missing),
      "out_of_range": outOfRange.json,
    ])
  }

  /// The form that a track of the stream has where it says nothing else.
  static func pattern(of stream: Stream) -> String? { stream.attributes["time"]?["date"]?.string }
}

extension TableForm {
  /// The channel of the text of times, where one form does not write them all; no column has its
  /// name.
  static let timeText = "time (text)"
}
