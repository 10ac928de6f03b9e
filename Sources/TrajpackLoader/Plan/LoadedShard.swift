import CForkGuard
import TrajpackFormat
import TrajpackRemote
import TrajpackStore

/// A shard that windows are read from, and which of its chunks have been checked.
final class LoadedShard: @unchecked Sendable {
  // `checked` is set and looked at atomically; all else is never changed.
  let shard: Shard
  /// The shard as it is seen, which a plan may have changed.
  let view: ShardView
  let index: ShardIndex
  /// Its number among all shards of the loader.
  let number: Int
  /// Its programs.
  let programs: ShardPrograms
  let clocks: [Clock]
  /// The kinds of its entities, by the order of their names, so that all shards sort alike.
  let kindOrder: [Int]
  /// The numbers of its first episode and track in the dataset.
  let firstEpisode: Int
  let firstTrack: Int
  /// The first row of the chunk table of each block.
  let firstChunks: [Int]
  /// The file in memory, where that is wanted and can be.
  let mapping: MappedFile?
  /// Whether it lies on a server.
  var isRemote: Bool { remote != nil }
  /// The server's file.
  let remote: RemoteFile?
  private let verify: LoaderOptions.Verification
  /// A flag for each chunk that was found to be right; `nil` where that is of no use.
  private let checked: UnsafeMutablePointer<UInt8>?

  init(
    _ view: ShardView, number: Int, programs: ShardPrograms, firstEpisode: Int, firstTrack: Int,
    _ options: LoaderOptions
  ) {
    let shard = view.shard
    self.shard = shard
    self.view = view
    self.number = number
    self.programs = programs
    self.firstEpisode = firstEpisode
    self.firstTrack = firstTrack
    index = shard.index
    clocks = view.clocks
    firstChunks = view.schema.blocks.map(\.firstChunk)
    let kinds = shard.schema.entityKinds
    kindOrder = kinds.map { kind in kinds.count { $0 < kind } }
    remote = shard.file as? RemoteFile
    mapping = options.mapsFiles ? (shard.file as? LocalFile).flatMap { MappedFile($0) } : nil
    verify = options.verify
    let chunks = max(shard.index.chunkCount, 1)
    // What comes over a network is compared each time.
    checked = verify == .first && remote == nil ? .allocate(capacity: chunks) : nil
    checked?.initialize(repeating: 0, count: chunks)
  }

  deinit { checked?.deallocate() }

  /// The shard, stream and episode of a track, for errors.
  func place(ofTrack number: Int) -> String {
    let numbers = numbers(ofTrack: number)
    return "\(shard.name): stream '\(view.schema.streams[numbers.stream].name)', episode "
      + "'\(index.episode(numbers.episode).id)'"
  }

  /// The same for programs.
  func errorPlace(ofTrack number: Int) -> ErrorPlace {
    let numbers = numbers(ofTrack: number)
    return ErrorPlace(
      file: shard.name, episode: index.episode(numbers.episode).id,
      stream: view.schema.streams[numbers.stream].name)
  }

  /// The numbers of a track.
  func numbers(ofTrack number: Int) -> ShardIndex.TrackRecord { view.numbers(ofTrack: number) }

  /// Whether the bytes of a chunk need not be compared with their checksum.
  func isChecked(_ row: Int) -> Bool {
    guard let checked else { return verify == .never }
    return tp_flag_look(checked + row) != 0
  }

  /// The server's file, where it keeps bytes on this machine that may be read before they are compared with anything:
  /// chunks are compared with their own checksums.
  var kept: RemoteFile? { verify == .never ? nil : remote }

  /// Notes that a chunk was found to be right.
  func setChecked(_ row: Int) {
    if let checked { tp_flag_set(checked + row) }
  }
}
