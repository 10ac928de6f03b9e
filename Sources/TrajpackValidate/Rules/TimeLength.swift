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
      has no seconds, lengths that differ by more than a twentieth are of other things and not reported.
      """,
    remedy:
      "Find which rows were lost, or cut all streams to what they share ('trajpack convert --on-mismatch truncate').",
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
