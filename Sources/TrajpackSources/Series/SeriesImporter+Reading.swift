import TrajpackFormat
import TrajpackStore

extension SeriesImporter {
  /// How the files were read, an object for each shape of them: `stream`, `files` (the first three) and
  /// `count`; of tables `delimiter`, `header`, `time` and what the streams say they had besides.
  public func reading(of streams: [String: [Stream]]) -> [JSONValue] {
    var places: [String: [String]] = [:]
    var counts: [String: Int] = [:]
    var sets: [String: ArraySet] = [:]
    for file in files {
      if case .arrays(let set) = file.content {
        let name = layouts.stream(.arrays(set.shape))
        if sets[name] == nil { sets[name] = set }
      }
      for name in self.streams(of: file) {
        counts[name, default: 0] += 1
        if places[name, default: []].count < 3 { places[name, default: []].append(file.place) }
      }
    }
    return layouts.all.map { key, name in
      var members: [JSONValue.Member] = [
        .init("stream", .string(name)),
        .init("files", .array((places[name] ?? []).map { .string($0) })),
        .init("count", .int(Int64(counts[name] ?? 0))),
      ]
      switch key {
      case .table(let form):
        members += table(form, streams[name] ?? [])
      case .arrays(let shape):
        members.append(.init("type", .string(shape.isArchive ? "npz" : "npy")))
        let items = shape.groups.flatMap(\.items).map(\.name)
        members.append(.init("arrays", .array(items.map { .string($0) })))
        if let set = sets[name] {
          let constants = set.constants.map(\.name)
          if !constants.isEmpty {
            members.append(.init("constants", .array(constants.map { .string($0) })))
          }
          if let cut = set.cut {
            members.append(.init("cut_at", .array(cut.members.map { .string($0) })))
          }
        }
        let times = shape.groups.compactMap { $0.time?.name }
        let dates = shape.groups.lazy.compactMap { $0.time?.dates }.first
        members.append(
          .init(
            "time",
            times.first.map {
              .record([
                "column": .string($0),
                "date": dates.map { $0.isSpan ? nil : .string($0.name) } ?? nil,
                "unit": dates == nil ? nil : "s",
              ])
            } ?? .null))
        if let batch = sets[name]?.batch {
          members.append(.init("recordings", .int(Int64(batch))))
        }
      case .systems(_, let hasTime):
        members.append(.init("type", .string("dysts")))
        let isTimed = hasTime && settings.time != .none
        members.append(.init("time", isTimed ? .record(["column": "time"]) : .null))
      }
      return .object(members)
    }
  }

  /// The streams that a file's rows go to, without their suffixes.
  private func streams(of file: File) -> [String] {
    switch file.content {
    case .table(let form): return [layouts.stream(.table(form))]
    case .arrays(let set): return [layouts.stream(.arrays(set.shape))]
    case .systems(let systems):
      var names: [String] = []
      for system in systems.systems {
        let name = layouts.stream(SeriesLayouts.key(system))
        if !names.contains(name) { names.append(name) }
      }
      return names
    }
  }

  private func table(_ form: TableForm, _ streams: [Stream]) -> [JSONValue.Member] {
    let names = form.uniqueNames
    var time: JSONValue = .null
    if let column = form.time {
      let date = streams.first.flatMap { TablePlan.pattern(of: $0) }
      time = .record([
        "column": .string(names[column]),
        "time_of_day": form.timeOfDay.map { .string(names[$0]) },
        "date": date.map { .string($0) },
        "unit": date == nil ? .string(settings.timeUnit ?? form.timeUnit ?? "time") : "s",
      ])
    }
    var members =
      JSONValue.record([
        "type": "table", "delimiter": .string(form.dialect.delimiterName),
        "header": .bool(form.hasHeader), "time": time,
        "units_row": form.units.isEmpty ? nil : .bool(true),
        "cut_at": settings.terminals.isEmpty
          ? nil : .array(settings.terminals.map { .string($0) }),
      ]).members ?? []
    let said = ["decimal_comma", "thousands", "comment", "line_end", "trailing_delimiter"]
    for name in said {
      if let value = streams.first?.attributes[name] { members.append(.init(name, value)) }
    }
    members += totals(form, streams)
    return members
  }

  /// What the rows of all shards had.
  private func totals(_ form: TableForm, _ streams: [Stream]) -> [JSONValue.Member] {
    var words: [(name: String, count: Int)] = []
    var texts: [String] = []
    var emptyRows = 0
    var outOfRange = TableExamination.OutOfRange()
    for stream in streams {
      emptyRows += stream.attributes["empty_rows"]?.int ?? 0
      let beyond = stream.attributes["out_of_range"]
      outOfRange.merge(.init(count: beyond?["count"]?.int ?? 0, first: beyond?["first"]?.string))
      for member in stream.attributes["missing"]?.members ?? [] {
        let count = member.value.int ?? 0
        if let i = words.firstIndex(where: { $0.name == member.name }) {
          words[i].count += count
        } else {
          words.append((member.name, count))
        }
      }
      for channel in stream.channels where channel.name != TableForm.timeText {
        let isText = channel.type == .bytes || channel.categories != nil
        if isText, !texts.contains(channel.name) { texts.append(channel.name) }
      }
    }
    let missing = words.sorted { $0.name < $1.name }.map {
      JSONValue.Member($0.name, .int(Int64($0.count)))
    }
    return JSONValue.record([
      "text": .array(texts.map { .string($0) }),
      "missing": missing.isEmpty ? nil : .object(missing),
      "empty_rows": emptyRows == 0 ? nil : .int(Int64(emptyRows)),
      "out_of_range": outOfRange.json,
    ]).members ?? []
  }
}
