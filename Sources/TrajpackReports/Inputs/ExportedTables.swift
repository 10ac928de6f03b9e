import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// An episode as `trajpack export --to csv` writes it: a folder with a table a track, named after it.
enum ExportedTables {
  /// Whether a folder has such tables.
  static func lie(in folder: String) throws(TrajpackError) -> Bool {
    guard FileSystem.item(at: folder) == .folder else { return false }
    return try FileSystem.names(in: folder).contains { $0.hasSuffix(".csv") }
  }

  /// The arrays of a folder: `camera/pos` is the columns `pos.0`, `pos.1`, … of `camera.csv`.
  ///
  /// - Parameters:
  ///   - name: what the folder is called in errors and in the digest, with a slash at its end.
  ///   - labels: the names of the truth's tracks, which those of files cannot always say.
  static func read(
    _ folder: String, as name: String, _ id: String, _ labels: [String],
    _ digest: inout FilesDigest
  ) throws(TrajpackError) -> PredictedArrays {
    var known: [String: String] = [:]
    for label in labels { known[try Export.fileName(label)] = label }
    var readers: [(name: String, read: () throws(TrajpackError) -> Numbers)] = []
    for file in try FileSystem.names(in: folder).sorted() where file.hasSuffix(".csv") {
      try digest.add("\(name)\(file)", "\(folder)\(file)")
      let tables = try PredictionTable.read(
        try LocalFile("\(folder)\(file)"), delimiter: UInt8(ascii: ","), [id], isExport: true)
      // The second track of an entity is `monster[0]#2`.
      let stem = String(file.dropLast(4))
      let run = stem.lastIndex(of: "#").map { stem[$0...] } ?? ""
      let track = String(stem.dropLast(run.count))
      let label = known[stem] ?? known[track].map { $0 + run } ?? stem.unescaped
      for (_, arrays) in tables {
        for array in arrays.names {
          readers.append(
            (
              "\(label)/\(array)",
              { () throws(TrajpackError) in
                try arrays.array(array) ?? Numbers(shape: [0])
              }
            ))
        }
      }
    }
    return PredictedArrays(name, readers)
  }
}
