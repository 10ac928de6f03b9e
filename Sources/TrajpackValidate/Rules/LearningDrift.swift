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
      within an episode; of scalar channels that are no whole numbers, and of each number of a vector of up to 64. Positions and quaternions by their names are not looked at, nor is what only rises or only \
      falls within nine of ten episodes: a clock, or a way that was gone.
      """,
    remedy:
      "Take the offset off in each recording, or split so that each part has early and late ones.",
    implies: ["learning.unlike-splits"],
    check: .dataset { DriftCheck() })
}

private final class DriftCheck: DatasetCheck {
  private struct Known {
    /// Of every `stride`-th episode: its mean, and what the column covers in it.
    var means: [Double] = []
    var spans: [Double] = []
    var stride = 1
    var seen = 0
    /// Episodes in which it goes one way only.
    var oneWay = 0
    var place: Place?

    mutating func add(_ found: ColumnFacts) {
      if seen % stride == 0 {
        means.append(found.mean)
        spans.append(found.maximum - found.minimum)
      }
      seen += 1
      if found.goesOneWay { oneWay += 1 }
      guard means.count == DriftCheck.mostMeans else { return }
      means = Swift.stride(from: 0, to: means.count, by: 2).map { means[$0] }
      spans = Swift.stride(from: 0, to: spans.count, by: 2).map { spans[$0] }
      stride *= 2
    }
  }
  fileprivate static let mostMeans = 256
  private static let mostColumns = 4096
  private static let mostElements = 64
  private let known = ChannelTable<[Known]>(most: mostColumns, mostColumns: mostColumns)

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 8 {
      for item in facts.track.quantities
      where item.channel.kind == .scalar && !item.columns.isField
        && item.columns.count <= Self.mostElements && !item.isPosition && !item.isQuaternion
      {
        let isMeasured = (0..<item.columns.count).contains {
          Self.isMeasured(facts.columns[item.columns.first + $0])
        }
        guard isMeasured,
          let place = known.place(
            facts.track, item.columns,
            orElse: Array(repeating: Known(), count: item.columns.count))
        else { continue }
        for element in known[place].indices.prefix(item.columns.count) {
          let found = facts.columns[item.columns.first + element]
          guard Self.isMeasured(found) else { continue }
          if known[place][element].place == nil {
            known[place][element].place = episode.place(values: [found.mean])
          }
          known[place][element].add(found)
        }
      }
    }
  }

  private static func isMeasured(_ found: ColumnFacts) -> Bool {
    found.finite > 0 && found.fractions * 2 > found.finite && found.mean.isFinite
  }

  var isFull: Bool { known.isFull }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      // Of a vector the first number that drifts stands for all.
      for (element, item) in entry.value.enumerated() {
        guard let place = Self.drift(item, entry.value.count > 1 ? element : nil) else { continue }
        hits.add(
          "means of episodes drift from the first to the last", stream: entry.stream,
          channel: entry.channel, count: item.seen, [place])
        break
      }
    }
  }

  private static func drift(_ item: Known, _ element: Int?) -> Place? {
    guard item.means.count >= 20, item.oneWay * 10 < 9 * item.seen, var place = item.place else {
      return nil
    }
    let count = item.means.count
    let quarter = count / 4
    let early = item.means[..<quarter].reduce(0, +) / Double(quarter)
    let late = item.means[(count - quarter)...].reduce(0, +) / Double(quarter)
    let span = item.spans.reduce(0, +) / Double(count)
    guard (late - early).magnitude > 2 * span, rankCorrelation(item.means).magnitude > 0.95
    else { return nil }
    place.note =
      "means of episodes\(element.map { " of element \($0)" } ?? "") go from \(early) to \(late)"
    return place
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
