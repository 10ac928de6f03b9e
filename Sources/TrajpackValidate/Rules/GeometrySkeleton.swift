import TrajpackFormat

extension Rule {
  static let geometrySkeletonEdges = Rule(
    "geometry.skeleton-edges", .error, "a skeleton has bones to joints that are not there",
    reason:
      "The joint graph is of another skeleton, or joints were left out without renumbering the graph.",
    example:
      "A stream of 48 joints with a bone from joint 3 to joint 52, or from a joint to itself.",
    remedy: "Take the graph that belongs to these joints.",
    implies: ["geometry.bone-length"],
    check: .track { SkeletonCheck($0, lengths: false) })

  static let geometryBoneLength = Rule(
    "geometry.bone-length", .warning, "bones change their length",
    reason:
      "Joints were swapped, a row is of another body, or positions are in another unit for a while.",
    example: """
      A forearm of 0.25 in all rows but five, where it is 1.9. Reported where a bone is more than 4 times as long or as short as in the \
      first rows in less than a tenth of the rows: what stretches by design, or all the time, is not reported.
      """,
    remedy: "Mark these rows as missing, or find where the joints were mixed up.",
    implies: ["values.spike"],
    check: .track { SkeletonCheck($0, lengths: true) })
}

private final class SkeletonCheck: TrackCheck {
  private let track: TrackContext
  private let columns: TrackContext.Columns
  private let edges: [[Int]]
  private let joints: Int
  private let lengths: Bool
  /// The length of each bone: the median of the first rows.
  private var usual: [Double] = []
  private var spots = Spots()
  private var rows = 0

  init?(_ track: TrackContext, lengths: Bool) {
    guard let name = track.stream.skeleton,
      let skeleton = track.about.schema.skeletons.first(where: { $0.name == name }),
      let columns = track.columns.first(where: {
        let channel = track.stream.channels[$0.channel]
        return channel.kind == .position && channel.shape.count == 2 && channel.shape[1] == 3
          && !$0.isField
      })
    else { return nil }
    self.track = track
    self.columns = columns
    self.lengths = lengths
    joints = track.stream.channels[columns.channel].shape[0]
    edges = skeleton.edges
    if lengths, track.rows < 16 { return nil }
  }

  private func isWrong(_ edge: [Int]) -> Bool {
    edge.count != 2 || edge[0] == edge[1] || edge.contains { !(0..<joints).contains($0) }
  }

  func add(_ run: TrackRun) {
    guard lengths, !edges.contains(where: isWrong) else { return }
    var found = [Double](repeating: 0, count: run.count * edges.count)
    for (e, edge) in edges.enumerated() {
      let a = (0..<3).map { run.column(columns, 3 * edge[0] + $0) }
      let b = (0..<3).map { run.column(columns, 3 * edge[1] + $0) }
      for row in 0..<run.count {
        let (x, y, z) = (a[0][row] - b[0][row], a[1][row] - b[1][row], a[2][row] - b[2][row])
        found[e * run.count + row] = (x * x + y * y + z * z).squareRoot()
      }
    }
    if usual.isEmpty {
      usual = edges.indices.map { e in
        let sorted = found[e * run.count..<(e + 1) * run.count].filter(\.isFinite).sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
      }
    }
    // A bone of no length is a helper, whose length says nothing.
    let least = (usual.max() ?? 0) * 0.05
    for row in 0..<run.count {
      for e in edges.indices where usual[e] > least {
        let length = found[e * run.count + row]
        if length > 4 * usual[e] || length < 0.25 * usual[e] {
          spots.add(run.first + row, length)
          rows += 1
          break
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    if lengths {
      guard rows * 10 < track.rows else { return }
      hits.add(
        "bones of another length than in the first rows (lengths)", track, channel: columns.channel,
        spots)
      return
    }
    let wrong = edges.filter(isWrong)
    guard let first = wrong.first else { return }
    hits.add(
      "bones of skeleton '\(track.stream.skeleton ?? "")' to joints that are not there", track,
      channel: columns.channel, count: wrong.count, values: first.map(Double.init),
      note: "the stream has \(joints) joints")
  }
}
