import TrajpackFormat
import TrajpackStore

// Where a window lies in a span of a split, every track is as if it had only the rows that may be seen: what lies
// before them or behind the span's end is neither aligned to, interpolated with, held nor repeated.
extension Planner {
  /// A clock of explicit times of which some rows were cut off.
  struct CutClock {
    var shard: Int
    var track: Int
    var rows: Range<Int>
    var clock: TrackClock
  }

  /// The window that starts at a row of a timeline.
  func context(
    number: Int, _ shard: LoadedShard, _ track: Int, anchor: Int, span: SplitScheme.Span?,
    clip: PlacedClip? = nil
  ) throws(TrajpackError) -> WindowContext {
    self.span = span
    let whole = shard.numbers(ofTrack: track)
    var grid = clip?.grid
    if grid == nil { grid = try referenceClock(shard, track, whole) }
    var context = WindowContext(
      number: number, shard: shard, track: track, reference: whole, anchor: anchor, clock: grid,
      clip: clip)
    guard let span else { return context }
    context.reference = try numbers(shard, track)
    if let grid {
      let rows = grid.rows(in: span.seen)
      context.clock = grid.cut(rows)
      context.cut = rows.lowerBound
    } else {
      context.cut = context.reference.first - whole.first
    }
    context.anchor -= context.cut
    return context
  }

  /// The numbers of a track, of the rows that the window may see.
  func numbers(
    _ shard: LoadedShard, _ track: Int
  ) throws(TrajpackError) -> ShardIndex.TrackRecord {
    var numbers = shard.numbers(ofTrack: track)
    guard let span else { return numbers }
    let rows = try wholeClock(shard, track, numbers).rows(in: span.seen)
    numbers.first += rows.lowerBound
    numbers.count = rows.count
    return numbers
  }

  /// The clock of a track, of the rows that the window may see.
  func clock(
    _ shard: LoadedShard, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) throws(TrajpackError) -> TrackClock {
    guard let span else { return try wholeClock(shard, track, numbers) }
    let whole = try wholeClock(shard, track, shard.numbers(ofTrack: track))
    let rows = whole.rows(in: span.seen)
    guard whole.isExplicit, rows != 0..<whole.rows else { return whole.cut(rows) }
    if let known = cutClocks.first(where: {
      $0.shard == shard.number && $0.track == track && $0.rows == rows
    }) {
      return known.clock
    }
    if cutClocks.count >= 16 { cutClocks.removeAll() }
    let cut = whole.cut(rows)
    cutClocks.append(CutClock(shard: shard.number, track: track, rows: rows, clock: cut))
    return cut
  }

  /// Rows by which a track's clock is ahead of the reference's, where both count alike.
  func shift(
    _ window: WindowContext, _ track: Int, _ numbers: ShardIndex.TrackRecord
  ) -> Int? {
    let shift = wholeShift(window, track, numbers)
    guard span != nil, track != window.track else { return shift }
    let cut = numbers.first - window.shard.numbers(ofTrack: track).first
    return shift.map { $0 + window.cut - cut }
  }
}
