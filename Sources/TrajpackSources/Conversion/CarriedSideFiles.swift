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
  /// Whether one that cannot be read is left out and said.
  private let survivesDamage: Bool
  private let outcome = Mutex<(kept: [String], left: [String])>(([], []))

  /// - Parameter skipping: Roles whose content the new dataset has in another place.
  init(
    _ dataset: Dataset, skipping skipped: Set<SideFile.Role> = [], survivesDamage: Bool = false,
    objection: @escaping Objection
  ) {
    (self.dataset, self.skipped, self.objection) = (dataset, skipped, objection)
    self.survivesDamage = survivesDamage
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

  /// Those that stay true of what could be saved of a damaged dataset. Values are in the new shards.
  ///
  /// - Parameters:
  ///   - isWhole: Whether nothing of the recordings is lost.
  ///   - isEqual: Whether all values are the same, too.
  public convenience init(saving dataset: Dataset, isWhole: Bool, isEqual: Bool) {
    self.init(dataset, skipping: [.values], survivesDamage: true) { (role, _) in
      switch role {
      case .values, .vocabulary: nil
      case .statistics: isEqual ? nil : "they are of the data before"
      case .splits:
        isWhole ? nil : "rows or recordings of it are lost; make others with 'trajpack split'"
      case .clips: isWhole ? nil : "rows or recordings that they count are lost"
      }
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
    let digest = Manifest(shards: shards, source: .object([]), statistics: nil).digest
    return try look().map { (file, role, content) throws(TrajpackError) in
      var content = content
      if role == .statistics { content.set("data_digest", .string(digest)) }
      return try SideFile.write(
        role, named: file.name, content, isRequired: file.isRequired, inFolder: folder)
    }
  }

  /// Those that hold of the new dataset; ``carried`` and ``leftOut`` say them and the others from then on.
  @discardableResult
  public func look() throws(TrajpackError) -> [(
    file: SideFile, role: SideFile.Role, content: JSONValue
  )] {
    var found: [(file: SideFile, role: SideFile.Role, content: JSONValue)] = []
    var left: [String] = []
    for file in dataset.sideFiles {
      let title = "\(file.role) '\(file.name)'"
      guard let role = SideFile.Role(rawValue: file.role) else {
        left.append("\(title) is not carried over: this trajpack does not know the role")
        continue
      }
      if skipped.contains(role) { continue }
      let verb = role.isPlural ? "are" : "is"
      do throws(TrajpackError) {
        let content = try dataset.content(of: file)
        if let reason = try objection(role, content) {
          left.append("\(title) \(verb) not carried over: \(reason)")
        } else {
          found.append((file, role, content))
        }
      } catch {
        guard survivesDamage, error.fault == .data else { throw error }
        left.append("\(title) \(verb) not carried over: \(error.message)")
      }
    }
    let outcome = (found.map { "\($0.file.role) '\($0.file.name)'" }, left)
    self.outcome.withLock { $0 = outcome }
    return found
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
