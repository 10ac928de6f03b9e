import TrajpackFormat
import TrajpackPrepare
import TrajpackSignal
import TrajpackStore

/// The tracks of a shard as a plan leaves them: how many rows each has and on which clock. Rows are made
/// when they are asked for, in chunks of which none holds rows of two tracks.
final class PreparedTracks: Sendable {
  let streams: [(stream: PlanStream, time: Int?)]
  let programs: [PlanProgram]
  /// The sort of explicit times of each stream.
  let explicit: [PlanClock.Sort?]
  /// The tracks; those of prepared streams have rows as if each began a chunk.
  let tracks: [ShardIndex.TrackRecord]
  /// The number of each track's first row among those that the plan counts.
  let firstRows: [Int]
  /// Rows of a chunk of each stream.
  let chunkRows: [Int]
  /// The column of the plan's output in each block of the schema; -1 is the times.
  let columns: [Int?]
  /// The first chunk of each track of each stream, in order.
  private let chunks: [[(chunk: Int, track: Int)]]

  fileprivate init(
    streams: [(stream: PlanStream, time: Int?)], programs: [PlanProgram],
    explicit: [PlanClock.Sort?], tracks: [ShardIndex.TrackRecord], firstRows: [Int],
    chunkRows: [Int], columns: [Int?]
  ) {
    self.streams = streams
    self.programs = programs
    self.explicit = explicit
    self.tracks = tracks
    self.firstRows = firstRows
    self.chunkRows = chunkRows
    self.columns = columns
    var chunks: [[(chunk: Int, track: Int)]] = programs.map { _ in [] }
    for (number, track) in tracks.enumerated() where !programs[track.stream].isIdentity {
      if track.count > 0 {
        chunks[track.stream].append((track.first / chunkRows[track.stream], number))
      }
    }
    self.chunks = chunks
  }

  func isPrepared(_ stream: Int) -> Bool { !programs[stream].isIdentity }

  /// Whether rows of a stream are others in each epoch.
  func varies(_ stream: Int) -> Bool { !programs[stream].varying.isEmpty }

  /// The track that a chunk of a stream belongs to, and the rows of it that are in the chunk.
  func rows(ofChunk chunk: Int, stream: Int) -> (track: Int, rows: Range<Int>) {
    let list = chunks[stream]
    var (low, high) = (0, list.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if list[middle].chunk <= chunk { low = middle } else { high = middle }
    }
    let track = list[low].track
    let first = (chunk - list[low].chunk) * chunkRows[stream]
    return (track, first..<min(first + chunkRows[stream], tracks[track].count))
  }
}

extension ShardView {
  /// Shards as a plan leaves them, all that are laid out alike by the same programs.
  ///
  /// - Parameters:
  ///   - scheme: The rows of splits that steps are fitted to, where a scheme counts.
  ///   - value: What is known of episodes, for steps that are fitted to each value.
  /// - Throws: A usage error where a step does not fit the data; a data error where times are damaged.
  static func prepared(
    _ shards: [[Shard]], by plan: Plan, threads: Int = 0, scheme: SchemedRows? = nil,
    value: FittedStatistics.EpisodeValueLookup? = nil
  ) throws(TrajpackError) -> [[ShardView]] {
    var layouts: [(schema: Schema, sorts: [Set<PlanClock.Sort>])] = []
    var numbers: [[Int]] = []
    for group in shards {
      numbers.append([])
      for shard in group {
        let at =
          layouts.firstIndex { $0.schema.streams == shard.schema.streams } ?? layouts.count
        if at == layouts.count {
          layouts.append((shard.schema, shard.schema.streams.map { _ in [] }))
        }
        numbers[numbers.count - 1].append(at)
        let clocks = shard.index.allClocks
        for track in 0..<shard.index.trackCount {
          let track = shard.index.numbers(ofTrack: track)
          layouts[at].sorts[track.stream].insert(clocks[track.clock].sort)
        }
      }
    }
    // A step that names nothing is a mistake, which one layout alone does not show.
    let all = PlanStream.merged(layouts.map { $0.schema.planStreams($0.sorts) })
    var plan = plan
    if plan.unresolved != nil {
      plan = try plan.normalized(
        by: FittedStatistics(
          shards.flatMap { $0 }, threads: threads, scheme: scheme, value: value), of: all)
    }
    _ = try plan.programs(for: all)
    var made: [([(stream: PlanStream, time: Int?)], [PlanProgram], [PlanClock.Sort?])] = []
    for layout in layouts {
      let streams = layout.schema.planStreams(layout.sorts)
      let programs = try plan.programs(for: streams.map(\.stream), areAll: false)
      let sorts = PreparedSorts(programs, layout.sorts)
      var explicit: [PlanClock.Sort?] = []
      for stream in programs.indices { explicit.append(try sorts.explicit(stream)) }
      made.append((streams, programs, explicit))
    }
    var out: [[ShardView]] = []
    for (group, numbers) in zip(shards, numbers) {
      var views: [ShardView] = []
      for (shard, number) in zip(group, numbers) {
        let (streams, programs, explicit) = made[number]
        views.append(try ShardView(shard, streams, programs, explicit))
      }
      out.append(views)
    }
    return out
  }

