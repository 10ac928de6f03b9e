import TrajpackFormat
import TrajpackStore

/// Where a command writes.
enum Destination {
  /// Refuses a destination that is the source dataset, or lies in its folder.
  static func refuse(_ destination: String, in source: String) throws(TrajpackError) {
    let isFile = FileSystem.item(at: source) == .file
    let folder = isFile ? FileSystem.parent(of: source) : source
    guard let own = FileSystem.identity(of: folder) else { return }
    if FileSystem.identity(of: destination) == own {
      throw TrajpackError(
        .usage, file: destination, "is the source itself, which is never changed; name a new folder"
      )
    }
    // A folder with unrelated files may be used as destination.
    let marks = [Journal.fileName, Manifest.fileName].map { "\(folder)/\($0)" }
    guard !isFile || marks.contains(where: { FileSystem.item(at: $0) == .file }) else { return }
    var above = destination
    while FileSystem.item(at: above) == nil, above != ".", above != "/" {
      above = FileSystem.parent(of: above)
    }
    var last: [UInt64]?
    while let identity = FileSystem.identity(of: above), identity != last {
      guard identity != own else {
        throw TrajpackError(
          .usage, file: destination,
          "lies in the source \(folder), which is never changed; name a folder "
            + "elsewhere")
      }
      last = identity
      above += "/.."
    }
  }
}
