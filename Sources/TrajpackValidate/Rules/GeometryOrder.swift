import TrajpackFormat

extension Rule {
  static let geometryQuaternionOrder = Rule(
    "geometry.quaternion-order", .warning, "quaternions look like those of another order",
    reason: """
      xyzw read as wxyz is a rotation, too, but another one: lengths are 1, nothing fails, and every direction that is \
      computed from it is wrong.
      """,
    example: """
      A body that drives where it faces: in its own axes its velocity always has one direction. By the order that the channel says the \
      directions point everywhere (their mean has a length below 0.75), by the other one they agree (0.9 or more). Tested \
      where a stream has one position of 3 and one quaternion that says its order, and the body moves in 64 rows or more; \
      what does not move as it faces is not reported, nor is what hardly turns. Cameras are tested by 'geometry.projection', too.
      """,
    remedy: "Correct the convention 'order' of the channel, or the order of its numbers.",
    implies: ["geometry.projection"],
    concerns: { $0.channel.kind == .quaternion }, check: .track { OrderCheck($0) })
}

private final class OrderCheck: TrackCheck {
  private let track: TrackContext
  private let place: TrackContext.Columns
  private let turn: TrackContext.Columns
  private let isLast: Bool
  /// The sums of directions in the body's axes, by the order that is said and by the other.
  private var sums: [SIMD3<Double>] = [.zero, .zero]
  private var rows = 0

  init?(_ track: TrackContext) {
    let items = track.quantities.filter { !$0.columns.isField }
    let places = items.filter { $0.channel.kind == .position && $0.channel.shape == [3] }
    let turns = items.filter { $0.channel.kind == .quaternion && $0.channel.shape == [4] }
    guard places.count == 1, turns.count == 1, let place = places.first, let turn = turns.first,
      let order = turn.channel.convention("order"), order == "xyzw" || order == "wxyz",
      track.rows >= 64
    else { return nil }
    // World-to-body rotations turn the other way, and say so.
    if let pose = turn.channel.convention("pose"), !pose.hasSuffix("-to-world") { return nil }
    self.track = track
    self.place = place.columns
    self.turn = turn.columns
    isLast = order == "xyzw"
  }

  func add(_ run: TrackRun) {
    let p = (0..<3).map { run.column(place, $0) }
    let q = (0..<4).map { run.column(turn, $0) }
    let facts = (0..<3).map { run.facts[place.first + $0] }
    let usual = facts.reduce(0) { $0 + $1.step_sum / Double(max($1.moves, 1)) }
    for row in 1 - min(run.carry, 1)..<max(run.count, 1) {
      let step = SIMD3(
        p[0][row] - p[0][row - 1], p[1][row] - p[1][row - 1], p[2][row] - p[2][row - 1])
      let length = (step * step).sum().squareRoot()
      guard length > 0.25 * usual, length.isFinite else { continue }
      let (a, b, c, d) = (q[0][row], q[1][row], q[2][row], q[3][row])
      guard (a * a + b * b + c * c + d * d - 1).magnitude < 0.01 else { continue }
      let direction = step / length
      sums[0] += Self.unturned(direction, SIMD3(a, b, c), d)
      sums[1] += Self.unturned(direction, SIMD3(b, c, d), a)
      rows += 1
    }
  }

  /// A vector, turned back by a unit quaternion: `v + 2w (v x u) + 2 u x (u x v)` with u the vector part.
  private static func unturned(
    _ v: SIMD3<Double>, _ u: SIMD3<Double>, _ w: Double
  ) -> SIMD3<Double> {
    let crossed = cross(v, u)
    return v + 2 * w * crossed + 2 * cross(u, cross(u, v))
  }

  private static func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
    SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    guard rows >= 64 else { return }
    let agreement = sums.map { ($0 * $0).sum().squareRoot() / Double(rows) }
    let (said, other) =
      isLast ? (agreement[0], agreement[1]) : (agreement[1], agreement[0])
    guard said < 0.75, other >= 0.9 else { return }
    hits.add(
      "rotations fit the motion as \(isLast ? "wxyz" : "xyzw"), and say \(isLast ? "xyzw" : "wxyz")",
      track, channel: turn.channel, count: rows, values: [said, other],
      note: "agreement of facing and motion (0 to 1): as it says, and by the other order")
  }
}
