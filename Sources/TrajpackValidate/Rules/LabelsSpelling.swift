import TrajpackFormat
import TrajpackStore

extension Rule {
  static let labelsSpelling = Rule(
    "labels.spelling", .suggestion, "labels that differ in case, blanks or hyphens alone",
    reason: """
      'grasp', 'Grasp' and 'grasp ' become three classes, or three words of a vocabulary, where one was meant: each is learned from a part of the data.
      """,
    example: """
      The value 'task' is 'open drawer' in 38 recordings and 'Open_drawer' in two. Compared are the texts of a value or of a member of the metadata, from one recording to the \
      other, and the names of a categorical channel, without case, and with blanks, hyphens and underscores as one; of each the first 1,024 different ones. Texts that differ otherwise, as by a letter, are not reported.
      """,
    remedy:
      "Write them alike in the source, or set the values anew ('trajpack annotate').",
    check: .dataset { SpellingCheck() })
}

private final class SpellingCheck: DatasetCheck {
  private struct Text {
    var count = 0
    var place: Place
  }
  private struct Known {
    var stream: String?
    var channel: String?
    var texts: [String: Text] = [:]
    var order: [String] = []
    /// The names that were taken last: episodes of a shard share them.
    var names: [String] = []
  }
  /// Values and channels that are remembered, and texts of each.
  private static let mostNames = 1024
  private static let mostTexts = 1024
  private var known: [String: Known] = [:]
  private var order: [String] = []

  func add(_ episode: EpisodeFacts) {
    if let json = try? JSONValue(parsing: episode.about.metadata) {
      for member in json.members ?? [] {
        if let text = member.value.string { take(member.name, [text], episode) }
      }
      for group in [json[ValueTable.member], json["constants"]] {
        for member in group?.members ?? [] {
          if let text = member.value.string { take("value \(member.name)", [text], episode) }
        }
      }
    }
    for facts in episode.tracks where facts.track.entity == nil {
      let stream = facts.track.stream
      for channel in stream.channels {
        guard let names = channel.categories else { continue }
        take("\(stream.name)/\(channel.name)", names, episode, (stream.name, channel.name))
      }
    }
  }

  private func take(
    _ name: String, _ texts: [String], _ episode: EpisodeFacts,
    _ channel: (stream: String, channel: String)? = nil
  ) {
    if known[name] == nil {
      guard order.count < Self.mostNames else { return }
      order.append(name)
      known[name] = Known(stream: channel?.stream, channel: channel?.channel)
    }
    // Of a channel each list of names counts once.
    if channel != nil {
      if known[name]?.names == texts { return }
      known[name]?.names = texts
    }
    for text in texts where !text.isEmpty {
      if known[name]?.texts[text] == nil {
        guard known[name]?.order.count ?? 0 < Self.mostTexts else { continue }
        known[name]?.order.append(text)
        known[name]?.texts[text] = Text(place: episode.place())
      }
      known[name]?.texts[text]?.count += 1
    }
  }

  /// The words without case: '1-12' and '11-2' stay two.
  private static func folded(_ text: String) -> String {
    text.lowercased().split { $0.isWhitespace || $0 == "_" || $0 == "-" }.joined(separator: " ")
  }

  func finish(_ hits: inout DatasetHits) {
    for name in order {
      guard let item = known[name] else { continue }
      var groups: [String: [String]] = [:]
      var folds: [String] = []
      for text in item.order {
        let fold = Self.folded(text)
        if groups[fold] == nil { folds.append(fold) }
        groups[fold, default: []].append(text)
      }
      for fold in folds where !fold.isEmpty {
        guard let texts = groups[fold], texts.count > 1 else { continue }
        let said = texts.prefix(4).map { text in
          item.channel == nil ? "'\(text)' (\(item.texts[text]?.count ?? 0))" : "'\(text)'"
        }
        var places = texts.compactMap { item.texts[$0]?.place }
        places[0].note =
          said.joined(separator: ", ") + (texts.count > 4 ? " and \(texts.count - 4) more" : "")
        let what =
          item.channel == nil
          ? "texts of '\(name)' differ in case, blanks or hyphens alone"
          : "names differ in case, blanks or hyphens alone"
        hits.add(
          what, stream: item.stream, channel: item.channel, count: texts.count,
          tracks: places.count,
          places)
      }
    }
  }
}
