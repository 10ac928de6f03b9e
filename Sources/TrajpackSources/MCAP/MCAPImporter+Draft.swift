import TrajpackFormat
import TrajpackStore

extension MCAPImporter {
  /// Bytes of rows that a recording keeps in memory, over all of its streams.
  private static let memory = 64 << 20

  /// A stream for each topic of the recordings.
  public func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var topics: [TopicProfile] = []
    var places: [TopicKey: Int] = [:]
    for (_, examination) in examined {
      for topic in examination.topics {
        if let place = places[topic.key] {
          topics[place].merge(topic)
        } else {
          places[topic.key] = topics.count
          topics.append(topic)
        }
      }
    }
    topics.sort { $0.key < $1.key }
    let bytes = examined.reduce(0) { $0 + $1.0.bytes }
    var taken: Set<String> = []
    var plans: [StreamPlan] = []
    for topic in topics {
      var name = Self.streamName(topic.topic)
      while !taken.insert(name).inserted { name += "_" }
      plans.append(plan(topic, name, bytes))
    }
    try check(plans)
    return Schema(
      layingOut: plans, attributes: .record(["source": .string(Self.format.name)]),
      options: layout)
  }

  private func plan(_ topic: TopicProfile, _ name: String, _ bytes: Int) -> StreamPlan {
    let layout = TopicLayout(topic, kinds: settings.kinds, units: settings.units, stream: name)
    let left = layout.leftOut.map { item in
      JSONValue.record(["field": .string(item.path), "why": .string(item.why)])
    }
    return StreamPlan(
      Stream(
        name: name, timeUnit: "s",
        attributes: .record([
          "video": layout.isVideo ? true : nil, "topic": .string(topic.topic),
          "message_types": .array(topic.types.map { .string($0) }),
          "encodings": .array(topic.encodings.map { .string($0) }),
          "constants": layout.constants.isEmpty ? nil : .object(layout.constants),
          "empty": layout.empty.isEmpty ? nil : .array(layout.empty.map { .string($0) }),
          "left_out": left.isEmpty ? nil : .array(left),
        ])),
      channels: layout.channels, blobBytes: bytes,
      blobIsText: layout.channels.allSatisfy { $0.channel.kind != .packet })
  }

  /// Refuses kinds and units of channels that no topic has.
  private func check(_ plans: [StreamPlan]) throws(TrajpackError) {
    var names: Set<String> = []
    for plan in plans {
      for channel in plan.channels {
        names.formUnion([channel.channel.name, "\(plan.stream.name)/\(channel.channel.name)"])
      }
    }
    for name in settings.kinds.keys.sorted() + settings.units.keys.sorted()
    where !names.contains(name) {
      throw TrajpackError(
        .usage,
        "there is no channel '\(name)' to give a kind or units; there are "
          + names.sorted().prefix(12).map { "'\($0)'" }.joined(separator: ", "))
    }
  }

  /// The stream of a topic: the topic without its first slash.
  static func streamName(_ topic: String) -> String {
    let parts = topic.split(separator: "/").map { part -> String in
      let text = String(part.map { String($0).printable == String($0) ? $0 : "_" })
      return text == "." || text == ".." ? text + "_" : text
    }
    return parts.isEmpty ? "messages" : parts.joined(separator: "/")
  }

  /// Reads a recording again, into rows.
  public func draft(
    _ recording: Recording, _ examination: Examination, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let item = try item(recording)
    let parts = try helpers.read(recording, settings, examination.topics) {
      (decoding) throws(TrajpackError) in
      try rows(item, examination, schema, decoding)
    }
    let tracks = parts.flatMap { $0 }.sorted { $0.stream < $1.stream }
    return EpisodeDraft(
      id: recording.id, split: Self.split(examination), metadata: Self.metadata(item, examination),
      tracks: tracks,
      remarks: examination.remarks + Self.fields(schema, examination))
  }

  /// The rows of the topics of a share.
  private func rows(
    _ item: MessageFiles.Item, _ examination: Examination, _ schema: Schema,
    _ decoding: MessageDecoding
  ) throws(TrajpackError) -> [TrackDraft] {
    let share = decoding.share
    var topics: [TopicRows] = []
    var places: [TopicKey: Int] = [:]
    let bytes = min(max(Self.memory / max(schema.blocks.count, 1), 64 << 10), 4 << 20)
    for (number, topic) in examination.topics.enumerated() where share.owns(topic.key, number) {
      guard let stream = Self.stream(of: topic.key, schema) else { continue }
      let clock = examination.clocks[number]
      places[topic.key] = topics.count
      topics.append(
        TopicRows(
          schema, stream: stream, clock: clock, origin: examination.origin,
          isOrdered: topic.times(clock).backwards == 0, spoolBytes: bytes, video: topic.video))
    }
    _ = try read(item, checks: false, decoding) { (message) throws(TrajpackError) in
      let entry = try decoding.entry(message.channel)
      guard entry.isOwn, let decoder = entry.decoder else { return }
      if entry.topic < 0 {
        guard let place = places[entry.channel.key] else { throw Self.changed }
        entry.topic = place
        entry.rows = topics[place].add()
      }
      try decoding.decode(message, entry)
      if entry.revision != decoder.revision {
        topics[entry.topic].update(entry.rows, decoder.type)
        entry.revision = decoder.revision
      }
      try topics[entry.topic].append(message, entry.row, decoder: entry.rows, stamp: entry.stamp)
    }
    var tracks: [TrackDraft] = []
    for (number, topic) in examination.topics.enumerated() where share.owns(topic.key, number) {
      guard let place = places[topic.key], topics[place].count == topic.rows else {
        throw Self.changed
      }
      tracks.append(
        try topics[place].track(
          metadata: .record(["clock": .string(examination.clocks[number].rawValue)])))
    }
    return tracks
  }

  private static let changed = TrajpackError(
    .data, "the file has changed while it was converted; run again")

  private static func stream(of key: TopicKey, _ schema: Schema) -> Int? {
    schema.streams.firstIndex { TopicKey($0) == key }
  }

  /// Sentences on the fields that are left out.
  private static func fields(_ schema: Schema, _ examination: Examination) -> [String] {
    examination.topics.compactMap { topic -> String? in
      guard let stream = stream(of: topic.key, schema),
        let left = schema.streams[stream].attributes["left_out"]?.array, let first = left.first
      else { return nil }
      let others = left.count - 1
      let more = others > 0 ? ", and \(others) more field\(others == 1 ? "" : "s")" : ""
      return "topic '\(topic.topic)': its field '\(first["field"]?.string ?? "")' "
        + "\(first["why"]?.string ?? "")\(more); left out"
    }
  }

  /// The split that trajpack's exporter has noted.
  private static func split(_ examination: Examination) -> String {
    examination.contents.flatMap(\.metadata).first { $0.name == MCAPExporter.record }?
      .value["split"]?.string ?? ""
  }

  private static func metadata(
    _ item: MessageFiles.Item, _ examination: Examination
  ) -> JSONValue {
    let contents = examination.contents
    let records = contents.flatMap(\.metadata).filter { $0.name != MCAPExporter.record }
    let attachments = contents.flatMap(\.attachments)
    let left = examination.skipped.map { skipped in
      JSONValue.record([
        "topic": .string(skipped.topic), "messages": .int(Int64(skipped.count)),
        "why": .string(skipped.why),
      ])
    }
    let profile = contents.first?.profile ?? ""
    return .record([
      "file": .string(item.place),
      "start_time_ns": .int(examination.origin),
      "profile": profile.isEmpty ? nil : .string(profile),
      "library": (contents.first?.library).map { .string($0) },
      "metadata": records.isEmpty
        ? nil
        : .array(
          records.map { .record(["name": .string($0.name), "values": $0.value]) }),
      "attachments_left_out": attachments.isEmpty ? nil : .array(attachments),
      "topics_left_out": left.isEmpty ? nil : .array(left),
      "cut": contents.compactMap(\.cut).first.map { .string("the file \($0)") },
    ])
  }
}
