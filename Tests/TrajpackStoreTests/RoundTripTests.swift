import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackStore

@Suite struct RoundTripTests {
  @Test(arguments: 1...24) func everyValueComesBack(seed: Int) throws {
    let scratch = Scratch()
    let drawn = RandomShard(seed: UInt64(seed))
    let receipt = try drawn.write("\(scratch.path)/s.h5")
    let shard = try Shard("\(scratch.path)/s.h5")
    #expect(receipt.bytes == shard.file.length)
    #expect(receipt.episodes == drawn.episodes.count)
    #expect(receipt.rows == drawn.episodes.flatMap(\.tracks).reduce(0) { $0 + $1.count })
    #expect(shard.schema.attributes == drawn.schema.attributes)
    #expect(try FileSystem.names(in: scratch.path) == ["s.h5"])
    try #require(shard.index.episodeCount == drawn.episodes.count)
    var random = SeededGenerator(seed: UInt64(seed) + 1000)
    let reader = BlockReader(shard)
    for (number, episode) in drawn.episodes.enumerated() {
      let found = shard.index.episode(number)
      #expect(found.id == episode.id && found.split == episode.split)
      #expect(found.metadata == (episode.metadata == .object([]) ? "" : episode.metadata.text()))
      try #require(found.tracks.count == episode.tracks.count)
      for (track, drawnTrack) in zip(found.tracks, episode.tracks) {
        try check(
          TrackReader(shard, track: track, reader: reader), drawnTrack, drawn.schema, &random)
      }
    }
  }

  private func check(
    _ reader: TrackReader, _ drawn: RandomShard.Track, _ schema: Schema,
    _ random: inout SeededGenerator
  ) throws {
    #expect(reader.count == drawn.count)
    #expect(reader.track.entity == drawn.entity && reader.track.clock == drawn.clock)
    #expect(reader.track.metadata == (drawn.metadata == .object([]) ? "" : drawn.metadata.text()))
    for (number, channel) in schema.streams[drawn.stream].channels.enumerated() {
      let block = schema.blocks[channel.storage.block]
      let width = (channel.type == .bytes ? 2 : channel.elements) * block.type.size
      let all = drawn.rows[channel.storage.block] ?? []
      for _ in 0..<4 {
        let first = Int.random(in: 0...drawn.count, using: &random)
        let rows = first..<Int.random(in: first...drawn.count, using: &random)
        let values = try reader.read(channel: number, rows: rows)
        let wanted = rows.flatMap { row in
          let at = row * block.rowBytes + channel.storage.column * block.type.size
          return all[at..<at + width]
        }
        #expect(values.bytes == wanted)
        #expect(values.count == rows.count && values.stored == block.type)
        // Both ways to read a number give the same one.
        for (i, double) in values.doubles().enumerated() where channel.type != .bytes {
          agree(values.value(i / channel.elements, i % channel.elements), double)
        }
        if channel.type == .bytes { try checkTexts(reader, values, drawn.texts) }
      }
    }
  }

  private func agree(_ value: ChannelValues.Value, _ double: Double) {
    switch value {
    case .missing: #expect(double.isNaN)
    case .int(let n): #expect(double == Double(n))
    case .uint(let n): #expect(double == Double(n))
    case .double(let n): #expect(n.bitPattern == double.bitPattern || n.isNaN && double.isNaN)
    case .float(let n): #expect(Double(n) == double || n.isNaN && double.isNaN)
    }
  }

  private func checkTexts(_ reader: TrackReader, _ values: ChannelValues, _ texts: [UInt8]) throws {
    for row in 0..<values.count {
      guard case .int(let at) = values.value(row, 0), case .int(let size) = values.value(row, 1)
      else {
        Issue.record("a place is no integer")
        return
      }
      let found = try reader.bytes(values, row)
      #expect(found == (at < 0 ? nil : Array(texts[Int(at)..<Int(at + size)])))
    }
  }

