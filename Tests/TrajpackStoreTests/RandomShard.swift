import Glibc
import TrajpackFormat
import TrajpackHDF5
import TrajpackStore
import TrajpackTestSupport

/// A random shard: its schema, its episodes, and every row as it was drawn.
///
/// Everything follows from the seed: streams, channels of all types and shapes, entities, clocks, splits,
/// texts, rows of a chunk and codecs.
struct RandomShard {
  /// A track as it was drawn: packed rows of each block of its stream, by block number, and its texts.
  struct Track {
    var stream: Int
    var entity: Entity?
    var clock: Clock
    var count: Int
    var rows: [Int: [UInt8]]
    var texts: [UInt8]
    var metadata: JSONValue
  }

  struct Episode {
    var id: String
    var split: String
    var metadata: JSONValue
    var tracks: [Track]
  }

  var schema: Schema
  var episodes: [Episode] = []
  var level: Int?

  init(seed: UInt64, maximumRows: Int = 90) {
    var random = SeededGenerator(seed: seed)
    let codec = Codec.allCases.randomElement(using: &random) ?? .zstd
    level = codec == .zstd ? Int.random(in: 1...5, using: &random) : nil
    let plans = (0..<Int.random(in: 1...4, using: &random)).map { Self.plan($0, &random) }
    schema = Schema(
      layingOut: plans, attributes: .record(["seed": .int(Int64(seed))]),
      options: LayoutOptions(
        codec: codec, chunkRows: [nil, 1, 3, 16, 33].randomElement(using: &random) ?? nil))
    for number in 0..<Int.random(in: 1...6, using: &random) {
      var episode = Episode(
        id: "episode/\(number) é\u{1F40E}",
        split: ["", "train", "test"].randomElement(using: &random) ?? "",
        metadata: Bool.random(using: &random) ? .object([]) : .record(["n": .int(Int64(number))]),
        tracks: [])
      for _ in 0..<Int.random(in: 0...5, using: &random) {
        episode.tracks.append(track(maximumRows: maximumRows, &random))
      }
      episodes.append(episode)
    }
  }

  private static func plan(_ number: Int, _ random: inout SeededGenerator) -> StreamPlan {
    var channels: [ChannelPlan] = []
    for c in 0..<Int.random(in: 1...7, using: &random) {
      let type = ElementType.allCases.randomElement(using: &random) ?? .float32
      let shape = [[], [], [3], [4], [2, 3], [40]].randomElement(using: &random) ?? []
      var channel = Channel(
        name: "channel \(c)", kind: Kind.allCases.randomElement(using: &random) ?? .scalar,
        type: type,
        shape: type == .bytes ? [] : shape)
      var stored = type
      if type == .float64, Bool.random(using: &random) {
        stored = Bool.random(using: &random) ? .int32 : .int64
        channel.storage.decimals = Int.random(in: 0...9, using: &random)
        channel.missing = .nan
      } else if type == .int32 || type == .int64, Bool.random(using: &random) {
        channel.missing = .sentinel
      } else if type.isFloat, Bool.random(using: &random) {
        channel.missing = .nan
      }
      channels.append(ChannelPlan(channel, stored: stored))
    }
    return StreamPlan(
      Stream(name: "stream/\(number)", timeUnit: number % 2 == 0 ? "s" : "turns"),
      channels: channels)
  }

  private func track(maximumRows: Int, _ random: inout SeededGenerator) -> Track {
    let stream = Int.random(in: schema.streams.indices, using: &random)
    let count = Int.random(in: 0...maximumRows, using: &random)
    var rows: [Int: [UInt8]] = [:]
    for (number, block) in schema.blocks.enumerated()
    where block.stream == stream && schema.streams[stream].blob != number {
      // Runs of equal bytes as well as noise, so that some chunks shrink and some do not.
      let alphabet = [2, 256].randomElement(using: &random) ?? 2
      rows[number] = random.bytes(count * block.rowBytes, alphabet: alphabet)
    }
    var texts: [UInt8] = []
    for channel in schema.streams[stream].channels where channel.type == .bytes {
      let block = schema.blocks[channel.storage.block]
      for row in 0..<count {
        let text = random.bytes(Int.random(in: 0...20, using: &random))
        let isThere = Int.random(in: 0..<5, using: &random) > 0
        let at = row * block.rowBytes + channel.storage.column * 8
        put(Int64(isThere ? texts.count : -1), &rows[channel.storage.block, default: []], at)
        put(Int64(text.count), &rows[channel.storage.block, default: []], at + 8)
        if isThere { texts += text }
      }
    }
    let clocks: [Clock] = [
      .regular(start: Rational(7, 30) ?? .zero, rate: Rational(30_000, 1001) ?? .one),
      .regular(start: .zero, rate: .one),
      .regular(start: Rational(-7, 3) ?? .zero, rate: Rational(30000, 1001) ?? .one),
    ]
    let entities = [
      nil, Entity(kind: "npc", index: Int.random(in: 0...4, using: &random), type: -1),
      Entity(kind: "monster", index: 0, type: Int.random(in: 0...99, using: &random)),
    ]
    return Track(
      stream: stream, entity: entities.randomElement(using: &random) ?? nil,
      clock: clocks.randomElement(using: &random) ?? .regular(start: .zero, rate: .one),
      count: count, rows: rows,
      texts: texts,
      metadata: Bool.random(using: &random) ? .object([]) : .record(["m": "two \"words\""]))
  }

  private func put(_ value: Int64, _ bytes: inout [UInt8], _ offset: Int) {
    withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
  }

  /// The container of shards.
  static func backend(_ path: String) throws(TrajpackError) -> any ShardBackend {
    try HDF5Backend(path)
  }

  /// Writes the shard with `jobs` threads.
  func write(_ path: String, jobs: Int = 2) throws -> ShardWriter.Receipt {
    let writer = try ShardWriter(
      path, schema: schema, level: level, pool: try WorkerPool(threads: jobs)
    ) { (path) throws(TrajpackError) in try Self.backend(path) }
    for episode in episodes {
      var draft = EpisodeDraft(id: episode.id, split: episode.split, metadata: episode.metadata)
      for track in episode.tracks {
        // Tracks begin in the middle of their spools, as tracks of a long recording do.
        var rows: [TrackDraft.Rows] = []
        for (_, bytes) in track.rows.sorted(by: { $0.key < $1.key }) {
          let spool = RowSpool(limit: 1000)
          try spool.append([1, 2, 3, 4, 5])
          try spool.append(bytes)
          rows.append(.init(spool, offset: 5))
        }
        let texts = RowSpool(limit: 100)
        try texts.append([9])
        try texts.append(track.texts)
        draft.tracks.append(
          TrackDraft(
            stream: track.stream, entity: track.entity, clock: track.clock, count: track.count,
            metadata: track.metadata, rows: rows,
            bytes: schema.streams[track.stream].blob == nil
              ? nil : .spool(texts, 1..<1 + track.texts.count)))
      }
      try writer.append(draft)
    }
    return try writer.commit()
  }
}
