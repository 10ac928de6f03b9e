import Glibc
import TrajpackFormat
import TrajpackStore

/// Refuses what a look at names alone would take for an absent file: links that lead nowhere, and pipes,
/// devices and sockets. An archive that lacks them without a word would be taken for a whole one.
public struct SourceCheck {
  private let ignored: Set<String>
  private let asksForReading: Bool
  private var visited: Set<[UInt64]> = []

  /// How deep folders are looked into.
  private static let mostLevels = 16

  private init(ignoring: Set<String>, asksForReading: Bool) {
    ignored = ignoring
    self.asksForReading = asksForReading
  }

  /// Looks at `paths` and everything below them; names that begin with a dot are passed over.
  ///
  /// - Parameters:
  ///   - ignoring: Names that the conversion is told to leave out.
  ///   - readable: Whether files that may not be read are refused too.
  /// - Throws: A data error that names the first such file; a machine error where a folder cannot be listed.
  public static func check(
    _ paths: [String], ignoring: Set<String> = [], readable: Bool = false
  ) throws(TrajpackError) {
    var check = SourceCheck(ignoring: ignoring, asksForReading: readable)
    for path in paths { try check.look(path, level: 0) }
  }

  /// Refuses a folder that is named twice, also by a link: its recordings would be there twice.
  public static func refuseRepeats(_ paths: [String]) throws(TrajpackError) {
    var known: [[UInt64]: String] = [:]
    for path in paths where FileSystem.item(at: path) == .folder {
      guard let identity = FileSystem.identity(of: path) else { continue }
      if let first = known.updateValue(path, forKey: identity) {
        throw TrajpackError(
          .usage, file: path, "is the same folder as \(first); name each source once")
      }
    }
  }

  private mutating func look(_ path: String, level: Int) throws(TrajpackError) {
    switch FileSystem.item(at: path) {
    case .file: if asksForReading { _ = try LocalFile(path) }
    case .folder:
      guard level <= Self.mostLevels, !Dataset.isDataset(path),
        let identity = FileSystem.identity(of: path), visited.insert(identity).inserted
      else { return }
      for name in try FileSystem.names(in: path) where !name.hasPrefix(".") {
        if !ignored.contains(name) { try look("\(path)/\(name)", level: level + 1) }
      }
    case .other, nil: throw FileSystem.noFile(at: path)
    }
  }
}
