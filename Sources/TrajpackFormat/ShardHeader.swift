import CPlatform

/// The fixed header in the user block of a shard: what the file is, and where its index lies.
///
/// `schemas/archive-format.md` section 3 has the layout. Everything is little-endian.
public struct ShardHeader: Sendable, Equatable {
  /// Bytes of the user block. The HDF5 superblock follows it.
  public static let size = 4096
  /// The first bytes of a shard. As in PNG, the first byte is not ASCII, and line ends and an end of
  /// file mark show a transfer that changed the bytes.
  public static let magic: [UInt8] = [0x89, 0x54, 0x52, 0x4A, 0x0D, 0x0A, 0x1A, 0x0A]
  /// The version that this code writes. A reader refuses another major version, and reads any minor.
  public static let version = (major: UInt16(1), minor: UInt16(0))

  /// What a reader must know to read the shard; it refuses bits that it does not know.
  public struct Features: OptionSet, Sendable {
    /// A bit each.
    public let rawValue: UInt64
    /// Bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Some block has the codec `lz4`.
    public static let lz4 = Features(rawValue: 1)
    /// Tracks of some stream hold their frames as samples in chunks, not as packets of a video codec.
    public static let chunkedFrames = Features(rawValue: 2)
    static let known: Features = [.lz4, .chunkedFrames]
  }

  /// The parts of the index.
  public enum SectionID: UInt32, Sendable, CaseIterable {
    case schema = 1
    case text = 2
    case episodes = 3
    case tracks = 4
    case entities = 5
    case clocks = 6
    case chunks = 7
    case statistics = 8
    case quantiles = 9
  }

  /// Where a section lies and how it is checked.
  public struct Section: Sendable, Equatable {
    /// Which one; numbers that this version does not know are kept and skipped.
    public var id: UInt32
    /// How the section is compressed.
    public var codec: UInt32
    /// Its first byte in the file.
    public var offset: UInt64
    /// Bytes in the file.
    public var stored: UInt64
    /// Bytes after decompression.
    public var raw: UInt64
    /// CRC-32C of the stored bytes.
    public var crc: UInt32

    /// A section.
    public init(
      id: UInt32, codec: UInt32, offset: UInt64, stored: UInt64, raw: UInt64, crc: UInt32
    ) {
      self.id = id
      self.codec = codec
      self.offset = offset
      self.stored = stored
      self.raw = raw
      self.crc = crc
    }
  }

  static let sectionStart = 64
  static let sectionSize = 40
  static let maximumSections = 40

  /// The minor version of the writer.
  public var minor: UInt16
  /// What a reader must know.
  public var features: Features
  /// Bytes of the whole file.
  public var fileLength: UInt64
  /// The parts of the index, in file order.
  public var sections: [Section]

  /// A header of this version.
  public init(fileLength: UInt64, sections: [Section], features: Features = []) {
    self.minor = Self.version.minor
    self.features = features
    self.fileLength = fileLength
    self.sections = sections
  }

  /// The section of that kind.
  public func section(_ id: SectionID) -> Section? { sections.first { $0.id == id.rawValue } }

  /// The user block.
  public func bytes() -> [UInt8] {
    var out = [UInt8](repeating: 0, count: Self.size)
    out.replaceSubrange(0..<8, with: Self.magic)
    func put<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) {
        out.replaceSubrange(offset..<offset + $0.count, with: $0)
      }
    }
    put(Self.version.major, at: 8)
    put(minor, at: 10)
    put(UInt32(Self.size), at: 12)
    put(features.rawValue, at: 16)
    put(fileLength, at: 24)
    put(UInt32(sections.count), at: 32)
    for (i, section) in sections.enumerated() {
      let at = Self.sectionStart + i * Self.sectionSize
      put(section.id, at: at)
      put(section.codec, at: at + 4)
      put(section.offset, at: at + 8)
      put(section.stored, at: at + 16)
      put(section.raw, at: at + 24)
      put(section.crc, at: at + 32)
    }
    let note =
      "\nThis is a trajpack shard. It is an HDF5 file too: h5dump, h5py and MATLAB open it.\n"
    out.replaceSubrange(2048..<2048 + note.utf8.count, with: Array(note.utf8))
    put(out.withUnsafeBytes { tp_crc32c(0, $0.baseAddress, Self.size - 4) }, at: Self.size - 4)
    return out
  }

  /// Reads a user block of a file of `actualLength` bytes.
  ///
  /// - Throws: A data error that says what the file is instead of a shard, or what is damaged.
  public init(_ bytes: UnsafeRawBufferPointer, actualLength: UInt64) throws(TrajpackError) {
    if bytes.prefix(8).elementsEqual([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]) {
      throw TrajpackError(
        .data,
        "the file is HDF5 but no trajpack shard, and trajpack does not read other HDF5; write what is "
          + "in it as .npz or CSV (with h5py and numpy), which 'trajpack convert' takes")
    }
    guard bytes.count >= Self.size else {
      throw TrajpackError(
        .data,
        "the file has only \(actualLength) bytes, so it is no trajpack shard or was cut short")
    }
    func get<Value: FixedWidthInteger>(_ type: Value.Type, _ offset: Int) -> Value {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    guard bytes.prefix(8).elementsEqual(Self.magic) else {
      if bytes.allSatisfy({ $0 == 0 }) {
        throw TrajpackError(.data, "the file begins with zeros: its writing was never finished")
      }
      throw TrajpackError(
        .data, "the file is no trajpack shard: its first 8 bytes are not a shard's")
    }
    guard tp_crc32c(0, bytes.baseAddress, Self.size - 4) == get(UInt32.self, Self.size - 4) else {
      throw TrajpackError(
        .data,
        "the header is damaged (bytes 0 to 4095 do not match their checksum); "
          + "restore the shard from a copy")
    }
    let major = get(UInt16.self, 8)
    features = Features(rawValue: get(UInt64.self, 16))
    guard major == Self.version.major, features.isSubset(of: .known) else {
      throw TrajpackError(
        .data,
        "the shard has format version \(major).\(get(UInt16.self, 10)), "
          + "which this trajpack cannot read; use a newer one")
    }
    minor = get(UInt16.self, 10)
    fileLength = get(UInt64.self, 24)
    guard fileLength == actualLength else {
      throw TrajpackError(
        .data,
        "the file has \(actualLength) bytes where its header says \(fileLength); "
          + "it was cut or changed, restore it from a copy")
    }
    let count = Int(get(UInt32.self, 32))
    guard count <= Self.maximumSections else {
      throw TrajpackError(.data, "the header claims \(count) sections")
    }
    sections = (0..<count).map { i in
      let at = Self.sectionStart + i * Self.sectionSize
      return Section(
        id: get(UInt32.self, at), codec: get(UInt32.self, at + 4), offset: get(UInt64.self, at + 8),
        stored: get(UInt64.self, at + 16), raw: get(UInt64.self, at + 24),
        crc: get(UInt32.self, at + 32))
    }
    for section in sections {
      let (end, overflow) = section.offset.addingReportingOverflow(section.stored)
      guard !overflow, section.offset >= UInt64(Self.size), end <= fileLength else {
        throw TrajpackError(.data, "section \(section.id) of the index lies outside the file")
      }
    }
  }
}
