import TrajpackFormat
import TrajpackStore

/// Where the numbers of a window go: arrays `[B]`.
struct MetaPlaces: Sendable {
  var dataset: OutputStride
  var episode: OutputStride
  var row: OutputStride
  var time: OutputStride
  var window: OutputStride
  /// Of the clip in its list; `nil` where windows are none.
  var clip: OutputStride?
  var split: OutputStride
  /// The code of each kind of entity.
  var kinds: [String: Int]
}
