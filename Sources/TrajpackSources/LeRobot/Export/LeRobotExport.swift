import Glibc
import TrajpackFormat
import TrajpackStore

/// Writes a dataset as a LeRobot dataset of version 3.0: tables of all episodes, and an mp4 an episode and camera, which is
/// taken over as it is. The folder appears when it is whole.
public struct LeRobotExport {
  /// Writes episodes of `dataset` into a new folder.
  ///
  /// - Parameters:
  ///   - ids: The episodes; all where empty.
  ///   - rate: Rows a second where the dataset does not say it, or has several.
  ///   - media: Where a video that was linked is looked for.
  ///   - isInterrupted: Asked often; nothing is left then.
  ///   - noted: Told a sentence that a user should know.
  ///   - began: Told of each episode before it is written.
  /// - Returns: How many episodes were written, and whether that is all.
  public static func run(
    _ dataset: Dataset, ids: [String], to destination: String, rate: Rational?, media: String?,
    isInterrupted: @escaping () -> Bool, noted: (String) -> Void, began: (String) -> Void
  ) throws(TrajpackError) -> (episodes: Int, isComplete: Bool) {
    try Export.requireNew(destination)
    let wanted = Set(ids)
    let plan = try LeRobotPlan(dataset, { wanted.isEmpty || wanted.contains($0) }, rate: rate)
    for remark in plan.remarks { noted(remark) }
    var path = destination
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    let temporary = "\(FileSystem.parent(of: path))/.tmp-\(FileSystem.name(of: path))-\(getpid())"
    let folder = ExportFolder(temporary, isInterrupted: isInterrupted)
    try FileSystem.makeFolder(temporary)
    do throws(TrajpackError) {
      let writer = try LeRobotWriter(plan, folder, media: media)
      var left = wanted
      var (rows, names, first): ([Int], [String], Int) = ([], [], 0)
      for number in dataset.shardPaths.indices {
        let shard = try dataset.shard(number)
        let reader = BlockReader(shard)
        for n in 0..<shard.index.episodeCount {
          let episode = shard.index.episode(n)
          guard wanted.isEmpty || left.remove(episode.id) != nil else { continue }
          began(episode.id)
          try within(episode: episode.id) { () throws(TrajpackError) in
            try folder.goOn()
            try writer.append(episode, shard, reader)
          }
          rows.append(first + n)
          names.append(episode.id)
        }
        first += shard.index.episodeCount
      }
      if let missing = left.min() {
        throw TrajpackError(
          .usage, file: dataset.path,
          "has no episode '\(missing)'; 'trajpack info \(dataset.path) --episodes' lists them"
        )
      }
      let attributes = try dataset.shard(0).schema.attributes
      try writer.finish(robot: attributes["robot_type"]?.string)
      try ValueExport.write(
        try dataset.values(.known).table.rows(rows), ids: names, asTable: false,
        escapingFormulas: false, into: temporary)
      for remark in folder.remarks { noted(remark) }
      guard rename(temporary, path) == 0 else {
        throw .system("cannot be renamed into place", path)
      }
      try FileSystem.syncFolder(FileSystem.parent(of: path))
      return (writer.count, true)
    } catch {
      removeTree(temporary)
      if folder.isStopped { return (0, false) }
      throw error
    }
  }

  /// Removes a folder that was made here.
  private static func removeTree(_ path: String) {
    for name in (try? FileSystem.names(in: path)) ?? [] {
      let item = "\(path)/\(name)"
      if FileSystem.item(at: item) == .folder { removeTree(item) } else { unlink(item) }
    }
    rmdir(path)
  }
}
