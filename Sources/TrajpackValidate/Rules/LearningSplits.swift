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
      either; of scalar and position channels that are no whole numbers, for splits of 5 episodes or more. Splits in side files are not looked at.
      """,
    remedy:
      "Split at random or by groups that are alike, or say that the test is one of extrapolation.",
    implies: ["values.units"],
    check: .dataset { SplitCheck() })
}

/// Compares the means of episodes between splits.
private final class SplitCheck: DatasetCheck {
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }
  private struct Range {
    var count = 0
    var low = Double.infinity
    var high = -Double.infinity
    /// The first episode of the split.
    var place: Place?
  }
  private struct Known {
    var splits: [String: Range] = [:]
    var order: [String] = []
  }
  /// Datasets have few splits; more names are no splits.
  private static let mostSplits = 16
  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    let split = episode.about.split
    guard !split.isEmpty else { return }
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 8 {
      for item in facts.track.quantities
      where item.channel.kind == .scalar || item.channel.kind == .position {
        let (channel, columns) = (item.channel, item.columns)
        let found = facts.facts(columns)
        guard found.finite > 0, found.fractions * 2 > found.finite, found.mean.isFinite else {
          continue
        }
        let key = Key(stream: facts.track.stream.name, channel: channel.name)
        if known[key] == nil { order.append(key) }
        var item = known[key] ?? Known()
        if item.splits[split] == nil {
          guard item.order.count < Self.mostSplits else { continue }
          item.order.append(split)
        }
        var range = item.splits[split] ?? Range()
        range.count += 1
        range.low = min(range.low, found.mean)
        range.high = max(range.high, found.mean)
        if range.place == nil { range.place = episode.place(values: [found.mean]) }
        item.splits[split] = range
        known[key] = item
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      guard let item = known[key] else { continue }
      for (i, first) in item.order.enumerated() {
        for second in item.order[..<i] {
          guard let a = item.splits[first], let b = item.splits[second], a.count >= 5,
            b.count >= 5, var place = a.place
          else { continue }
          let gap = max(a.low - b.high, b.low - a.high)
          guard gap > 2 * max(a.high - a.low, b.high - b.low), gap > 0 else { continue }
          place.note =
            "means of episodes from \(a.low) to \(a.high) in split '\(first)', from \(b.low) to \(b.high) in "
            + "split '\(second)'"
          hits.add(
            "means of episodes of splits '\(second)' and '\(first)' do not overlap",
            stream: key.stream, channel: key.channel, count: a.count, [place])
        }
      }
    }
  }
}
