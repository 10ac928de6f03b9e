import TrajpackFormat
import TrajpackStore

/// Files of layouts of one's own, HDF5 or archives of numpy arrays, mapped by options.
enum MappedTree: MappedFormat {
  static let format = FormatDescription(
    name: "tree",
    summary:
      "any HDF5, MATLAB or NetCDF file, Zarr store or .npz, mapped by --episodes, --ends, --axes, --time and --map",
    carries: "the arrays that the options name", reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    // Without axes or a map, an archive of arrays is a series, which knows ends and terminals, too.
    files.trees.isEmpty
      ? options.isOfTrees && !archives(files).isEmpty : options.isMapping
  }

  private static func archives(_ files: SourceFiles) -> [SourceFiles.File] {
    files.all.filter { NPZTree.recognises($0.path) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    guard options.isMapping else {
      throw TrajpackError(
        .usage,
        "--from tree needs one of --episodes, --ends, --terminals, --axes and --map; 'trajpack inspect' proposes them"
      )
    }
    var source = MappedSource(recordings: [])
    let arrays = archives(files)
    for file in files.trees + arrays {
      do throws(TrajpackError) {
        let tree: any ArrayTree
        if arrays.contains(where: { $0.path == file.path }) {
          tree = try NPZTree(file.path)
        } else {
          tree = try files.tree(file)
        }
        var mapping = TreeMapping(
          index: TreeIndex(tree), options: options, file: file,
          isOnly: files.trees.count + arrays.count == 1)
        var found = try mapping.recordings()
        let share = max(file.bytes / max(found.count, 1), 1)
        for i in found.indices { found[i].bytes = share }
        source.recordings += found
        source.leftOut += mapping.leftOut
      } catch {
        guard options.skipsErrors, error.fault == .data else { throw error }
        source.recordings.append(MappedRecording(file, id: file.stem, failure: error))
      }
    }
    source.leftOut += files.others(but: Set(arrays.map(\.path)))
    return source
  }
}

/// The recordings that options make of one tree.
struct TreeMapping {
  let index: TreeIndex
  let options: MappingOptions
  let file: SourceFiles.File
  let isOnly: Bool
  var leftOut: [LeftOut] = []

  init(index: TreeIndex, options: MappingOptions, file: SourceFiles.File, isOnly: Bool) {
    (self.index, self.options, self.file, self.isOnly) = (index, options, file, isOnly)
  }

  private var prefix: String { isOnly ? "" : "\(file.stem)/" }

  mutating func recordings() throws(TrajpackError) -> [MappedRecording] {
    if !options.axes.isEmpty { return try byAxes() }
    if let pattern = options.episodes, pattern != "/" { return try byGroups(pattern) }
    if options.ends != nil || !options.terminals.isEmpty { return try byRows() }
    return [try recording("/", id: file.stem)]
  }

  private func missing(_ option: String, _ what: String) -> TrajpackError {
    let arrays = index.tree.nodes.filter { $0.array != nil }.prefix(8).map {
      String($0.path.dropFirst())
    }
    return TrajpackError(
      .usage, file: file.path,
      "\(option) \(what); 'trajpack inspect' shows its arrays, as \(arrays.joined(separator: ", "))"
    )
  }

  /// A group an episode.
  private mutating func byGroups(_ pattern: String) throws(TrajpackError) -> [MappedRecording] {
    let wanted = Pattern(pattern.hasPrefix("/") ? String(pattern.dropFirst()) : pattern)
    let depth = wanted.text.pathComponents.count
    let groups = index.tree.nodes.filter { node in
      let path = String(node.path.dropFirst())
      return node.isGroup && path.pathComponents.count == depth && wanted.matches(path)
    }.sorted { NaturalOrder.isBefore($0.path, $1.path) }
    guard !groups.isEmpty else { throw missing("--episodes", "'\(pattern)' matches no group") }
    // The part of the path that all share says nothing.
    let names = groups.map { String($0.path.dropFirst()) }
    let common = Set(groups.map(\.parent)).count == 1 ? groups[0].parent.utf8.count : 0
    var out: [MappedRecording] = []
    for (group, name) in zip(groups, names) {
      out.append(
        try recording(
          group.path, id: prefix + (common > 0 ? String(group.path.dropFirst(common + 1)) : name)))
    }
    return out
  }

  /// The object at a path below a group, or at that path of the file.
  private func node(_ path: String, below base: String) -> TreeNode? {
    index[base == "/" ? path : "\(base)/\(path)"] ?? index[path]
  }

  private mutating func recording(_ base: String, id: String) throws(TrajpackError)
    -> MappedRecording
  {
    var recording = MappedRecording(file, id: id)
    var layout = TreeLayout(index.tree, options)
    layout.time = MappedStream.time(rate: options.rate)
    let time = options.time.flatMap { $0 == "none" ? nil : node($0, below: base) }
    if let name = options.time, name != "none", time == nil {
      throw missing("--time", "'\(name)' is no array of '\(id)'")
    }
    let items = try layout.items(index.below(base), below: base) { place in
      time.map { $0.path == (base == "/" ? "/" + place : "\(base)/\(place)") } ?? false
    }
    recording.streams = options.map.isEmpty ? try layout.streams(items) : try mapped(base, nil)
    if let time { try clock(&recording.streams, time, nil, id) }
    var facts = TreeFacts()
    if let group = index[base] { facts.add(group) }
    recording.values = facts.values + (options.map.isEmpty ? layout.values : [])
    recording.streams += facts.streams
    leftOut += layout.leftOut
    guard !recording.streams.isEmpty else { throw missing("'\(id)'", "has no array with rows") }
    return recording
  }

