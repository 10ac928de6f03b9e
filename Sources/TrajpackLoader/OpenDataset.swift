import Synchronization
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// A dataset with all of its shards open, and numbers for its episodes and tracks that count on from
/// shard to shard.
public final class OpenDataset: Sendable {
  /// The dataset.
  public let dataset: Dataset
  /// Its shards.
  public let shards: [Shard]
  /// Where its linked videos are.
  public let media: MediaFolder
  /// Frames of its videos, for those who read episodes.
  let frames = FrameReading()
  /// The number of each shard's first episode, and one more: all.
  public let firstEpisodes: [Int]
  /// The number of each shard's first track, and one more: all.
  public let firstTracks: [Int]
  /// A digest of the content: the manifest's, or of the headers, which hold the checksums of the indexes.
  public let digest: String
  /// What is known of the episodes, once somebody has asked.
  let cachedValues = Mutex<ValueTable?>(nil)
  let cachedAnnotations = Mutex<ValueAnnotations??>(nil)

  /// Opens every shard of the dataset at `path`.
  public convenience init(_ path: String) throws(TrajpackError) {
    try self.init(path, listed: try Dataset(path), media: MediaFolder())
  }

  /// Opens every shard of a dataset that was listed.
  convenience init(
    _ path: String, listed: Dataset, media: MediaFolder
  ) throws(TrajpackError) {
    var dataset = listed
    var opened: [Shard]?
    while opened == nil {
      do throws(TrajpackError) {
        opened = try Self.open(dataset)
      } catch {
        // A writer may have joined shards or replaced the dataset since their names were read.
        guard !dataset.isCurrent else { throw error }
        dataset = try Dataset(path)
      }
    }
    try self.init(dataset, opened ?? [], media: media)
  }

  /// Opens shards that a conversion has made in a folder, before it has a manifest.
  package convenience init(
    _ folder: String, shards: [Manifest.Entry]
  ) throws(TrajpackError) {
    let dataset = Dataset(folder, shards: shards)
    try self.init(dataset, try Self.open(dataset))
  }

  /// Shards of a dataset that are open already.
  ///
  /// - Parameter first: The numbers of their first episode and track.
  package init(
    _ dataset: Dataset, _ shards: [Shard], media: MediaFolder = MediaFolder(),
    first: (episode: Int, track: Int) = (0, 0)
  ) throws(TrajpackError) {
    self.dataset = dataset
    self.media = media
    let path = dataset.path
    guard !shards.isEmpty else {
      throw TrajpackError(.usage, file: path, "the dataset has no shards yet")
    }
    var episodes = [first.episode]
    var tracks = [first.track]
    var hash = SHA256()
    for shard in shards {
      episodes.append(episodes[episodes.count - 1] + shard.index.episodeCount)
      tracks.append(tracks[tracks.count - 1] + shard.index.trackCount)
      shard.header.bytes().withUnsafeBytes { hash.add($0) }
    }
    self.shards = shards
    firstEpisodes = episodes
    firstTracks = tracks
    digest = dataset.manifest?.digest ?? hash.hexadecimal()
  }

  private static func open(_ dataset: Dataset) throws(TrajpackError) -> [Shard] {
    var shards: [Shard] = []
    // Of remote shards, many wait for their first bytes at the same time.
    let threads = dataset.isRemote ? 64 : min(WorkerPool.processors, 8)
    if dataset.shardPaths.count > (dataset.isRemote ? 1 : 2), threads > 1 {
      // Indexes are checked by several threads, which are gone before this returns.
      let pool = try WorkerPool(threads: min(threads, dataset.shardPaths.count))
      let opened = dataset.shardPaths.indices.map { number in
        pool.run { () throws(TrajpackError) in try dataset.shard(number) }
      }
      for shard in opened { shards.append(try shard.value()) }
    } else {
      for number in dataset.shardPaths.indices { shards.append(try dataset.shard(number)) }
    }
    return shards
  }

  /// Episodes; where only some shards are open, up to the last of theirs.
  public var episodeCount: Int { firstEpisodes[shards.count] }
  /// The same of tracks.
  public var trackCount: Int { firstTracks[shards.count] }

  /// The shard of an episode, and its number there.
  public func episode(_ number: Int) throws(TrajpackError) -> (
    shard: Shard, number: Int, first: Int
  ) {
    guard number >= firstEpisodes[0], number < episodeCount else {
      throw TrajpackError(.usage, "there is no episode \(number); the dataset has \(episodeCount)")
    }
    let shard = Self.last(firstEpisodes, notAfter: number)
    return (shards[shard], number - firstEpisodes[shard], firstTracks[shard])
  }

  /// The shard of a track, and its number there.
  public func track(_ number: Int) throws(TrajpackError) -> (shard: Shard, number: Int) {
    guard number >= firstTracks[0], number < trackCount else {
      throw TrajpackError(.usage, "there is no track \(number); the dataset has \(trackCount)")
    }
    let shard = Self.last(firstTracks, notAfter: number)
    return (shards[shard], number - firstTracks[shard])
  }

  /// The last of some places, in order, that does not lie behind a number.
  static func last(_ starts: [Int], notAfter number: Int) -> Int {
    var (low, high) = (0, starts.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= number { low = middle } else { high = middle }
    }
    return low
  }

  /// The number of the episode with that id.
  public func episode(id: String) throws(TrajpackError) -> Int {
    for (s, shard) in shards.enumerated() {
      if let number = shard.index.episode(withID: id) { return firstEpisodes[s] + number }
    }
    var near: [String] = []
    for shard in shards where near.count < 10_000 {
      let count = min(shard.index.episodeCount, 10_000 - near.count)
      near += (0..<count).map { shard.index.id(ofEpisode: $0) }
    }
    throw TrajpackError(
      .usage, file: dataset.path,
      "there is no episode '\(id)'\(Suggestion.text(for: id, among: near))"
    )
  }
}