  private convenience init(
    _ shard: Shard, _ streams: [(stream: PlanStream, time: Int?)], _ programs: [PlanProgram],
    _ explicit: [PlanClock.Sort?]
  ) throws(TrajpackError) {
    var schema = shard.schema
    var columns: [Int?] = schema.blocks.map { _ in nil }
    var chunkRows = schema.streams.map { _ in 1 }
    for (number, program) in programs.enumerated() where !program.isIdentity {
      var channels: [(channel: Channel, column: Int)] = []
      if let sort = explicit[number] {
        let type = sort == .ticks ? ElementType.int64 : .float64
        channels.append((Channel(name: "time", kind: .scalar, type: type), -1))
      }
      // Rows of bytes have no place in a window.
      for (c, channel) in program.outputs.enumerated() where channel.type != .bytes {
        channels.append((channel, c))
      }
      let rowBytes = channels.reduce(0) { $0 + $1.channel.elements * $1.channel.type.size }
      chunkRows[number] = min(max((1 << 20) / max(rowBytes, 1), 1), 512)
      schema.streams[number].channels = channels.map { channel, column in
        var channel = channel
        channel.storage = .init(block: schema.blocks.count, column: 0)
        columns.append(column)
        schema.blocks.append(
          Block(
            path: "", stream: number, type: channel.type, shape: channel.shape,
            chunkRows: chunkRows[number], codec: .zstd, shuffle: 0))
        return channel
      }
    }
    var clocks = shard.index.allClocks
    var known: [Clock: Int] = [:]
    for (number, clock) in clocks.enumerated() { known[clock] = known[clock] ?? number }
    var tracks: [ShardIndex.TrackRecord] = []
    var firstRows: [Int] = []
    var next = schema.streams.map { _ in 0 }
    let reader = BlockReader(shard)
    for episode in 0..<shard.index.episodeCount {
      let rows = EpisodeRows(
        shard, episode: episode, streams: streams, programs: programs, reader: reader)
      for track in shard.index.tracks(ofEpisode: episode) {
        var numbers = shard.index.numbers(ofTrack: track)
        var first = 0
        if !programs[numbers.stream].isIdentity {
          var clock = try rows.outputClock(track)
          first = clock.first
          if let sort = explicit[numbers.stream] { clock = try clock.listed(as: sort) }
          let stored = try clock.stored()
          if known[stored] == nil {
            known[stored] = clocks.count
            clocks.append(stored)
          }
          numbers.clock = known[stored] ?? 0
          numbers.count = clock.count
          numbers.first = next[numbers.stream]
          let size = chunkRows[numbers.stream]
          let chunks = clock.count / size + (clock.count % size == 0 ? 0 : 1)
          guard let end = chunks.multiplied(by: size).flatMap({ next[numbers.stream].adding($0) }),
            end < 1 << Segment.chunkBits
          else {
            throw TrajpackError(
              .usage, file: shard.name,
              "the plan makes more than 2^\(Segment.chunkBits) rows of stream "
                + "'\(streams[numbers.stream].stream.name)'; resample to a lower rate")
          }
          next[numbers.stream] = end
        }
        tracks.append(numbers)
        firstRows.append(first)
      }
    }
    self.init(
      shard,
      PreparedTracks(
        streams: streams, programs: programs, explicit: explicit, tracks: tracks,
        firstRows: firstRows, chunkRows: chunkRows, columns: columns), schema, clocks)
  }
}
