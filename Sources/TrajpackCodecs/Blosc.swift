import CLZ4
import CZstd
import TrajpackFormat

/// Chunks of Blosc 1 (github.com/Blosc/c-blosc, README_CHUNK_FORMAT.rst and blosc.c), read only: blosclz, lz4, snappy,
/// zlib and zstd, with the byte and the bit shuffle.
public enum Blosc {
  private static let headerBytes = 16
  private static let mostSplits = 16
  private static let leastSplit = 128

  /// How many bytes a chunk says that it holds; `nil` where the bytes are too few for a header.
  public static func contentBytes(_ source: UnsafeRawBufferPointer) -> Int? {
    guard source.count >= headerBytes else { return nil }
    return Int(UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
  }

  /// Decompresses `source` so that it fills `destination` exactly.
  ///
  /// - Throws: A data error where the bytes are damaged, of another size, or of a codec that is not read.
  public static func decompress(
    _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    guard let claimed = contentBytes(source) else {
      throw TrajpackError(.data, "the blosc data has only \(source.count) bytes")
    }
    let version = source[0]
    guard (1...2).contains(version) else {
      throw TrajpackError(.data, "the blosc data is of format \(version), and 1 and 2 are read")
    }
    guard claimed == destination.count else {
      throw TrajpackError(
        .data, "the blosc data holds \(claimed) bytes where \(destination.count) are expected")
    }
    let block = Int(UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    let stored = Int(
      UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
    guard stored == source.count else {
      throw TrajpackError(
        .data, "the blosc data says that it has \(stored) bytes, and has \(source.count)")
    }
    let flags = source[2]
    let size = max(Int(source[3]), 1)
    guard claimed > 0 else { return }
    if flags & 0x02 != 0 {
      guard source.count == headerBytes + claimed else { throw damaged }
      destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[headerBytes...]))
      return
    }
    guard block > 0, block <= max(claimed, size) else { throw damaged }
    let blocks = (claimed + block - 1) / block
    guard headerBytes + 4 * blocks <= source.count else { throw damaged }
    let scratch = flags & 0x05 == 0 ? nil : ByteRoom(min(block, claimed))
    for number in 0..<blocks {
      let range = number * block..<min((number + 1) * block, claimed)
      let start = Int(
        UInt32(
          littleEndian: source.loadUnaligned(
            fromByteOffset: headerBytes + 4 * number, as: UInt32.self)))
      guard start >= headerBytes, start <= source.count else { throw damaged }
      let out = UnsafeMutableRawBufferPointer(rebasing: destination[range])
      let isLeftover = range.count < block
      let splits =
        flags & 0x10 == 0 && size <= mostSplits && range.count / size >= leastSplit && !isLeftover
        ? size : 1
      let target = scratch.map { UnsafeMutableRawBufferPointer(rebasing: $0.bytes[..<range.count]) }
      try parts(source, start, splits, Int(flags >> 5), into: target ?? out)
      if let target { unshuffle(UnsafeRawBufferPointer(target), size, flags, into: out) }
    }
  }

  static let damaged = TrajpackError(.data, "the blosc data is damaged")

  /// Decompresses the parts of a block, each behind four bytes that say how long it is.
  private static func parts(
    _ source: UnsafeRawBufferPointer, _ start: Int, _ splits: Int, _ codec: Int,
    into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    var at = start
    let each = out.count / splits
    guard each * splits == out.count else { throw damaged }
    for split in 0..<splits {
      guard at + 4 <= source.count else { throw damaged }
      let count = Int(
        Int32(littleEndian: source.loadUnaligned(fromByteOffset: at, as: Int32.self)))
      at += 4
      guard count > 0, count <= source.count - at else { throw damaged }
      let packed = UnsafeRawBufferPointer(rebasing: source[at..<at + count])
      let part = UnsafeMutableRawBufferPointer(rebasing: out[split * each..<(split + 1) * each])
      at += count
      if count == each {
        part.copyMemory(from: packed)
        continue
      }
      switch codec {
      case 0: try BloscLZ.decompress(packed, into: part)
      case 1: try LZ4Block.decompress(packed, into: part)
      case 2: try Snappy.decompress(packed, into: part)
      case 3: try Gzip.decompress(packed, into: part)
      case 4:
        let found = ZSTD_decompress(part.baseAddress, part.count, packed.baseAddress, packed.count)
        guard ZSTD_isError(found) == 0, found == part.count else { throw damaged }
      default: throw TrajpackError(.data, "the blosc data is of codec \(codec), which is not read")
      }
    }
  }

  /// Undoes the shuffle of a block.
  private static func unshuffle(
    _ source: UnsafeRawBufferPointer, _ size: Int, _ flags: UInt8,
    into out: UnsafeMutableRawBufferPointer
  ) {
    guard let from = source.baseAddress, let to = out.baseAddress else { return }
    let count = source.count / size
    var whole = 0
    if flags & 0x01 != 0, size > 1 {
      whole = count * size
      Shuffle.undo(
        UnsafeRawBufferPointer(rebasing: source[..<whole]), elementSize: size,
        elements: 0..<count, columns: 0..<size, into: to, stride: size)
    } else if flags & 0x04 != 0, count % 8 == 0 {
      whole = count * size
      unshuffleBits(from, size, count, to)
    }
    if whole < source.count {
      (to + whole).copyMemory(from: from + whole, byteCount: source.count - whole)
    }
  }

  /// Bit `b` of byte `p` of element `e` is bit `e % 8` of byte `(8 p + b) · count / 8 + e / 8`.
  private static func unshuffleBits(
    _ from: UnsafeRawPointer, _ size: Int, _ count: Int, _ to: UnsafeMutableRawPointer
  ) {
    let row = count / 8
    for byte in 0..<size {
      for eight in 0..<row {
        // A matrix of 8 by 8 bits, transposed in three steps (Hacker's Delight, 7-3).
        var x: UInt64 = 0
        for bit in 0..<8 {
          let value = from.load(fromByteOffset: (byte * 8 + bit) * row + eight, as: UInt8.self)
          x |= UInt64(value) << (8 * UInt64(bit))
        }
        var t = (x ^ (x >> 7)) & 0x00AA_00AA_00AA_00AA
        x ^= t ^ (t << 7)
        t = (x ^ (x >> 14)) & 0x0000_CCCC_0000_CCCC
        x ^= t ^ (t << 14)
        t = (x ^ (x >> 28)) & 0x0000_0000_F0F0_F0F0
        x ^= t ^ (t << 28)
        for element in 0..<8 {
          to.storeBytes(
            of: UInt8(truncatingIfNeeded: x >> (8 * UInt64(element))),
            toByteOffset: (eight * 8 + element) * size + byte, as: UInt8.self)
        }
      }
    }
  }
}

/// Bytes that are freed with their owner.
private final class ByteRoom {
  let bytes: UnsafeMutableRawBufferPointer
  init(_ count: Int) { bytes = .allocate(byteCount: count, alignment: 16) }
  deinit { bytes.deallocate() }
}

/// A block of LZ4 without a frame (github.com/lz4/lz4, doc/lz4_Block_format.md).
public enum LZ4Block {
  /// Decompresses `source` so that it fills `destination` exactly.
  ///
  /// - Throws: A data error where the bytes are damaged or of another size.
  public static func decompress(
    _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    guard destination.count <= Int(LZ4_MAX_INPUT_SIZE), source.count <= Int(Int32.max) else {
      throw TrajpackError(.data, "the lz4 data is longer than a block may be")
    }
    let count = LZ4_decompress_safe(
      source.baseAddress?.assumingMemoryBound(to: CChar.self),
      destination.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
      Int32(destination.count))
    guard Int(count) == destination.count else {
      throw TrajpackError(
        .data,
        count < 0
          ? "the lz4 data is damaged, or holds more than \(destination.count) bytes"
          : "the lz4 data holds \(count) bytes where \(destination.count) are expected")
    }
  }
}

/// Blosc's own codec, a form of FastLZ (github.com/Blosc/c-blosc, blosclz.c).
enum BloscLZ {
  private static let far = 8191

  static func decompress(
    _ source: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    var (at, done) = (0, 0)
    func next() throws(TrajpackError) -> Int {
      guard at < source.count else { throw Blosc.damaged }
      defer { at += 1 }
      return Int(source[at])
    }
    var control = try next() & 31
    while true {
      if control >= 32 {
        var length = (control >> 5) - 1
        var distance = (control & 31) << 8
        if length == 6 {
          var code = 255
          while code == 255 {
            code = try next()
            length += code
          }
        }
        let code = try next()
        length += 3
        if code == 255, distance == 31 << 8 {
          distance = try next() << 8
          distance += try next()
          distance += far
        } else {
          distance += code
        }
        distance += 1
        guard distance <= done, length <= out.count - done else { throw Blosc.damaged }
        for i in 0..<length { out[done + i] = out[done + i - distance] }
        done += length
      } else {
        let length = control + 1
        guard length <= out.count - done, length <= source.count - at else { throw Blosc.damaged }
        for i in 0..<length { out[done + i] = source[at + i] }
        done += length
        at += length
      }
      guard at < source.count else { break }
      control = try next()
    }
    guard done == out.count else { throw Blosc.damaged }
  }
}
