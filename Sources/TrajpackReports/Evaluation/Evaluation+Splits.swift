import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Which frames of the truth belong to a split.
extension Evaluation {
  /// What a split scheme selects; `nil` where no split is asked for, or the shards' own count.
  static func selection(
    _ archive: Archive, _ request: EvaluationRequest, splits: [String]
  ) throws(TrajpackError) -> SplitSelection? {
    guard !splits.isEmpty else { return nil }
    return try SplitSelection(
      archive.data, scheme: request.scheme, splits: splits, fold: request.fold)
  }

  /// The frames of an episode that count: all, or those of each span of its splits.
  static func spans(
    of recording: Recording, _ frames: Frames, in archive: Archive, _ selection: SplitSelection?
  ) throws(TrajpackError) -> [Range<Int>] {
    guard frames.count > 0 else { return [] }
    guard let selection, selection.cutsEpisodes else { return [0..<frames.count] }
    let data = archive.data
    for number in Set(recording.tracks.map(\.number)).sorted() {
      let (shard, local) = try data.track(number)
      let numbers = shard.index.numbers(ofTrack: local)
      guard shard.schema.streams[numbers.stream].name == frames.stream,
        let place = data.shards.firstIndex(where: { $0 === shard })
      else { continue }
      let rows = try selection.targetRows(
        ofTrack: local, shard: place, of: data, BlockReader(shard))
      return rows.map { $0.clamped(to: 0..<frames.count) }.filter { !$0.isEmpty }
    }
    return []
  }
}
