import TrajpackFormat

extension MCAPImporter {
  /// The topics of a recording, with the channels that their messages would become.
  static func inspection(_ path: String) throws(TrajpackError) -> [TreeInspection.Line] {
    let importer = try MCAPImporter([path], MappingOptions())
    guard let recording = importer.recordings.first, importer.recordings.count == 1 else {
      throw TrajpackError(
        .usage, file: path, "holds \(importer.recordings.count) recordings; inspect one of them")
    }
    let found: Examination
    do throws(TrajpackError) {
      guard let examination = try importer.examine(recording) else { return [] }
      found = examination
    } catch {
      throw TrajpackError(error.fault, file: path, "\(error.message)", at: error.place)
    }
    let contents = found.contents
    let messages = contents.reduce(0) { $0 + $1.messages }
    var chunks: [String] = []
    for (name, count) in contents.flatMap({ $0.chunks.sorted { $0.key < $1.key } }) {
      chunks.append(
        "\(count) chunk\(count == 1 ? "" : "s") \(name.isEmpty ? "uncompressed" : name)")
    }
    let profile = contents.first?.profile ?? ""
    let about =
      (profile.isEmpty ? [] : ["profile \(profile)"]) + chunks
      + [contents.first?.library].compactMap { $0.map { "by \($0)" } }
      + contents.compactMap { $0.cut.map { "the file \($0)" } }
    var lines = [
      TreeInspection.Line(
        path: "/", level: 0, what: "\(messages) messages", more: about.joined(separator: ", "))
    ]
    for topic in found.topics.sorted(by: { $0.key < $1.key }) {
      lines += Self.lines(topic)
    }
    for skipped in found.skipped {
      lines.append(
        TreeInspection.Line(
          path: skipped.topic, level: 1, what: "\(skipped.count) messages, not read",
          more: skipped.why, name: skipped.topic))
    }
    let seen = Set(found.topics.map(\.topic) + found.skipped.map(\.topic))
    var silent: Set<String> = []
    for topic in contents.flatMap(\.topics)
    where !seen.contains(topic) && silent.insert(topic).inserted {
      lines.append(
        TreeInspection.Line(path: topic, level: 1, what: "no message", more: "", name: topic))
    }
    return lines
  }

  private static func lines(_ topic: TopicProfile) -> [TreeInspection.Line] {
    let stream = streamName(topic.topic)
    let types = zip(topic.types, topic.encodings).map { "\($0) (\($1))" }
    let layout = TopicLayout(topic, kinds: [:], units: [:], stream: stream)
    var lines = [
      TreeInspection.Line(
        path: topic.topic, level: 1, what: "\(topic.rows) message\(topic.rows == 1 ? "" : "s")",
        more: types.joined(separator: ", "), name: topic.topic)
    ]
    func add(_ name: String, _ what: String, _ more: String) {
      lines.append(
        TreeInspection.Line(
          path: "\(topic.topic)/\(name)", level: 2, what: what, more: more, name: name))
    }
    for plan in layout.channels {
      let channel = plan.channel
      let shape = channel.shape.isEmpty ? "" : "\(channel.shape)"
      let units = channel.units.map { ", \($0)" } ?? ""
      add(channel.name, channel.type.rawValue + shape, channel.kind.rawValue + units)
    }
    for constant in layout.constants { add(constant.name, "the same texts in every message", "") }
    for name in layout.empty { add(name, "empty in every message", "") }
    for left in layout.leftOut { add(left.path, "not read", left.why) }
    return lines
  }
}
