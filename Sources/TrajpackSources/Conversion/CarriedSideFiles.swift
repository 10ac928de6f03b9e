import Synchronization
import TrajpackFormat
import TrajpackStore

/// The side files of a dataset, for one that has the same recordings.
public final class CarriedSideFiles: Sendable {
  /// Why a side file does not hold of the new dataset, as what follows "is not carried over: "; `nil` where it does.
  typealias Objection = @Sendable (SideFile.Role, JSONValue) throws(TrajpackError) -> String?

  private let dataset: Dataset
  private let objection: Objection
  private let skipped: Set<SideFile.Role>
  private let outcome = Mutex<(kept: [String], left: [String])>(([], []))

  /// - Parameter skipping: Roles whose content the new dataset has in another place.
  init(
    _ dataset: Dataset, skipping skipped: Set<SideFile.Role> = [],
    objection: @escaping Objection
  ) {
    (self.dataset, self.skipped, self.objection) = (dataset, skipped, objection)
  }

  /// Those that stay true where nothing but the form of some streams changes.
  ///
  /// - Parameter changed: The streams that are stored in another way.
  public convenience init(_ dataset: Dataset, changed: [String]) {
    self.init(dataset) { (role, content) in
      let channels = (content["channels"]?.array ?? []).compactMap { $0["channel"]?.string }
      return role == .statistics
        && channels.contains { name in changed.contains { name.hasPrefix("\($0)/") } }
        ? "they are of packets that have changed" : nil
    }
  }

  /// Those that stay true where recordings are cut: vocabularies, which are of channels. Values are in the new shards.
  public convenience init(cutting dataset: Dataset) {
    self.init(dataset, skipping: [.values]) { (role, _) in
      switch role {
      case .values, .vocabulary: nil
      case .statistics: "they are of the whole recordings"
      case .splits: "they are of the whole recordings; make others with 'trajpack split'"
      case .clips: "they are of the whole recordings"
      }
    }
  }

  /// What was not carried over, a sentence each.
  public var leftOut: [String] { outcome.withLock { $0.left } }
  /// What was carried over, as `splits 'default'`.
  public var carried: [String] { outcome.withLock { $0.kept } }

  /// Writes them into the folder of the new dataset.
  ///
  /// Saved statistics name the digest of the data that they are of, which is the new dataset's now. What does not hold
  /// of the new dataset is left out, and said.
  public func write(
    _ folder: String, _ shards: [Manifest.Entry]
  ) throws(TrajpackError) -> [SideFile] {
    var written: [SideFile] = []
    let digest = Manifest(shards: shards, source: .object([]), statistics: nil).digest
    outcome.withLock { $0 = ([], []) }
    for file in dataset.sideFiles {
      let title = "\(file.role) '\(file.name)'"
      guard let role = SideFile.Role(rawValue: file.role) else {
        outcome.withLock {
          $0.left.append("\(title) is not carried over: this trajpack does not know the role")
        }
        continue
      }
      if skipped.contains(role) { continue }
      var content = try dataset.content(of: file)
      if let reason = try objection(role, content) {
        let verb = role.isPlural ? "are" : "is"
        outcome.withLock { $0.left.append("\(title) \(verb) not carried over: \(reason)") }
        continue
      }
      if role == .statistics { content.set("data_digest", .string(digest)) }
      written.append(
        try SideFile.write(
          role, named: file.name, content, isRequired: file.isRequired, inFolder: folder))
      outcome.withLock { $0.kept.append(title) }
    }
    return written
  }
}

extension SideFile.Role {
  fileprivate var isPlural: Bool { self != .vocabulary }
}

extension Conversion.Options {
  /// The same options, with the side files of another dataset for the new one.
  public func carrying(_ carried: CarriedSideFiles) -> Self {
    var options = self
    options.sideFiles = { (folders, shards) throws(TrajpackError) in
      try carried.write(folders.files, shards)
    }
    return options
  }
}
