import Synchronization
import TrajpackFormat
import TrajpackStore

/// A dataset of which as many shards are open as are needed. A large one is opened by its manifest; an episode that is asked
/// for opens its shard, and what is of all episodes (windows, descriptions, statistics) opens all of them.
///
/// Numbers of episodes and tracks are those of ``OpenDataset``.
public final class LazyDataset: Sendable {
  /// Where its linked videos are.
  public let media = MediaFolder()
  private let path: String
  private let listed: Dataset
  /// The number of each shard's first episode, as the manifest has it, and one more: all.
  private let firstEpisodes: [Int]
  private struct State {
    var whole: OpenDataset?
    var parts: [Int: OpenDataset] = [:]
    var firstTracks: [Int]?
    /// The streams of what was asked about, which keeps it.
    var streams: [ObjectIdentifier: (of: OpenDataset, json: JSONValue)] = [:]
  }
  /// Locked only while it is read or set, so that a child of a fork hardly ever finds it locked.
  private let state: Mutex<State>

  /// Above so many episodes or shards, a dataset is opened by its manifest.
  static let most = (episodes: 500_000, shards: 1000)

  /// Opens a dataset: all of its shards, or where it is large its manifest, and on this machine its first shard, so that
  /// a folder without shards is no dataset. On a server that would be two round trips more.
  public init(_ path: String) throws(TrajpackError) {
    self.path = path
    listed = try Dataset(path)
    var first = [0]
    for entry in listed.entries { first.append(first[first.count - 1] + entry.receipt.episodes) }
    firstEpisodes = first
    let isLarge =
      listed.manifest != nil
      && (first[first.count - 1] > Self.most.episodes || listed.entries.count > Self.most.shards)
    let whole = isLarge ? nil : try OpenDataset(path, listed: listed, media: media)
    state = Mutex(State(whole: whole))
    if isLarge, !listed.isRemote { _ = try part(0) }
  }

  /// Whether it was opened by its manifest, and not all shards are open yet.
  public var isPartial: Bool { state.withLock { $0.whole == nil } }

  /// Episodes.
  public var episodeCount: Int {
    state.withLock { $0.whole?.episodeCount } ?? firstEpisodes[firstEpisodes.count - 1]
  }

  /// What the manifest says of it; `trajpack.h` names the members.
  public var outline: JSONValue {
    let whole = state.withLock { $0.whole }
    let dataset = whole?.dataset ?? listed
    let bytes =
      whole.map { $0.shards.reduce(0) { $0 + $1.file.length } }
      ?? listed.entries.reduce(0) { $0 + $1.receipt.bytes }
    let names = whole?.shards.map(\.name) ?? listed.entries.map(\.name)
    return .record([
      "path": .string(dataset.path),
      "digest": (whole?.digest ?? listed.manifest?.digest).map { .string($0) },
      "complete": .bool(dataset.isComplete), "partial": .bool(whole == nil),
      "episodes": .int(Int64(episodeCount)), "bytes": .int(Int64(bytes)),
      "shards": .array(names.map { .string($0) }),
    ])
  }

  /// All shards open.
  public func whole() throws(TrajpackError) -> OpenDataset {
    if let whole = state.withLock({ $0.whole }) { return whole }
    let whole = try OpenDataset(path, listed: listed, media: media)
    guard whole.digest == listed.manifest?.digest else {
      throw TrajpackError(
        .data, file: listed.path,
        "has been replaced by another dataset since it was opened; open it again")
    }
    return state.withLock { state in
      // Another thread may have done the same.
      let kept = state.whole ?? whole
      (state.whole, state.parts, state.streams) = (kept, [:], [:])
      return kept
    }
  }

  /// What holds an episode: its shard at least.
  public func holding(episode number: Int) throws(TrajpackError) -> OpenDataset {
    if let whole = state.withLock({ $0.whole }) { return whole }
    guard number >= 0, number < episodeCount else {
      throw TrajpackError(.usage, "there is no episode \(number); the dataset has \(episodeCount)")
    }
    return try part(OpenDataset.last(firstEpisodes, notAfter: number))
  }

  /// The streams that an episode may have, as descriptions have them: those of what is open that holds it.
  public func streams(ofEpisode number: Int) throws(TrajpackError) -> JSONValue {
    let holder = try holding(episode: number)
    let key = ObjectIdentifier(holder)
    if let known = state.withLock({ $0.streams[key] }) { return known.json }
    let json = holder.description["streams"] ?? .array([])
    state.withLock { $0.streams[key] = (holder, json) }
    return json
  }

  /// What holds a track.
  public func holding(track number: Int) throws(TrajpackError) -> OpenDataset {
    if let whole = state.withLock({ $0.whole }) { return whole }
    let tracks = try firstTracks()
    guard number >= 0, number < tracks[tracks.count - 1] else {
      throw TrajpackError(
        .usage, "there is no track \(number); the dataset has \(tracks[tracks.count - 1])")
    }
    return try part(OpenDataset.last(tracks, notAfter: number))
  }

  /// The number of the episode with that id. Shards are opened until one has it; on a server, where one after the other would
  /// take a round trip each, all at once.
  public func episode(id: String) throws(TrajpackError) -> Int {
    guard isPartial, !listed.isRemote else { return try whole().episode(id: id) }
    for shard in listed.entries.indices {
      let part = try part(shard)
      if let local = part.shards[0].index.episode(withID: id) {
        return part.firstEpisodes[0] + local
      }
    }
    // For the nearest ones that there are.
    return try whole().episode(id: id)
  }

  /// Some episodes, as ``OpenDataset/episodes(_:)`` has them.
  public func episodes(_ range: Range<Int>) throws(TrajpackError) -> JSONValue {
    guard isPartial else { return try whole().episodes(range) }
    var out: [JSONValue] = []
    var next = range.lowerBound
    while next < range.upperBound {
      let part = try holding(episode: next)
      let end = min(range.upperBound, part.episodeCount)
      out += try part.episodes(next..<end).array ?? []
      next = end
    }
    return .array(out)
  }

  private func part(_ number: Int) throws(TrajpackError) -> OpenDataset {
    if let known = state.withLock({ $0.whole ?? $0.parts[number] }) { return known }
    let shard = try listed.shard(number)
    let count = firstEpisodes[number + 1] - firstEpisodes[number]
    guard shard.index.episodeCount == count else {
      throw TrajpackError(
        .data, file: listed.path,
        "the manifest is damaged: it says that \(shard.name) has \(counted(count, "episode")), which has "
          + "\(shard.index.episodeCount); restore it from a copy, or run 'trajpack repair'")
    }
    let part = try OpenDataset(
      listed, [shard], media: media,
      first: (firstEpisodes[number], number == 0 ? 0 : try firstTracks()[number]))
    return state.withLock { state in
      if let whole = state.whole { return whole }
      let kept = state.parts[number] ?? part
      state.parts[number] = kept
      return kept
    }
  }

  /// The number of each shard's first track, and one more: by their headers, of which the tables follow.
  private func firstTracks() throws(TrajpackError) -> [Int] {
    if let known = state.withLock({ $0.firstTracks }) { return known }
    let threads = listed.isRemote ? 64 : min(WorkerPool.processors, 8)
    let pool = try WorkerPool(threads: min(threads, listed.entries.count))
    let listed = listed
    let counts = listed.entries.indices.map { number in
      pool.run { () throws(TrajpackError) in try listed.trackCount(ofShard: number) }
    }
    var first = [0]
    for count in counts { first.append(first[first.count - 1] + (try count.value())) }
    return state.withLock { state in
      state.firstTracks = first
      return first
    }
  }
}
