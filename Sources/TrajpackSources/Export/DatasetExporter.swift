import Glibc
import TrajpackFormat
import TrajpackStore

/// Writes a dataset in a format whose files are shared by episodes. The folder appears when it is whole.
public protocol DatasetExporter: AnyObject {
  /// Begins in a folder that is empty.
  func begin(in folder: ExportFolder) throws(TrajpackError)

  /// Adds an episode. Episodes come in the dataset's order; those of a shard share `reader`.
  func append(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader
  ) throws(TrajpackError)

  /// Writes what belongs to all episodes, and makes the files durable.
  func finish() throws(TrajpackError)
}

extension Export {
  /// Exports episodes of a dataset into a new folder, which appears when it is whole.
  ///
  /// - Parameters:
  ///   - isInterrupted: Asked often; nothing is left then.
  ///   - noted: Told a sentence that a user should know.
  ///   - began: Told of each episode before it is written.
  /// - Returns: How many episodes were written, and whether that is all that were asked for.
  public static func run(
    _ exporter: any DatasetExporter, _ request: ExportRequest, to destination: String,
    isInterrupted: @escaping () -> Bool, noted: (String) -> Void, began: (String) -> Void
  ) throws(TrajpackError) -> (episodes: Int, isComplete: Bool) {
    try requireNew(destination)
    let dataset = request.dataset
    var path = destination
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    let temporary = "\(FileSystem.parent(of: path))/.tmp-\(FileSystem.name(of: path))-\(getpid())"
    let folder = ExportFolder(temporary, isInterrupted: isInterrupted)
    try FileSystem.makeFolder(temporary)
    do throws(TrajpackError) {
      try exporter.begin(in: folder)
      var left = Set(request.ids)
      var (rows, names, first): ([Int], [String], Int) = ([], [], 0)
      for number in dataset.shardPaths.indices {
        let shard = try dataset.shard(number)
        let reader = BlockReader(shard)
        for n in 0..<shard.index.episodeCount {
          let episode = shard.index.episode(n)
          guard request.ids.isEmpty || left.remove(episode.id) != nil else { continue }
          began(episode.id)
          try within(episode: episode.id) { () throws(TrajpackError) in
            try folder.goOn()
            try exporter.append(episode, of: shard, reader: reader)
          }
          rows.append(first + n)
          names.append(episode.id)
        }
        first += shard.index.episodeCount
      }
      if let missing = left.min() { throw noEpisode(missing, dataset) }
      try exporter.finish()
      try ValueExport.write(
        try dataset.values(.known).table.rows(rows), ids: names, asTable: false,
        escapingFormulas: false, into: temporary)
      try FileSystem.syncFolder(temporary)
      for remark in folder.remarks { noted(remark) }
      guard rename(temporary, path) == 0 else {
        throw .system("cannot be renamed into place", path)
      }
      try FileSystem.syncFolder(FileSystem.parent(of: path))
      return (names.count, true)
    } catch {
      FileSystem.removeTree(temporary)
      if folder.isStopped { return (0, false) }
      throw error
    }
  }

  static func noEpisode(_ id: String, _ dataset: Dataset) -> TrajpackError {
    TrajpackError(
      .usage, file: dataset.path,
      "has no episode '\(id)'; 'trajpack info \(dataset.path) --episodes' lists them")
  }
}
