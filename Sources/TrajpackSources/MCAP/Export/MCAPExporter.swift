import TrajpackFormat
import TrajpackStore

/// Writes an episode as an MCAP file: a topic a track, each message with the time of its row. Poses, cameras, pictures and
/// videos are messages of Foxglove's types, other rows of a type of their stream's own, all as protocol buffers. See
/// `docs/formats/mcap.md`.
struct MCAPExporter: Exporter {
  /// What `trajpack formats` says of it.
  static let format = MCAPImporter.format

  private let rate: Rational?
  private let software: String

  /// - Throws: A usage error where a rate is given that all rows have.
  init(_ request: ExportRequest) throws(TrajpackError) {
    try request.checkRate()
    (rate, software) = (request.rate, request.software)
  }

  /// A file an episode; see ``Exporter``.
  var fileEnding: String? { "mcap" }

  /// The name of the record that says which episode a file is.
  static let record = "trajpack"

  /// Writes an episode; see ``Exporter``.
  func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError) {
    let metadata = try JSONValue(parsing: episode.metadata.isEmpty ? "{}" : episode.metadata)
    var tracks: [(reader: TrackReader, topics: [MCAPTopic])] = []
    var units: Set<String> = []
    var attachments: [TrackReader] = []
    for (name, track) in labelled(
      episode.tracks.map { TrackReader(shard, track: $0, reader: reader) })
    {
      if TopicKey(track.stream)?.isAttachments == true, track.stream.channel(named: "data") != nil {
        attachments.append(track)
        continue
      }
      let (topics, leftOut) = try MCAPTopic.topics(of: track, label: name)
      for sentence in leftOut { folder.note(sentence) }
      if !topics.isEmpty { tracks.append((track, topics)) }
      if track.stream.timeUnit != "s" { units.insert(track.stream.timeUnit) }
    }
    if let unit = units.min(), rate == nil {
      folder.note(
        "times are in '\(unit)' and not in seconds; one is written as a second (--rate says how many rows a second there are)"
      )
    }
    let times = MCAPTimes(origin: try origin(metadata, tracks.map(\.reader), folder), rate: rate)
    let file = try MCAPWriter(
      "\(Export.fileStem).mcap", library: software, in: folder)
    var sources: [MCAPTrack] = []
    for (track, topics) in tracks {
      var ids: [Int] = []
      for topic in topics {
        ids.append(
          try file.addChannel(
            topic.name, type: topic.schema.fullName,
            descriptors: topic.schema.descriptorSet(with: FoxgloveSchemas.parts),
            metadata: topic.metadata(track.stream)))
      }
      sources.append(try MCAPTrack(track, topics, ids: ids, times: times))
    }
    try merge(sources, into: file, folder)
    for track in attachments { try write(track, times, to: file) }
    for record in metadata["metadata"]?.array ?? [] {
      try file.add(
        metadata: record["name"]?.string ?? "",
        (record["values"]?.members ?? []).map { ($0.name, $0.value.string ?? $0.value.text()) })
    }
    try file.add(
      metadata: Self.record,
      [("episode", episode.id), ("split", episode.split)]
        + (metadata[ValueTable.member]?.members ?? []).map {
          ("value/\($0.name)", $0.value.string ?? $0.value.text())
        })
    try file.finish()
  }

  /// Writes rows that were attachments as attachments.
  private func write(
    _ track: TrackReader, _ times: MCAPTimes, to file: MCAPWriter
  ) throws(TrajpackError) {
    func texts(_ name: String) throws(TrajpackError) -> [String] {
      guard let number = track.stream.channel(named: name) else {
        return [String](repeating: "", count: track.count)
      }
      let values = try track.read(channel: number, rows: 0..<track.count)
      return try (0..<track.count).map { (row) throws(TrajpackError) in
        if values.channel.categories != nil { return values.category(row) ?? "" }
        return String(decoding: try track.bytes(values, row) ?? [], as: UTF8.self)
      }
    }
    let (names, types) = (try texts("name"), try texts("media_type"))
    let stamps = try times.stamps(track, 0..<track.count)
    guard let data = track.stream.channel(named: "data") else { return }
    let values = try track.read(channel: data, rows: 0..<track.count)
    for row in 0..<track.count {
      try file.add(
        attachment: names[row], type: types[row], log: stamps[row].log,
        created: stamps[row].publish, try track.bytes(values, row) ?? [])
    }
  }

  /// Writes the messages of all tracks in the order of their log times.
  private func merge(
    _ sources: [MCAPTrack], into file: MCAPWriter, _ folder: ExportFolder
  ) throws(TrajpackError) {
    while true {
      var least: (time: UInt64, source: MCAPTrack)?
      for source in sources {
        guard let time = source.time else { continue }
        if least.map({ time < $0.time }) ?? true { least = (time, source) }
      }
      guard let least else { return }
      try least.source.write(to: file)
      try folder.goOn()
    }
  }

  /// What is added to the times of rows: the time at which the recording says that it began, or what makes the first one 0,
  /// as an MCAP file has no negative times.
  private func origin(
    _ metadata: JSONValue, _ tracks: [TrackReader], _ folder: ExportFolder
  ) throws(TrajpackError) -> Int64 {
    if let start = metadata["start_time_ns"]?.int { return Int64(start) }
    let plain = MCAPTimes(origin: 0, rate: rate)
    var least: Int64 = 0
    for track in tracks where track.count > 0 {
      if track.track.clock.isRegular {
        least = min(least, try plain.nanoseconds(track, 0..<1)[0])
        continue
      }
      try track.forEachRun { (rows) throws(TrajpackError) in
        for time in try plain.nanoseconds(track, rows) { least = min(least, time) }
      }
    }
    guard least < 0 else { return 0 }
    folder.note(
      "times begin \(Double(least) / -1e9) s before 0 and are written from 0 on, as an MCAP file has no negative ones"
    )
    return least == .min ? .max : -least
  }
}
