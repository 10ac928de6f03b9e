import TrajpackFormat

extension Rule {
  static let geometryRotation = Rule(
    "geometry.rotation", .error, "matrices of poses are no rotations",
    reason:
      "A pose whose 3 x 3 part is not orthonormal, or mirrors, moves points where no camera or joint could.",
    example: """
      A 4 x 4 matrix whose determinant is -1 (an axis was flipped), or whose columns have length 0.01 (centimetres were \
      mixed in). Only matrices that say by the convention 'pose' that they are poses are looked at. Deviations up to 0.005 are rounding.
      """,
    remedy: "Write poses as rotation and translation, and the scale beside them.",
    concerns: { $0.channel.kind == .matrix }, check: .track { RotationCheck($0) })
}

private final class RotationCheck: TrackCheck {
  private let track: TrackContext
  private let items: [(channel: Channel, columns: TrackContext.Columns, rows: Int, width: Int)]
  private var skewed: [Spots]
  private var mirrored: [Spots]

  init?(_ track: TrackContext) {
    items = track.quantities.compactMap { item in
      let (channel, columns) = (item.channel, item.columns)
      guard channel.kind == .matrix, channel.convention("pose") != nil, !columns.isField,
        channel.shape.count >= 2
      else { return nil }
      let (rows, width) = (
        channel.shape[channel.shape.count - 2], channel.shape[channel.shape.count - 1]
      )
      guard (3...4).contains(rows), (3...4).contains(width) else { return nil }
      return (channel, columns, rows, width)
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    skewed = Array(repeating: Spots(), count: items.count)
    mirrored = skewed
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for first in stride(from: 0, to: item.columns.count, by: item.rows * item.width) {
        let r = (0..<9).map { run.column(item.columns, first + $0 / 3 * item.width + $0 % 3) }
        for row in 0..<run.count {
          let m = (0..<9).map { r[$0][row] }
          guard m.allSatisfy(\.isFinite) else { continue }
          var worst = 0.0
          for a in 0..<3 {
            for b in a..<3 {
              let dot = (0..<3).reduce(0.0) { $0 + m[3 * a + $1] * m[3 * b + $1] }
              worst = max(worst, (dot - (a == b ? 1 : 0)).magnitude)
            }
          }
          if worst > 0.005 {
            skewed[i].add(run.first + row, worst)
          } else if Self.determinant(m) < 0 {
            mirrored[i].add(run.first + row, -1)
          }
        }
      }
    }
  }

  private static func determinant(_ m: [Double]) -> Double {
    m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6])
      + m[2] * (m[3] * m[7] - m[4] * m[6])
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      hits.add(
        "matrices that are not orthonormal (largest deviations)", track,
        channel: item.columns.channel, skewed[i])
      hits.add(
        "matrices that mirror (determinant -1)", track, channel: item.columns.channel, mirrored[i])
    }
  }
}
