import TrajpackFormat
import TrajpackStore

/// The arrays of an `.npz` archive, by the names that `numpy.savez` was given.
public struct NPZ: Sendable {
  /// The names, in the order of the archive.
  public let names: [String]
  private let members: [String: ZipArchive.Member]
  private let origin: ByteOrigin

  /// Opens an archive. Only its directory is read.
  ///
  /// - Parameter name: How errors call the file; its path where `nil`.
  /// - Throws: A data error that says what is damaged, or names a member that is no array.
  public init(_ file: LocalFile, as name: String? = nil) throws(TrajpackError) {
    origin = ByteOrigin(name: name ?? file.path)
    guard file.length > 0 else { throw origin.wrong("is empty; fetch the file again") }
    var names: [String] = []
    var members: [String: ZipArchive.Member] = [:]
    for member in try ZipArchive(file, as: name).members {
      guard member.name.hasSuffix(".npy"), member.name.utf8.count > 4 else {
        throw member.origin.wrong("is no numpy array; an npz archive holds only .npy members")
      }
      let name = String(member.name.dropLast(4))
      names.append(name)
      members[name] = member
    }
    self.names = names
    self.members = members
  }

  /// The array of that name. Only its header is read.
  public func array(_ name: String) throws(TrajpackError) -> ArrayFile {
    guard let member = members[name] else { throw origin.wrong("holds no array '\(name)'") }
    return try ArrayFile(member)
  }
}
