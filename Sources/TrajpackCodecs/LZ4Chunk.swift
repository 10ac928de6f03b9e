import CLZ4
import CPlatform
import TrajpackFormat

/// A chunk as HDF5's registered filter 32004 stores it, and Fletcher's checksum (filter 3) behind it.
///
/// Eight bytes say how many the chunk has when inflated, four how many a piece has, big-endian both; then each piece
/// comes with four bytes that say how many it has here: as many as it has inflated where it is stored as it is. Pieces
/// know nothing of each other, so a reader may inflate one and take another from where it lies.
/// (github.com/nexusformat/HDF5-External-Filter-Plugins, LZ4, describes the layout; the blocks are those of
/// github.com/lz4/lz4, doc/lz4_Block_format.md.)
public struct LZ4Chunk: ~Copyable {
  /// A piece of a chunk.
  public struct Piece {
    /// Its bytes in the inflated chunk.
    public var range: Range<Int>
    /// Its bytes here.
    public var stored: UnsafeRawBufferPointer
    /// Whether they are the inflated ones.
    public var isPlain: Bool { stored.count == range.count }
  }

  static let headerBytes = 12
  static let checksumBytes = 4

  /// Bytes of a piece, the last one excepted.
  public let pieceBytes: Int
  private let stored: UnsafeRawBufferPointer
  private let raw: Int
  private var at = LZ4Chunk.headerBytes
  private var done = 0

