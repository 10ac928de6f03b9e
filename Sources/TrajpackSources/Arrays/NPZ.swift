import TrajpackFormat
import TrajpackStore

/// The arrays of an `.npz` archive, by the names that `numpy.savez` was given.
public struct NPZ: Sendable {
  /// The names, in the order of the archive.
  public let names: [String]
  /// Members that are no arrays, by their whole names.
  let others: [String]
  private let members: [String: ZipArchive.Member]
  private let readsDates: Bool
  private let origin: ByteOrigin

  /// Opens an archive. Only its directory is read.
  ///
  /// - Parameters:
  ///   - name: How errors call the file; its path where `nil`.
  ///   - keepsOthers: Whether members that are no arrays are listed in ``others`` instead of refused, and dates are
  ///     read, as integers.
  /// - Throws: A data error that says what is damaged, or names a member that is no array.
  public init(
    _ file: LocalFile, as name: String? = nil, keepsOthers: Bool = false
  ) throws(TrajpackError) {
    origin = ByteOrigin(name: name ?? file.path)
    guard file.length > 0 else { throw origin.wrong("is empty; fetch the file again") }
    var names: [String] = []
    var others: [String] = []
    var members: [String: ZipArchive.Member] = [:]
    for member in try ZipArchive(file, as: name).members {
      guard member.name.hasSuffix(".npy"), member.name.utf8.count > 4 else {
        if keepsOthers {
          others.append(member.name)
          continue
        }
        throw member.origin.wrong("is no numpy array; an npz archive holds only .npy members")
      }
      let name = String(member.name.dropLast(4))
      names.append(name)
      members[name] = member
    }
    self.names = names
    self.others = others
    readsDates = keepsOthers
    self.members = members
  }

  /// The array of that name. Only its header is read.
  public func array(_ name: String) throws(TrajpackError) -> ArrayFile {
    guard let member = members[name] else { throw origin.wrong("holds no array '\(name)'") }
    return try ArrayFile(member, readsDates: readsDates)
  }

  /// What the member of that name holds. Only its header is read.
  ///
  /// - Throws: A data error where it is damaged, or of a type that is neither read nor left out.
  func content(_ name: String) throws(TrajpackError) -> NPYContent {
    guard let member = members[name] else { throw origin.wrong("holds no array '\(name)'") }
    do throws(TrajpackError) {
      let fields = try NPYHeader.fields(
        ZipMemberStream(member), available: member.size, member.origin)
      if fields.literal.descr.dropFirst().first == "O" { return .objects }
      if let text = try NPYText(fields, member.size, member.origin) { return .text(text) }
      return .numbers(
        try NPYHeader(fields, member.size, member.origin, readsDates: readsDates))
    } catch {
      throw TrajpackError(
        error.fault, "\(error.message); --exclude-members '\(name)' leaves it out", at: error.place)
    }
  }

  /// Texts of the member of that name, whose header is `text`.
  func texts(
    _ name: String, _ text: NPYText, _ range: Range<Int>
  ) throws(TrajpackError) -> [String] {
    guard let member = members[name] else { throw origin.wrong("holds no array '\(name)'") }
    return try text.texts(range, of: member)
  }
}
