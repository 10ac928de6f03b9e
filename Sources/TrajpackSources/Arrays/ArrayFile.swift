import TrajpackFormat
import TrajpackStore

/// A numpy array in a file of its own or in an archive, read in rows of the axes behind the leading
/// one.
public struct ArrayFile: Sendable {
  /// What the array is.
  public let header: NPYHeader

  enum Place: Sendable {
    case file(LocalFile)
    case member(ZipArchive.Member)
  }

  let place: Place
  let origin: ByteOrigin

  /// The type of the elements as ``read(leadingAxes:_:)`` gives them.
  public var type: ElementType { header.type }
  /// The shape.
  public var shape: [Int] { header.shape }

  /// Opens an `.npy` file. Only its header is read.
  ///
  /// - Parameter name: How errors call the file; its path where `nil`.
  /// - Throws: A data error that says what is damaged or not read.
  public init(_ file: LocalFile, as name: String? = nil) throws(TrajpackError) {
    place = .file(file)
    origin = ByteOrigin(name: name ?? file.path)
    guard file.length > 0 else { throw origin.wrong("is empty; fetch the file again") }
    header = try NPYHeader(FileStream(file, 0..<file.length), available: file.length, origin)
  }

  /// Opens an array of an archive. Only its header is read.
  public init(_ member: ZipArchive.Member) throws(TrajpackError) {
    try self.init(member, readsDates: false)
  }

  /// Opens an array of an archive, which may hold dates.
  init(_ member: ZipArchive.Member, readsDates: Bool) throws(TrajpackError) {
    place = .member(member)
    origin = member.origin
    header = try NPYHeader(
      ZipMemberStream(member), available: member.size, origin, readsDates: readsDates)
  }

  /// Whether the order of the file differs from the order of reading.
  var isTurned: Bool { header.isFortranOrder && shape.count(where: { $0 > 1 }) > 1 }

  /// Reads the elements in C order, little-endian, float16 as float32, in pieces of whole rows; a
  /// row is what the axes behind the leading ones hold.
  ///
  /// - Parameters:
  ///   - leadingAxes: The axes that count rows; all axes where there are fewer.
  ///   - body: Gets the bytes of some rows and their number.
  /// - Throws: A data error naming the file and the byte where the array is damaged, perhaps after
  ///   some rows, which are worth nothing then.
  public func read(
    leadingAxes: Int = 1, _ body: (UnsafeRawBufferPointer, Int) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let stream = try open()
    let rows = shape.prefix(leadingAxes).reduce(1, *)
    let row = shape.dropFirst(leadingAxes).reduce(1, *)
    guard rows > 0, row > 0 else {
      try stream.forEachPiece { (_) throws(TrajpackError) in }
      if rows > 0 { try body(UnsafeRawBufferPointer(start: nil, count: 0), rows) }
      return
    }
    guard row <= Schema.maximumChunkBytes / header.type.size else {
      throw origin.wrong(
        "has rows of \(row) elements, more than \(Schema.maximumChunkBytes) bytes; split the array")
    }
    let elements = NPYElements(header, origin)
    if isTurned { return try turn(stream, elements, leadingAxes, body) }
    let perPiece = max((256 << 10) / (row * header.type.size), 1)
    let raw = ByteBuffer(perPiece * row * header.storedSize)
    let out = ByteBuffer(perPiece * row * header.type.size)
    var done = 0
    while done < rows {
      let count = min(perPiece, rows - done)
      let bytes = UnsafeMutableRawBufferPointer(
        rebasing: raw.bytes[..<(count * row * header.storedSize)])
      guard try stream.read(into: bytes) == bytes.count else {
        throw origin.wrong("was cut short while it was read")
      }
      try elements.convert(UnsafeRawBufferPointer(bytes), into: out.bytes, first: done * row)
      try body(
        UnsafeRawBufferPointer(rebasing: out.bytes[..<(count * row * header.type.size)]), count)
      done += count
    }
  }

  /// Bytes of an array that a spool keeps in memory: an archive may have many arrays.
  static let keptInMemory = 1 << 20

  /// The elements in C order, as ``read(leadingAxes:_:)`` gives them.
  public func spool() throws(TrajpackError) -> RowSpool {
    let spool = RowSpool(limit: Self.keptInMemory)
    try read(leadingAxes: shape.count) { (bytes, _) throws(TrajpackError) in try spool.append(bytes)
    }
    return spool
  }

  /// The stream of the elements, behind the header.
  private func open() throws(TrajpackError) -> any ByteStream {
    switch place {
    case .file(let file): return FileStream(file, header.length..<header.length + header.dataBytes)
    case .member(let member):
      let stream = try ZipMemberStream(member)
      _ = try stream.bytes(header.length)
      return stream
    }
  }
}

extension ArrayFile {
  /// The elements `range` in C order, as ``read(leadingAxes:_:)`` gives them; `nil` where they
  /// cannot be reached without reading all: in an archive, or in Fortran order.
  func spool(elements range: Range<Int>) throws(TrajpackError) -> RowSpool? {
    guard case .file(let file) = place, !isTurned else { return nil }
    let elements = NPYElements(header, origin)
    let spool = RowSpool(limit: Self.keptInMemory)
    let run = 32 << 10
    let raw = ByteBuffer(min(range.count, run) * header.storedSize)
    let out = ByteBuffer(min(range.count, run) * header.type.size)
    for first in stride(from: range.lowerBound, to: range.upperBound, by: run) {
      let count = min(run, range.upperBound - first)
      let part = UnsafeMutableRawBufferPointer(rebasing: raw.bytes[..<(count * header.storedSize)])
      try file.read(at: header.length + first * header.storedSize, into: part)
      try elements.convert(UnsafeRawBufferPointer(part), into: out.bytes, first: first)
      try spool.append(UnsafeRawBufferPointer(rebasing: out.bytes[..<(count * header.type.size)]))
    }
    return spool
  }
}
