import Glibc
import TrajpackFormat
import TrajpackStore

/// Writes episodes of a dataset in another format.
public protocol Exporter: Sendable {
  /// The format.
  static var format: FormatDescription { get }

  /// Writes an episode into `folder`, which is empty and its own.
  ///
  /// - Parameter reader: Reads the shard's blocks. The episodes of a shard share it and are written in the
  ///   shard's order, so that a chunk with rows of several episodes is inflated once.
  func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError)

  /// The ending of the one file that an episode becomes; `nil` where it is a folder.
  var fileEnding: String? { get }

  /// Whether what is known of the recordings is written as a table, too, and whether texts that a spreadsheet would
  /// compute get an apostrophe in front there.
  var valueTable: (isWritten: Bool, escapesFormulas: Bool) { get }

  /// Writes what belongs to all episodes beside their folders.
  func finish(_ shards: [Shard], into folder: String) throws(TrajpackError)
}

extension Exporter {
  /// Not as a table; see ``Exporter``.
  public var valueTable: (isWritten: Bool, escapesFormulas: Bool) { (false, false) }

  /// A folder an episode; see ``Exporter``.
  public var fileEnding: String? { nil }

  /// Writes what belongs to all episodes; see ``Exporter``.
  public func finish(_ shards: [Shard], into folder: String) throws(TrajpackError) {}
}

/// The folder of one episode while it is filled.
public final class ExportFolder {
  let path: String
  private let isInterrupted: () -> Bool
  /// Whether an interrupt ended the writing.
  private(set) var isStopped = false
  /// What a user should know of what was written.
  private(set) var remarks: [String] = []
  private var said: Set<String> = []

  init(_ path: String, isInterrupted: @escaping () -> Bool) {
    self.path = path
    self.isInterrupted = isInterrupted
  }

  /// Notes a sentence for the user, once.
  func note(_ remark: String) {
    if said.insert(remark).inserted { remarks.append(remark) }
  }

  /// Ends the writing after an interrupt, by an error that only ``Export`` sees.
  func goOn() throws(TrajpackError) {
    guard isInterrupted() else { return }
    isStopped = true
    throw TrajpackError(.machine, "interrupted")
  }
}

/// Exports episodes, each into a folder of its own that appears when it is whole, and goes again where another one fails.
public struct Export: Sendable {
  /// Refuses a destination that is there, but for an empty folder.
  static func requireNew(_ destination: String) throws(TrajpackError) {
    guard let item = FileSystem.item(at: destination) else { return }
    guard item == .folder, try FileSystem.names(in: destination).isEmpty else {
      throw TrajpackError(
        .usage, file: destination, "exists already; name a new folder for the export")
    }
  }

  /// Exports episodes of `dataset` into a new folder. Where one of them cannot be written, none is left.
  ///
  /// - Parameters:
  ///   - ids: The episodes; all where empty.
  ///   - began: Told of each episode before it is written.
  ///   - isInterrupted: Asked often, also within an episode, which then is not there at all; those before it are.
  ///   - noted: Told a sentence of an episode that a user should know.
  /// - Returns: How many episodes were written, and whether that is all that were asked for.
  public static func run(
    _ exporter: some Exporter, _ dataset: Dataset, ids: [String], to destination: String,
    isInterrupted: @escaping () -> Bool,
    noted: (_ id: String, _ text: String) -> Void = { _, _ in }, began: (String) -> Void
  ) throws(TrajpackError) -> (episodes: Int, isComplete: Bool) {
    try requireNew(destination)
    let isNew = FileSystem.item(at: destination) == nil
    var made: [String] = []
    do throws(TrajpackError) {
      try FileSystem.makeFolder(destination)
      let isComplete = try fill(
        destination, exporter, dataset, ids, &made, isInterrupted, noted, began)
      if isNew, made.isEmpty, !isComplete { rmdir(destination) }
      return (made.count, isComplete)
    } catch {
      // A folder that lacks some of its episodes looks like a whole export.
      for path in made { FileSystem.removeTree(path) }
      if isNew { rmdir(destination) }
      throw error
    }
  }

