import Glibc
import TrajpackCodecs
import TrajpackFormat

/// A shard opened for reading: two reads, then chunks by their places. Any number of threads may use it;
/// each needs a ``BlockReader`` of its own.
public final class Shard: Sendable {
  /// The file.
  public let file: LocalFile
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
    let file = try LocalFile(path)
    let name = FileSystem.name(of: path)
    self.file = file
    self.name = name
    (header, index) = try within(name) { () throws(TrajpackError) in
      let first = try file.bytes(0..<min(file.length, ShardHeader.size))
      let header = try first.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
        try ShardHeader(bytes, actualLength: UInt64(file.length))
      }
      let parts = try Self.load(header, file)
      return (header, try ShardIndex(parts, fileLength: UInt64(file.length)))
    }
  }

  /// Reads the sections that every reader needs; they lie together, so one read has them all.
  /// Memory for an index, in large pages where it is large: a million episodes have 140 MB of it, whose
  /// small pages would take longer to come by than their bytes to read.
  private static func room(_ count: Int) -> IndexMemory {
    guard count >= 4 << 20 else { return IndexMemory(count: count) }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 2 << 20)
    madvise(bytes.baseAddress, count, 14)  // MADV_HUGEPAGE
    return IndexMemory(bytes) { $0.deallocate() }
  }

  private static func load(
    _ header: ShardHeader, _ file: LocalFile
  ) throws(TrajpackError) -> ShardIndex.Parts {
    let wanted: [ShardHeader.SectionID] = [
      .schema, .text, .episodes, .tracks, .entities, .clocks, .chunks,
    ]
    let sections = wanted.compactMap { id in header.section(id).map { (id, $0) } }
    guard let schemaSection = header.section(.schema) else {
      throw TrajpackError(.data, "the index has no schema")
    }
    let start = sections.map { Int($0.1.offset) }.min() ?? 0
    let end = sections.map { Int($0.1.offset + $0.1.stored) }.max() ?? 0
    let bytes = sections.reduce(0) { $0 + Int($1.1.stored) }
    guard bytes <= maximumIndex, end - start <= bytes + 1 << 20 else {
      throw TrajpackError(
        .data,
        "the header is damaged: the index is said to take \(end - start) bytes; "
          + "restore the shard from a copy")
    }
    let memory = room(end - start)
    try file.read(
      at: start, into: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<(end - start)]))
    var ranges: [ShardHeader.SectionID: Range<Int>] = [:]
    for (id, section) in sections {
      let range = Int(section.offset) - start..<Int(section.offset + section.stored) - start
      let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory.bytes)[range])
      try check(section, "\(id)", bytes)
      if id != .schema {
        guard section.codec == Codec.none.rawValue else {
          throw TrajpackError(.data, "section '\(id)' is compressed, which only the schema may be")
        }
        ranges[id] = range
      }
    }
    let at = Int(schemaSection.offset) - start
    let json = try inflate(
      schemaSection, "schema",
      UnsafeRawBufferPointer(
        rebasing: UnsafeRawBufferPointer(memory.bytes)[at..<at + Int(schemaSection.stored)]))
    return ShardIndex.Parts(
      schema: try JSONValue(parsing: json), memory: memory, ranges: ranges)
  }

  private static func check(
    _ section: ShardHeader.Section, _ name: String, _ bytes: UnsafeRawBufferPointer
  ) throws(TrajpackError) {
    guard CRC32C.of(bytes) == section.crc else {
      throw TrajpackError(
        .data,
        "section '\(name)' of the index is damaged (bytes \(section.offset) to "
          + "\(section.offset + section.stored) do not match their checksum); "
          + "restore the shard from a copy")
    }
  }

  /// The most that a compressed section may claim to hold.
  static let maximumSection = 64 << 20
  /// The most that the sections together may take: a chunk table of 26 million rows.
  static let maximumIndex = 1 << 30

  /// The most bytes that a compressed section of so many stored bytes may claim to hold.
  static func mostInflated(stored: Int) -> Int { (stored + 64) << 12 }

  private static func inflate(
    _ section: ShardHeader.Section, _ name: String, _ bytes: UnsafeRawBufferPointer
  ) throws(TrajpackError) -> [UInt8] {
    guard let codec = Codec(rawValue: section.codec), section.raw <= maximumSection,
      section.raw <= mostInflated(stored: Int(section.stored))
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
        try Self.check(section, "\(id)", raw)
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