  @Test(arguments: [101, 102, 103, 104, 105, 106, 107, 108]) func threadsChangeNoByte(seed: Int)
    throws
  {
    let scratch = Scratch()
    let drawn = RandomShard(seed: UInt64(seed), maximumRows: 700)
    let one = try drawn.write("\(scratch.path)/one.h5", jobs: 1)
    let again = try drawn.write("\(scratch.path)/again.h5", jobs: 1)
    let four = try drawn.write("\(scratch.path)/four.h5", jobs: 4)
    #expect(one == again && one == four)
    let bytes = try contents("\(scratch.path)/one.h5")
    #expect(try contents("\(scratch.path)/again.h5") == bytes)
    #expect(try contents("\(scratch.path)/four.h5") == bytes)
  }

  @Test(arguments: [201, 202, 203]) func aFlippedByteIsNeverSilent(seed: Int) throws {
    let scratch = Scratch()
    let drawn = RandomShard(seed: UInt64(seed))
    _ = try drawn.write("\(scratch.path)/good.h5")
    let good = try contents("\(scratch.path)/good.h5")
    let wanted = try everything("\(scratch.path)/good.h5")
    var random = SeededGenerator(seed: UInt64(seed))
    for _ in 0..<150 {
      var bytes = good
      bytes[Int.random(in: bytes.indices, using: &random)] ^=
        1 << UInt8.random(in: 0..<8, using: &random)
      try FileSystem.replace("\(scratch.path)/bad.h5", with: bytes)
      // Either an error, or the same values: the byte was one that no reader looks at.
      do {
        #expect(try everything("\(scratch.path)/bad.h5") == wanted)
      } catch let error as TrajpackError { #expect(error.fault == .data) }
    }
  }

  private func everything(_ path: String) throws -> [[UInt8]] {
    let shard = try Shard(path)
    let reader = BlockReader(shard)
    var out: [[UInt8]] = []
    for number in 0..<shard.index.trackCount {
      let track = TrackReader(shard, track: number, reader: reader)
      out.append(Array(track.track.metadata.utf8))
      for channel in track.stream.channels.indices {
        out.append(try track.read(channel: channel, rows: 0..<track.count).bytes)
      }
      out.append(try track.bytes(0..<track.track.blob.count))
    }
    for number in 0..<shard.index.episodeCount {
      out.append(Array(shard.index.episode(number).id.utf8))
    }
    return out
  }

  @Test func aCutFileIsNeverSilent() throws {
    let scratch = Scratch()
    _ = try RandomShard(seed: 301).write("\(scratch.path)/good.h5")
    let good = try contents("\(scratch.path)/good.h5")
    for length in stride(from: 0, to: good.count, by: max(good.count / 60, 1)) {
      try FileSystem.replace("\(scratch.path)/bad.h5", with: Array(good[..<length]))
      #expect(failure { _ = try Shard("\(scratch.path)/bad.h5") }?.fault == .data)
    }
  }

  @Test func chunksOfManyMegabytesAreReadInShortRuns() throws {
    let scratch = Scratch()
    // Rows of 1.5 MB: a run of 4096 would be 6 GB.
    var schema = Schema(
      layingOut: [
        StreamPlan(
          Stream(name: "picture"),
          channels: [
            ChannelPlan(Channel(name: "rgb", kind: .image, type: .uint8, shape: [500, 1000, 3]))
          ])
      ], options: LayoutOptions())
    schema.attributes = .object([])
    let writer = try ShardWriter(
      "\(scratch.path)/s.h5", schema: schema, level: 1, pool: try WorkerPool(threads: 2)
    ) { (path) throws(TrajpackError) in try RandomShard.backend(path) }
    let spool = RowSpool()
    for row in 0..<6 { try spool.append([UInt8](repeating: UInt8(row), count: 1_500_000)) }
    try writer.append(
      EpisodeDraft(
        id: "e",
        tracks: [
          TrackDraft(
            stream: 0, clock: .regular(start: .zero, rate: .one), count: 6, rows: [.init(spool)])
        ]))
    _ = try writer.commit()
    let shard = try Shard("\(scratch.path)/s.h5")
    let track = TrackReader(shard, track: 0, reader: BlockReader(shard))
    var runs: [Range<Int>] = []
    try track.forEachRun { (rows) throws(TrajpackError) in
      runs.append(rows)
      let values = try track.read(channel: 0, rows: rows)
      #expect(
        values.bytes.first == UInt8(rows.lowerBound)
          && values.bytes.last == UInt8(rows.upperBound - 1))
    }
    #expect(runs == [0..<2, 2..<4, 4..<6])
  }
}
