import Glibc
import TrajpackCodecs
import TrajpackFormat

extension Shard {
  /// Memory for an index, in large pages where it is large: a million episodes have 140 MB of it, whose
  /// small pages would take longer to come by than their bytes to read.
  private static func room(_ count: Int) -> IndexMemory {
    guard count >= 4 << 20 else { return IndexMemory(count: count) }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 2 << 20)
    madvise(bytes.baseAddress, count, 14)  // MADV_HUGEPAGE
    return IndexMemory(bytes) { $0.deallocate() }
  }

  /// Reads the sections that every reader needs, and checks their checksums.
  static func load(
    _ header: ShardHeader, _ file: LocalFile, _ sharing: ShardIndex.Sharing
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
    let ranges = sections.map {
      Int($0.1.offset) - start..<Int($0.1.offset + $0.1.stored) - start
    }
    let sums = try read(file, at: start, count: end - start, into: memory, ranges, sharing)
    var places: [ShardHeader.SectionID: Range<Int>] = [:]
    for (i, (id, section)) in sections.enumerated() {
      try check(section, "\(id)", sums[i])
      if id != .schema {
        guard section.codec == Codec.none.rawValue else {
          throw TrajpackError(.data, "section '\(id)' is compressed, which only the schema may be")
        }
        places[id] = ranges[i]
      }
    }
    let at = Int(schemaSection.offset) - start
    let json = try inflate(
      schemaSection, "schema",
      UnsafeRawBufferPointer(
        rebasing: UnsafeRawBufferPointer(memory.bytes)[at..<at + Int(schemaSection.stored)]))
    return ShardIndex.Parts(schema: try JSONValue(parsing: json), memory: memory, ranges: places)
  }

  /// A piece is a large page, which then only one thread has the kernel clear.
  private static let pieceBytes = 2 << 20
  /// What is read at once is still in a processor's cache when it is summed up.
  private static let stepBytes = 256 << 10

  /// Reads `count` bytes in pieces, and gives the checksum of each of `ranges` of them.
  private static func read(
    _ file: LocalFile, at start: Int, count: Int, into memory: IndexMemory, _ ranges: [Range<Int>],
    _ sharing: ShardIndex.Sharing
  ) throws(TrajpackError) -> [UInt32] {
    let pieces = (count + pieceBytes - 1) / pieceBytes
    let sums = PieceSums(pieces: pieces, ranges: ranges.count)
    sharing(pieces) { piece in
      let end = min((piece + 1) * pieceBytes, count)
      for at in stride(from: piece * pieceBytes, to: end, by: stepBytes) {
        let step = at..<min(at + stepBytes, end)
        do throws(TrajpackError) {
          try file.read(
            at: start + at, into: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[step]))
        } catch {
          sums.failures[piece] = error
          return
        }
        for (i, range) in ranges.enumerated() {
          let part = range.clamped(to: step)
          if part.isEmpty { continue }
          let bytes = UnsafeRawBufferPointer(rebasing: memory.bytes[part])
          let sum = piece * ranges.count + i
          sums.sums[sum] = CRC32C.of(bytes, continuing: sums.sums[sum])
        }
      }
    }
    if let failure = sums.failures.first(where: { $0 != nil }) ?? nil { throw failure }
    return ranges.indices.map { i in
      (0..<pieces).reduce(UInt32(0)) { sum, piece in
        let part = ranges[i].clamped(
          to: piece * pieceBytes..<min((piece + 1) * pieceBytes, count))
        return part.isEmpty
          ? sum
          : CRC32C.joined(sum, sums.sums[piece * ranges.count + i], length: part.count)
      }
    }
  }

  /// What each piece found.
  private final class PieceSums: @unchecked Sendable {
    // Each piece has places of its own, written by one thread and read when all are done.
    let sums: UnsafeMutableBufferPointer<UInt32>
    let failures: UnsafeMutableBufferPointer<TrajpackError?>

    init(pieces: Int, ranges: Int) {
      sums = .allocate(capacity: pieces * ranges)
      sums.initialize(repeating: 0)
      failures = .allocate(capacity: pieces)
      failures.initialize(repeating: nil)
    }

    deinit {
      sums.deallocate()
      failures.deinitialize()
      failures.deallocate()
    }
  }

  static func check(
    _ section: ShardHeader.Section, _ name: String, _ crc: UInt32
  ) throws(TrajpackError) {
    guard crc == section.crc else {
      throw TrajpackError(
        .data,
        "section '\(name)' of the index is damaged (bytes \(section.offset) to "
          + "\(section.offset + section.stored) do not match their checksum); "
          + "restore the shard from a copy")
    }
  }
}
