import Glibc
import TrajpackFormat
import TrajpackStore

extension ConversionJob {
  /// Puts the shards of all tasks together, as a conversion that was stopped before its manifest leaves them.
  ///
  /// Each file is moved, so nothing is copied. A second run ends what a first one has left half done. The caller holds
  /// the lock of the job alone, and ``JobState/missing`` is empty.
  ///
  /// - Returns: The folder, from which the same conversion goes on with `resume`.
  public func assemble(_ state: JobState) throws(TrajpackError) -> String {
    let folder = "\(path)/\(Self.assemblyName)"
    try Self.requireFree(document.destination)
    guard !state.shards.isEmpty else {
      let first = FailedRecording.list(state.leftOut.first).first
      throw TrajpackError(
        .data,
        "every recording of the sources was left out, so no dataset was made"
          + (first.map { "; \($0.path): \($0.why)" } ?? ""))
    }
    try FileSystem.makeFolder(folder)
    guard FileSystem.item(at: "\(folder)/\(Manifest.fileName)") == nil else { return folder }
    for shard in state.shards {
      let target = "\(folder)/\(shard.entry.name)"
      guard shard.file != target else { continue }
      guard rename(shard.file, target) == 0 else {
        throw .system("cannot be moved to \(target)", shard.file)
      }
    }
    try FileSystem.syncFolder(folder)
    var notes: [String: JSONValue] = [:]
    for shard in state.shards { notes[shard.entry.name] = shard.note }
    // What was left out behind the last shard of a task stands with the first shard's.
    if let first = state.shards.first?.entry.name, let note = notes[first] {
      notes[first] = Self.adding(state.leftOut, to: note)
    }
    let journal = try Journal(inFolder: folder)
    try journal.replace(
      plan: document.plan, shards: state.shards.map(\.entry), notes: notes)
    return folder
  }

  /// A record of recordings with more that were left out.
  private static func adding(_ more: [JSONValue], to note: JSONValue) -> JSONValue {
    let lists = ([note["left_out"]] + more).compactMap { $0?["files"]?.array }
    let files = Array(lists.joined())
    guard !files.isEmpty else { return note }
    let members = (note.members ?? []).filter { $0.name != "left_out" }
    return .object(
      members + [
        .init(
          "left_out", .record(["count": .int(Int64(files.count)), "files": .array(files)]))
      ])
  }

  /// Gives the finished folder the dataset's name, then removes the tasks. `job.json` stays, so that a task that is
  /// run once more finds the job finished.
  public func publish() throws(TrajpackError) {
    let folder = "\(path)/\(Self.assemblyName)"
    if FileSystem.item(at: folder) == .folder {
      let parent = FileSystem.parent(of: document.destination)
      try FileSystem.makeFolder(parent)
      guard rename(folder, document.destination) == 0 else {
        throw .system("cannot be given its finished folder \(folder)", document.destination)
      }
      try FileSystem.syncFolder(parent)
      try FileSystem.syncFolder(path)
    }
    for number in document.tasks.indices {
      let folder = self.folder(ofTask: number)
      guard FileSystem.item(at: folder) == .folder else { continue }
      for name in try FileSystem.names(in: folder) where Manifest.owns(name) {
        try FileSystem.remove("\(folder)/\(name)")
      }
      rmdir(folder)
    }
    FileSystem.removeTree("\(path)/\(Self.sourceName)")
    try FileSystem.remove("\(path)/\(Self.recordingsName)")
  }
}

extension JobDocument {
  /// The plan in the journal of a task.
  func plan(ofTask number: Int) -> JSONValue { plan.limited(to: tasks[number].shards) }
}

extension JSONValue {
  /// The plan of a conversion, limited to some of its shards.
  func limited(to shards: Range<Int>) -> JSONValue {
    .object(
      (members ?? []) + [
        .init("shards", .array([.int(Int64(shards.lowerBound)), .int(Int64(shards.upperBound))]))
      ])
  }
}
