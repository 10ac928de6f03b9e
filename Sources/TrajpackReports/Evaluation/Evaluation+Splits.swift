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

  /// What lies beside the shards of the truth and decides figures: the split scheme, and values that were set later,
  /// where they are asked for. The digest of the dataset says nothing of them.
  func besideShards(_ clipped: ClippedInputs?) throws(TrajpackError) -> [Report.Input] {
    var out: [Report.Input] = []
    if let split = request.splits.first ?? request.trainSplit,
      let selection = try Self.selection(truth, request, splits: [split])
    {
      out.append(
        .init(
          path: Report.schemePrefix + selection.scheme, form: "files", digest: selection.digest))
    }
    let asksValues =
      !request.conditions.isEmpty
      || plans.contains {
        $0.settings.contains { $0.value.hasPrefix("@") }
          || $0.maps.values.contains(where: MetricInputBuilder.isValue)
      }
    let values =
      clipped.map(\.values) ?? truth.data.dataset.sideFiles(.values).first?.sha256
    if asksValues, let values {
      out.append(.init(path: "values", form: "files", digest: values))
    }
    return out
  }

  /// The frames of an episode that count: all, or those of each span of its splits.
  static func spans(
    of recording: ArchiveEpisode, _ frames: ReferenceFrames, in archive: Archive,
    _ selection: SplitSelection?
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
