import TrajpackFormat
import TrajpackStore

extension MCAPImporter {
  /// What one part of those that read a recording has seen.
  private struct Part: Sendable {
    /// Its topics, and how many messages of the recording came before the first of each.
    var topics: [(before: Int, profile: TopicProfile)] = []
    var skipped: [(before: Int, topic: String, count: Int, why: String)] = []
    /// Topics that the options leave out.
    var others: Set<String> = []
    var contents: [MCAPContents] = []
  }

  /// Reads a recording once: which fields its messages have, and what they hold.
  public func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    let item = try item(recording)
    let parts = try helpers.read(recording, settings) { (decoding) throws(TrajpackError) in
      try examine(item, decoding)
    }
    var topics = parts.flatMap(\.topics).sorted { $0.before < $1.before }.map(\.profile)
    let skipped = Self.skipped(parts)
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

  /// The topics that are not read, in the order of their first messages. Attachments and a topic of their name count as one.
  private static func skipped(_ parts: [Part]) -> [(topic: String, count: Int, why: String)] {
    var all: [(topic: String, count: Int, why: String)] = []
    for one in parts.flatMap(\.skipped).sorted(by: { $0.before < $1.before }) {
      if let place = all.firstIndex(where: { $0.topic == one.topic }) {
        all[place].count += one.count
      } else {
        all.append((one.topic, one.count, one.why))
      }
    }
    return all
  }

  /// Reads the topics of a share.
  private func examine(
    _ item: MessageFiles.Item, _ decoding: MessageDecoding
  ) throws(TrajpackError) -> Part {
    var part = Part()
    var profiles: [TopicProfile] = []
    var before: [Int] = []
    var places: [TopicKey: Int] = [:]
    var skippedPlaces: [String: Int] = [:]
    part.contents = try read(item, checks: true, decoding) { (message) throws(TrajpackError) in
      let entry = try decoding.entry(message.channel)
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
          part.skipped.append((decoding.passed, topic, 1, why))
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
          before.append(decoding.passed)
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
    part.topics = zip(before, profiles).map { (before: $0, profile: $1) }
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
