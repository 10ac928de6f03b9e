import Synchronization
import TrajpackCodecs
import TrajpackFormat
import TrajpackPrepare
import TrajpackSignal
import TrajpackStore

/// The episodes of a dataset in order, and what a plan must know of them before any row is read.
final class EpisodeSource: Sendable {
  /// One episode, and where it lies.
  struct Place: Sendable {
    let id: String
    let split: String
    let shard: Int
    let number: Int
    /// Bytes of its rows before compression.
    let bytes: Int
    /// The layout that its shard has, among ``layouts``.
    let layout: Int
  }

  /// The streams of shards that are laid out alike.
  struct Layout: Sendable {
    let schema: Schema
    /// The sorts of clock that tracks of each stream have.
    var sorts: [Set<PlanClock.Sort>]
  }

  let dataset: Dataset
  let places: [Place]
  let layouts: [Layout]
  /// SHA-256 that stands for the content.
  let digest: String
  private let open = Mutex<[(number: Int, shard: Shard)]>([])

  /// Reads the index of every shard.
  ///
  /// - Throws: `.usage` for a dataset whose conversion has not finished.
  init(_ dataset: Dataset) throws(TrajpackError) {
    guard dataset.isComplete else {
      throw TrajpackError(
        .usage, file: dataset.path,
        "its conversion has not finished; go on with it by --resume first")
    }
    self.dataset = dataset
    var places: [Place] = []
    var layouts: [Layout] = []
    for number in dataset.shardPaths.indices {
      let shard = try dataset.shard(number)
      let at = layouts.firstIndex { Self.areAlike($0.schema, shard.schema) } ?? layouts.count
      if at == layouts.count {
        layouts.append(
          Layout(schema: shard.schema, sorts: shard.schema.streams.map { _ in [] }))
      }
      let index = shard.index
      let rowBytes = shard.schema.streams.indices.map { stream in
        shard.schema.rowBlocks(of: stream).reduce(0) { $0 + shard.schema.blocks[$1].rowBytes }
      }
      for episode in 0..<index.episodeCount {
        let entry = index.episode(episode)
        var bytes = 0
        for track in entry.tracks {
          let track = index.track(track)
          let (size, overflow) = track.rows.count.multipliedReportingOverflow(
            by: rowBytes[track.stream])
          bytes = overflow ? .max / 2 : min(bytes + size, .max / 4) + track.blob.count
          layouts[at].sorts[track.stream].insert(track.clock.sort)
        }
        places.append(
          Place(
            id: entry.id, split: entry.split, shard: number, number: episode, bytes: bytes,
            layout: at))
      }
    }
    self.places = places
    self.layouts = layouts
    if let manifest = dataset.manifest {
      digest = manifest.digest
    } else {
      digest = try LocalFile(dataset.shardPaths[0]).sha256()
    }
  }

  /// Whether rows of the one can be written by the schema of the other.
  static func areAlike(_ a: Schema, _ b: Schema) -> Bool {
    a.streams == b.streams && a.skeletons == b.skeletons
      && a.blocks.map(\.type) == b.blocks.map(\.type) && a.attributes == b.attributes
  }

  /// The shard of that number; the last few stay open.
  func shard(_ number: Int) throws(TrajpackError) -> Shard {
    let known = open.withLock { list in list.first { $0.number == number }?.shard }
    if let known { return known }
    let shard = try dataset.shard(number)
    open.withLock { list in
      if list.count >= 4 { list.removeFirst() }
      list.append((number, shard))
    }
    return shard
  }

  /// The streams of a layout as a plan sees them, with the number of the channel of times that is the
  /// clock.
  static func streams(_ layout: Layout) -> [(stream: PlanStream, time: Int?)] {
    layout.schema.planStreams(layout.sorts)
  }

  /// The rows of an episode, as the programs of its layout take them.
  func rows(_ place: Place, _ programs: [PlanProgram]) throws(TrajpackError) -> EpisodeRows {
    EpisodeRows(
      try shard(place.shard), episode: place.number, streams: Self.streams(layouts[place.layout]),
      programs: programs)
  }

  /// All streams of the dataset, each with every channel that some shard has.
  var allStreams: [PlanStream] { PlanStream.merged(layouts.map(Self.streams)) }
}
