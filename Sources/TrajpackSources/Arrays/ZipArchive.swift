import TrajpackFormat
import TrajpackStore

/// The members of a zip archive (PKWARE APPNOTE 6.3.10, zip64 too), read from a stranger's file:
/// nothing is believed before it is compared with the file, and nothing is ever written by a
/// member's name.
public struct ZipArchive: Sendable {
  /// How a member's bytes are packed.
  enum Method: UInt16, Sendable { case stored = 0, deflated = 8 }

  /// One member.
  public struct Member: Sendable {
    /// Its name, unique in the archive.
    public let name: String
    /// Bytes as they were packed; they are checked when the member is read.
    public let size: Int
    /// Bytes in the archive.
    public let packedSize: Int

    let method: Method
    let flags: UInt16
    let crc: UInt32
    let header: Int
    /// Where the next member or the directory begins.
    var limit: Int
    let file: LocalFile
    let origin: ByteOrigin
  }

  /// The members, in the order of the directory.
  public let members: [Member]

  /// The longest directory, the longest name and the most members that are read.
  static let largestDirectory = 64 << 20
  static let longestName = 1024
  /// Deflate's best: 258 bytes from 2 bits (zlib's technical notes say 1032 to 1).
  static let largestRatio = 1032
  /// From this size on a member must be at least a 200th of itself in the archive.
  static let suspectSize = 1 << 30
  static let suspectRatio = 200

  /// The member of that name.
  public func member(named name: String) -> Member? { members.first { $0.name == name } }

  /// Reads the directory of an archive. No member is opened.
  ///
  /// - Parameters:
  ///   - name: How errors call the file; its path where `nil`.
  ///   - allowsRepeats: Whether a name may come twice, as where software has written a member anew.
  /// - Throws: A data error that says what is damaged, and at which byte.
  public init(
    _ file: LocalFile, as name: String? = nil, allowsRepeats: Bool = false
  ) throws(TrajpackError) {
    let origin = ByteOrigin(name: name ?? file.path)
    let end = try ZipEnd(file, origin)
    let bytes = try file.bytes(end.directory)
    var members: [Member] = []
    var names: Set<String> = []
    var at = 0
    for _ in 0..<end.count {
      let place = end.directory.lowerBound + at
      guard at + 46 <= bytes.count, bytes.little(at, as: UInt32.self) == 0x0201_4B50 else {
        throw origin.wrong("the zip directory is damaged at byte \(place); fetch the file again")
      }
      let lengths = (0..<3).map { Int(bytes.little(at + 28 + 2 * $0, as: UInt16.self)) }
      let length = 46 + lengths.reduce(0, +)
      guard at + length <= bytes.count else {
        throw origin.wrong("the zip directory is damaged at byte \(place): an entry passes its end")
      }
      let member = try Self.member(
        Array(bytes[at..<at + length]), lengths[0], lengths[1], file, origin, place)
      guard names.insert(member.name).inserted || allowsRepeats else {
        throw origin.wrong("member '\(member.name)' comes twice in the zip directory")
      }
      members.append(member)
      at += length
    }
    guard at == bytes.count else {
      throw origin.wrong(
        "the zip directory has \(bytes.count - at) bytes more than its \(end.count) members need")
    }
    self.members = try Self.placed(members, end: end.directory.lowerBound, origin)
  }

  private static func member(
    _ entry: [UInt8], _ nameLength: Int, _ extraLength: Int, _ file: LocalFile,
    _ origin: ByteOrigin, _ place: Int
  ) throws(TrajpackError) -> Member {
    let text = entry[46..<46 + nameLength]
    guard (1...longestName).contains(nameLength), text.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
      let name = String(validating: text, as: UTF8.self)
    else {
      throw origin.wrong(
        "the zip directory has a name at byte \(place + 46) that is no text of 1 to "
          + "\(longestName) bytes"
      )
    }
    let origin = origin.part("member '\(name)'")
    let flags = entry.little(8, as: UInt16.self)
    guard flags & 0x2041 == 0 else { throw origin.wrong("is encrypted, which is not read") }
    guard let method = Method(rawValue: entry.little(10, as: UInt16.self)) else {
      throw origin.wrong(
        "is packed by zip method \(entry.little(10, as: UInt16.self)); pack it again, stored or "
          + "deflated"
      )
    }
    var zip64 = Zip64Extra(Array(entry[46 + nameLength..<46 + nameLength + extraLength]))
    guard let size = zip64.value(entry.little(24, as: UInt32.self)),
      let packed = zip64.value(entry.little(20, as: UInt32.self)),
      let header = zip64.value(entry.little(42, as: UInt32.self))
    else { throw origin.wrong("has impossible sizes in the zip directory at byte \(place)") }
    guard entry.little(34, as: UInt16.self) == 0 else {
      throw origin.wrong("lies on another disk of a split archive, which is not read")
    }
    guard method == .deflated || size == packed else {
      throw origin.wrong("is stored, yet claims \(size) bytes of \(packed)")
    }
    guard packed <= file.length, size / largestRatio <= packed, size <= packed * largestRatio + 64
    else {
      throw origin.wrong("claims to hold \(size) bytes in \(packed), which deflate cannot do")
    }
    guard size < suspectSize || size / suspectRatio <= packed else {
      throw origin.wrong("claims to hold \(size) bytes in \(packed), which no recording does")
    }
    return Member(
      name: name, size: size, packedSize: packed, method: method, flags: flags,
      crc: entry.little(16, as: UInt32.self), header: header, limit: 0, file: file, origin: origin)
  }

  /// Checks that no two members share bytes, and notes where each must end.
  private static func placed(
    _ members: [Member], end: Int, _ origin: ByteOrigin
  ) throws(TrajpackError) -> [Member] {
    var members = members
    var limit = end
    for i in members.indices.sorted(by: { members[$0].header > members[$1].header }) {
      let member = members[i]
      let least = 30 + member.name.utf8.count + member.packedSize
      guard member.header <= limit, least <= limit - member.header else {
        throw member.origin.wrong("its bytes from \(member.header) on overlap with what follows")
      }
      members[i].limit = limit
      limit = member.header
    }
    return members
  }
}

/// Sizes of 64 bits, which stand in an extra field where those of 32 bits do not reach (APPNOTE
/// 4.5.3).
struct Zip64Extra {
  private var bytes: [UInt8] = []
  private var at = 0

  /// Finds the field among the extra fields.
  init(_ extra: [UInt8]) {
    var at = 0
    while at + 4 <= extra.count {
      let length = Int(extra.little(at + 2, as: UInt16.self))
      guard length <= extra.count - at - 4 else { return }
      if extra.little(at, as: UInt16.self) == 1 {
        bytes = Array(extra[at + 4..<at + 4 + length])
        return
      }
      at += 4 + length
    }
  }

  /// A field of 32 bits, or the next of 64 bits that stands for it; `nil` where it is not there or
  /// is past what a file can hold.
  mutating func value(_ short: UInt32) -> Int? {
    guard short == .max else { return Int(short) }
    guard at + 8 <= bytes.count else { return nil }
    defer { at += 8 }
    let long = bytes.little(at, as: UInt64.self)
    return long <= 1 << 60 ? Int(long) : nil
  }
}
