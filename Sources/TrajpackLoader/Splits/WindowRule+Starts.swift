import TrajpackFormat
import TrajpackStore

extension WindowRule {
  /// The windows of a timeline whose rows from their start on lie in a span of a split; the rows before it may lie in
  /// what may be seen.
  ///
  /// - Returns: The row of the first one's start, and how many there are.
  func starts(
    in span: SplitScheme.Span, _ shard: LoadedShard, _ track: Int
  ) throws(TrajpackError) -> (first: Int, count: Int) {
    let clock = shard.clocks[shard.numbers(ofTrack: track).clock]
    var times = try shard.view.trackClock(track, reader: BlockReader(shard.shard))
    if let rate {
      let own = times
      times =
        try within(shard.place(ofTrack: track), at: shard.errorPlace(ofTrack: track)) {
          () throws(TrajpackError) in
          try own.grid(rate)
        } ?? own
    }
    let seen = times.rows(in: span.seen)
    let targets = times.rows(in: span.range)
    var (first, end) = (targets.lowerBound, targets.upperBound)
    if edge == .drop {
      let reach = reach(clock)
      first = max(first, seen.lowerBound - min(reach.lowerBound, 0))
      end -= max(reach.upperBound, 0)
    }
    return (first, end > first ? (end - first - 1) / stride + 1 : 0)
  }
}
