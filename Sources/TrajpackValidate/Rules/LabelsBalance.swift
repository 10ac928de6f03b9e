import TrajpackFormat

extension Rule {
  static let labelsImbalance = Rule(
    "labels.imbalance", .suggestion, "names of a categorical channel are very unevenly spread",
    reason: """
      A model that always says the frequent name is right in 99 of 100 rows, and learns nothing of the rare one; a random batch \
      mostly has none of it.
      """,
    example: """
      'idle' in 99.6 % of the rows, or 'fall' in 12 of 400,000. Reported where one name has more than 99 % of all rows that have one of at least two names (from 5,000 rows on), or where a \
      name has some rows but less than a thousandth (from 2,000 rows on). Names that no row has are not reported.
      """,
    remedy:
      "Draw windows by weight, weigh the loss, or judge by scores that are averaged over names.",
    check: .dataset { BalanceCheck() })

  static let labelsShortSegment = Rule(
    "labels.short-segment", .suggestion, "a label flips for a row or two and back",
    reason:
      "Segments of one row are slips of annotation or noise of a detector; scores by segments count each as one more.",
    example: """
      walk walk walk run walk walk, where segments usually last for 80 rows. Reported of named categories where a segment of 1 or 2 rows lies between two segments of \
      the same name, the mean segment has 20 rows or more, and fewer than a fifth of the segments are so short.
      """,
    remedy: "Smooth the labels ('trajpack evaluate' has a minimum length), or correct them.",
    concerns: { $0.channel.kind == .categorical }, check: .track { SegmentCheck($0) })
}

private final class BalanceCheck: DatasetCheck {
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }
  private struct Known {
    var names: [String] = []
    var counts: [Int] = []
    var first: [Place?] = []
  }
  private static let most = 1024
  /// Names that are counted of all channels.
  private static let mostNames = 1 << 16
  private var names = 0
  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks {
      for (number, counts) in facts.classes.sorted(by: { $0.key < $1.key }) {
        let channel = facts.track.stream.channels[number]
        let key = Key(stream: facts.track.stream.name, channel: channel.name)
        if known[key] == nil {
          guard order.count < Self.most else { continue }
          order.append(key)
        }
        var item = known.removeValue(forKey: key) ?? Known()
        for (code, count) in counts.enumerated() where count > 0 {
          let name = channel.categories?[code] ?? ""
          let at = item.names.firstIndex(of: name) ?? item.names.count
          if at == item.names.count {
            guard names < Self.mostNames else { continue }
            names += 1
            item.names.append(name)
            item.counts.append(0)
            item.first.append(episode.place(facts.track))
          }
          item.counts[at] += count
        }
        known[key] = item
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      guard let item = known[key], item.names.count >= 2 else { continue }
      let total = item.counts.reduce(0, +)
      guard total >= 2000 else { continue }
      for (at, count) in item.counts.enumerated() {
        guard var place = item.first[at] else { continue }
        place.note = "\(count) of \(total) rows"
        if count * 100 > total * 99, total >= 5000 {
          hits.add(
            "'\(item.names[at])' has more than 99 % of the rows", stream: key.stream,
            channel: key.channel, count: count, [place])
        } else if count * 1000 < total {
          hits.add(
            "'\(item.names[at])' has less than a thousandth of the rows", stream: key.stream,
            channel: key.channel, count: count, [place])
        }
      }
    }
  }
}

/// Segments of equal labels.
private final class SegmentCheck: TrackCheck {
  private struct Known {
    var value = Double.nan
    var length = 0
    var before = Double.nan
    var segments = 0
    var short = 0
    var spots = Spots()
  }
  private let track: TrackContext
  private let items: [TrackContext.Columns]
  private var known: [Known]

  init?(_ track: TrackContext) {
    items = track.columns.filter {
      let channel = track.stream.channels[$0.channel]
      return channel.kind == .categorical && channel.categories != nil && $0.count == 1
        && !$0.isField
    }
    guard !items.isEmpty, track.rows >= 64 else { return nil }
    self.track = track
    known = Array(repeating: Known(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, columns) in items.enumerated() {
      let facts = run.facts[columns.first]
      if facts.same == facts.moves, facts.missing == 0, run.count > 0, known[i].length > 0,
        run.column(columns)[0] == known[i].value
      {
        known[i].length += run.count
        continue
      }
      let column = run.column(columns)
      for row in 0..<run.count {
        let value = column[row]
        if value == known[i].value {
          known[i].length += 1
          continue
        }
        if known[i].length > 0, known[i].segments > 0, known[i].length <= 2 {
          known[i].short += 1
          if value == known[i].before {
            let first = run.first + row - known[i].length
            known[i].spots.add(first..<run.first + row, [known[i].value])
          }
        }
        if known[i].length > 0 { known[i].segments += 1 }
        known[i].before = known[i].value
        known[i].value = value
        known[i].length = 1
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, columns) in items.enumerated() {
      let segments = known[i].segments + 1
      guard track.rows >= 20 * segments, known[i].short * 5 < segments else { continue }
      hits.add(
        "segments of one or two rows between rows of one name", track, channel: columns.channel,
        known[i].spots)
    }
  }
}