  /// Writes episodes, whose places are `made` then, and what belongs to all of them; whether no interrupt came first.
  private static func fill(
    _ destination: String, _ exporter: some Exporter, _ dataset: Dataset, _ ids: [String],
    _ made: inout [String], _ isInterrupted: @escaping () -> Bool,
    _ noted: (_ id: String, _ text: String) -> Void, _ began: (String) -> Void
  ) throws(TrajpackError) -> Bool {
    var left = Set(ids)
    var shards: [Shard] = []
    var rows: [Int] = []
    var names: [String] = []
    var first = 0
    for number in dataset.shardPaths.indices {
      let shard = try dataset.shard(number)
      let reader = BlockReader(shard)
      var isUsed = false
      for n in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(n)
        guard ids.isEmpty || left.remove(episode.id) != nil else { continue }
        began(episode.id)
        guard let done = try write(exporter, episode, shard, reader, destination, isInterrupted)
        else { return false }
        made.append(done.place)
        for remark in done.remarks { noted(episode.id, remark) }
        isUsed = true
        rows.append(first + n)
        names.append(episode.id)
      }
      if isUsed { shards.append(shard) }
      first += shard.index.episodeCount
    }
    if let missing = left.min() { throw noEpisode(missing, dataset) }
    let before = try FileSystem.names(in: destination)
    do throws(TrajpackError) {
      try exporter.finish(shards, into: destination)
      let (isTable, escapes) = exporter.valueTable
      try ValueExport.write(
        try dataset.values(.known).table.rows(rows), ids: names, asTable: isTable,
        escapingFormulas: escapes, into: destination)
      try FileSystem.syncFolder(destination)
    } catch {
      made +=
        (try? FileSystem.names(in: destination))?.filter { !before.contains($0) }
        .map { "\(destination)/\($0)" } ?? []
      throw error
    }
    return true
  }

  /// Writes an episode, and returns where it is and what a user should know; `nil` where an interrupt came first, and
  /// nothing of it is left.
  private static func write(
    _ exporter: some Exporter, _ episode: ShardIndex.Episode, _ shard: Shard,
    _ reader: BlockReader, _ destination: String, _ isInterrupted: @escaping () -> Bool
  ) throws(TrajpackError) -> (place: String, remarks: [String])? {
    let name = try folderName(episode.id)
    let place = "\(destination)/\(name)\(exporter.fileEnding.map { ".\($0)" } ?? "")"
    guard FileSystem.item(at: place) == nil else {
      throw TrajpackError(
        .data,
        "two episodes would be written as '\(name)'; the dataset is damaged, or ids differ only in "
          + "what no folder's name can show")
    }
    let temporary = "\(destination)/.tmp-\(name)"
    let folder = ExportFolder(temporary, isInterrupted: isInterrupted)
    try FileSystem.makeFolder(temporary)
    do throws(TrajpackError) {
      try within(episode: episode.id) { () throws(TrajpackError) in
        try folder.goOn()
        try exporter.write(episode, of: shard, reader: reader, into: folder)
      }
      try FileSystem.syncFolder(temporary)
      let whole = exporter.fileEnding.map { "\(temporary)/\(fileStem).\($0)" }
      guard rename(whole ?? temporary, place) == 0 else {
        throw .system("cannot be renamed into place", place)
      }
      if whole != nil { rmdir(temporary) }
      return (place, folder.remarks)
    } catch {
      FileSystem.removeTree(temporary)
      if folder.isStopped { return nil }
      throw error
    }
  }

  /// The name of the one file of an episode, until it is renamed.
  static let fileStem = "episode"

  /// The name of a track as that of a file; a stream's `/` becomes `-`.
  package static func fileName(_ name: String) throws(TrajpackError) -> String {
    try folderName(name.replacing("/", with: "-"))
  }

  /// An episode's id as the name of a folder: ids come from files, and must not lead out of the folder.
  static func folderName(_ id: String) throws(TrajpackError) -> String {
    let isSafe =
      !id.isEmpty && !id.hasPrefix(".") && id.utf8.count <= 200
      && id.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "/" && $0.value != 0x7F }
    if isSafe { return id }
    let escaped = id.utf8.map { byte -> String in
      let isPlain =
        (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
        || byte == 0x2D
      let hex = String(byte, radix: 16)
      return isPlain ? String(UnicodeScalar(byte)) : "%" + (hex.count == 1 ? "0" : "") + hex
    }.joined()
    guard !escaped.isEmpty, escaped.utf8.count <= 255 else {
      throw TrajpackError(.data, "the episode's id cannot be the name of a folder")
    }
    return escaped
  }
}
