import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

extension Validation {
  /// Looks at a dataset or a single shard: its files, and the rows of its episodes.
  ///
  /// - Parameters:
  ///   - hdf5: What differs between HDF5's structures and the index of a shard; not checked where `nil`.
  ///   - splits: The splits by which rules compare; those of the shards where it gives `nil`.
  ///   - namesScheme: Whether `splits` is called though no rule compares them, so that a scheme that there is not is refused.
  ///   - frames: How the frames of videos are looked at; they are not where `nil`.
  ///   - planned: Told the bytes of the shards, and how many episodes and videos there are.
  ///   - progress: Told of each episode and its rows.
  /// - Throws: A usage error where it is no dataset; what is wrong with the data is a finding.
  public static func archive(
    _ path: String, _ config: ValidateConfig, pool: WorkerPool,
    hdf5: ((Shard) throws(TrajpackError) -> [TrajpackError])? = nil,
    splits: SchemeLook? = nil, namesScheme: Bool = false, frames: FrameLook? = nil,
    isStopped: () -> Bool = { false },
    planned: (_ bytes: Int, _ items: Int) -> Void = { _, _ in },
    progress: @escaping (EpisodeAbout, Int) -> Void = { _, _ in }
  ) throws(TrajpackError) -> Outcome {
    let isFolder = FileSystem.item(at: path) == .folder
    let names = isFolder ? try FileSystem.names(in: path) : []
    let dataset: Dataset
    do throws(TrajpackError) { dataset = try Dataset(path, allowingOrphans: true) } catch {
      guard error.fault == .data else { throw error }
      let run = try Validation(path, profile: nil, config, pool: pool)
      run.report("container.damage", "the dataset cannot be opened", Self.file(nil, error))
      return try run.finish()
    }
    var shards: [Shard?] = []
    var failures: [TrajpackError?] = []
    for number in dataset.shardPaths.indices {
      do throws(TrajpackError) {
        shards.append(try dataset.shard(number))
        failures.append(nil)
      } catch {
        guard error.fault == .data else { throw error }
        shards.append(nil)
        failures.append(error)
      }
    }
    let profile = shards.compactMap { $0 }.first?.schema.attributes["source"]?.string
    let run = try Validation(path, profile: profile, config, pool: pool, progress: progress)
    try run.readScheme(of: dataset, shards.compactMap { $0 }, splits, isNamed: namesScheme)
    if config.resume != nil || !config.parts.isEmpty {
      let identity = try identity(
        shards.compactMap { $0 }, config, run.ruleIDs + [run.scheme?.digest ?? ""])
      if let resume = config.resume {
        run.log = try ValidationLog(resume, identity: identity, isTask: config.part != nil)
      }
      for part in config.parts {
        run.parts.append(try ValidationLog(part, identity: identity, isTask: true))
      }
    }
    if let part = config.part {
      return try run.finishTask(shards, part, hdf5, isStopped: isStopped, planned: planned)
    }
    let videos = try run.videos(of: dataset, shards.compactMap { $0 }, frames)
    planned(
      shards.reduce(0) { $0 + ($1?.file.length ?? 0) },
      shards.reduce(videos.count) { $0 + ($1?.index.episodeCount ?? 0) })
    for (path, failure) in zip(dataset.shardPaths, failures) {
      guard let failure else { continue }
      run.report(
        "container.damage", "a shard cannot be opened", file(FileSystem.name(of: path), failure))
    }
    try run.checkLists(of: dataset, path, names, shards)
    try run.readValues(of: dataset)
    try run.checkHDF5(of: shards.compactMap { $0 }, hdf5, isStopped)
    try run.look(at: videos) { frames?.took($0) }
    for shard in shards.compactMap({ $0 }) {
      guard try run.look(at: shard, isStopped) else { return try run.finish(isStopped: true) }
    }
    return try run.finish()
  }

  /// Looks at some shards for a task of a job: what is found goes to the log, and nowhere else.
  private func finishTask(
    _ shards: [Shard?], _ part: Range<Int>,
    _ hdf5: ((Shard) throws(TrajpackError) -> [TrajpackError])?, isStopped: () -> Bool,
    planned: (_ bytes: Int, _ episodes: Int) -> Void
  ) throws(TrajpackError) -> Outcome {
    let own = part.clamped(to: shards.indices).compactMap { shards[$0] }
    planned(
      own.reduce(0) { $0 + $1.file.length }, own.reduce(0) { $0 + $1.index.episodeCount })
    if log?.isComplete == false { try checkHDF5(of: own, hdf5, isStopped) }
    for shard in own where log?.isComplete == false {
      guard try look(at: shard, isStopped) else { return try finish(isStopped: true) }
    }
    var outcome = try finish(isStopped: true)
    try log?.complete()
    outcome.isStopped = false
    outcome.episodes = own.reduce(0) { $0 + $1.index.episodeCount }
    return outcome
  }

