import CLZ4
import CZlib
import CZstd
import TrajpackFormat

/// Compresses chunks. A compressor keeps its working memory and belongs to one thread at a time.
public final class Compressor {
  private let zstd: OpaquePointer?
  private let lz4: UnsafeMutableRawPointer?
  private let codec: Codec
  private let level: Int
  private let search: Search

  /// How lz4 looks for matches where no level is asked for.
  public enum Search: Sendable {
    /// As the default level does.
    case thorough
    /// At two places for each byte, one of them the row or column before (`tp_lz4_stride`): a seventh of the
    /// time for 3 % more bytes (docs/decisions.md).
    case quick
  }

  /// The levels that a codec has, and its default.
  public static func levels(of codec: Codec) -> (range: ClosedRange<Int>, normal: Int) {
    switch codec {
    case .none: return (0...0, 0)
    case .gzip: return (1...9, 4)
    case .zstd: return (1...19, 3)
    case .lz4: return (1...12, 6)
    }
  }

  /// A compressor for one codec.
  ///
  /// - Throws: A usage error where the codec has no such level; a machine error without memory.
  public init(
    _ codec: Codec, level: Int? = nil, search: Search = .thorough
  ) throws(TrajpackError) {
    let (range, normal) = Self.levels(of: codec)
    self.codec = codec
    self.search = level == nil ? search : .thorough
    self.level = level ?? normal
    guard range.contains(self.level) else {
      throw TrajpackError(
        .usage,
        "\(codec.name) has levels \(range.lowerBound) to \(range.upperBound), not \(self.level)")
    }
    lz4 =
      codec == .lz4
      ? .allocate(
        byteCount: max(Int(LZ4_sizeofStateHC()), Int(LZ4_sizeofState()), LZ4Chunk.quickState),
        alignment: 16)
      : nil
    guard codec == .zstd else {
      zstd = nil
      return
    }
    zstd = ZSTD_createCCtx()
    guard let zstd else {
      throw TrajpackError(.machine, "there is no memory for a zstd compressor")
    }
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, Int32(self.level))
    // HDF5 readers of other makers have no index: the frame's own checksum protects them.
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)
  }

  deinit {
    ZSTD_freeCCtx(zstd)
    lz4?.deallocate()
  }

  /// The most bytes that `count` bytes can take when compressed.
  public static func bound(_ count: Int) -> Int {
    max(
      ZSTD_compressBound(count), Int(compressBound(UInt(count))),
      LZ4Chunk.bound(count, pieces: 8))
  }

  /// Compresses `source` into `destination`; returns the number of bytes, or `nil` where compression
  /// does not make them fewer.
  ///
  /// - Parameter planes: How many byte planes of equal length the source is made of, at most 8. A zstd frame
  ///   then begins a new block at each, and an lz4 chunk a new piece: the noise of low bytes is stored as it
  ///   is, and each of the others gets a table of its own. With zstd a skeleton's chunk becomes a tenth smaller
  ///   and is inflated twice as fast (docs/decisions.md), by every zstd there is.
  /// - Parameter stride: After how many bytes a quick search may expect the same ones again; 0 where unknown.
  public func compress(
    _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer,
    planes: Int = 1, stride: Int = 0
  ) throws(TrajpackError) -> Int? {
    let count: Int
    switch codec {
    case .none: return nil
    case .zstd:
      count =
        planes > 1 && source.count % planes == 0
        ? compressPlanes(source, destination, planes)
        : ZSTD_compress2(
          zstd, destination.baseAddress, destination.count, source.baseAddress, source.count)
      guard ZSTD_isError(count) == 0 else {
        throw TrajpackError(
          .machine, "zstd cannot compress: \(String(cString: ZSTD_getErrorName(count)))")
      }
    case .lz4:
      guard let lz4 else { return nil }
      count =
        LZ4Chunk.compress(
          source, pieces: planes > 1 && source.count % planes == 0 ? planes : 1,
          search == .quick ? .quick(stride: stride) : .level(level), state: lz4, into: destination)
        ?? source.count
    case .gzip:
      var length = UInt(destination.count)
      let status = compress2(
        destination.baseAddress?.assumingMemoryBound(to: UInt8.self), &length,
        source.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt(source.count), Int32(level))
      guard status == Z_OK else {
        throw TrajpackError(.machine, "zlib cannot compress: error \(status)")
      }
      count = Int(length)
    }
    return count < source.count ? count : nil
  }

  /// A frame whose blocks end where planes do; the size, or zstd's code of an error.
  private func compressPlanes(
    _ source: UnsafeRawBufferPointer, _ destination: UnsafeMutableRawBufferPointer, _ planes: Int
  ) -> Int {
    ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only)
    ZSTD_CCtx_setPledgedSrcSize(zstd, UInt64(source.count))
    var output = ZSTD_outBuffer(dst: destination.baseAddress, size: destination.count, pos: 0)
    let plane = source.count / planes
    for number in 0..<planes {
      var input = ZSTD_inBuffer(
        src: source.baseAddress.map { $0 + number * plane }, size: plane, pos: 0)
      let directive = number == planes - 1 ? ZSTD_e_end : ZSTD_e_flush
      while true {
        let left = ZSTD_compressStream2(zstd, &output, &input, directive)
        if ZSTD_isError(left) != 0 {
          ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only)
          return left
        }
        if left == 0 { break }
        if output.pos == output.size {
          // There is no room, so it does not shrink.
          ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only)
          return source.count
        }
      }
    }
    return output.pos
  }
}
