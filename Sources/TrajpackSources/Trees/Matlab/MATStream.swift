import TrajpackFormat
import TrajpackStore

/// The bytes of a MATLAB file, or of what one of its compressed elements inflates to, from the first to the last.
final class MATStream {
  private let source: any ByteStream
  private let file: LocalFile?
  private let end: Int
  let origin: ByteOrigin
  /// Whether numbers are big-endian.
  let isBig: Bool
  /// The byte that comes next.
  private(set) var position: Int
  private var current: any ByteStream

  /// The bytes `range` of a file.
  init(_ file: LocalFile, _ range: Range<Int>, isBig: Bool, _ origin: ByteOrigin) {
    (self.file, end, self.isBig, self.origin) = (file, range.upperBound, isBig, origin)
    position = range.lowerBound
    source = FileStream(file, range)
    current = source
  }

  /// What a compressed element inflates to.
  init(inflating stream: InflateStream, isBig: Bool, _ origin: ByteOrigin) {
    (file, end, self.isBig, self.origin) = (nil, Int.max, isBig, origin)
    position = 0
    source = stream
    current = stream
  }

  /// The next bytes; few.
  func bytes(_ count: Int) throws(TrajpackError) -> [UInt8] {
    guard count <= end - position else { throw short(count) }
    let out = try current.bytes(count)
    guard out.count == count else { throw short(count) }
    position += count
    return out
  }

  /// Leaves bytes out.
  func skip(_ count: Int) throws(TrajpackError) {
    guard count > 0 else { return }
    guard count <= end - position else { throw short(count) }
    if let file {
      position += count
      current = FileStream(file, position..<end)
      return
    }
    let buffer = ByteBuffer(min(count, 256 << 10))
    var left = count
    while left > 0 {
      let some = UnsafeMutableRawBufferPointer(
        rebasing: buffer.bytes[..<min(left, buffer.bytes.count)])
      guard try current.read(into: some) == some.count else { throw short(count) }
      left -= some.count
    }
    position += count
  }

  private func short(_ count: Int) -> TrajpackError {
    origin.wrong(
      "ends in the middle of \(count) bytes that begin at byte \(position)\(file == nil ? " of what it inflates to" : "")"
        + "; it was cut short or is damaged, fetch it again")
  }

  /// A whole number of four bytes.
  func word() throws(TrajpackError) -> Int { Int(Self.word(try bytes(4), 0, isBig)) }

  static func word(_ bytes: [UInt8], _ at: Int, _ isBig: Bool) -> UInt32 {
    let value = bytes.little(at, as: UInt32.self)
    return isBig ? value.byteSwapped : value
  }

  /// What stands before the data of an element.
  struct Tag {
    /// The type, as MATLAB numbers it.
    var type: Int
    /// Bytes of data.
    var count: Int
    /// Where the data begin.
    var start: Int
    /// The data of a small element, which lie in the tag.
    var small: [UInt8]?
  }

  /// The tag of the next element.
  func tag() throws(TrajpackError) -> Tag {
    let place = position
    let bytes = try bytes(8)
    let first = Int(Self.word(bytes, 0, isBig))
    if first >> 16 != 0 {
      let count = first >> 16
      guard count <= 4 else {
        throw origin.wrong("the element at byte \(place) has a damaged tag; fetch the file again")
      }
      return Tag(
        type: first & 0xFFFF, count: count, start: place + 4, small: Array(bytes[4..<4 + count]))
    }
    return Tag(type: first, count: Int(Self.word(bytes, 4, isBig)), start: place + 8)
  }

  /// The data of an element, which are few.
  func data(_ tag: Tag, most: Int, _ what: String) throws(TrajpackError) -> [UInt8] {
    if let small = tag.small { return small }
    guard tag.count <= most else {
      throw origin.wrong("\(what) at byte \(tag.start) claims \(tag.count) bytes; it is damaged")
    }
    let out = try bytes(tag.count)
    try skip(-tag.count & 7)
    return out
  }

  /// Leaves the data of an element out.
  func skipData(_ tag: Tag) throws(TrajpackError) {
    if tag.small == nil { try skip((tag.count + 7) & ~7) }
  }
}
