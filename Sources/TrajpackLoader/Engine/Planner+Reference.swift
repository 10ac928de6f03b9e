import TrajpackFormat
import TrajpackStore

// The stream that counts a window's rows. Where it has gaps, each run of its rows is a track, and windows begin in all
// of them.
extension Planner {
  /// The rows of the window's reference that lie before its track: those of the runs before a gap. Rows of a grid are counted
  /// from the grid's start.
  func earlierRows(_ window: WindowContext) -> Int {
    guard window.clock == nil, window.reference.entity < 0 else { return 0 }
    let index = window.shard.index
    var rows = 0
    for track in index.tracks(ofEpisode: window.reference.episode) where track < window.track {
      let other = index.numbers(ofTrack: track)
      if other.stream == window.reference.stream, other.entity < 0 { rows += other.count }
    }
    return rows
  }

  /// A group of the reference's stream: rows of the window's own run, then rows of the other runs for the places that it does
  /// not fill.
  func runsOfReference(
    _ g: Int, _ window: WindowContext, _ plan: BatchPlan
  ) throws(TrajpackError) {
    let group = setup.layout.groups[g]
    func take(_ track: Int, clamps: Bool) throws(TrajpackError) {
      let numbers =
        track == window.track ? window.reference : try numbers(window.shard, track)
      let map = limited(try map(group, window, track, numbers, clamps: clamps), group, window)
      try place(map, group: g, slot: 0, window, track, numbers, plan)
    }
    let others = try otherRuns(group, window)
    guard !others.isEmpty else { return try take(window.track, clamps: true) }
    holdEnd = nil
    if group.isNative, window.clock != nil {
      // Rows at their own rate follow one another.
      for track in (others + [window.track]).sorted() { try take(track, clamps: false) }
      return
    }
    try take(window.track, clamps: false)
    for track in others.reversed() { try take(track, clamps: false) }
    if setup.options.edge == .clamp { try take(window.track, clamps: true) }
  }

  /// The other tracks of the reference's stream, where the window may reach beyond the rows of its own.
  private func otherRuns(_ group: Group, _ window: WindowContext) throws(TrajpackError) -> [Int] {
    let first = window.anchor - setup.past
    let isInside = first >= 0 && first + group.length <= window.reference.count
    if isInside, group.offsets == nil, window.clock == nil { return [] }
    var others: [Int] = []
    for track in window.shard.index.tracks(ofEpisode: window.reference.episode) {
      guard isOtherRun(track, window.shard.numbers(ofTrack: track), window) else { continue }
      if try numbers(window.shard, track).count > 0 { others.append(track) }
    }
    return others
  }

  /// Whether a track has other rows of the window's reference, beyond a gap.
  func isOtherRun(
    _ track: Int, _ numbers: ShardIndex.TrackRecord, _ window: WindowContext
  ) -> Bool {
    track != window.track && numbers.stream == window.reference.stream && numbers.entity < 0
  }
}
