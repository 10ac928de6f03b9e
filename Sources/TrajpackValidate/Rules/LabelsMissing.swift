import TrajpackFormat
import TrajpackStore

extension Rule {
  static let labelsMissing = Rule(
    "labels.missing", .warning, "some recordings lack a value or a text that the others have",
    reason: """
      A label, a caption or a parameter that is not there becomes an empty string, a NaN or a class of its own in training, and \
      nobody decided that it should.
      """,
    example: """
      Nine of ten recordings have 'task' in their metadata, or text in a stream of captions, and one has none. Reported of values (also those that \
      'trajpack annotate' set), of texts in the metadata and of streams with text that at least nine of ten recordings have, from 10 recordings on.
      """,
    remedy: "Set the value ('trajpack annotate'), or leave these recordings out.",
    check: .dataset { MissingLabelCheck() })
}

private final class MissingLabelCheck: DatasetCheck {
  private struct Known {
    var with = 0
    /// The first episodes that have it, as a bound: those before it lack it.
    var without: [Place] = []
  }
  /// Names that are kept; a dataset with more has no common ones.
  private static let most = 1024
  private var known: [String: Known] = [:]
  private var order: [String] = []
  private var episodes = 0
  private var first: [Place] = []

  func add(_ episode: EpisodeFacts) {
    var present: Set<String> = []
    if let json = try? JSONValue(parsing: episode.about.metadata) {
      for member in json.members ?? [] where member.value.string?.isEmpty == false {
        present.insert("text '\(member.name)' of the metadata")
      }
      for group in [json[ValueTable.member], json["constants"]] {
        for member in group?.members ?? [] where !Self.isEmpty(member.value) {
          present.insert("value '\(member.name)'")
        }
      }
    }
    for name in episode.removedValues { present.remove("value '\(name)'") }
    for name in episode.values { present.insert("value '\(name)'") }
    for track in episode.about.tracks where track.entity == nil && track.blobBytes > 0 {
      let stream = episode.about.schema.streams[track.stream]
      for channel in stream.channels where channel.kind == .text {
        present.insert("text '\(stream.name)/\(channel.name)'")
      }
    }
    let place = episode.place()
    for name in present.sorted() where known[name] == nil {
      guard order.count < Self.most else { break }
      order.append(name)
      // Those that came before have not got it.
      known[name] = Known(with: 0, without: first)
    }
    for name in order {
      if present.contains(name) {
        known[name]?.with += 1
      } else if (known[name]?.without.count ?? 0) < Finding.mostPlaces {
        known[name]?.without.append(place)
      }
    }
    episodes += 1
    if first.count < Finding.mostPlaces { first.append(place) }
  }

  private static func isEmpty(_ value: JSONValue) -> Bool {
    value == .null || value.string == ""
  }

  func finish(_ hits: inout DatasetHits) {
    guard episodes >= 10 else { return }
    for name in order {
      guard let item = known[name], item.with < episodes, item.with * 10 >= episodes * 9
      else { continue }
      hits.add(
        "\(name) is missing, which other recordings have", count: episodes - item.with,
        item.without)
    }
  }
}
