import CPlatform

/// CRC-32C (Castagnoli), the checksum of every stored chunk.
public enum CRC32C {
  /// The checksum of `bytes`, continuing from `crc`.
  public static func of(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
    tp_crc32c(crc, bytes.baseAddress, bytes.count)
  }

  /// The checksum of two runs of bytes, one after the other, from theirs; the second has `length` bytes.
  public static func joined(_ first: UInt32, _ second: UInt32, length: Int) -> UInt32 {
    tp_crc32c_join(first, second, length)
  }
}

/// SHA-256 (FIPS 180-4), the digest of shards and sources.
public struct SHA256 {
  private var hash = tp_sha256()

  /// The digest of nothing so far.
  public init() { tp_sha256_begin(&hash) }

  /// Adds bytes.
  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    tp_sha256_add(&hash, bytes.baseAddress, bytes.count)
  }

  /// The digest, 32 bytes.
  public mutating func digest() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    tp_sha256_end(&hash, &digest)
    return digest
  }

  /// The digest as 64 lower-case hexadecimal digits.
  public mutating func hexadecimal() -> String {
    let digits = Array("0123456789abcdef")
    return String(digest().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  /// The digest of `bytes`.
  public static func of(_ bytes: UnsafeRawBufferPointer) -> String {
    var hash = SHA256()
    hash.add(bytes)
    return hash.hexadecimal()
  }
}
