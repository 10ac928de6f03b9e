import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// The window that is planned.
struct WindowContext {
  var number: Int
  var shard: LoadedShard
  var track: Int
  var reference: ShardIndex.TrackRecord
  var anchor: Int
  /// The grid that replaces the track's own clock.
  var clock: TrackClock?
  /// The clip that it is.
  var clip: PlacedClip?
  /// Rows of the reference that were cut off in front, because the window's split may not see them.
  var cut = 0
}
