import CForkGuard
import TrajpackFormat
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
  /// The file in memory, where it can be.
  let mapping: MappedFile?
  private let checked: UnsafeMutablePointer<UInt8>

  init(
    _ view: ShardView, number: Int, programs: ShardPrograms, firstEpisode: Int, firstTrack: Int
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
    mapping = MappedFile(shard.file)
    checked = .allocate(capacity: max(shard.index.chunkCount, 1))
    checked.initialize(repeating: 0, count: max(shard.index.chunkCount, 1))
  }

  deinit { checked.deallocate() }

  /// The numbers of a track.
  func numbers(ofTrack number: Int) -> ShardIndex.TrackNumbers { view.numbers(ofTrack: number) }

  func isChecked(_ row: Int) -> Bool { tp_flag_look(checked + row) != 0 }
  func setChecked(_ row: Int) { tp_flag_set(checked + row) }
}
