import Synchronization
import TrajpackFormat
import TrajpackStore

/// The side files of a dataset, for one that has the same recordings.
public final class CarriedSideFiles: Sendable {
  private let dataset: Dataset
  private let changed: [String]
  private let left = Mutex<[String]>([])

  /// - Parameter changed: The streams that are stored in another way.
  public init(_ dataset: Dataset, changed: [String]) {
    (self.dataset, self.changed) = (dataset, changed)
  }

  /// What was not carried over, a sentence each.
  public var leftOut: [String] { left.withLock { $0 } }

  /// Writes them into the folder of the new dataset.
  ///
  /// Saved statistics name the digest of the data that they are of, which is the new dataset's now; where they are of a
  /// stream that has changed they are left out, and said.
  public func write(
    _ folder: String, _ shards: [Manifest.Entry]
  ) throws(TrajpackError) -> [SideFile] {
    var written: [SideFile] = []
    let digest = Manifest(shards: shards, source: .object([]), statistics: nil).digest
    for file in dataset.sideFiles {
      guard let role = SideFile.Role(rawValue: file.role) else {
        left.withLock {
          $0.append(
            "\(file.role) '\(file.name)' is not carried over: this trajpack does not know the role")
        }
        continue
      }
      var content = try dataset.content(of: file)
      if role == .statistics {
        let channels = (content["channels"]?.array ?? []).compactMap { $0["channel"]?.string }
        if channels.contains(where: { name in changed.contains { name.hasPrefix("\($0)/") } }) {
          left.withLock {
            $0.append(
              "statistics '\(file.name)' are not carried over: they are of packets that have changed"
            )
          }
          continue
        }
        content.set("data_digest", .string(digest))
      }
      written.append(
        try SideFile.write(
          role, named: file.name, content, isRequired: file.isRequired, inFolder: folder))
    }
    return written
  }
}
