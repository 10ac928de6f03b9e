import TrajpackFormat
import TrajpackStore

extension SeriesImporter {
  /// Reads a recording into rows of a schema, in flat memory.
  public func draft(
    _ recording: Recording, _ examination: Examination, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let (file, piece) = try part(recording)
    var metadata: [JSONValue.Member] = [.init("file", .string(file.place))]
    func note(_ name: String, _ number: Int?) {
      if let number { metadata.append(.init(name, .int(Int64(number)))) }
    }
    var tracks: [TrackDraft] = []
    switch (file.content, piece, examination.found) {
    case (.table(let form), .table(let part), .table(let table, let others)):
      if let episode = part.episode { metadata.append(.init("episode", .string(episode))) }
      note("number", part.number)
      note("piece", part.piece)
      tracks.append(try draft(form, part, table, file, schema))
      if !others.isEmpty {
        let names = [file] + others.map { files[$0.file] }
        metadata[0] = .init("file", .array(names.map { .string($0.place) }))
      }
      for other in others {
        let file = files[other.file]
        guard case .table(let form) = file.content else { continue }
        try within(file: file.place) { () throws(TrajpackError) in
          tracks.append(try draft(form, other.part, other.table, file, schema))
        }
      }
    case (.arrays(let set), .arrays(let part), .arrays(let times)):
      note("element", part.element)
      note("episode", part.episode)
      note("piece", part.piece)
      for (group, time) in times.enumerated() {
        tracks.append(try draft(set, group, part, time, file, schema))
      }
      if let constants = try set.constants(part, of: file.path, cache) {
        metadata.append(.init("constants", constants))
      }
    case (.systems(let systems), .system(let number, let piece, let rows), _):
      let system = systems.systems[number]
      metadata.append(.init("system", .string(system.name)))
      note("piece", piece)
      if !system.others.isEmpty { metadata.append(.init("members", .object(system.others))) }
      tracks.append(try draft(systems, system, rows, schema))
    default: break
    }
    return EpisodeDraft(id: recording.id, metadata: .object(metadata), tracks: tracks)
  }

  private func stream(_ name: String, _ schema: Schema) throws(TrajpackError) -> Int {
    guard let stream = schema.stream(named: name) else {
      throw TrajpackError(.usage, "the schema has no stream '\(name)'")
    }
    return stream
  }

  private func draft(
    _ form: TableForm, _ part: TablePart, _ table: TableExamination, _ file: File, _ schema: Schema
  ) throws(TrajpackError) -> TrackDraft {
    let stream = try stream(layouts.stream(.table(form)), schema)
    let channels = schema.streams[stream].channels
    let clock: Clock
    if form.time == nil {
      clock = Self.clock(settings.stepClock, from: (part.piece ?? 0) * (settings.segment ?? 0))
    } else if let i = schema.streams[stream].channel(named: "time") {
      clock = channels[i].type == .int64 ? table.time.tickClock : .float64
    } else {
      clock = table.time.regularClock ?? settings.stepClock
    }
    let rows = TableRows(form, table.time, schema, stream: stream)
    var track = try rows.read(
      TextFile(file.path, cache), part, count: table.rows, clock: clock)
    // The stream says how dates are written; a track that writes them otherwise says so.
    if let pattern = table.time.form?.pattern,
      pattern != TablePlan.pattern(of: schema.streams[stream])
    {
      track.metadata = .record(["date": .string(pattern)])
    }
    return track
  }

  private func draft(
    _ set: ArraySet, _ group: Int, _ part: ArrayPart, _ time: TimeAxis, _ file: File,
    _ schema: Schema
  ) throws(TrajpackError) -> TrackDraft {
    let shape = set.shape.groups[group]
    let stream = try stream(
      layouts.stream(.arrays(set.shape), suffix: shape.suffix), schema)
    let count = part.range(set.rows[group]).count
    var clock =
      time.regularClock
      ?? Self.clock(settings.stepClock, from: (part.rows?.lowerBound ?? 0) - part.start)
    var channels: [ChannelRows] = []
    for channel in schema.streams[stream].channels {
      if let item = shape.items.first(where: { $0.channel == channel.name }) {
        channels.append(try set.rows(item, group: group, part, of: file.path, cache))
      } else if let item = shape.time {
        let rows = try set.rows(item, group: group, part, of: file.path, cache)
        channels.append(try Self.times(rows, item.type, count))
        clock = channel.type == .int64 ? .ticks(item.dates?.tick ?? .one) : .float64
      }
    }
    return TrackDraft(
      stream: stream, clock: clock, count: count,
      rows: try schema.blockRows(of: stream, channels, count: count))
  }

  /// Times of any type as the doubles or 64-bit integers of a clock.
  private static func times(
    _ rows: ChannelRows, _ type: ElementType, _ count: Int
  ) throws(TrajpackError) -> ChannelRows {
    if type == .float64 || type == .int64 { return rows }
    var writer = SpoolWriter()
    let perPiece = 8192
    let bytes = ByteBuffer(perPiece * type.size)
    for first in stride(from: 0, to: count, by: perPiece) {
      let piece = min(perPiece, count - first)
      try rows.spool.read(
        at: rows.offset + first * type.size,
        into: UnsafeMutableRawBufferPointer(rebasing: bytes.bytes[..<(piece * type.size)]))
      for row in 0..<piece {
        switch StoredNumber(UnsafeRawBufferPointer(bytes.bytes), row, type) {
        case .double(let value): try writer.append(value)
        case .whole(let value):
          guard let ticks = Int64(exactly: value) else {
            throw TrajpackError(
              .data,
              "the time at row \(first + row) is \(value), more than a signed 64-bit number holds")
          }
          try writer.append(ticks)
        }
      }
    }
    try writer.flush()
    return ChannelRows(spool: writer.spool)
  }

  private func draft(
    _ systems: DystsFile, _ system: DystsFile.System, _ rows: Range<Int>, _ schema: Schema
  ) throws(TrajpackError) -> TrackDraft {
    let stream = try stream(layouts.stream(SeriesLayouts.key(system)), schema)
    var (time, values) = try systems.rows(of: system, cache)
    time.offset = rows.lowerBound * 8
    values.offset = rows.lowerBound * (system.width ?? 1) * 8
    let hasTime = schema.streams[stream].channel(named: "time") != nil
    var clock = settings.stepClock
    if settings.time != .none, let times = system.time {
      clock = hasTime ? .float64 : times.regularClock ?? clock
    }
    clock = Self.clock(clock, from: rows.lowerBound)
    return TrackDraft(
      stream: stream, clock: clock, count: rows.count,
      rows: try schema.blockRows(
        of: stream, hasTime ? [time, values] : [values], count: rows.count))
  }

  /// The clock of rows that begin with row `first` of those of `clock`.
  static func clock(_ clock: Clock, from first: Int) -> Clock {
    guard case .regular(let start, let rate) = clock else { return clock }
    let (step, o1) = Int64(first).multipliedReportingOverflow(by: rate.denominator)
    let (a, o2) = step.multipliedReportingOverflow(by: start.denominator)
    let (b, o3) = start.numerator.multipliedReportingOverflow(by: rate.numerator)
    let (numerator, o4) = a.addingReportingOverflow(b)
    let (denominator, o5) = rate.numerator.multipliedReportingOverflow(by: start.denominator)
    guard !o1, !o2, !o3, !o4, !o5, let moved = Rational(numerator, denominator) else {
      return clock
    }
    return .regular(start: moved, rate: rate)
  }
}
