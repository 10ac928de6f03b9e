import TrajpackFormat
import TrajpackStore

extension SplitSelection {
  /// A stretch of an episode that is selected: all of it, or the rows whose times lie in [``from``, ``to``).
  package struct Stretch: Sendable {
    /// The shard, by its number in the dataset.
    package var shard: Int
    /// The episode, by its number in the shard.
    package var episode: Int
    fileprivate var span: TimeRange?

    /// Whether it is not the whole episode.
    package var isCut: Bool { span != nil }
    /// The time at which it begins; `nil` for the episode's beginning.
    package var from: Double? { span?.from?.value }
    /// The time before which it ends; `nil` for the episode's end.
    package var to: Double? { span?.to?.value }

    /// Whether it begins before another stretch of the episode.
    package func precedes(_ other: Stretch) -> Bool {
      guard let end = other.span?.from else { return false }
      return span?.from.map { $0 < end } ?? true
    }

    /// The rows of one of the episode's tracks that lie in it, counted from the track's first.
    ///
    /// - Throws: A data error where the times of the track are damaged.
    package func rows(
      ofTrack track: Int, of dataset: OpenDataset, _ reader: BlockReader
    ) throws(TrajpackError) -> Range<Int> {
      let shard = dataset.shards[shard]
      guard let span else { return 0..<shard.index.numbers(ofTrack: track).count }
      let clock = try ShardView(shard).trackClock(track, reader: reader)
      return clock.rows(in: span)
    }
  }

  /// What is selected of an episode, in the order of time; stretches that touch are one.
  package func stretches(ofEpisode number: Int, shard: Int) -> [Stretch] {
    switch part(ofEpisode: number, shard: shard) {
    case .nothing: []
    case .whole: [Stretch(shard: shard, episode: number, span: nil)]
    case .spans(let range):
      spans[range].map { Stretch(shard: shard, episode: number, span: $0.range) }
    }
  }
}
