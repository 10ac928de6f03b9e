import TrajpackFormat
import TrajpackStore

/// Minari's Arrow storage: a folder an episode with `part-0.arrow`, whose last row is only the last observation and
/// infos. Layout after minari 0.5.
enum MinariArrow {
  /// What `metadata.json` beside an Arrow file says of its episode; `nil` where it says no steps.
  static func episode(beside path: String) -> JSONValue? {
    let document = metadata(beside: path)
    guard ArrowFile.endings.contains(where: { path.hasSuffix($0) }),
      FileSystem.item(at: document) == .file, let file = try? LocalFile(document),
      file.length < 16 << 20,
      let json = try? JSONValue(parsing: (try? file.bytes(0..<file.length)) ?? []),
      json["total_steps"]?.int != nil
    else { return nil }
    return json
  }

  static func metadata(beside path: String) -> String {
    "\(FileSystem.parent(of: path))/metadata.json"
  }

  /// The folder of the dataset that an episode's file lies in, below the source.
  private static func dataset(_ file: SourceFiles.File) -> String {
    file.place.pathComponents.dropLast(2).joined(separator: "/")
  }

  /// Whether all episodes are of one dataset.
  static func isOneDataset(_ files: SourceFiles) -> Bool {
    // Files come in the order of their names.
    guard let first = files.trees.first, let last = files.trees.last else { return false }
    return dataset(first) == dataset(last)
  }

  /// The recording of an episode.
  static func recording(
    _ file: SourceFiles.File, _ index: TreeIndex, _ files: SourceFiles, _ options: MappingOptions,
    _ source: inout MappedSource
  ) throws(TrajpackError) -> MappedRecording {
    guard let json = episode(beside: file.path), let steps = json["total_steps"]?.int,
      let tree = index.tree as? ArrowFile
    else {
      throw TrajpackError(
        .data, file: file.path,
        "has no metadata.json with 'total_steps' beside it, as Minari writes it")
    }
    guard tree.rows == steps + 1 else {
      throw TrajpackError(
        .data, file: file.path, "has \(tree.rows) rows, and \(steps) steps have \(steps + 1)")
    }
    let number =
      json["id"]?.int.map { String($0) } ?? FileSystem.name(of: FileSystem.parent(of: file.path))
    let own = dataset(file)
    var recording = MappedRecording(
      file,
      id: own.isEmpty || isOneDataset(files) ? "episode_\(number)" : "\(own)/episode_\(number)")
    recording.fingerprint += ";" + Recording.fingerprint(of: metadata(beside: file.path))
    var layout = TreeLayout(tree, options)
    layout.time = MappedStream.time(rate: options.rate)
    var items = try layout.items(index.below("/"), below: "/")
    for i in items.indices {
      try PictureArrays.find(&items[i])
      // The last row of these is there so that columns are as long.
      let first = items[i].place.pathComponents.first.map { String($0) } ?? ""
      if !["observations", "infos"].contains(first) { items[i].part.part[0] = 0..<steps }
    }
    recording.streams = try layout.streams(items, rows: steps)
    source.leftOut += layout.leftOut
    recording.values = json.members ?? []
    return recording
  }
}
