import TrajpackFormat
import TrajpackStore

extension MCAPImporter {
  /// What one part of those that read a recording has seen.
  private struct Part: Sendable {
    /// Its topics, by the numbers of their first messages among the topics of the recording.
    var topics: [(number: Int, profile: TopicProfile)] = []
    var skipped: [(number: Int, topic: String, count: Int, why: String)] = []
    /// Topics that the options leave out.
    var others: Set<String> = []
    var contents: [MCAPContents] = []
  }

  /// Reads a recording once: which fields its messages have, and what they hold.
  public func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    let item = try item(recording)
    let parts = try helpers.read(recording) { (share, seen) throws(TrajpackError) in
      try examine(item, share, &seen)
    }
    var topics = parts.flatMap(\.topics).sorted { $0.number < $1.number }.map(\.profile)
    let skipped = parts.flatMap(\.skipped).sorted { $0.number < $1.number }
      .map { (topic: $0.topic, count: $0.count, why: $0.why) }
    let others = parts.reduce(into: Set<String>()) { $0.formUnion($1.others) }
    let contents = parts.first?.contents ?? []
    guard !topics.isEmpty else {
      if let first = skipped.first {
        throw TrajpackError(.data, "no topic can be read: '\(first.topic)' \(first.why)")
      }
      guard !others.isEmpty else { throw Self.none(contents) }
      let names = others.sorted().prefix(8).map { "'\($0)'" }.joined(separator: ", ")
      throw TrajpackError(
        .usage, "--members and --exclude-members leave no topic; there are \(names)")
    }
    var (clocks, origin, remarks) = clocks(topics)
    let count = contents.reduce(0) { $0 + $1.messages }
    if let counted = item.messages, counted != count {
      remarks.insert(
        "\(ROSBagFolder.metadata) counts \(counted) messages, and the files hold \(count)", at: 0)
    }
    for i in topics.indices {
      topics[i].checkVideo(clocks[i])
      guard let why = topics[i].videoFailure else { continue }
      remarks.append(
        "topic '\(topics[i].topic)': its packets are kept as they are, and are no video: \(why)")
    }
    return Examination(
      topics: topics, clocks: clocks, origin: origin, contents: contents, skipped: skipped,
      remarks: contents.compactMap { $0.cut.map { "the file \($0)" } } + remarks
        + skipped.map { "topic '\($0.topic)' \($0.why); it is left out" })
  }

  /// Reads the topics of a share; `seen` counts the messages of the recording up to an error.
  private func examine(
    _ item: MessageFiles.Item, _ share: TopicShare, _ seen: inout Int
  ) throws(TrajpackError) -> Part {
    let decoding = MessageDecoding(share, settings)
    var part = Part()
    var profiles: [TopicProfile] = []
    var numbers: [Int] = []
    var places: [TopicKey: Int] = [:]
    var skippedPlaces: [String: Int] = [:]
    part.contents = try read(item, checks: true, decoding) { (message) throws(TrajpackError) in
      let entry = try decoding.entry(message.channel)
      seen += 1
      guard entry.isOwn else { return }
      guard let decoder = entry.decoder else {
        let topic = entry.channel.topic
        guard let why = entry.why else {
          part.others.insert(topic)
          return
        }
        if let place = skippedPlaces[topic] {
          part.skipped[place].count += 1
        } else {
          skippedPlaces[topic] = part.skipped.count
          part.skipped.append((entry.number, topic, 1, why))
        }
        return
      }
      try decoding.decode(message, entry)
      if entry.topic < 0 {
        let key = entry.channel.key
        entry.topic = places[key] ?? profiles.count
        if places[key] == nil {
          places[key] = profiles.count
          profiles.append(TopicProfile(key))
          numbers.append(entry.number)
        }
        profiles[entry.topic].begin(entry.channel, decoder.type)
      }
      if entry.revision != decoder.revision {
        entry.map = decoder.type.fields.map { profiles[entry.topic].place($0) }
        entry.revision = decoder.revision
        entry.hasGroups = decoder.type.groups > 0
      }
      profiles[entry.topic].observe(
        message, entry.row, entry.map, decoder, stamp: entry.stamp, hasGroups: entry.hasGroups)
    }
    part.topics = Array(zip(numbers, profiles).map { (number: $0, profile: $1) })
    return part
  }

  private static func none(_ contents: [MCAPContents]) -> TrajpackError {
    let cut = contents.compactMap(\.cut).first.map { "; it \($0)" } ?? ""
    return TrajpackError(.data, "holds no message\(cut)")
  }

  /// The clock of each topic, and the first time by all of them.
  private func clocks(_ topics: [TopicProfile]) -> ([MessageClock], Int64, [String]) {
    var clocks: [MessageClock] = []
    var remarks: [String] = []
    var origin = Int64.max
    for topic in topics {
      let (clock, why) = topic.clock(wanted)
      clocks.append(clock)
      if !topic.key.isAttachments || topics.count == 1 {
        origin = min(origin, topic.times(clock).low)
      }
      if let why { remarks.append("topic '\(topic.topic)': \(why); the log time is its clock") }
      let back = topic.times(clock).backwards
      if back > 0 {
        remarks.append(
          "topic '\(topic.topic)': \(back) of \(topic.rows) messages lie before the one before; rows are sorted by "
            + "time")
      }
    }
    return (clocks, origin, remarks)
  }
}

extension TopicProfile {
  /// Takes in a channel of the topic.
  mutating func begin(_ channel: MessageChannel, _ type: MessageType) {
    if !types.contains(type.name) { types.append(type.name) }
    switch MessageType.bareName(type.name) {
    case "CompressedVideo": carriesVideo = true
    case "CompressedImage": (carriesVideo, carriesPictures) = (true, true)
    default: break
    }
    if !encodings.contains(channel.encoding) { encodings.append(channel.encoding) }
    for item in type.leftOut where !leftOut.contains(where: { $0.path == item.path }) {
      leftOut.append(item)
    }
  }
}
