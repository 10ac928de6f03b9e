import TrajpackCodecs

/// A SHA-256 in 32 bytes, because a list may have a million of them.
public struct FileDigest: Sendable, Equatable {
  private var words: (UInt64, UInt64, UInt64, UInt64)

  /// Reads 64 lower-case hexadecimal digits; `nil` for another text.
  public init?(hexadecimal text: String) {
    guard text.utf8.count == 64 else { return nil }
    var words = [UInt64](repeating: 0, count: 4)
    for (i, digit) in text.utf8.enumerated() {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      default: return nil
      }
      words[i / 16] = words[i / 16] << 4 | UInt64(value)
    }
    self.words = (words[0], words[1], words[2], words[3])
  }

  /// The digest of what was added to `hash`.
  init(_ hash: inout SHA256) {
    var words = [UInt64](repeating: 0, count: 4)
    for (i, byte) in hash.digest().enumerated() { words[i / 8] = words[i / 8] << 8 | UInt64(byte) }
    self.words = (words[0], words[1], words[2], words[3])
  }

  /// The 64 hexadecimal digits.
  public var hexadecimal: String {
    [words.0, words.1, words.2, words.3].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Whether two digests are equal.
  public static func == (a: FileDigest, b: FileDigest) -> Bool { a.words == b.words }
}
