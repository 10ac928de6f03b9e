import CPlatform
import TrajpackFormat

extension Rule {
  static let valuesSpike = Rule(
    "values.spike", .warning, "single rows jump far out and back",
    reason:
      "A bit error, a lost packet or a wrong unit in one row. One such value moves a mean and a deviation for all.",
    example: """
      A temperature of 21.4, 21.4, 2140.0, 21.5. Reported where a row lies at least 100 times as far from both \
      neighbours as the larger steps around it (the 90th percentile of up to some thousand rows), and the neighbours \
      agree within a tenth of that. What comes in half of ten episodes and more (a contact, a reward at a goal) is how the signal is, and is not reported. Channels of whole numbers, angles and directions, and steps that stay, are not reported, nor are steps of nine tenths of a turn and more in a channel within \
      0 and 360 or -180 and 180, or the same in radians: a heading near north.
      """,
    remedy: "Mark the row as missing in the source, or interpolate it there.",
    implies: ["values.sentinel", "values.units"],
    needs: .turn, peers: { ShareOfTracks(0.5) },
    check: .track { SpikeCheck($0) })
}

private final class SpikeCheck: TrackCheck {
  private let track: TrackContext
  private let items: [Quantity]
  private var spots: [Spots]
  private var steps: [Double] = []
  private static let factor = 100.0

  init?(_ track: TrackContext) {
    guard track.rows >= 16 else { return nil }
    items = track.quantities.filter {
      !$0.columns.isField && !$0.isQuaternion && $0.channel.kind != .angle
        && $0.channel.kind != .matrix && $0.channel.kind != .direction
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count {
        let facts = run.facts[item.columns.first + element]
        // Most columns end here.
        guard TrackSketch.hasTurn(facts) else { continue }
        look(run.column(item.columns, element), run, i, facts)
      }
    }
  }

  private func look(
    _ column: UnsafePointer<Double>, _ run: TrackRun, _ i: Int, _ facts: tp_column_facts
  ) {
    steps.removeAll(keepingCapacity: true)
    for row in 1 - run.carry..<run.count {
      let step = (column[row] - column[row - 1]).magnitude
      if step.isFinite { steps.append(step) }
    }
    guard steps.count >= 8 else { return }
    steps.sort()
    // A spike makes two steps, which of a few steps are more than a tenth.
    let usual = steps[min(steps.count * 9 / 10, steps.count - 3)]
    guard usual > 0 else { return }
    for row in 2 - run.carry..<run.count {
      let (before, here, after) = (column[row - 2], column[row - 1], column[row])
      let (up, down) = (here - before, after - here)
      let size = min(up.magnitude, down.magnitude)
      guard up * down < 0, size >= Self.factor * usual, size.isFinite,
        (after - before).magnitude <= 0.1 * size,
        !TrackSketch.isTurn(step: size, minimum: facts.minimum, maximum: facts.maximum)
      else { continue }
      spots[i].add(run.first + row - 1, here)
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      // What comes in every hundredth row is how the signal is.
      guard spots[i].values * 100 <= max(track.rows, 100) * item.columns.count else { continue }
      hits.add("rows that jump far out and back", track, channel: item.columns.channel, spots[i])
    }
  }
}