  /// Looks at the episodes of a shard.
  ///
  /// - Returns: Whether it came to the end.
  private func look(at shard: Shard, _ isStopped: () -> Bool) throws(TrajpackError) -> Bool {
    let readers = ShardReaders(shard)
    var batch: [Int] = []
    var bytes = 0
    for episode in 0..<shard.index.episodeCount {
      guard !isStopped() else { return false }
      if takes(shard.index.id(ofEpisode: episode)) {
        batch.append(episode)
        bytes += Self.bytes(of: episode, in: shard)
      }
      if bytes >= Self.batchBytes || batch.count >= 256
        || episode == shard.index.episodeCount - 1
      {
        try add(batch, of: shard, readers, isLast: episode == shard.index.episodeCount - 1)
        (batch, bytes) = ([], 0)
      }
    }
    if config.readsAll { try checkBlobs(of: shard, pool) }
    return true
  }

  /// What stands for the data and for what is asked of it. A shard's header has the checksums of its index, and that those of
  /// all chunks.
  private static func identity(
    _ shards: [Shard], _ config: ValidateConfig, _ words: [String]
  ) throws(TrajpackError) -> String {
    var bytes = Array((config.identity + "\n" + words.joined(separator: " ")).utf8)
    for id in config.episodes?.sorted() ?? [] { bytes += Array("\n\(id)".utf8) }
    for shard in shards {
      bytes += Array("\n\(shard.name) \(shard.file.length) ".utf8)
      bytes += try shard.file.bytes(0..<min(shard.file.length, ShardHeader.size))
    }
    return bytes.withUnsafeBytes { SHA256.of($0) }
  }

  /// Rows of neighbouring episodes are read by one thread, up to so many bytes: they share chunks.
  private static let batchBytes = 2 << 20

  private static func bytes(of episode: Int, in shard: Shard) -> Int {
    shard.index.tracks(ofEpisode: episode).reduce(0) { sum, number in
      let track = shard.index.numbers(ofTrack: number)
      let row = shard.schema.rowBlocks(of: track.stream).reduce(0) {
        $0 + shard.schema.blocks[$1].rowBytes
      }
      return sum + row * track.count
    }
  }

  private func add(
    _ episodes: [Int], of shard: Shard, _ readers: ShardReaders, isLast: Bool
  ) throws(TrajpackError) {
    guard let first = episodes.first else { return }
    let scheme = scheme
    try add(
      shard.index.id(ofEpisode: first), count: episodes.count, shard: shard.name,
      closes: isLast ? shard : nil
    ) {
      () throws(TrajpackError) in
      let (reader, limits) = (readers.lend(), RowLimits(shard, episodes: episodes))
      return episodes.map {
        ArchivedEpisode(
          shard, episode: $0, split: scheme?.split(shard.name, $0), reader: reader, limits: limits)
      }
    }
  }

  /// Finds the splits by which the rules of learning compare.
  public typealias SchemeLook = (Dataset, [Shard]) throws(TrajpackError) -> SchemeSplits?

  /// Rules that compare splits.
  private static let comparing = [
    "learning.leakage", "learning.unlike-splits", "learning.shared-recording",
  ]

  private func readScheme(
    of dataset: Dataset, _ shards: [Shard], _ look: SchemeLook?, isNamed: Bool
  ) throws(TrajpackError) {
    let isCompared = Self.comparing.contains { runs($0) }
    guard let look, isCompared || isNamed else { return }
    let found = try look(dataset, shards)
    guard isCompared else { return }
    scheme = found
    guard let scheme, scheme.cutEpisodes > 0 else { return }
    unchecked(
      "\(scheme.cutEpisodes) episodes that the split scheme '\(scheme.name)' cuts, as parts of splits: rules that compare "
        + "splits look at whole episodes; --split looks at the rows of one")
  }

  static func file(_ shard: String?, _ error: TrajpackError) -> Place {
    Place(shard: shard, episode: nil, values: [], note: error.message)
  }

  /// The values that were set on the dataset; a side file that is damaged has been reported.
  private func readValues(of dataset: Dataset) throws(TrajpackError) {
    guard runs("labels.missing") else { return }
    do throws(TrajpackError) {
      guard let found = try dataset.valueAnnotations() else { return }
      values.removed = found.removed
      for (row, id) in found.ids.enumerated() {
        values.set[id] = found.table.columns.filter { $0.cells[row] != .missing }.map(\.field.name)
      }
    } catch {
      guard error.fault == .data else { throw error }
    }
  }

  /// How the data was normalised, as far as it says.
  private func checkPlans(of dataset: Dataset, _ shards: [Shard?]) {
    guard runs("learning.normalization") else { return }
    let splits = Set(shards.compactMap { $0 }.flatMap(\.schema.splits)).sorted()
    guard splits.count >= 2 else { return }
    let source = dataset.manifest?.source
    for channels in Rule.leakingSteps(source) {
      report(
        "learning.normalization", "normalised by the rows of all splits",
        Place(
          shard: nil, episode: nil, values: [],
          note: "\(channels), by the rows of \(splits.joined(separator: ", "))"))
    }
  }

