import TrajpackFormat

extension Rule {
  static let timeLength = Rule(
    "time.length", .warning, "streams of an episode do not end together",
    reason: """
      A stream that is a few rows shorter than its neighbours of the same rate has usually lost rows at its start or in \
      the middle: from there on all its rows are shifted against the others.
      """,
    example: """
      A video of 149 frames beside a state of 150 rows. Streams of the same rate that start together are compared by \
      rows, also with the tracks of entities, which may end earlier but not later; others are not compared. Where time \
      has no seconds, lengths that differ by more than a twentieth are of other things and not reported, nor is a stream that has exactly one row more, or one \
      less, in each of ten episodes and more: observations before and after each action.
      """,
    remedy:
      "Find which rows were lost, or cut all streams to what they share ('trajpack convert --on-mismatch truncate').",
    peers: { LengthPeers() },
    check: .episode { episode, hits in
      // The first stream of each rate and start.
      var references: [(start: Rational, rate: Rational, facts: TrackFacts)] = []
      for facts in episode.tracks {
        let track = facts.track
        guard case .regular(let start, let rate) = track.clock, track.rows > 0 else { continue }
        let known = references.first {
          $0.rate == rate && (track.entity != nil || $0.start == start)
        }
        guard let first = known?.facts else {
          if track.entity == nil { references.append((start, rate, facts)) }
          continue
        }
        let (least, most) = (
          min(track.rows, first.track.rows), max(track.rows, first.track.rows)
        )
        let isNear = track.stream.timeUnit == "s" || (most - least) * 20 <= most
        if track.entity == nil, least != most, isNear {
          hits.add(
            "its rows are not as many as those of another stream of the same rate", track,
            values: [Double(track.rows), Double(first.track.rows)],
            note: "\(track.rows) rows, \(first.track.rows) in '\(first.track.stream.name)'")
        } else if track.entity != nil, let end = facts.times?.upperBound,
          let last = first.times?.upperBound, end > last + 0.5 / rate.value
        {
          hits.add(
            "an entity has rows after the end of the episode's own streams", track,
            values: [end, last],
            note: "until \(end), '\(first.track.stream.name)' until \(last)")
        }
      }
    })
}

/// Streams that have one row more or less than another in every episode.
private final class LengthPeers: ShareOfTracks {
  /// Of each stream how many tracks have a row more, and a row less.
  private var counts: [String: (more: Int, less: Int)] = [:]

  init() { super.init(1) }

  override func add(_ episode: EpisodeFacts, _ hits: [Hit]) {
    super.add(episode, hits)
    for hit in hits {
      guard hit.entity == nil, let stream = hit.stream, let values = hit.places.first?.values,
        values.count == 2,
        counts[stream] != nil || counts.count < 4096
      else { continue }
      let difference = values[0] - values[1]
      if difference == 1 { counts[stream, default: (0, 0)].more += 1 }
      if difference == -1 { counts[stream, default: (0, 0)].less += 1 }
    }
  }

  override func isUsual(_ finding: Finding) -> Bool {
    guard super.isUsual(finding), let found = finding.stream.flatMap({ counts[$0] }) else {
      return false
    }
    return max(found.more, found.less) == finding.tracks
  }
}
