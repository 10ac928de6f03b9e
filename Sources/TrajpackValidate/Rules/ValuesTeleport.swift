import CPlatform
import TrajpackFormat

extension Rule {
  static let valuesTeleport = Rule(
    "values.teleport", .warning, "a position jumps and goes on from there",
    reason: """
      A reset, a lost tracker or two recordings in one: windows that cross the jump show a speed that \
      nothing has, and a model of motion is judged by it.
      """,
    example: """
      A robot that moves by 2 mm a row and in one row by 1.3 m, where it stays. Reported where a step of a position is 100 times as far as the larger \
      steps around it (the 90th percentile of up to some thousand rows) and the place is not left again at once, which is 'values.spike'; in at most a \
      hundredth of the rows. Where nine of ten steps around are 0, as of an object that rests until it is moved, a step is compared with the whole way that it goes otherwise: reported are steps of four times as far as all steps \
      below half of the largest together, if these are 8 or more; what only jumps from place to place, as a goal does, is not. A coordinate that goes to one end of its range and on from the other end, to three of the larger steps, begins again there \
      (a periodic box, a longitude) and does not jump. Channels of two or three numbers that are called 'pos', 'position', 'xyz', 'eef', 'location' or 'translation' are looked at, too.
      """,
    remedy: "Cut the recording at the jump, or mark the rows around it as missing.",
    implies: ["values.spike", "values.speed", "geometry.bone-length"],
    needs: .jump, concerns: { $0.isPosition },
    check: .track { TeleportCheck($0) })
}

private final class TeleportCheck: TrackCheck {
  private let track: TrackContext
  private let items: [Quantity]
  private var spots: [Spots]
  private var steps: [Double] = []
  private static let factor = 100.0

  init?(_ track: TrackContext) {
    guard track.rows >= 64 else { return nil }
    items = track.quantities.filter { !$0.columns.isField && $0.isPosition }
    guard !items.isEmpty else { return nil }
    self.track = track
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count {
        let facts = run.facts[item.columns.first + element]
        // Most columns end here.
        guard TrackSketch.hasJump(facts) else { continue }
        look(run.column(item.columns, element), run, i, facts)
      }
    }
  }

  private func look(
    _ column: UnsafePointer<Double>, _ run: TrackRun, _ i: Int, _ facts: tp_column_facts
  ) {
    steps.removeAll(keepingCapacity: true)
    for row in 1 - min(run.carry, 1)..<run.count {
      let step = (column[row] - column[row - 1]).magnitude
      if step.isFinite { steps.append(step) }
    }
    guard steps.count >= 32 else { return }
    steps.sort()
    guard let least = Self.least(steps) else { return }
    // The rows before and after a jump stay where they are.
    for after in 2 - run.carry..<max(run.count, 2) {
      let row = after - 1
      let size = (column[row] - column[row - 1]).magnitude
      guard after < run.count, size >= least, size.isFinite,
        (column[after] - column[row]).magnitude <= 0.1 * size,
        row - 2 < -run.carry || (column[row - 1] - column[row - 2]).magnitude <= 0.1 * size,
        !Self.beginsAgain(column[row - 1], column[row], steps[steps.count * 9 / 10], facts)
      else { continue }
      // How far it jumps, and in which direction.
      spots[i].add(run.first + row, column[row] - column[row - 1])
    }
  }

  /// Whether a step goes from one end of a column's range to the other.
  private static func beginsAgain(
    _ before: Double, _ after: Double, _ usual: Double, _ facts: tp_column_facts
  ) -> Bool {
    let (low, high) = (min(before, after), max(before, after))
    return usual > 0 && low - facts.minimum <= 3 * usual && facts.maximum - high <= 3 * usual
  }

  /// The size of a step from which on it is a jump, by all steps in order; `nil` where none is.
  private static func least(_ steps: [Double]) -> Double? {
    let usual = steps[steps.count * 9 / 10]
    if usual > 0 { return factor * usual }
    // An object that rests: how far it goes in all of its steps that are no jumps.
    let largest = steps[steps.count - 1]
    let others = steps.filter { $0 > 0 && $0 < largest / 2 }
    let way = others.reduce(0, +)
    return others.count >= 8 && largest >= 4 * way ? largest / 2 : nil
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      guard spots[i].values * 100 <= max(track.rows, 100) * item.columns.count else { continue }
      hits.add(
        "rows where a position jumps and stays", track, channel: item.columns.channel, spots[i],
        note: "how far it jumps")
    }
  }
}
