import TrajpackFormat
import TrajpackStore

/// Reads a format that maps arrays to streams.
struct MappedImporter<Mapped: MappedFormat>: Importer {
  /// The times of each stream of a recording; its content is the importer's.
  struct Examination: Sendable {
    let times: [TimeAxis]
  }

  /// The format.
  static var format: FormatDescription { Mapped.format }

  /// The recordings, in the order of the source.
  let recordings: [Recording]
  /// What the user should know.
  let remarks: [String]
  /// The arrays and files that are not read.
  let leftOut: [LeftOut]
  /// The options that change what is written.
  var options: JSONValue { settings.json }

  let settings: MappingOptions
  let source: MappedSource
  private let numbers: [String: Int]
  private let fields: [ValueField]

  /// Finds the recordings of a source.
  init(_ files: SourceFiles, _ options: MappingOptions) throws(TrajpackError) {
    var source = try Mapped.read(files, options)
    guard let first = source.recordings.first(where: { $0.failure == nil }) else {
      if let failure = source.recordings.first?.failure { throw failure }
      throw TrajpackError(.data, "\(files.sources.first ?? ""): holds no recording")
    }
    MappedLayout.unify(&source.recordings)
    var numbers: [String: Int] = [:]
    for (number, recording) in source.recordings.enumerated() {
      guard numbers.updateValue(number, forKey: recording.id) == nil else {
        throw TrajpackError(
          .data, file: recording.path, "two recordings are called '\(recording.id)'")
      }
    }
    try Self.check(options, source, first)
    settings = options
    self.numbers = numbers
    recordings = source.recordings.map {
      Recording(id: $0.id, path: $0.path, bytes: $0.bytes, fingerprint: $0.fingerprint)
    }
    remarks =
      source.remarks
      + (files.trees.contains { HDF5File.recognises($0.path) }
        ? [HDF5File.missingGuard].compactMap(\.self) : [])
    leftOut = source.leftOut
    fields = Self.fields(&source.recordings)
    self.source = source
  }

  /// Refuses kinds and units of channels that are not there.
  private static func check(
    _ options: MappingOptions, _ source: MappedSource, _ first: MappedRecording
  ) throws(TrajpackError) {
    var names: Set<String> = []
    for recording in source.recordings {
      for stream in recording.streams {
        for channel in stream.channels {
          names.formUnion([channel.channel.name, "\(stream.name)/\(channel.channel.name)"])
        }
        names.insert(stream.name)
      }
    }
    for name in options.kinds.keys.sorted() + options.units.keys.sorted()
    where !names.contains(name) {
      throw TrajpackError(
        .usage,
        "there is no channel '\(name)' to give a kind or units; there are "
          + names.sorted().prefix(12).map { "'\($0)'" }.joined(separator: ", "))
    }
  }

  /// The fields of all values; those that cannot be values go to the metadata.
  private static func fields(_ recordings: inout [MappedRecording]) -> [ValueField] {
    var fields: [ValueField] = []
    var places: [String: Int] = [:]
    for number in recordings.indices {
      var kept: [JSONValue.Member] = []
      for member in recordings[number].values {
        guard ValueField.isName(member.name),
          let plain = EpisodeValue.plain(member.value, named: member.name),
          plain.field.elements <= 1024
        else {
          recordings[number].metadata.append(member)
          continue
        }
        kept.append(member)
        if let place = places[member.name] {
          fields[place] = fields[place].joined(plain.field)
        } else {
          places[member.name] = fields.count
          fields.append(plain.field)
        }
      }
      recordings[number].values = kept
    }
    return fields
  }

  /// How the source was read.
  func reading(of streams: [String: [Stream]]) -> [JSONValue] {
    [
      .record([
        "type": .string(Mapped.format.name), "count": .int(Int64(recordings.count)),
        "files": .array(
          Array(Set(recordings.map { FileSystem.name(of: $0.path) })).sorted().prefix(3).map {
            .string($0)
          }),
        "note": source.note.isEmpty ? nil : .string(source.note),
      ])
    ]
  }

  private func mapped(_ recording: Recording) throws(TrajpackError) -> MappedRecording {
    guard let number = numbers[recording.id] else {
      throw TrajpackError(.usage, "the recording is not of this source")
    }
    return source.recordings[number]
  }

