import TrajpackFormat

extension Rule {
  static let geometryQuaternionNorm = Rule(
    "geometry.quaternion-norm", .error, "quaternions are not of length 1",
    reason:
      "They are no rotations. Code that turns vectors by them scales the vectors, too, and interpolation goes astray.",
    example: """
      (0, 0, 0, 0) where a tracker had lost its target, or 0.9 where rotations were averaged. Lengths within 0.002 of 1 \
      are taken as rounding. Channels of four numbers that are called 'quat' or 'quaternion' are looked at, too, if nine of ten have length 1.
      """,
    remedy: "Normalise them in the source; mark rows without a rotation as missing.",
    concerns: { $0.isQuaternion }, check: .track { QuaternionCheck($0, signs: false) })

  static let geometryQuaternionSign = Rule(
    "geometry.quaternion-sign", .suggestion, "quaternions change their sign from row to row",
    reason: """
      q and -q are the same rotation, but not the same four numbers: a network that sees or predicts the numbers meets \
      jumps where nothing turned, and a mean over them is wrong.
      """,
    example: """
      (0, 0, 0.6, 0.8) and then (0, 0, -0.6, -0.8). Reported where two neighbouring rows are less than 20 degrees apart as \
      rotations and point in opposite directions as numbers. Sources that keep w at 0 or more flip so at half turns.
      """,
    remedy:
      "Choose signs so that neighbours agree, or use another form of rotations for training; 'trajpack resample' takes either sign.",
    concerns: { $0.isQuaternion }, check: .track { QuaternionCheck($0, signs: true) })
}

private final class QuaternionCheck: TrackCheck {
  private let track: TrackContext
  private let items: [Quantity]
  private let signs: Bool
  private var spots: [Spots]

  init?(_ track: TrackContext, signs: Bool) {
    items = track.quantities.filter {
      $0.isQuaternion && !$0.columns.isField
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    self.signs = signs
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for first in stride(from: 0, to: item.columns.count, by: 4) {
        let q = (0..<4).map { run.column(item.columns, first + $0) }
        if signs {
          for row in 1 - min(run.carry, 1)..<run.count {
            let dot = (0..<4).reduce(0.0) { $0 + q[$1][row] * q[$1][row - 1] }
            guard dot < -0.9848 else { continue }
            if item.channel.kind != .quaternion {
              let norm = (0..<4).reduce(0.0) { $0 + q[$1][row] * q[$1][row] }
              guard (norm - 1).magnitude < 0.01 else { continue }
            }
            spots[i].add(run.first + row, dot)
          }
        } else {
          for row in 0..<run.count {
            let norm = (0..<4).reduce(0.0) { $0 + q[$1][row] * q[$1][row] }.squareRoot()
            if (norm - 1).magnitude > 0.002 { spots[i].add(run.first + row, norm) }
          }
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      if item.channel.kind != .quaternion,
        spots[i].values * 10 > track.rows * (item.columns.count / 4)
      {
        continue
      }
      hits.add(
        signs
          ? "the sign of the quaternion changes between neighbouring rows"
          : "quaternions whose length is not 1 (lengths)", track, channel: item.columns.channel,
        spots[i])
    }
  }
}