  /// The streams that `--map` names.
  private func mapped(_ base: String, _ rows: Range<Int>?) throws(TrajpackError) -> [MappedStream] {
    var streams: [MappedStream] = []
    for text in options.map {
      let (stream, channel, path) = try Self.parts(of: text)
      guard let node = node(path, below: base), let array = node.array, array.isRead,
        !array.shape.isEmpty
      else {
        throw missing("--map", "'\(path)' is no array with rows")
      }
      let item = TreeLayout.Item(
        node: node, place: channel, part: TreePart(index.tree, node, rows: rows))
      let made = MappedChannel(TreeLayout.channel(channel, item, options), .tree(item.part))
      if let i = streams.firstIndex(where: { $0.name == stream }) {
        guard streams[i].count == item.part.count else {
          throw TrajpackError(
            .data, file: file.path,
            "\(node.path) has \(item.part.count) rows, and the others of stream '\(stream)' have "
              + "\(streams[i].count); give it a stream of its own")
        }
        streams[i].channels.append(made)
      } else {
        streams.append(
          MappedStream(
            name: stream, count: item.part.count, time: MappedStream.time(rate: options.rate),
            channels: [made]))
      }
    }
    return streams
  }

  /// What `stream/channel=path` says.
  static func parts(of text: String) throws(TrajpackError) -> (
    stream: String, channel: String, path: String
  ) {
    let halves = text.split(separator: "=", maxSplits: 1).map { String($0) }
    guard halves.count == 2, let slash = halves[0].firstIndex(of: "/"),
      slash > halves[0].startIndex,
      halves[0].index(after: slash) < halves[0].endIndex
    else { throw TrajpackError(.usage, "--map: '\(text)' is not STREAM/CHANNEL=PATH") }
    return (
      String(halves[0][..<slash]), String(halves[0][halves[0].index(after: slash)...]), halves[1]
    )
  }

  /// Gives streams of as many rows the times of an array.
  private func clock(
    _ streams: inout [MappedStream], _ time: TreeNode, _ rows: Range<Int>?, _ id: String
  ) throws(TrajpackError) {
    let axis = TreePart(index.tree, time, rows: rows)
    guard axis.node.array?.type != nil, axis.order.count == 1 || axis.rowShape.reduce(1, *) == 1
    else {
      throw missing("--time", "'\(time.path)' has not one number a row")
    }
    var hasTime = false
    for i in streams.indices where streams[i].count == axis.count {
      streams[i].time = .array(.tree(axis), axis.type, tick: .one, unit: options.timeUnit ?? "time")
      hasTime = true
    }
    guard hasTime else {
      throw TrajpackError(
        .data, file: file.path,
        "'\(time.path)' has \(axis.count) times, and no stream of '\(id)' has as many rows"
      )
    }
  }

  /// Rows that are cut into episodes.
  private mutating func byRows() throws(TrajpackError) -> [MappedRecording] {
    var layout = TreeLayout(index.tree, options)
    layout.time = MappedStream.time(rate: options.rate)
    var skipped: Set<String> = []
    var time: TreeNode?
    if let name = options.time, name != "none" {
      guard let node = index[name] else { throw missing("--time", "'\(name)' is no array") }
      time = node
      skipped.insert(String(node.path.dropFirst()))
    }
    let ends = try options.ends.map { (name) throws(TrajpackError) in
      guard let node = index[name], node.array?.type != nil else {
        throw missing("--ends", "'\(name)' is no array of numbers")
      }
      skipped.insert(String(node.path.dropFirst()))
      return node
    }
    var items = try layout.items(index.below("/"), below: "/") { skipped.contains($0) }
    let marks = items.filter { item in
      options.terminals.contains {
        Pattern($0).matches(item.place) || Pattern($0).matches(item.node.name)
      }
    }
    let terminals = marks.map(\.node)
    let rows: Int
    if let ends {
      rows = Int(try index.tree.value(ends).wholeNumbers?.last ?? 0)
    } else {
      guard let first = marks.first?.part.count else {
        throw missing("--terminals", "matches no array")
      }
      rows = first
    }
    for item in items where item.part.count != rows {
      leftOut.append(
        LeftOut(
          path: "\(file.place):\(item.node.path)",
          why: "has \(item.part.count) rows, and the episodes \(rows)"))
    }
    items.removeAll { $0.part.count != rows }
    guard !items.isEmpty else {
      throw missing("--ends", "counts \(rows) rows, and no array has as many")
    }
    let ranges: [Range<Int>]
    if let ends {
      ranges = try Cuts.byCounts(index.tree, ends, rows)
    } else {
      ranges = try Cuts.byEnds(index.tree, terminals, rows).ranges
    }
    let width = String(max(ranges.count - 1, 0)).count
    var out: [MappedRecording] = []
    for (number, range) in ranges.enumerated() {
      let padded = String(repeating: "0", count: width - String(number).count) + String(number)
      var recording = MappedRecording(file, id: "\(file.stem)/\(padded)")
      if options.map.isEmpty {
        let own = items.map { item in
          var item = item
          item.part.part[item.part.order[0]] = range
          return item
        }
        recording.streams = try layout.streams(own)
      } else {
        recording.streams = try mapped("/", range)
      }
      if let time { try clock(&recording.streams, time, range, recording.id) }
      out.append(recording)
    }
    leftOut += layout.leftOut
    return out
  }
}