  /// A stored chunk that is to have `raw` bytes.
  ///
  /// - Parameter checks: Whether the checksum is compared.
  /// - Throws: A data error where it is no such chunk.
  public init(
    _ stored: UnsafeRawBufferPointer, raw: Int, checks: Bool = false
  ) throws(TrajpackError) {
    let end = stored.count - Self.checksumBytes
    guard end >= Self.headerBytes else {
      throw TrajpackError(.data, "the lz4 data has only \(stored.count) bytes")
    }
    let claimed = UInt64(bigEndian: stored.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
    let piece = UInt32(bigEndian: stored.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    guard claimed == UInt64(raw) else {
      throw TrajpackError(.data, "the chunk holds \(claimed) bytes where \(raw) are expected")
    }
    guard piece > 0 else { throw TrajpackError(.data, "the lz4 data has pieces of no bytes") }
    if checks {
      let sum = UInt32(littleEndian: stored.loadUnaligned(fromByteOffset: end, as: UInt32.self))
      guard tp_fletcher32(stored.baseAddress, end) == sum else {
        throw TrajpackError(.data, "the lz4 data does not match its checksum")
      }
    }
    pieceBytes = min(Int(piece), max(raw, 1))
    self.stored = UnsafeRawBufferPointer(rebasing: stored[..<end])
    self.raw = raw
  }

  /// The next piece; `nil` after the last one.
  ///
  /// - Throws: A data error where pieces and bytes do not end together.
  public mutating func next() throws(TrajpackError) -> Piece? {
    guard done < raw else {
      guard at == stored.count else {
        throw TrajpackError(.data, "the lz4 data has \(stored.count - at) bytes too many")
      }
      return nil
    }
    let range = done..<min(done + pieceBytes, raw)
    guard at + 4 <= stored.count else { throw cut() }
    let count = Int(UInt32(bigEndian: stored.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
    guard count <= stored.count - at - 4, count <= range.count else { throw cut() }
    let bytes = UnsafeRawBufferPointer(rebasing: stored[at + 4..<at + 4 + count])
    at += 4 + count
    done = range.upperBound
    return Piece(range: range, stored: bytes)
  }

  private func cut() -> TrajpackError {
    TrajpackError(.data, "the lz4 data is damaged after \(at) bytes")
  }

  /// Inflates a piece, which fills `out` exactly.
  ///
  /// - Throws: A data error where it does not.
  public static func inflate(
    _ piece: Piece, into out: UnsafeMutableRawPointer
  ) throws(TrajpackError) {
    guard let from = piece.stored.baseAddress else { return }
    if piece.isPlain {
      out.copyMemory(from: from, byteCount: piece.stored.count)
      return
    }
    let count = LZ4_decompress_safe(
      from.assumingMemoryBound(to: CChar.self), out.assumingMemoryBound(to: CChar.self),
      Int32(piece.stored.count), Int32(piece.range.count))
    guard Int(count) == piece.range.count else {
      throw TrajpackError(
        .data, "the lz4 data is damaged in its piece from byte \(piece.range.lowerBound) on")
    }
  }

  /// What a reader pays for a chunk: how many sequences of literals and a match it goes through, some 4 ns each,
  /// and how many bytes it inflates rather than takes from where they lie.
  public static func work(
    _ stored: UnsafeRawBufferPointer, raw: Int
  ) throws(TrajpackError) -> (sequences: Int, inflated: Int) {
    var chunk = try LZ4Chunk(stored, raw: raw)
    var work = (sequences: 0, inflated: 0)
    while let piece = try chunk.next() {
      guard !piece.isPlain else { continue }
      work.sequences += sequences(of: piece.stored)
      work.inflated += piece.range.count
    }
    return work
  }

  private static func sequences(of block: UnsafeRawBufferPointer) -> Int {
    var (at, count) = (0, 0)
    func length(_ nibble: UInt8) -> Int {
      var sum = Int(nibble)
      guard nibble == 15 else { return sum }
      while at < block.count {
        sum += Int(block[at])
        at += 1
        if block[at - 1] != 255 { break }
      }
      return sum
    }
    while at < block.count {
      let token = block[at]
      at += 1
      count += 1
      at += length(token >> 4)
      guard at + 2 <= block.count else { break }
      at += 2
      _ = length(token & 15)
    }
    return count
  }
}

extension LZ4Chunk {
  /// The most bytes that `count` bytes in so many pieces can take.
  static func bound(_ count: Int, pieces: Int) -> Int {
    headerBytes + count + count / 200 + 24 * pieces + checksumBytes
  }

  /// How matches are looked for.
  enum Search {
    /// By liblz4: 1 for its fast search, 2 to 12 for the thorough one.
    case level(Int)
    /// By `tp_lz4_stride`.
    case quick(stride: Int)
  }

  /// Bytes of memory that a quick search needs.
  static let quickState = 4 << TP_LZ4_BITS

  /// Compresses pieces of equal length. A piece that does not shrink by a sixteenth is stored as it is: the
  /// time to inflate it would buy next to nothing.
  ///
  /// - Parameter state: `LZ4_sizeofStateHC()` bytes, and ``quickState`` at least.
  /// - Returns: The number of bytes; `nil` where the output would not be smaller than the input.
  static func compress(
    _ source: UnsafeRawBufferPointer, pieces: Int, _ search: Search,
    state: UnsafeMutableRawPointer, into out: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let piece = source.count / pieces
    guard let from = source.baseAddress, let to = out.baseAddress, piece > 0,
      piece <= Int(LZ4_MAX_INPUT_SIZE), out.count >= bound(source.count, pieces: pieces)
    else { return nil }
    to.storeBytes(of: UInt64(source.count).bigEndian, as: UInt64.self)
    to.storeBytes(of: UInt32(piece).bigEndian, toByteOffset: 8, as: UInt32.self)
    var at = headerBytes
    for number in 0..<pieces {
      let start = from + number * piece
      let (input, output) = (
        start.assumingMemoryBound(to: CChar.self), (to + at + 4).assumingMemoryBound(to: CChar.self)
      )
      var count: Int32
      switch search {
      case .level(let level):
        // The fast search comes first: it rejects incompressible data quickly.
        count = LZ4_compress_fast_extState(
          state, input, output, Int32(piece),
          Int32(piece - (level == 1 ? piece / 16 : piece / 64)), 1)
        if level > 1, count > 0 {
          count = LZ4_compress_HC_extStateHC(
            state, input, output, Int32(piece), Int32(piece - piece / 16), Int32(level))
        }
      case .quick(let stride):
        // The first rows of a plane have all of its columns, so they tell noise.
        let tells = pieces > 1 && stride > 0 && stride <= piece / 16
        count = Int32(
          tp_lz4_stride(
            input, piece, output, piece - piece / 16, stride, tells ? piece / 8 : 0,
            state.assumingMemoryBound(to: UInt32.self)))
      }
      if count <= 0 || count >= piece {
        (to + at + 4).copyMemory(from: start, byteCount: piece)
        count = Int32(piece)
      }
      to.storeBytes(of: UInt32(count).bigEndian, toByteOffset: at, as: UInt32.self)
      at += 4 + Int(count)
    }
    to.storeBytes(of: tp_fletcher32(to, at).littleEndian, toByteOffset: at, as: UInt32.self)
    return at + checksumBytes
  }
}
