import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackCodecs

@Suite struct CodecTests {
  func compress(_ bytes: [UInt8], _ codec: Codec, level: Int? = nil) throws -> [UInt8]? {
    let compressor = try Compressor(codec, level: level)
    var out = [UInt8](repeating: 0, count: Compressor.bound(bytes.count))
    var count: Int?
    try bytes.withUnsafeBytes { from in
      try out.withUnsafeMutableBytes { count = try compressor.compress(from, into: $0) }
    }
    return count.map { Array(out[..<$0]) }
  }

  func decompress(_ bytes: [UInt8], _ codec: Codec, count: Int) throws -> [UInt8] {
    var out = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeBytes { from in
      try out.withUnsafeMutableBytes { try Decompressor().decompress(from, codec, into: $0) }
    }
    return out
  }

  @Test func checksumsOfPartsJoin() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<200 {
      let bytes = random.bytes(Int.random(in: 0...9000, using: &random), alphabet: 256)
      let cut = Int.random(in: 0...bytes.count, using: &random)
      let (all, first, second) = bytes.withUnsafeBytes {
        (
          CRC32C.of($0), CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[..<cut])),
          CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[cut...]))
        )
      }
      #expect(CRC32C.joined(first, second, length: bytes.count - cut) == all)
      #expect(CRC32C.joined(0, all, length: bytes.count) == all)
    }
  }

  @Test(arguments: [Codec.gzip, .zstd, .lz4]) func comesBack(codec: Codec) throws {
    var random = SeededGenerator(seed: 1)
    for count in [256, 1000, 20_000] {
      for level in [nil, 1, 9] {
        let bytes = random.bytes(count, alphabet: 3)
        let packed = try #require(try compress(bytes, codec, level: level))
        #expect(try decompress(packed, codec, count: count) == bytes)
      }
    }
  }

  @Test(arguments: [Codec.gzip, .zstd, .lz4]) func refusesDamageAndOtherSizes(codec: Codec) throws {
    var random = SeededGenerator(seed: 2)
    let bytes = random.bytes(4096, alphabet: 5)
    let packed = try #require(try compress(bytes, codec))
    #expect(throws: TrajpackError.self) { try decompress(packed, codec, count: 4095) }
    #expect(throws: TrajpackError.self) { try decompress(packed, codec, count: 4097) }
    #expect(throws: TrajpackError.self) {
      try decompress(Array(packed.dropLast()), codec, count: 4096)
    }
    for _ in 0..<300 {
      var damaged = packed
      damaged[Int.random(in: 0..<packed.count, using: &random)] ^=
        1 << UInt8.random(in: 0..<8, using: &random)
      // All codecs carry a checksum: a flipped bit is noticed, or falls on a bit without meaning.
      if let out = try? decompress(damaged, codec, count: 4096) { #expect(out == bytes) }
    }
  }

  /// A frame with a block for each plane is an ordinary frame; noise in one plane does not spoil the others.
  @Test func planesGetBlocksOfTheirOwn() throws {
    var random = SeededGenerator(seed: 8)
    let planes = (0..<4).map { random.bytes(10_000, alphabet: [256, 256, 16, 3][$0]) }
    let bytes = planes.flatMap { $0 }
    let compressor = try Compressor(.zstd, level: 1)
    func packed(_ count: Int) throws -> [UInt8] {
      var out = [UInt8](repeating: 0, count: Compressor.bound(bytes.count))
      var size: Int?
      try bytes.withUnsafeBytes { from in
        try out.withUnsafeMutableBytes {
          size = try compressor.compress(from, into: $0, planes: count)
        }
      }
      return Array(out.prefix(try #require(size)))
    }
    for count in [1, 4, 3, 4] {
      #expect(try decompress(try packed(count), .zstd, count: bytes.count) == bytes)
    }
    #expect(try packed(4).count < packed(1).count * 9 / 10)
  }

  @Test func incompressibleBytesAreLeftAlone() throws {
    var random = SeededGenerator(seed: 3)
    #expect(try compress(random.bytes(5000), .zstd) == nil)
    #expect(try compress(random.bytes(5000), .gzip) == nil)
    #expect(try compress(random.bytes(5000), .lz4) == nil)
  }

  @Test func unknownLevelsAreRefused() {
    #expect(throws: TrajpackError.self) { try Compressor(.gzip, level: 10) }
    #expect(throws: TrajpackError.self) { try Compressor(.zstd, level: 0) }
    #expect(throws: TrajpackError.self) { try Compressor(.lz4, level: 13) }
  }

  /// RFC 3720, appendix B.4.
  @Test func crc32cMatchesItsTestVectors() {
    func crc(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.of($0) } }
    #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(crc([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(crc(Array(0..<32)) == 0x46DD_794E)
    #expect(crc(Array("123456789".utf8)) == 0xE306_9283)
  }

  @Test func crc32cOfPartsIsCrcOfTheWhole() {
    var random = SeededGenerator(seed: 4)
    for count in [0, 1, 7, 8, 255, 511, 512, 513, 767, 768, 1023, 3071, 3072, 3073, 10_000, 70_000]
    {
      let bytes = random.bytes(count)
      let cut = Int.random(in: 0...count, using: &random)
      let whole = bytes.withUnsafeBytes { CRC32C.of($0) }
      let first = bytes[..<cut].withUnsafeBytes { CRC32C.of($0) }
      #expect(bytes[cut...].withUnsafeBytes { CRC32C.of($0, continuing: first) } == whole)
      // Bit by bit from the polynomial.
      var c: UInt32 = ~0
      for byte in bytes {
        c ^= UInt32(byte)
        for _ in 0..<8 { c = c & 1 == 1 ? (c >> 1) ^ 0x82F6_3B78 : c >> 1 }
      }
      #expect(~c == whole)
    }
  }

  /// FIPS 180-4 examples (NIST).
  @Test func sha256MatchesItsExamples() {
    func digest(_ text: String) -> String { Array(text.utf8).withUnsafeBytes { SHA256.of($0) } }
    #expect(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    var hash = SHA256()
    for _ in 0..<1000 { [UInt8](repeating: 0x61, count: 1000).withUnsafeBytes { hash.add($0) } }
    #expect(
      hash.hexadecimal() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }
}
