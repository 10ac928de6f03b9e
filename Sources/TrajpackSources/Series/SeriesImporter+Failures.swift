import TrajpackFormat
import TrajpackStore

extension SeriesImporter {
  /// A file that could not be looked at.
  struct FailedFile {
    var path: String
    /// What it is called below the source.
    var place: String
    var error: TrajpackError
    /// Its line of ``Recording/fingerprint``.
    var fingerprint: String
    /// The number of the file that comes behind it, among those that were looked at.
    var before: Int
  }

  /// Where the files of a folder make one episode and one of them failed, the episode fails: it would lack a
  /// stream without a word.
  static func failWithFolders(
    _ failed: inout [FailedFile], _ looked: inout [(file: File, pieces: [Piece], hints: [String])],
    _ options: SeriesOptions
  ) {
    guard !failed.isEmpty,
      let groups = try? Self.groups(looked.map(\.file), looked.map(\.pieces.count), options)
    else { return }
    let grouped = Set(groups.keys.map { FileSystem.name(of: looked[$0].file.place) })
    for i in failed.indices
    where failed[i].place.contains("/") && grouped.contains(FileSystem.name(of: failed[i].place)) {
      let folder = FileSystem.parent(of: failed[i].place)
      let own = looked.indices.filter { FileSystem.parent(of: looked[$0].file.place) == folder }
      let name = FileSystem.name(of: failed[i].place)
      failed[i].error = failed[i].error.within(name)
      failed[i].place = folder
      failed[i].path = FileSystem.parent(of: failed[i].path)
      for number in own.reversed() {
        failed[i].fingerprint += "; " + Recording.fingerprint(of: looked[number].file.path)
        looked.remove(at: number)
        for j in failed.indices where failed[j].before > number { failed[j].before -= 1 }
      }
    }
    // Two files of one folder are one episode.
    var seen: Set<String> = []
    failed.removeAll { !seen.insert($0.path).inserted }
  }
}
