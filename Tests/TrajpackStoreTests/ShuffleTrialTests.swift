import Glibc
import Testing
import TrajpackFormat
import TrajpackHDF5
import TrajpackStore
import TrajpackTestSupport

@Suite struct ShuffleTrialTests {
  /// Writes one track of a channel of 300 numbers a row and returns the shard's path and the rows.
  private func write(
    _ folder: String, _ codec: Codec, rows: Int, _ value: (Int, Int, inout SeededGenerator) -> Float
  ) throws -> (path: String, bytes: [UInt8]) {
    let channel = Channel(name: "joints", kind: .position, type: .float32, shape: [100, 3])
    let schema = Schema(
      layingOut: [StreamPlan(Stream(name: "body"), channels: [ChannelPlan(channel)])],
      options: LayoutOptions(codec: codec, chunkRows: 32))
    let path = "\(folder)/shard-000000.h5"
    let writer = try ShardWriter(
      path, schema: schema, level: nil, pool: try WorkerPool(threads: 1)
    ) { (path) throws(TrajpackError) in try HDF5Backend(path) }
    var random = SeededGenerator(seed: 3)
    var bytes: [UInt8] = []
    for row in 0..<rows {
      for column in 0..<300 {
        let bits = value(row, column, &random).bitPattern.littleEndian
        withUnsafeBytes(of: bits) { bytes += Array($0) }
      }
    }
    let spool = RowSpool()
    try spool.append(bytes)
    try writer.append(
      EpisodeDraft(
        id: "a",
        tracks: [
          TrackDraft(
            stream: 0, clock: .regular(start: .zero, rate: .one), count: rows, rows: [.init(spool)])
        ]))
    _ = try writer.commit()
    return (path, bytes)
  }

  private func inFolder(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/trajpack-trial-XXXXXX".utf8CString)
    _ = mkdtemp(&template)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      unlink("\(folder)/shard-000000.h5")
      rmdir(folder)
    }
    try body(folder)
  }

  private func readBack(_ path: String, rows: Int) throws -> (shuffle: Int, bytes: [UInt8]) {
    let shard = try Shard(path)
    let track = TrackReader(shard, track: 0, reader: BlockReader(shard))
    return (shard.schema.blocks[0].shuffle, try track.read(channel: 0, rows: 0..<rows).bytes)
  }

  @Test(arguments: [Codec.lz4, .zstd]) func noisyColumnsAreShuffledByElement(codec: Codec) throws {
    try inFolder { folder in
      let (path, bytes) = try write(folder, codec, rows: 100) { row, column, random in
        // A sensor that counts in steps of 2^-15.
        let wave = sin(Double(row) / 9 + Double(column)) * 4
        let noise = Double(Int.random(in: -60...60, using: &random))
        return Float((wave * 32768 + noise).rounded() / 32768)
      }
      let found = try readBack(path, rows: 100)
      #expect(found.shuffle == 4 && found.bytes == bytes)
    }
  }

  @Test(arguments: [Codec.lz4, .zstd]) func constantColumnsAreShuffledByRow(codec: Codec) throws {
    try inFolder { folder in
      let (path, bytes) = try write(folder, codec, rows: 100) { row, column, random in
        column % 3 == 0 ? Float.random(in: 0...1, using: &random) : sin(Float(column))
      }
      let found = try readBack(path, rows: 100)
      #expect(found.shuffle == 1200 && found.bytes == bytes)
    }
  }

  @Test(arguments: [Codec.lz4, .zstd]) func tracksShorterThanAChunkDecideNothing(codec: Codec)
    throws
  {
    try inFolder { folder in
      let (path, bytes) = try write(folder, codec, rows: 31) { row, column, _ in Float(row * column)
      }
      let found = try readBack(path, rows: 31)
      #expect(found.shuffle == 1200 && found.bytes == bytes)
    }
  }
}
