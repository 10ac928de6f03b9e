import Glibc
import TrajpackCodecs
import TrajpackFormat

/// A shard opened for reading: two reads, then chunks by their places. Any number of threads may use it;
/// each needs a ``BlockReader`` of its own.
public final class Shard: Sendable {
  /// The file.
  public let file: any ByteSource
  /// Its index, checked.
  public let index: ShardIndex
  /// Its header.
  public let header: ShardHeader
  /// The name to say in errors.
  public let name: String

  /// Streams, channels and blocks.
  public var schema: Schema { index.schema }

  /// Opens a shard and checks its header and index. No chunk is read.
  ///
  /// - Throws: A data error naming the file and what is damaged.
  public init(_ path: String) throws(TrajpackError) {
    let file = try ByteSources.open(path)
    let name = FileSystem.name(of: file.path)
    self.file = file
    self.name = name
    (header, index) = try within(name) { () throws(TrajpackError) in
      let first = try file.bytes(0..<min(file.length, ShardHeader.size))
      file.recognise(header: first)
      let header = try first.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
        try ShardHeader(bytes, actualLength: UInt64(file.length))
      }
      let rows = [.episodes, .tracks].reduce(0) { $0 + (header.section($1)?.stored ?? 0) / 2 }
      // A large index is read and checked by several threads, which are gone before this returns.
      let pool =
        rows >= 2 << 20 && WorkerPool.processors > 1
        ? try WorkerPool(threads: min(WorkerPool.processors, 8)) : nil
      let sharing: ShardIndex.ParallelFor = { count, work in
        if let pool { pool.forEach(count, work) } else { (0..<count).forEach(work) }
      }
      let parts = try Self.load(header, file, sharing)
      return (
        header,
        try ShardIndex(
          parts, fileLength: UInt64(file.length), pieces: pool.map { $0.count * 4 } ?? 1,
          sharing: sharing)
      )
    }
    file.didOpen()
  }

  /// The most that a compressed section may claim to hold.
  static let maximumSection = 64 << 20
  /// The most values (numbers, texts, members) in a schema: some 300,000 channels.
  static let maximumSchemaValues = 4 << 20
  /// The most that the sections together may take: a chunk table of 26 million rows.
  static let maximumIndex = 1 << 30

  /// The most bytes that a compressed section of so many stored bytes may claim to hold.
  static func maximumInflatedSize(stored: Int) -> Int { (stored + 64) << 12 }

  static func inflate(
    _ section: ShardHeader.Section, _ name: String, _ bytes: UnsafeRawBufferPointer
  ) throws(TrajpackError) -> [UInt8] {
    guard let codec = Codec(rawValue: section.codec), codec != .lz4, section.raw <= maximumSection,
      section.raw <= maximumInflatedSize(stored: Int(section.stored))
    else { throw TrajpackError(.data, "section '\(name)' claims \(section.raw) bytes") }
    var out = [UInt8](repeating: 0, count: Int(section.raw))
    let failure = out.withUnsafeMutableBytes { buffer -> TrajpackError? in
      do throws(TrajpackError) {
        try Decompressor().decompress(bytes, codec, into: buffer)
        return nil
      } catch { return error }
    }
    if let failure { throw failure.within("section '\(name)'") }
    return out
  }

  /// Reads a section that is not needed to open the shard; `nil` where the shard has none.
  public func section(_ id: ShardHeader.SectionID) throws(TrajpackError) -> [UInt8]? {
    guard let section = header.section(id) else { return nil }
    return try within(name) { () throws(TrajpackError) in
      let bytes = try file.bytes(Int(section.offset)..<Int(section.offset + section.stored))
      return try bytes.withUnsafeBytesThrowing { (raw) throws(TrajpackError) in
        try Self.check(section, "\(id)", CRC32C.of(raw))
        return try Self.inflate(section, "\(id)", raw)
      }
    }
  }

  /// The episode that row `row` of stream `stream` belongs to, for errors.
  func episode(ofRow row: Int, stream: Int) -> String? {
    for number in 0..<index.trackCount {
      let rows = index.rows(ofTrack: number)
      guard rows.contains(row) else { continue }
      let track = index.track(number)
      if track.stream == stream { return index.episode(track.episode).id }
    }
    return nil
  }
}
