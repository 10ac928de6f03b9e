import Glibc
import TrajpackFormat
import TrajpackHDF5
import TrajpackStore
import TrajpackTestSupport

/// A random dataset in a folder of its own: ragged episodes, streams of several rates, entities that come
/// and go, explicit times, every kind of storage.
final class Archive {
  let path: String

  init(seed: UInt64, episodes: Int = 5, shards: Int = 2, codec: Codec = .zstd) throws {
    var template = Array("/tmp/trajpack-loader-XXXXXX".utf8CString)
    _ = mkdtemp(&template)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var random = SeededGenerator(seed: seed)
    let pool = try WorkerPool(threads: 1)
    var entries: [Manifest.Entry] = []
    for shard in 0..<shards {
      let chunk = Int.random(in: 3...40, using: &random)
      let schema = Schema(
        layingOut: Self.streams, options: LayoutOptions(codec: codec, level: nil, chunkRows: chunk))
      let name = "shard-00000\(shard).h5"
      let writer = try ShardWriter(
        "\(path)/\(name)", schema: schema, level: nil, pool: pool
      ) { (path) throws(TrajpackError) in try HDF5Backend(path) }
      for episode in 0..<episodes {
        try writer.append(
          Self.episode(
            "\(shard)-\(episode)", schema, &random, split: episode % 2 == 0 ? "train" : "test"))
      }
      entries.append(.init(name: name, receipt: try writer.commit()))
    }
    let manifest = Manifest(shards: entries, source: .object([]), statistics: .object([]))
    try FileSystem.replace("\(path)/manifest.json", with: Array(manifest.json.text().utf8))
  }

  deinit {
    for name in (try? FileSystem.names(in: path)) ?? [] { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  static let streams: [StreamPlan] = {
    func plan(
      _ name: String, _ type: ElementType, _ stored: ElementType? = nil, _ shape: [Int] = [],
      _ kind: Kind = .scalar, missing: Channel.Missing = .never, decimals: Int? = nil
    ) -> ChannelPlan {
      ChannelPlan(
        Channel(
          name: name, kind: kind, type: type, shape: shape, missing: missing,
          storage: .init(block: 0, column: 0, decimals: decimals)), stored: stored)
    }
    return [
      StreamPlan(
        Stream(name: "state"),
        channels: [
          plan("hp", .float32, missing: .nan), plan("id", .int32, nil, [], .label),
          plan("price", .float64, .int32, missing: .nan, decimals: 2),
          plan("speed", .float32, nil, [3]),
          plan("level", .int64, .int32, [], .label, missing: .sentinel),
          plan("wide", .float32, nil, [20, 3], .position), plan("flag", .bool, nil, [], .event),
        ]),
      StreamPlan(
        Stream(name: "camera"),
        channels: [
          plan("place", .float32, nil, [3], .position),
          plan("turn", .float32, nil, [4], .quaternion),
          plan("shot", .int32, nil, [], .categorical),
        ]),
      StreamPlan(
        Stream(name: "body"),
        channels: [
          plan("joints", .float32, nil, [12, 3], .position), plan("alive", .uint8, nil, [], .label),
        ]),
      StreamPlan(
        Stream(name: "log"),
        channels: [plan("time", .int64, nil, [], .label), plan("value", .float64)]),
    ]
  }()

  private static func episode(
    _ id: String, _ schema: Schema, _ random: inout SeededGenerator, split: String
  ) throws -> EpisodeDraft {
    var episode = EpisodeDraft(
      id: id, split: split,
      metadata: .record(["score": .int(Int64.random(in: 0...9, using: &random))]))
    let rows = Int.random(in: 1...160, using: &random)
    // Powers of two, so that a slow reference may count in doubles and still be exact.
    let rate = Rational(32) ?? .one
    let start = Rational(Int64.random(in: -40...40, using: &random), 64) ?? .zero
    func add(_ stream: Int, _ entity: Entity?, _ clock: Clock, _ count: Int) throws {
      var spools: [TrackDraft.Rows] = []
      for number in schema.blocks.indices where schema.blocks[number].stream == stream {
        let spool = RowSpool()
        try spool.append(bytes(schema, number, count, &random))
        spools.append(.init(spool))
      }
      episode.tracks.append(
        TrackDraft(stream: stream, entity: entity, clock: clock, count: count, rows: spools))
    }
    try add(0, nil, .regular(start: start, rate: rate), rows)
    let slow = Rational([8, 16, 32, 64].randomElement(using: &random) ?? 16) ?? .one
    let shift = Rational(Int64.random(in: -60...60, using: &random), 64) ?? .zero
    try add(1, nil, .regular(start: shift, rate: slow), Int.random(in: 1...100, using: &random))
    for entity in 0..<Int.random(in: 0...4, using: &random) {
      let late = Int64.random(in: 0...30, using: &random)
      let begin = Rational(start.numerator * (64 / start.denominator) + 2 * late, 64) ?? .zero
      try add(
        2, Entity(kind: ["npc", "monster"][entity % 2], index: entity / 2, type: 7),
        .regular(start: begin, rate: rate), Int.random(in: 1...max(rows, 2), using: &random))
    }
    try add(3, nil, .ticks(Rational(1, 64) ?? .one), Int.random(in: 2...90, using: &random))
    return episode
  }

  private static func bytes(
    _ schema: Schema, _ number: Int, _ rows: Int, _ random: inout SeededGenerator
  ) -> [UInt8] {
    let block = schema.blocks[number]
    var out: [UInt8] = []
    var time = Int64.random(in: -64...0, using: &random)
    for _ in 0..<rows {
      for column in 0..<block.elements {
        let channel = schema.streams[block.stream].channels.first {
          $0.storage.block == number && column >= $0.storage.column
            && column < $0.storage.column + $0.elements
        }
        var bits: UInt64
        if channel?.name == "time" {
          time += Int64.random(in: 0...5, using: &random)
          bits = UInt64(bitPattern: time)
        } else {
          let value = Int64.random(in: -3000...3000, using: &random)
          let isMissing = channel?.missing != .never && value % 7 == 0
          switch block.type {
          case .float32: bits = UInt64((isMissing ? .nan : Float(value) / 8).bitPattern)
          case .float64: bits = (Double(value) / 8).bitPattern
          case .bool: bits = UInt64(value & 1)
          default:
            bits = isMissing ? UInt64(bitPattern: Int64(Int32.min)) : UInt64(bitPattern: value)
          }
        }
        withUnsafeBytes(of: bits.littleEndian) { out += Array($0.prefix(block.type.size)) }
        bits = 0
      }
    }
    return out
  }
}
