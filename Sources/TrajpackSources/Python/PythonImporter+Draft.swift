import TrajpackFormat
import TrajpackStore

extension PythonImporter {
  /// Bytes of rows that a recording keeps in memory, over all of its channels.
  private static let memory = 64 << 20

  /// A stream for each that some recording of the shard has.
  func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var recordings: [MappedRecording] = []
    for (_, examination) in examined {
      var recording = examination.recording
      for (i, axis) in examination.times.enumerated() {
        // Even times are a clock, whatever channels of the stream are moved.
        if let clock = axis.regularClock, case .array(_, _, _, let unit) = recording.streams[i].time
        {
          recording.streams[i].time = .regular(clock, unit: unit)
        }
      }
      recordings.append(recording)
    }
    MappedLayout.unify(&recordings)
    MappedLayout.unifyMissing(&recordings)
    try MappedLayout.check(settings, recordings)
    let fields = MappedLayout.fields(&recordings)
    var streams = StreamsOfRecordings()
    for recording in recordings {
      for stream in recording.streams {
        var isRegular = true
        if case .array = stream.time { isRegular = false }
        streams.add(stream, isRegular: isRegular)
      }
    }
    let bytes = examined.reduce(0) { $0 + $1.0.bytes }
    let plans = streams.plans(bytes: bytes, hashes: settings.hashesFrames)
    var attributes: [JSONValue.Member] = [.init("source", .string(source))]
    if !fields.isEmpty { attributes.append(.init(ValueTable.member, .array(fields.map(\.json)))) }
    return Schema(layingOut: plans, attributes: .object(attributes), options: layout)
  }

  /// The rows of a channel as they come.
  private final class Gathered {
    let values: RowSpool
    let text: RowSpool
    var count = 0
    init(_ share: Int) { (values, text) = (RowSpool(limit: share), RowSpool(limit: share)) }
  }

  /// Reads a recording again, into rows.
  func draft(
    _ recording: Recording, _ examination: Examination, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let known = examination.recording
    // Where each channel goes: its place in the schema, and the channel there.
    var places: [String: [String: (stream: Int, channel: Channel)]] = [:]
    for stream in known.streams where stream.video == nil {
      for channel in stream.channels {
        guard let place = MappedLayout.place(of: channel.channel, in: stream, schema) else {
          throw TrajpackError(
            .data,
            "channel '\(channel.channel.name)' of '\(stream.name)' has no place in the schema"
          )
        }
        places[stream.name, default: [:]][channel.channel.name] = place
      }
    }
    let share = min(max(Self.memory / max(schema.blocks.count, 1), 64 << 10), 4 << 20)
    let rows = try read(recording, known, places, share)
    var tracks: [(Int, TrackDraft)] = []
    var remarks = examination.remarks
    for (stream, axis) in zip(known.streams, examination.times) {
      var stream = stream
      if case .array(_, let type, let tick, let unit) = stream.time {
        let times = rows.times[stream.name] ?? Gathered(share)
        guard stream.count < 0 || times.count == stream.count else {
          throw Self.changed(
            "stream '\(stream.name)' has \(times.count) times, another number")
        }
        stream.time = .array(.spool(times.values), type, tick: tick, unit: unit)
      }
      try withoutPath(recording.path) { () throws(TrajpackError) in
        if let video = stream.video, let number = schema.stream(named: stream.name) {
          let (track, said) = try MappedRows.frames(
            of: stream, video, schema, number, known, settings)
          tracks.append((number, track))
          return remarks += said
        }
        for part in try parts(of: stream, places[stream.name] ?? [:], rows, schema) {
          tracks.append(
            (part.number, try MappedRows.track(of: part.stream, axis, schema, part.number, known)))
        }
      }
    }
    tracks.sort { $0.0 < $1.0 }
    let (values, metadata) = try MappedLayout.written(known, schema)
    return EpisodeDraft(
      id: known.id, split: known.split,
      metadata: .object(
        metadata + (values.isEmpty ? [] : [.init(ValueTable.member, .object(values))])),
      tracks: tracks.map(\.1), remarks: remarks)
  }

  private typealias Rows = (channels: [String: [String: Gathered]], times: [String: Gathered])

  /// Has the source give its rows, as the channels of the schema have them.
  private func read(
    _ recording: Recording, _ known: MappedRecording,
    _ places: [String: [String: (stream: Int, channel: Channel)]], _ share: Int
  ) throws(TrajpackError) -> Rows {
    let streams = known.streams.map { stream in
      JSONValue.record([
        "name": .string(stream.name),
        "channels": .array(
          stream.channels.compactMap { own in
            guard let target = places[stream.name]?[own.channel.name]?.channel else { return nil }
            return .record([
              "name": .string(own.channel.name), "kind": .string(target.kind.rawValue),
              "type": .string(target.type.rawValue),
              "shape": .array(target.shape.map { .int(Int64($0)) }),
              "missing": .string(target.missing.rawValue),
              "categories": target.categories.map { .array($0.map { .string($0) }) },
            ])
          }),
      ])
    }
    var rows: Rows = ([:], [:])
    for stream in known.streams {
      rows.times[stream.name] = Gathered(share)
      for channel in stream.channels {
        rows.channels[stream.name, default: [:]][channel.channel.name] = Gathered(share)
      }
    }
    let request = try request(
      "read", recording,
      [.init("streams", .array(streams)), .init("skips", .bool(!settings.takesAll))])
    var target: Gathered?
    var left = 0
    try withoutPath(recording.path) { () throws(TrajpackError) in
      try python.with { (process) throws(TrajpackError) in
        try process.ask(request, about: recording.path) { (item) throws(TrajpackError) in
          let stream = item["stream"]?.string ?? ""
          let bytes = item["bytes"]?.int ?? 0
          if let channel = item["channel"]?.string {
            guard let found = rows.channels[stream]?[channel] else {
              throw Self.changed("stream '\(stream)' has other channels ('\(channel)')")
            }
            // Texts of a later piece lie behind those before.
            let place = places[stream]?[channel]?.channel
            if place?.type == .bytes, item["at"]?.int != found.text.count {
              throw Self.changed("the texts of '\(channel)' of '\(stream)' are others")
            }
            found.count += item["count"]?.int ?? 0
            (target, left) = (found, bytes)
          } else {
            target = rows.times[stream]
            target?.count += bytes / 8
            left = bytes
          }
        } bytes: { (bytes) throws(TrajpackError) in
          let own = min(left, bytes.count)
          try target?.values.append(UnsafeRawBufferPointer(rebasing: bytes[..<own]))
          left -= own
          if own < bytes.count {
            try target?.text.append(UnsafeRawBufferPointer(rebasing: bytes[own...]))
          }
        }
      }
    }
    return rows
  }

  /// The streams of the schema that the channels of a stream go to.
  private func parts(
    of stream: MappedStream, _ places: [String: (stream: Int, channel: Channel)], _ rows: Rows,
    _ schema: Schema
  ) throws(TrajpackError) -> [(number: Int, stream: MappedStream)] {
    var parts: [(number: Int, stream: MappedStream)] = []
    for own in stream.channels {
      guard let (number, channel) = places[own.channel.name],
        let gathered = rows.channels[stream.name]?[own.channel.name]
      else { continue }
      guard gathered.count == stream.count else {
        throw Self.changed(
          "channel '\(own.channel.name)' of '\(stream.name)' has \(gathered.count) rows, another number"
        )
      }
      let source: RowSource =
        channel.type == .bytes
        ? .pointers(gathered.values, gathered.text) : .spool(gathered.values)
      let mapped = MappedChannel(channel, source)
      if let i = parts.firstIndex(where: { $0.number == number }) {
        parts[i].stream.channels.append(mapped)
      } else {
        var part = stream
        part.name = schema.streams[number].name
        part.channels = [mapped]
        parts.append((number, part))
      }
    }
    return parts
  }
}
