import TrajpackFormat

extension Rule {
  static let learningDrift = Rule(
    "learning.drift", .suggestion, "a channel drifts over the recordings",
    reason: """
      A sensor that warms up, or a device that wears: what a model learns of early recordings does not hold for late ones, and a split by \
      recordings that were made one after the other tests the drift.
      """,
    example: """
      The offset of a force sensor that grows from recording to recording. The means of episodes are ranked in the order of the dataset: reported where their rank \
      correlation with it is beyond 0.95 in 20 episodes or more, and the means of the first and the last quarter lie further apart than twice what the channel covers \
      within an episode; of scalar channels that are no whole numbers.
      """,
    remedy:
      "Take the offset off in each recording, or split so that each part has early and late ones.",
    implies: ["learning.unlike-splits"],
    check: .dataset { DriftCheck() })
}

private final class DriftCheck: DatasetCheck {
  private struct Known {
    /// Of every `stride`-th episode: its mean, and what the channel covers in it.
    var means: [Double] = []
    var spans: [Double] = []
    var stride = 1
    var seen = 0
    var place: Place?

    mutating func add(_ found: ColumnFacts) {
      if seen % stride == 0 {
        means.append(found.mean)
        spans.append(found.maximum - found.minimum)
      }
      seen += 1
      guard means.count == DriftCheck.mostMeans else { return }
      means = Swift.stride(from: 0, to: means.count, by: 2).map { means[$0] }
      spans = Swift.stride(from: 0, to: spans.count, by: 2).map { spans[$0] }
      stride *= 2
    }
  }
  fileprivate static let mostMeans = 512
  private static let mostChannels = 2048
  private let known = ChannelTable<Known>(most: mostChannels)

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 8 {
      for item in facts.track.quantities
      where item.channel.kind == .scalar && item.columns.elements == 1 {
        let found = facts.columns[item.columns.first]
        guard found.finite > 0, found.fractions * 2 > found.finite, found.mean.isFinite else {
          continue
        }
        guard let place = known.place(facts.track, item.columns, orElse: Known()) else { continue }
        if known[place].place == nil { known[place].place = episode.place(values: [found.mean]) }
        known[place].add(found)
      }
    }
  }

  var isFull: Bool { known.isFull }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let item = entry.value
      guard item.means.count >= 20, var place = item.place else { continue }
      let count = item.means.count
      let quarter = count / 4
      let early = item.means[..<quarter].reduce(0, +) / Double(quarter)
      let late = item.means[(count - quarter)...].reduce(0, +) / Double(quarter)
      let span = item.spans.reduce(0, +) / Double(count)
      guard (late - early).magnitude > 2 * span, Self.rankCorrelation(item.means).magnitude > 0.95
      else { continue }
      place.note = "means of episodes go from \(early) to \(late)"
      hits.add(
        "means of episodes drift from the first to the last", stream: entry.stream,
        channel: entry.channel, count: item.seen, [place])
    }
  }

  /// Spearman's rank correlation of values with their order.
  private static func rankCorrelation(_ values: [Double]) -> Double {
    let n = Double(values.count)
    let sorted = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
    var sum = 0.0
    for (rank, index) in sorted.enumerated() {
      let d = Double(rank - index)
      sum += d * d
    }
    return 1 - 6 * sum / (n * (n * n - 1))
  }
}
