import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack validate --fix DST`.
extension Validate {
  /// Writes a new dataset with statistics and index made anew and signs of quaternions that go on; false where the
  /// user stopped it.
  ///
  /// - Throws: A usage error for what is no archive; a data error where something is damaged.
  func writeFixed(
    to destination: String, _ pool: WorkerPool, _ console: Console
  ) throws(TrajpackError) -> Bool {
    guard paths.count == 1, let path = paths.first, Dataset.isDataset(path) else {
      throw TrajpackError(
        .usage, "--fix \(destination): is for one dataset or shard; convert recordings first")
    }
    try Destination.refuse(destination, in: path)
    let names =
      FileSystem.item(at: destination) == .folder ? try FileSystem.names(in: destination) : []
    guard names.isEmpty else {
      throw TrajpackError(
        .usage, file: destination, "is not empty; name a new folder for the dataset of --fix")
    }
    var options = try WriteOptions().options(of: SalvageImporter.self)
    options.jobs = pool.count
    let importer = try SalvageImporter(path, mode: .fix, pool: pool, version: Trajpack.version)
    let carried = importer.carriedSideFiles()
    let outcome = try WriteOptions.run(
      importer, to: destination, carried.map { options.carrying($0) } ?? options,
      verb: ("fixing", "fixed"), items: "episodes",
      again: "the same command with another DST", console)
    guard let outcome else { return false }
    for left in carried?.leftOut ?? [] { console.warn(left.printable) }
    console.note(
      "\(destination): \(Human.count(outcome.episodes, "episodes")) with statistics and index made anew"
    )
    return true
  }
}
