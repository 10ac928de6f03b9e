import TrajpackFormat
import TrajpackStore

extension Rule {
  static let containerStatistics = Rule(
    "container.statistics", .error, "stored statistics are not those of the data",
    reason:
      "Loaders normalise by the statistics of the index: where they are wrong, every batch is, and no checksum says so.",
    example: """
      A writer that stored a mean of 0 for a channel whose mean is 21.4. Counts, missing values and extremes are compared exactly, means within 1e-9 of the \
      channel's size (and what float64 sums round), for every shard, split, channel and component. Pictures, packets and rows of more than 4,096 \
      elements are not compared.
      """,
    remedy: "Write the dataset anew ('trajpack repair DAMAGED DST', or convert again).",
    check: .container)
}

/// Compares what the index of a shard says with what was read, a shard after the other.
final class StoredStatisticsCheck {
  private struct Key: Hashable {
    var split: String
    var stream: Int
    var channel: Int
    var component: Int
  }
  private var known: [Key: ColumnFacts] = [:]
  private var damaged = false

  /// Takes an episode of the shard.
  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks {
      for columns in facts.track.columns where !columns.isField {
        let channel = facts.track.stream.channels[columns.channel]
        let count = StatisticsComponents.count(of: channel)
        guard count > 0 else { continue }
        for element in 0..<columns.count {
          let key = Key(
            split: episode.about.storedSplit, stream: facts.track.streamNumber,
            channel: columns.channel,
            component: element % count)
          known[key, default: ColumnFacts()].add(facts.columns[columns.first + element])
        }
      }
    }
  }

  /// An episode could not be read: nothing is compared.
  func fail() { damaged = true }

  /// What differs in a shard whose episodes have all been taken; then begins anew.
  func finish(
    _ shard: Shard
  ) throws(TrajpackError) -> [(stream: String, channel: String, note: String)] {
    defer { (known, damaged) = ([:], false) }
    guard !damaged, let stored = try shard.storedStatistics() else { return [] }
    var out: [(String, String, String)] = []
    for row in stored {
      let split = row.split < 0 ? "" : shard.schema.splits[row.split]
      let stream = shard.schema.streams[row.stream]
      let channel = stream.channels[row.channel]
      guard TrackContext.isNumeric(channel), channel.elements <= TrackContext.mostElements else {
        continue
      }
      let key = Key(
        split: split, stream: row.stream, channel: row.channel, component: row.component)
      let found = known[key] ?? ColumnFacts()
      guard let note = Self.difference(row.statistics, found) else { continue }
      let name = StatisticsComponents.name(row.component, of: channel)
      out.append(
        (
          stream.name, channel.name,
          (name.isEmpty ? "" : "component \(name): ") + note
            + (split.isEmpty ? "" : ", in split '\(split)'")
        ))
    }
    return out
  }

  private static func difference(_ stored: ComponentStatistics, _ found: ColumnFacts) -> String? {
    for (what, a, b) in [
      ("count", stored.count, found.finite), ("missing", stored.missing, found.missing),
      ("infinite", stored.infinite, found.infinite),
    ] where a != b {
      return "\(what) is \(a) in the index, and \(b) in the data"
    }
    guard found.finite > 0 else { return nil }
    for (what, a, b) in [
      ("min", stored.minimum, found.minimum), ("max", stored.maximum, found.maximum),
    ] where a != b {
      return "\(what) is \(a) in the index, and \(b) in the data"
    }
    let slack = 1e-9 * max(found.meanSize, stored.maximum.magnitude * 1e-3)
    guard found.mean.isFinite, (stored.mean - found.mean).magnitude > slack else { return nil }
    return "mean is \(stored.mean) in the index, and \(found.mean) in the data"
  }
}
