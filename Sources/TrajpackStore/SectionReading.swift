import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackRemote

/// The bytes of an index: read at once where they are few, else in steps.
struct IndexSource: Sendable {
  private let file: any ByteSource
  private let range: Range<Int>
  private let bytes: [UInt8]?
  private let fetch: RemoteFetch?

  init(_ file: any ByteSource, _ range: Range<Int>) throws(TrajpackError) {
    self.file = file
    self.range = range
    let isShort = range.count <= SectionReading.stepBytes
    bytes = isShort ? try file.bytes(range) : nil
    fetch = isShort ? nil : file.fetch([range])
  }

  /// Fills `buffer` from byte `offset` of the file on.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    guard let bytes else {
      guard let found = try fetch?.bytes(offset..<offset + buffer.count) else {
        return try file.read(at: offset, into: buffer)
      }
      return buffer.copyMemory(from: found)
    }
    let first = offset - range.lowerBound
    buffer.copyBytes(from: bytes[first..<first + buffer.count])
  }
}

/// How a section of an index is read: tables are packed while they are read, a piece at a time, so that a
/// large index never lies in memory as it lies in the file.
struct SectionReading: Sendable {
  /// What becomes of the bytes.
  enum Place: Sendable {
    case memory(OwnedBuffer)
    case table(PackedTable.Packer)
  }

  let id: ShardHeader.SectionID
  let section: ShardHeader.Section
  let place: Place
  /// Bytes in the file.
  var count: Int { Int(section.stored) }

  /// A thread reads a piece in steps that stay in a processor's cache until they are packed.
  private static let pieceBytes = 4 << 20
  static let stepBytes = 256 << 10

  /// - Throws: A data error where a table has no whole rows.
  init(
    _ id: ShardHeader.SectionID, _ section: ShardHeader.Section, _ memory: IndexMemory
  ) throws(TrajpackError) {
    self.id = id
    self.section = section
    let count = Int(section.stored)
    if let columns = ShardIndex.Columns.of(id) {
      place = .table(
        try PackedTable.Packer(bytes: count, columns: columns, name: "\(id)", memory: memory))
    } else {
      place = .memory(OwnedBuffer(count: count, in: memory) ?? Self.room(count))
    }
  }

  /// The most that a section takes of an index's memory.
  static func room(_ id: ShardHeader.SectionID, _ section: ShardHeader.Section) -> Int {
    let count = Int(section.stored)
    guard let columns = ShardIndex.Columns.of(id) else { return count + 16 }
    return PackedTable.room(rows: count / (columns * 8), columns: columns)
  }

  /// Memory in large pages where it is large: small ones take longer to come by than their bytes to read.
  private static func room(_ count: Int) -> OwnedBuffer {
    guard count >= 4 << 20 else { return OwnedBuffer(count: count) }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 2 << 20)
    madvise(bytes.baseAddress, count, 14)  // MADV_HUGEPAGE
    return OwnedBuffer(bytes)
  }

  /// Bytes that are read at once: whole blocks of a table.
  private var step: Int {
    guard case .table(let packer) = place else { return Self.stepBytes }
    return max(Self.stepBytes / packer.blockBytes, 1) * packer.blockBytes
  }

  private struct Piece: Sendable {
    var reading: Int
    var bytes: Range<Int>
  }

  /// Reads all, and gives the checksum of each.
  static func read(
    _ readings: [SectionReading], _ source: IndexSource, _ sharing: ShardIndex.ParallelFor
  ) throws(TrajpackError) -> [UInt32] {
    var pieces: [Piece] = []
    for (number, reading) in readings.enumerated() {
      let size = max(pieceBytes / reading.step, 1) * reading.step
      for at in stride(from: 0, to: reading.count, by: size) {
        pieces.append(Piece(reading: number, bytes: at..<min(at + size, reading.count)))
      }
    }
    let found = PieceSums(pieces.count)
    sharing(pieces.count) { [pieces] number in
      let piece = pieces[number]
      do throws(TrajpackError) {
        found.sums[number] = try readings[piece.reading].read(piece.bytes, source)
      } catch { found.failures[number] = error }
    }
    if let failure = found.failures.first(where: { $0 != nil }) ?? nil { throw failure }
    var sums = readings.map { _ in UInt32(0) }
    for (number, piece) in pieces.enumerated() {
      sums[piece.reading] = CRC32C.joined(
        sums[piece.reading], found.sums[number], length: piece.bytes.count)
    }
    return sums
  }

  /// Reads some bytes, and gives their checksum.
  private func read(_ range: Range<Int>, _ source: IndexSource) throws(TrajpackError) -> UInt32 {
    let first = Int(section.offset)
    var scratch: UnsafeMutableRawBufferPointer?
    if case .table = place {
      scratch = .allocate(byteCount: max(min(step, range.count), 1), alignment: 16)
    }
    defer { scratch?.deallocate() }
    var sum: UInt32 = 0
    for at in stride(from: range.lowerBound, to: range.upperBound, by: step) {
      let count = min(step, range.upperBound - at)
      switch place {
      case .memory(let memory):
        let bytes = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[at..<at + count])
        try source.read(at: first + at, into: bytes)
        sum = CRC32C.of(UnsafeRawBufferPointer(bytes), continuing: sum)
      case .table(let packer):
        guard let scratch else { continue }
        let bytes = UnsafeMutableRawBufferPointer(rebasing: scratch[..<count])
        try source.read(at: first + at, into: bytes)
        sum = CRC32C.of(UnsafeRawBufferPointer(bytes), continuing: sum)
        packer.pack(UnsafeRawBufferPointer(bytes), at: at)
      }
    }
    return sum
  }

  /// What each piece found.
  private final class PieceSums: @unchecked Sendable {
    // Each piece has places of its own, written by one thread and read when all are done.
    let sums: UnsafeMutableBufferPointer<UInt32>
    let failures: UnsafeMutableBufferPointer<TrajpackError?>

    init(_ pieces: Int) {
      sums = .allocate(capacity: pieces)
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
}
