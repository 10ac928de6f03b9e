import TrajpackFormat
import TrajpackStore

/// The text of a file, to be read at any place: its bytes, or what they inflate to.
struct TextFile: Sendable {
  private enum Source { case file(LocalFile), spool(Spool) }

  private let source: Source
  /// Bytes of the text.
  let length: Int

  init(_ file: LocalFile) {
    source = .file(file)
    length = file.length
  }

  /// Opens a file. gzip (RFC 1952) has no way to begin in the middle, so its text is kept inflated, on
  /// disk where it is long, while it is in use.
  init(_ path: String, _ cache: InflatedCache) throws(TrajpackError) {
    let file = try LocalFile(path)
    guard try file.bytes(0..<min(file.length, 2)) == [0x1F, 0x8B] else {
      self.init(file)
      return
    }
    let spool = try cache.spool(path, "") { () throws(TrajpackError) in
      let spool = Spool()
      try InflateStream(file, 0..<file.length, .gzip, ByteOrigin(name: "")).forEachPiece {
        (bytes) throws(TrajpackError) in try spool.append(bytes)
      }
      return spool
    }
    self.init(spool)
  }

  private init(_ spool: Spool) {
    source = .spool(spool)
    length = spool.count
  }

  /// Fills `buffer` from byte `offset` on; the bytes are there.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    switch source {
    case .file(let file): try file.read(at: offset, into: buffer)
    case .spool(let spool): try spool.read(at: offset, into: buffer)
    }
  }

  /// The bytes `range`, which lie in it.
  func bytes(_ range: Range<Int>) throws(TrajpackError) -> [UInt8] {
    try stream(range).bytes(range.count)
  }

  /// The bytes `range`, which lie in it, in order.
  func stream(_ range: Range<Int>) -> any ByteStream {
    switch source {
    case .file(let file): FileStream(file, range)
    case .spool(let spool): SpoolStream(spool, range)
    }
  }
}
