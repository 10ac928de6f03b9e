import TrajpackFormat

extension Rule {
  static let learningUnlikeSplits = Rule(
    "learning.unlike-splits", .warning, "a channel is distributed otherwise in two splits",
    reason: """
      A model is tested on what it never saw: its score tells how it extrapolates, not how well it learned. Often one \
      split came from another machine, season or unit.
      """,
    example: """
      Temperatures around 20 in all training episodes, around 60 in all test episodes. Means of episodes are compared: \
      reported where those of two splits do not overlap, and the distance between them is more than twice the range of \
      either; of scalar and position channels that are no whole numbers, for splits of 5 episodes or more. Splits are those of the split scheme that counts (or --scheme), else the episodes' own; episodes that a scheme cuts are not compared.
      """,
    remedy:
      "Split at random or by groups that are alike, or say that the test is one of extrapolation.",
    implies: ["values.units"],
    check: .dataset { SplitCheck() })
}

/// Compares the means of episodes between splits.
private final class SplitCheck: DatasetCheck {
  private struct Range {
    var count = 0
    var low = Double.infinity
    var high = -Double.infinity
    /// The first episode of the split.
    var place: Place?
  }
  private struct Known {
    /// In the order in which they came.
    var splits: [(name: String, range: Range)] = []
  }
  /// Datasets have few splits; more names are no splits.
  private static let mostSplits = 16
  private static let mostChannels = 2048
  private let known = ChannelTable<Known>(most: mostChannels)

  func add(_ episode: EpisodeFacts) {
    let split = episode.about.split
    guard !split.isEmpty else { return }
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 8 {
      for item in facts.track.quantities
      where item.channel.kind == .scalar || item.channel.kind == .position {
        let found = facts.facts(item.columns)
        guard found.finite > 0, found.fractions * 2 > found.finite, found.mean.isFinite else {
          continue
        }
        guard let place = known.place(facts.track, item.columns, orElse: Known()) else { continue }
        add(found.mean, split, episode, to: &known[place])
      }
    }
  }

  private func add(_ mean: Double, _ split: String, _ episode: EpisodeFacts, to item: inout Known) {
    var at = item.splits.firstIndex { $0.name == split } ?? item.splits.count
    if at == item.splits.count {
      guard at < Self.mostSplits else { return }
      item.splits.append((split, Range(place: episode.place(values: [mean]))))
      at = item.splits.count - 1
    }
    item.splits[at].range.count += 1
    item.splits[at].range.low = min(item.splits[at].range.low, mean)
    item.splits[at].range.high = max(item.splits[at].range.high, mean)
  }

  var isFull: Bool { known.isFull }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let item = entry.value
      for (i, (first, a)) in item.splits.enumerated() {
        for (second, b) in item.splits[..<i] {
          guard a.count >= 5, b.count >= 5, var place = a.place else { continue }
          let gap = max(a.low - b.high, b.low - a.high)
          guard gap > 2 * max(a.high - a.low, b.high - b.low), gap > 0 else { continue }
          place.note =
            "means of episodes from \(a.low) to \(a.high) in split '\(first)', from \(b.low) to \(b.high) in "
            + "split '\(second)'"
          hits.add(
            "means of episodes of splits '\(second)' and '\(first)' do not overlap",
            stream: entry.stream, channel: entry.channel, count: a.count, [place])
        }
      }
    }
  }
}
