import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore
import TrajpackValidate

extension Validate {
  /// Validates what lies in the splits: whole episodes where they lie in the dataset, or the rows of each stretch where
  /// a scheme cuts episodes.
  ///
  /// - Throws: A usage error for what is no dataset, or has no such split.
  func split(
    _ path: String, _ config: ValidateConfig, _ pool: WorkerPool, _ look: FrameLook?,
    _ planned: (Int, Int) -> Void, _ took: @escaping (EpisodeAbout, Int) -> Void
  ) throws(TrajpackError) -> Validation.Outcome {
    guard Dataset.isDataset(path) else {
      throw TrajpackError(
        .usage, file: path, "is no dataset, and only a dataset has splits; leave out --split")
    }
    let data = try OpenDataset(path)
    var config = config
    guard let selection = try SplitSelection(data, scheme: scheme, splits: splits, fold: fold)
    else {
      config.episodes = try own(data)
      return try archive(path, config, pool, look, planned, took)
    }
    guard selection.cutsEpisodes else {
      var ids: Set<String> = []
      for (number, shard) in data.shards.enumerated() {
        for episode in 0..<shard.index.episodeCount
        where selection.keeps(episode, shard: number) {
          ids.insert(shard.index.id(ofEpisode: episode))
        }
      }
      config.episodes = ids
      return try archive(path, config, pool, look, planned, took)
    }
    guard !hdf5, !frames else {
      let option = hdf5 ? "--hdf5" : "--frames"
      throw TrajpackError(
        .usage, file: path,
        "\(option) looks at whole \(hdf5 ? "shards" : "videos"), and this scheme cuts inside episodes; leave --split or "
          + "\(option) out"
      )
    }
    let choice = SplitImporter.Choice(
      splits: splits, scheme: scheme, fold: fold, video: .none)
    guard let importer = try SplitImporter(path, choice, version: Trajpack.version) else {
      throw TrajpackError(.usage, file: path, "no split scheme counts; name one with --scheme")
    }
    return try SourceValidation(
      source: importer, name: path, config: config, pool: pool,
      profile: data.shards.first?.schema.attributes["source"]?.string,
      unchecked:
        "files and videos, of which no part is a split's; rows count from the beginning of each part"
    ).run(isStopped: { Interrupt.isRequested }, planned: planned, progress: took)
  }

  /// Validates a dataset or a shard.
  func archive(
    _ path: String, _ config: ValidateConfig, _ pool: WorkerPool, _ look: FrameLook?,
    _ planned: (Int, Int) -> Void, _ took: @escaping (EpisodeAbout, Int) -> Void
  ) throws(TrajpackError) -> Validation.Outcome {
    var unread: String?
    var outcome = try Validation.archive(
      path, config, pool: pool, hdf5: hdf5Check,
      splits: { (dataset, shards) throws(TrajpackError) in
        do throws(TrajpackError) { return try schemeSplits(of: dataset, shards) } catch {
          guard scheme == nil, fold == nil else { throw error }
          switch error.fault {
          // Where several schemes are there and nobody has named one, none counts.
          case .usage: unread = "splits of side files (\(error.message) with --scheme)"
          case .data:
            unread =
              "the splits of a scheme that cannot be read, so that rules compare the episodes' own: \(error.message)"
          default: throw error
          }
          return nil
        }
      }, namesScheme: scheme != nil || fold != nil, frames: look,
      isStopped: { Interrupt.isRequested }, planned: planned, progress: took)
    if let unread { outcome.unchecked.append(unread) }
    return outcome
  }

  private func schemeSplits(
    of dataset: Dataset, _ shards: [Shard]
  ) throws(TrajpackError) -> Validation.SchemeSplits? {
    guard let found = try EpisodeSplits(dataset, shards, scheme: scheme, fold: fold) else {
      return nil
    }
    let numbers = Dictionary(uniqueKeysWithValues: shards.enumerated().map { ($1.name, $0) })
    return Validation.SchemeSplits(
      name: found.scheme, digest: found.digest + (fold.map { " fold \($0)" } ?? ""),
      cutEpisodes: found.cutEpisodes
    ) { shard, episode in
      numbers[shard].flatMap { found.name(ofEpisode: episode, shard: $0) } ?? ""
    }
  }

  /// The ids of the episodes that the shards themselves put into the splits.
  private func own(_ data: OpenDataset) throws(TrajpackError) -> Set<String> {
    let known = Set(data.shards.flatMap(\.schema.splits)).filter { !$0.isEmpty }.sorted()
    for split in splits where !known.contains(split) {
      throw TrajpackError(
        .usage, file: data.dataset.path,
        "there is no split '\(split)'"
          + Suggestion.text(for: split, among: known), at: ErrorPlace(option: "--split"))
    }
    var ids: Set<String> = []
    for shard in data.shards {
      for episode in 0..<shard.index.episodeCount {
        let own = shard.index.split(ofEpisode: episode)
        guard own >= 0, splits.contains(shard.schema.splits[own]) else { continue }
        ids.insert(shard.index.id(ofEpisode: episode))
      }
    }
    return ids
  }
}
