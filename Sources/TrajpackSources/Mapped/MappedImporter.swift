import TrajpackFormat
import TrajpackStore

/// Reads a format that maps arrays to streams.
struct MappedImporter<Mapped: MappedFormat>: Importer {
  /// The times of each stream of a recording; its content is the importer's.
  struct Examination: Sendable {
    let times: [RecordedTimes]
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
    guard source.recordings.contains(where: { $0.failure == nil }) else {
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
    try MappedLayout.check(options, source.recordings)
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
    fields = MappedLayout.fields(&source.recordings)
    self.source = source
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

  /// Reads the times of the streams that have their own.
  func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    let mapped = try mapped(recording)
    return try withoutPath(recording.path) { () throws(TrajpackError) in
      if let failure = mapped.failure { throw failure }
      var times: [RecordedTimes] = []
      for stream in mapped.streams { times.append(try MappedRows.axis(of: stream, mapped)) }
      return Examination(times: times)
    }
  }

  /// A stream for each that some recording of the shard has.
  func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var streams = StreamsOfRecordings()
    for (recording, examination) in examined {
      for (stream, time) in zip(try mapped(recording).streams, examination.times) {
        var isRegular = true
        if case .array = stream.time { isRegular = time.regularClock != nil }
        streams.add(stream, isRegular: isRegular)
      }
    }
    let bytes = examined.reduce(0) { $0 + $1.0.bytes }
    let plans = streams.plans(bytes: bytes, hashes: settings.hashesFrames)
    var attributes: [JSONValue.Member] = [.init("source", .string(Mapped.format.name))]
    attributes += source.attributes
    if !fields.isEmpty { attributes.append(.init(ValueTable.member, .array(fields.map(\.json)))) }
    let named = streams.skeletons
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
    let tracks = try withoutPath(recording.path) { () throws(TrajpackError) in
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
    let values = MappedLayout.values(mapped, fields)
    if !values.isEmpty { metadata.append(.init(ValueTable.member, .object(values))) }
    return EpisodeDraft(
      id: mapped.id, split: mapped.split, metadata: .object(metadata), tracks: tracks,
      remarks: remarks)
  }
}
