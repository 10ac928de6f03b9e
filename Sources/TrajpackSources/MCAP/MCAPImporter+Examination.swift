import TrajpackFormat
import TrajpackStore

extension MCAPImporter {
  /// Reads a recording once: which fields its messages have, and what they hold.
  public func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    let item = try item(recording)
    let decoding = MessageDecoding()
    var topics: [TopicProfile] = []
    var places: [TopicKey: Int] = [:]
    var skipped: [(topic: String, count: Int, why: String)] = []
    var skippedPlaces: [String: Int] = [:]
    var others: Set<String> = []
    let contents = try read(item, checks: true, decoding) { (message) throws(TrajpackError) in
      let entry = try decoding.entry(message.channel)
      let topic = entry.channel.topic
      guard takes(entry) else {
        others.insert(topic)
        return
      }
      guard let decoder = entry.decoder else {
        let why = entry.why ?? ""
        if let place = skippedPlaces[topic] {
          skipped[place].count += 1
        } else {
          skippedPlaces[topic] = skipped.count
          skipped.append((topic, 1, why))
        }
        return
      }
      try decoding.decode(message, entry)
      if entry.topic < 0 {
        let key = entry.channel.key
        entry.topic = places[key] ?? topics.count
        if places[key] == nil {
          places[key] = topics.count
          topics.append(TopicProfile(key))
        }
        topics[entry.topic].begin(entry.channel, decoder.type)
      }
      if entry.revision != decoder.revision {
        entry.map = decoder.type.fields.map { topics[entry.topic].place($0) }
        entry.revision = decoder.revision
        entry.hasGroups = decoder.type.groups > 0
      }
      topics[entry.topic].observe(message, entry.row, entry.map, stamp: entry.stamp)
      if entry.hasGroups { topics[entry.topic].checkGroups(entry.row, decoder.type) }
      if topics[entry.topic].looksForVideo {
        topics[entry.topic].lookForVideo(entry.row, decoder.type)
      }
    }
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
