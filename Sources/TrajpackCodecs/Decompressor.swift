import CZlib
import CZstd
import TrajpackFormat

/// Decompresses chunks, never past the size that the caller knows. It keeps its working memory and
/// belongs to one thread at a time.
public final class Decompressor {
  private let zstd: OpaquePointer?
  private let checks: Bool

  /// A decompressor for every codec.
  ///
  /// - Parameter trustsCaller: The caller has compared the compressed bytes with a checksum of its own, so
  ///   that those of zstd and lz4 need not be computed again.
  public init(trustsCaller: Bool = false) {
    checks = !trustsCaller
    zstd = ZSTD_createDCtx()
    // zstd.h names this parameter ZSTD_d_forceIgnoreChecksum in its static-only part.
    if trustsCaller { ZSTD_DCtx_setParameter(zstd, ZSTD_d_experimentalParam3, 1) }
  }

  deinit { ZSTD_freeDCtx(zstd) }

  /// Decompresses `source` so that it fills `destination` exactly.
  ///
  /// - Throws: A data error where the bytes are damaged or of another size.
  public func decompress(
    _ source: UnsafeRawBufferPointer, _ codec: Codec,
    into destination: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    switch codec {
    case .none:
      guard source.count == destination.count else { throw size(source.count, destination.count) }
      destination.copyMemory(from: source)
    case .zstd:
      let count = ZSTD_decompressDCtx(
        zstd, destination.baseAddress, destination.count, source.baseAddress, source.count)
      guard ZSTD_isError(count) == 0 else {
        throw TrajpackError(
          .data, "the zstd data is damaged (\(String(cString: ZSTD_getErrorName(count))))")
      }
      guard count == destination.count else { throw size(count, destination.count) }
    case .lz4:
      guard let out = destination.baseAddress else { throw size(0, destination.count) }
      var chunk = try LZ4Chunk(source, raw: destination.count, checks: checks)
      while let piece = try chunk.next() {
        try LZ4Chunk.inflate(piece, into: out + piece.range.lowerBound)
      }
    case .gzip:
      var count = UInt(destination.count)
      let status = uncompress(
        destination.baseAddress?.assumingMemoryBound(to: UInt8.self), &count,
        source.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt(source.count))
      guard status == Z_OK else {
        throw TrajpackError(.data, "the gzip data is damaged (zlib error \(status))")
      }
      guard count == UInt(destination.count) else { throw size(Int(count), destination.count) }
    }
  }

  private func size(_ found: Int, _ expected: Int) -> TrajpackError {
    TrajpackError(.data, "the chunk holds \(found) bytes where \(expected) are expected")
  }
}
