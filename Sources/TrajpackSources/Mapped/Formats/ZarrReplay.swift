import TrajpackFormat
import TrajpackStore

/// Replay buffers in Zarr, as diffusion_policy, UMI and 3D Diffusion Policy write them: `data/*` of all steps, and
/// `meta/episode_ends`, the step behind which each episode ends.
enum ZarrReplay: MappedFormat {
  static let format = FormatDescription(
    name: "zarr-replay", summary: "replay buffers in Zarr 2 and 3 (data/*, meta/episode_ends)",
    carries:
      "every array of steps, cut into episodes; arrays of meta with a row an episode as values",
    reads: true, writes: false)

  private static let ends = "/meta/episode_ends"

  private static func isBuffer(_ tree: (any ArrayTree)?) -> Bool {
    guard let tree, tree is ZarrStore else { return false }
    let index = TreeIndex(tree)
    return index.array(ends) != nil && index["/data"]?.isGroup == true
  }

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && isBuffer(files.first)
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      try recordings(file, index, files, options, &source)
    }
    source.leftOut += files.others()
    return source
  }

  private static func recordings(
    _ file: SourceFiles.File, _ index: TreeIndex, _ files: SourceFiles, _ options: MappingOptions,
    _ source: inout MappedSource
  ) throws(TrajpackError) -> [MappedRecording] {
    guard let ends = index[ends], ends.array?.type != nil else {
      throw TrajpackError(
        .data, file: file.path,
        "has no numbers in meta/episode_ends, by which steps are cut into episodes; --episodes, --terminals or --map "
          + "read other stores")
    }
    let rows = Int(try index.tree.value(ends).wholeNumbers?.last ?? 0)
    let ranges = try Cuts.byCounts(index.tree, ends, rows)
    guard !ranges.isEmpty else { throw TrajpackError(.data, file: file.path, "has no episode") }
    var layout = TreeLayout(index.tree, options)
    layout.time = MappedStream.time(rate: options.rate)
    var items = try layout.items(index.below("/data"), below: "/data")
    items.removeAll { item in
      guard item.part.count != rows else { return false }
      source.leftOut.append(
        LeftOut(
          path: "\(file.place):\(item.node.path)",
          why: "has \(item.part.count) rows, and the episodes \(rows)"))
      return true
    }
    guard !items.isEmpty else {
      throw TrajpackError(
        .data, file: file.path,
        "has no array of \(rows) rows in data, which is what its episodes have")
    }
    let time = try time(of: items, ranges, file, options, &source)
    items.removeAll { $0.node.path == time?.node.path }
    source.leftOut += layout.leftOut
    var facts = TreeFacts()
    if let root = index["/"] { facts.add(root) }
    if files.trees.count == 1 { source.attributes += facts.values + layout.values }
    layout.values = []
    var recordings = try Cuts.recordings(file, files, ranges, items, &layout)
    if let time {
      let unit = options.timeUnit ?? time.unit
      for i in recordings.indices {
        let part = TreePart(index.tree, time.node, rows: ranges[i])
        for j in recordings[i].streams.indices {
          recordings[i].streams[j].time = .array(
            .tree(part), part.type, tick: time.tick, unit: unit)
        }
      }
    }
    try add(index, ends, file, to: &recordings, &source)
    return recordings
  }

  /// The array of times, and what one of it is: that of `--time`, or `data/timestamp` where it rises in every episode.
  private static func time(
    of items: [TreeLayout.Item], _ ranges: [Range<Int>], _ file: SourceFiles.File,
    _ options: MappingOptions, _ source: inout MappedSource
  ) throws(TrajpackError) -> (node: TreeNode, tick: Rational, unit: String)? {
    if options.time == "none" || (options.time == nil && options.rate != nil) { return nil }
    func isVector(_ item: TreeLayout.Item) -> Bool {
      item.part.type != .bytes && item.part.rowShape.reduce(1, *) == 1
    }
    if let name = options.time {
      let found = items.first { item in
        isVector(item) && [item.place, "data/\(item.place)", item.node.path].contains(name)
      }
      guard let found else {
        throw TrajpackError(
          .usage, file: file.path,
          "--time: '\(name)' is no array of data with one number a step; 'trajpack inspect' shows them"
        )
      }
      let tick = found.node.array?.tick
      return (found.node, tick ?? .one, tick == nil ? "time" : "s")
    }
    guard
      let found = items.first(where: {
        ["timestamp", "timestamps"].contains($0.place) && isVector($0)
      })
    else { return nil }
    guard try rises(found.part, ranges) else {
      source.remarks.append(
        "\(file.place): data/\(found.place) does not rise within every episode, so it is a channel and not the time"
      )
      return nil
    }
    source.remarks.append(
      "\(file.place): data/\(found.place) is taken as the time, in seconds; --time none keeps it as a channel"
    )
    return (found.node, found.node.array?.tick ?? .one, "s")
  }

  /// Whether the numbers rise within each range of rows.
  static func rises(
    _ part: TreePart, _ ranges: [Range<Int>]
  ) throws(TrajpackError) -> Bool {
    var (row, episode, last, rises) = (0, 0, -Double.infinity, true)
    try part.spool().forEachPiece(of: part.type) { (bytes, count) throws(TrajpackError) in
      for i in 0..<count {
        while episode < ranges.count, row >= ranges[episode].upperBound {
          episode += 1
          last = -.infinity
        }
        let value = StoredNumber(bytes, i, part.type).double
        if !(value > last) { rises = false }
        last = value
        row += 1
      }
    }
    return rises
  }

  /// Adds arrays of `meta` that have a row an episode to the values; others are left out.
  private static func add(
    _ index: TreeIndex, _ ends: TreeNode, _ file: SourceFiles.File,
    to recordings: inout [MappedRecording], _ source: inout MappedSource
  ) throws(TrajpackError) {
    for node in index.below("/meta") where node.path != ends.path && !node.isGroup {
      let name = node.name(below: "/meta")
      guard let array = node.array, array.type != nil, array.shape.first == recordings.count,
        array.count <= 1 << 20, let all = try index.tree.value(node).json?.array
      else {
        var why = "has not one number an episode (\(node.array?.text ?? ""))"
        if case .array(let array) = node.content, case .unread(let reason) = array.form {
          why = reason
        }
        if case .unread(let reason) = node.content { why = reason }
        source.leftOut.append(LeftOut(path: "\(file.place):\(node.path)", why: why))
        continue
      }
      for (i, value) in all.enumerated() { recordings[i].values.append(.init(name, value)) }
    }
  }
}
