import TrajpackFormat
import TrajpackStore

/// Bytes that come once, in order, whatever they were packed in.
protocol ByteStream: AnyObject {
  /// Fills `buffer` as far as the bytes go and says how far; less than asked only at the end.
  ///
  /// With the last bytes, what is known of the whole (size, checksum) has been checked.
  ///
  /// - Throws: A data error naming the file and the byte where the bytes are damaged.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int
}

extension ByteStream {
  /// Up to `count` bytes as an array.
  func bytes(_ count: Int) throws(TrajpackError) -> [UInt8] {
    try [UInt8](capacity: count) { (room) throws(TrajpackError) in try read(into: room) }
  }

  /// Hands over what is left in pieces of at most `pieceBytes`.
  func forEachPiece(
    of pieceBytes: Int = 256 << 10, _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let buffer = ByteBuffer(pieceBytes)
    while true {
      let count = try read(into: buffer.bytes)
      if count > 0 { try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])) }
      if count < pieceBytes { return }
    }
  }
}

/// A range of a file.
final class FileStream: ByteStream {
  private let file: LocalFile
  private var range: Range<Int>

  /// The bytes `range` of `file`, which lie in it.
  init(_ file: LocalFile, _ range: Range<Int>) {
    self.file = file
    self.range = range
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int {
    let count = min(buffer.count, range.count)
    try file.read(
      at: range.lowerBound, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
    range = range.lowerBound + count..<range.upperBound
    return count
  }
}

/// Where bytes come from, as errors say it.
struct ByteOrigin: Sendable {
  /// The file, and the member of it; empty where the caller says it.
  var name: String

  /// The origin of a part of this one.
  func part(_ name: String) -> ByteOrigin {
    ByteOrigin(name: self.name.isEmpty ? name : "\(self.name): \(name)")
  }

  /// The error of bytes that are damaged.
  func wrong(_ what: String) -> TrajpackError {
    TrajpackError(.data, name.isEmpty ? what : "\(name): \(what)")
  }
}

extension [UInt8] {
  /// The little-endian integer at byte `offset`, which lies inside.
  func little<Integer: FixedWidthInteger>(_ offset: Int, as type: Integer.Type) -> Integer {
    var value: Integer = 0
    for i in (0..<MemoryLayout<Integer>.size).reversed() {
      value = value << 8 | Integer(self[offset + i])
    }
    return value
  }
}
