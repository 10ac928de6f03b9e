import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// A clip on the rows of a dataset.
package struct PlacedClip: Sendable {
  /// Its number in the list.
  package var number: Int
  /// The number of its shard in the dataset.
  package var shard: Int
  /// The number of its episode in the shard.
  package var episode: Int
  /// The track of the reference stream, by its number in the shard.
  package var track: Int
  /// The row of that track that is nearest to the start; of two, the earlier one.
  package var row: Int
  /// Rows that the stream has in the episode before that track: those of the runs before a gap.
  package var before = 0
  /// Rows of the clip.
  package var rows: Int
  /// Rows a unit of time; `nil` for recorded rows at explicit times.
  package var rate: Rational?
  /// The row of the clip's clock at which it starts.
  var anchor: Int
  /// The clock of its instants; `nil` where they are those of the track's own rows.
  var grid: TrackClock?
  /// Rows of that clock, or of the track.
  var clockRows: Int
  /// The instants of the clip's first row, and of the window's first and last one.
  var start: Instant = .real(.nan)
  var low: Instant = .real(.nan)
  var high: Instant = .real(.nan)
  /// The span of a split that it lies in; `nil` where the whole episode is selected.
  var span: Int?
}

/// Where the windows of a loader come from, when they are clips.
struct PlacedClips: Sendable {
  let list: ClipList
  /// The clips of each dataset, in the order of the list.
  let datasets: [[PlacedClip]]
  let digest: String

  /// The rows of the longest clip, and of the shortest.
  var longest: Int { datasets.joined().reduce(0) { max($0, $1.rows) } }
  var shortest: Int { datasets.joined().reduce(Int.max) { min($0, $1.rows) } }
}

extension TrackClock {
  /// The row nearest to a moment, of two equally near ones the earlier; `nil` where that is farther away than
  /// half an interval, before the first row or after the last one.
  func nearest(to moment: Instant, _ rounding: StampRounding) -> Int? {
    guard let position = position(moment) else { return nil }
    let spare = isExact(at: moment) ? 0 : moment.value.magnitude * 4 * Double.ulpOfOne
    func isNear(_ distance: Double, _ interval: Double) -> Bool {
      distance <= rounding.limit(interval: interval) * (1 + 1e-9) + spare
    }
    switch position {
    case .before(let early, let interval):
      return early < interval / 2 || isNear(early, interval) ? 0 : nil
    case .inside(let row, let rest, _): return rest > 0.5 ? row + 1 : row
    case .after(let late, let interval):
      return late <= interval / 2 || isNear(late, interval) ? rows - 1 : nil
    }
  }
}
