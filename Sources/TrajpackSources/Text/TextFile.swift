import TrajpackFormat
import TrajpackStore

/// The text of a file, to be read at any place: its bytes, or what they inflate to.
struct TextFile: Sendable {
  private enum Source { case file(LocalFile), spool(RowSpool) }

  private let source: Source
  /// Bytes of the text.
  let length: Int
  /// Told of what is read; `nil` where nobody asks.
  private var watch: ReadWatch?

  init(_ file: LocalFile) {
    source = .file(file)
    length = file.length
  }

  /// How the text of a file is packed.
  enum Packing { case gzip, bzip2, xz, zip }

  /// How a file with these first bytes is packed; `nil` where it is not, or is a zip archive, which may
  /// hold arrays.
  static func packing(_ first: [UInt8]) -> Packing? {
    if first.starts(with: [0x1F, 0x8B]) { return .gzip }
    if first.starts(with: "BZh".utf8), first.count > 3, (0x31...0x39).contains(first[3]) {
      return .bzip2
    }
    if first.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) { return .xz }
    return nil
  }

  /// Opens a file. Packed text has no way to begin in the middle, so it is kept as it unpacks, on disk
  /// where it is long, while it is in use.
  init(_ path: String, _ cache: InflatedCache) throws(TrajpackError) {
    let file = try LocalFile(path)
    let first = try file.bytes(0..<min(file.length, 6))
    let isArchive = first.starts(with: [0x50, 0x4B, 3, 4])
    guard let packing = Self.packing(first) ?? (isArchive ? .zip : nil) else {
      self.init(file)
      watch = cache.watch
      return
    }
    let spool = try cache.spool(path, "") { () throws(TrajpackError) in
      let spool = RowSpool()
      let stream: any ByteStream
      let (range, origin) = (0..<file.length, ByteOrigin(name: ""))
      switch packing {
      case .gzip: stream = try InflateStream(file, range, .gzip, origin)
      case .bzip2: stream = try BZip2Stream(file, origin)
      case .xz: stream = try XZStream(file, origin)
      case .zip:
        guard let member = try Self.table(in: file) else {
          throw TrajpackError(.data, "the file has changed while it was converted; run again")
        }
        stream = try ZipMemberStream(member)
      }
      try stream.forEachPiece { (bytes) throws(TrajpackError) in try spool.append(bytes) }
      return spool
    }
    self.init(spool)
    watch = cache.watch
  }

  /// Whether a zip archive holds one file, and that no array.
  ///
  /// - Throws: A data error where it is an Excel workbook.
  static func isPackedTable(_ file: LocalFile) throws(TrajpackError) -> Bool {
    try table(in: file) != nil
  }

  private static func table(in file: LocalFile) throws(TrajpackError) -> ZipArchive.Member? {
    guard !file.path.lowercased().hasSuffix(".npz"),
      try file.bytes(0..<min(file.length, 4)) == [0x50, 0x4B, 3, 4]
    else { return nil }
    let members = try ZipArchive(file, as: "").members.filter {
      !$0.name.hasSuffix("/") && !$0.name.hasPrefix("__MACOSX/")
    }
    if members.contains(where: { $0.name == "[Content_Types].xml" }) {
      throw TrajpackError(.data, "is an Excel or Office file; save the sheet as CSV first")
    }
    guard members.count == 1, !members[0].name.lowercased().hasSuffix(".npy") else { return nil }
    return members[0]
  }

  init(_ spool: RowSpool) {
    source = .spool(spool)
    length = spool.count
  }

  /// Fills `buffer` from byte `offset` on; the bytes are there.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    defer { watch?.didRead(buffer.count) }
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

  /// The error of something at byte `offset`, which names the line.
  func wrong(at offset: Int, _ what: String) -> TrajpackError {
    let line = line(ofByte: offset)
    return TrajpackError(.data, "line \(line): \(what)", at: ErrorPlace(line: line, byte: offset))
  }

  /// The line, from 1, of byte `end`, as a text editor counts it: lines end in LF or CRLF, or in CR where
  /// the text before has no LF. For errors: all of the text before is read.
  func line(ofByte end: Int) -> Int {
    var (feeds, returns) = (0, 0)
    try? stream(0..<min(end, length)).forEachPiece { (bytes) throws(TrajpackError) in
      for byte in bytes {
        if byte == UInt8(ascii: "\n") { feeds += 1 }
        if byte == UInt8(ascii: "\r") { returns += 1 }
      }
    }
    return 1 + (feeds > 0 ? feeds : returns)
  }
}