  /// Errors without the path of the recording, which the conversion says.
  private static func without<Result>(
    _ path: String, _ body: () throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    do throws(TrajpackError) {
      return try body()
    } catch {
      guard error.message.hasPrefix("\(path): ") else { throw error }
      throw TrajpackError(error.fault, String(error.message.dropFirst(path.count + 2)))
    }
  }

  /// Reads the times of the streams that have their own.
  func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    let mapped = try mapped(recording)
    return try Self.without(recording.path) { () throws(TrajpackError) in
      if let failure = mapped.failure { throw failure }
      var times: [TimeAxis] = []
      for stream in mapped.streams { times.append(try MappedRows.axis(of: stream, mapped)) }
      return Examination(times: times)
    }
  }

  /// A stream for each that some recording of the shard has.
  func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var streams: [(first: MappedStream, isRegular: Bool, bytes: Int)] = []
    var places: [String: Int] = [:]
    for (recording, examination) in examined {
      for (stream, time) in zip(try mapped(recording).streams, examination.times) {
        var isRegular = true
        if case .array = stream.time { isRegular = time.regularClock != nil }
        if let place = places[stream.name] {
          streams[place].isRegular = streams[place].isRegular && isRegular
          streams[place].bytes += stream.video?.bytes ?? 0
        } else {
          places[stream.name] = streams.count
          streams.append((stream, isRegular, stream.video?.bytes ?? 0))
        }
      }
    }
    let bytes = examined.reduce(0) { $0 + $1.0.bytes }
    let plans = streams.map { item -> StreamPlan in
      if item.first.video != nil {
        var plan = SourceVideo.plan(
          item.first.name, bytes: item.bytes, hashes: settings.hashesFrames, times: false,
          what: "pictures")
        for member in item.first.attributes {
          plan.stream.attributes.set(member.name, member.value)
        }
        return plan
      }
      var channels: [ChannelPlan] = []
      let unit: String
      switch item.first.time {
      case .regular(_, let name): unit = name
      case .array(_, let type, _, let name):
        unit = name
        if !item.isRegular {
          channels.append(
            ChannelPlan(
              Channel(name: "time", kind: .scalar, type: type.isFloat ? .float64 : .int64)))
        }
      }
      channels += item.first.channels.map { ChannelPlan($0.channel) }
      let stream = Stream(
        name: item.first.name, timeUnit: unit, skeleton: item.first.skeleton,
        attributes: .object(item.first.attributes))
      return StreamPlan(
        stream, channels: channels, blobBytes: bytes,
        blobIsText: item.first.channels.allSatisfy {
          $0.channel.kind != .packet && $0.channel.kind != .image
        })
    }
    var attributes: [JSONValue.Member] = [.init("source", .string(Mapped.format.name))]
    attributes += source.attributes
    if !fields.isEmpty { attributes.append(.init(ValueTable.member, .array(fields.map(\.json)))) }
    let named = Set(streams.compactMap(\.first.skeleton))
    return Schema(
      layingOut: plans, skeletons: source.skeletons.filter { named.contains($0.name) },
      attributes: .object(attributes), options: layout)
  }

  /// Reads a recording into rows of a schema.
  func draft(
    _ recording: Recording, _ examination: Examination, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let mapped = try mapped(recording)
    var remarks: [String] = []
    let tracks = try Self.without(recording.path) { () throws(TrajpackError) in
      var tracks: [TrackDraft] = []
      for (stream, time) in zip(mapped.streams, examination.times) {
        guard let number = schema.stream(named: stream.name) else { continue }
        if let video = stream.video {
          let (track, said) = try MappedRows.frames(
            of: stream, video, schema, number, mapped, settings)
          tracks.append(track)
          remarks += said
          continue
        }
        tracks.append(try MappedRows.track(of: stream, time, schema, number, mapped))
      }
      return tracks
    }
    var metadata = mapped.metadata
    let values = mapped.values.compactMap { member -> JSONValue.Member? in
      guard let plain = EpisodeValue.plain(member.value, named: member.name),
        plain.value != .missing,
        let field = fields.first(where: { $0.name == member.name })
      else { return nil }
      return .init(member.name, plain.value.cast(to: field).json)
    }
    if !values.isEmpty { metadata.append(.init(ValueTable.member, .object(values))) }
    return EpisodeDraft(
      id: mapped.id, split: mapped.split, metadata: .object(metadata), tracks: tracks,
      remarks: remarks)
  }
}
