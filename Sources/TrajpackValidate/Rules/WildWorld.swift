import TrajpackFormat

extension Rule {
  static let valuesOverMaximum = Rule(
    "wildworld.over-maximum", .error, "a value is above the maximum that stands beside it",
    reason: "Hit points above their maximum are another column, another entity, or a wrong frame.",
    example: """
      npc 0 has hp 150 and max_hp 100. Every channel X is compared with max_X of the same stream where both are there.
      """,
    remedy: "Compare the columns with the game, and export them again.",
    profile: "wildworld",
    check: .track { PairCheck($0) })

  static let valuesMotionFrame = Rule(
    "wildworld.motion-frame", .warning, "the frame of an animation runs backwards",
    reason:
      "Within a motion its frame goes on, or begins again. Rows that go back a little are out of order or of another entity.",
    example: """
      motion_frame 12, 13, 9, 10 with the same motion_id and motion_bank_id. Beginning again (at less than a tenth of where it was, or at 5 or less) is not \
      reported.
      """,
    remedy: "Sort the rows, or find where they were mixed.",
    profile: "wildworld",
    check: .track { MotionCheck($0) })
}

private final class PairCheck: TrackCheck {
  private let track: TrackContext
  private let pairs: [(value: TrackContext.Columns, most: TrackContext.Columns)]
  private var spots: [Spots]

  init?(_ track: TrackContext) {
    pairs = track.columns.compactMap { columns in
      let name = track.stream.channels[columns.channel].name
      guard columns.elements == 1, let most = track.columns(named: "max_" + name),
        most.elements == 1
      else { return nil }
      return (columns, most)
    }
    guard !pairs.isEmpty else { return nil }
    self.track = track
    spots = Array(repeating: Spots(), count: pairs.count)
  }

  func add(_ run: TrackRun) {
    for (i, pair) in pairs.enumerated()
    where run.facts[pair.value.first].maximum > run.facts[pair.most.first].minimum {
      let (values, most) = (run.column(pair.value), run.column(pair.most))
      for row in 0..<run.count where values[row] > most[row] {
        spots[i].add(run.first + row, values[row])
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, pair) in pairs.enumerated() {
      let most = track.stream.channels[pair.most.channel].name
      hits.add("above its '\(most)'", track, channel: pair.value.channel, spots[i])
    }
  }
}

private final class MotionCheck: TrackCheck {
  private let track: TrackContext
  private let frame: TrackContext.Columns
  private let ids: [TrackContext.Columns]
  private var spots = Spots()

  init?(_ track: TrackContext) {
    guard let frame = track.columns(named: "motion_frame"), frame.elements == 1,
      let id = track.columns(named: "motion_id"), id.elements == 1
    else { return nil }
    self.track = track
    self.frame = frame
    ids = [id] + (track.columns(named: "motion_bank_id").map { [$0] } ?? [])
  }

  func add(_ run: TrackRun) {
    let frames = run.column(frame)
    let names = ids.map { run.column($0) }
    for row in 1 - min(run.carry, 1)..<run.count {
      let (before, here) = (frames[row - 1], frames[row])
      guard here < before, here > 5, here > 0.1 * before,
        names.allSatisfy({ $0[row] == $0[row - 1] })
      else { continue }
      spots.add(run.first + row, here)
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    hits.add("goes back within one motion", track, channel: frame.channel, spots)
  }
}