  /// Manifest, journal, side files, and shards that nothing lists.
  private func checkLists(
    of dataset: Dataset, _ path: String, _ names: [String], _ shards: [Shard?]
  ) throws(TrajpackError) {
    if let why = dataset.unfinished {
      report(
        "container.unfinished", "the dataset is not finished",
        Place(shard: nil, episode: nil, values: [], note: why))
    }
    checkPlans(of: dataset, shards)
    let isWhole = shards.allSatisfy { $0 != nil }
    if runs("container.manifest") {
      for (shard, entry) in zip(shards, dataset.entries) {
        guard let shard else { continue }
        let rows = (0..<shard.index.trackCount).reduce(0) {
          $0 + shard.index.rows(ofTrack: $1).count
        }
        let wrong = [
          ("episodes", entry.receipt.episodes, shard.index.episodeCount),
          ("rows", entry.receipt.rows, rows),
        ].first { $0.1 != $0.2 }
        guard let (what, listed, found) = wrong else { continue }
        report(
          "container.manifest", "a list and a shard disagree",
          Place(
            shard: shard.name, episode: nil, values: [],
            note: "\(listed) \(what) are listed, but the shard has \(found)"))
      }
      if let manifest = dataset.manifest, isWhole {
        var statistics = DatasetStatistics()
        do throws(TrajpackError) {
          for shard in shards.compactMap({ $0 }) { try statistics.add(shard) }
          for damage in try ManifestCheck.damages(
            of: manifest, inFolder: dataset.listFolder, statistics: statistics)
          {
            report("container.manifest", "the manifest is damaged", Self.file(nil, damage))
          }
        } catch {
          guard error.fault == .data else { throw error }
          report("container.damage", "stored statistics are damaged", Self.file(nil, error))
        }
      }
    }
    guard !names.isEmpty else { return }
    for item in try UnnamedShards(of: dataset, names: names).items where item.standing == .orphan {
      report(
        "container.orphan", "a shard in the folder is not listed",
        Place(shard: item.name, episode: nil, values: [], note: item.reason))
    }
    for side in dataset.sideFiles {
      do throws(TrajpackError) { _ = try dataset.content(of: side) } catch {
        guard error.fault == .data else { throw error }
        report("container.damage", "a side file is damaged", Self.file(nil, error))
      }
    }
  }

  /// Whether HDF5's programs read what trajpack reads.
  private func checkHDF5(
    of shards: [Shard], _ differences: ((Shard) throws(TrajpackError) -> [TrajpackError])?,
    _ isStopped: () -> Bool
  ) throws(TrajpackError) {
    guard runs("container.hdf5") else { return }
    guard let differences else {
      return unchecked(
        "whether HDF5's own structures agree with the index of each shard, which --hdf5 has libhdf5 read",
        rules: ["container.hdf5"])
    }
    for shard in shards where !isStopped() {
      let key = "hdf5 \(shard.name)"
      var found: [String] = []
      if var known = try known(key) {
        found = known.list { $0.text() }
      } else {
        found = try differences(shard).map(\.message)
        // What was not compared to its end, because the user stopped it, is compared again.
        if !isStopped() { try log?.append(key) { $0.add(found) { $0.add($1) } } }
      }
      for sentence in found {
        report(
          "container.hdf5", "HDF5's structures disagree with the index",
          Self.file(shard.name, TrajpackError(.data, sentence)))
      }
    }
  }

  /// The chunks of packets and texts, which rules do not look into: their checksums.
  private func checkBlobs(of shard: Shard, _ pool: WorkerPool) throws(TrajpackError) {
    guard runs("container.damage") else { return }
    let key = "blobs \(shard.name)"
    if var known = try known(key) {
      for sentence in known.list({ $0.text() }) {
        report(
          "container.damage", "stored data is damaged",
          Self.file(shard.name, TrajpackError(.data, sentence)))
      }
      return
    }
    var found: [String] = []
    var jobs: [Future<TrajpackError?>] = []
    for number in shard.schema.blobs.sorted() {
      let block = shard.schema.blocks[number]
      for first in stride(from: 0, to: block.chunks, by: 64) {
        jobs.append(
          pool.run { () throws(TrajpackError) in
            for chunk in first..<min(first + 64, block.chunks) {
              let place = shard.index.chunk(chunk, of: block)
              let stored = try shard.file.bytes(place.offset..<place.offset + place.stored)
              guard stored.withUnsafeBytes({ CRC32C.of($0) }) == place.crc else {
                return shard.damaged(chunk, block: number, Shard.isOtherThanChecksum)
              }
            }
            return nil
          })
      }
    }
    for job in jobs {
      guard let damage = try job.value() else { continue }
      found.append(damage.message)
      report("container.damage", "stored data is damaged", Self.file(shard.name, damage))
    }
    try log?.append(key) { $0.add(found) { $0.add($1) } }
  }
}
