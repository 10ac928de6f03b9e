import TrajpackFormat
import TrajpackStore

/// Tables of Parquet files: time series, read as those of text are.
enum ParquetTables: MappedFormat {
  static let format = FormatDescription(
    name: "parquet", summary: "tables of time series in Parquet files",
    carries: ColumnTables.carries,
    reads: true, writes: true)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && files.first is ParquetTree
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    try ColumnTables.read(files, options) { $0 is ParquetTree }
  }
}

/// Tables in Arrow's IPC format: time series, read as those of text are.
enum ArrowTables: MappedFormat {
  static let format = FormatDescription(
    name: "arrow", summary: "tables of time series in Arrow IPC and Feather files",
    carries: ColumnTables.carries,
    reads: true, writes: true)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && files.first is ArrowFile
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    try ColumnTables.read(files, options) { $0 is ArrowFile }
  }
}

/// Makes recordings of tables: of each file one, or one of each value of a column.
enum ColumnTables {
  /// What `trajpack formats` says of both.
  static let carries =
    "every column of numbers, texts and bytes, and lists of them; lists of numbers of different lengths as bytes, lists of texts "
    + "as JSON; nulls as not observed"

  static func read(
    _ files: SourceFiles, _ options: MappingOptions, _ isOwn: (any ArrayTree) -> Bool
  ) throws(TrajpackError) -> MappedSource {
    guard !options.hasTextOptions else {
      throw TrajpackError(
        .usage, "--delimiter, --header and the like say how text is written, and this is no text")
    }
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      guard isOwn(index.tree), let tree = index.tree as? any ColumnTree else {
        source.leftOut.append(LeftOut(path: file.place, why: "is no file of this format"))
        return []
      }
      return try recordings(file, tree, index, options, &source)
    }
    source.leftOut += files.others()
    return source
  }

  private static func recordings(
    _ file: SourceFiles.File, _ tree: any ColumnTree, _ index: TreeIndex, _ options: MappingOptions,
    _ source: inout MappedSource
  ) throws(TrajpackError) -> [MappedRecording] {
    guard tree.rows > 0 else { throw TrajpackError(.data, file: file.path, "has no row") }
    var layout = TreeLayout(tree, options)
    layout.time = MappedStream.time(rate: options.rate)
    var items = try layout.items(index.below("/"), below: "/")
    source.leftOut += layout.leftOut
    var cuts: [(name: String?, rows: Range<Int>)] = [(nil, 0..<tree.rows)]
    if let name = options.episodeColumn {
      guard let item = items.first(where: { $0.place == name }) else {
        throw missing("--episode-column", name, items, file)
      }
      cuts = try episodes(item.node, tree, file).map { (name: Optional($0.name), rows: $0.rows) }
      items.removeAll { $0.place == name }
    } else if let item = items.first(where: {
      ["episode", "episode_index", "episode_id", "traj_id", "trajectory_id"].contains(
        $0.place.lowercased())
    }) {
      source.remarks.append(
        "\(file.place): is one recording; --episode-column '\(item.place)' cuts it where that column changes"
      )
    }
    let time = try time(items, cuts.map(\.rows), file, options, &source)
    items.removeAll { $0.node.path == time?.path }
    guard !items.isEmpty else {
      throw TrajpackError(
        .data, file: file.path, "has no column that can be a channel, beside the times and episodes"
      )
    }
    var out: [MappedRecording] = []
    for (name, rows) in cuts {
      var recording = MappedRecording(file, id: name.map { "\(file.stem)/\($0)" } ?? file.stem)
      let own = items.map { item in
        var item = item
        item.part.part[0] = rows
        return item
      }
      recording.streams = try layout.streams(own)
      for i in recording.streams.indices {
        if let time {
          let part = TreePart(tree, time, rows: rows)
          let tick = time.array?.tick
          recording.streams[i].time = .array(
            .tree(part), part.type, tick: tick ?? .one,
            unit: tick == nil ? options.timeUnit ?? "time" : "s")
        }
        for j in recording.streams[i].channels.indices {
          guard case .tree(let part) = recording.streams[i].channels[j].source, part.type == .bytes
          else { continue }
          // Rows that have no text are told apart from those whose text is empty.
          recording.streams[i].channels[j].source = .texts { () throws(TrajpackError) in
            var texts: [[UInt8]?] = []
            try tree.texts(part.node, rows) { (text) throws(TrajpackError) in texts.append(text) }
            return texts
          }
        }
      }
      out.append(recording)
    }
    return out
  }

  private static func missing(
    _ option: String, _ name: String, _ items: [TreeLayout.Item], _ file: SourceFiles.File
  ) -> TrajpackError {
    let names = items.prefix(12).map { "'\($0.place)'" }.joined(separator: ", ")
    return TrajpackError(
      .usage, file: file.path, "\(option): there is no column '\(name)'; there are \(names)")
  }

  /// The column of times: that of `--time`, or one that is called so and rises in every recording.
  private static func time(
    _ items: [TreeLayout.Item], _ cuts: [Range<Int>], _ file: SourceFiles.File,
    _ options: MappingOptions, _ source: inout MappedSource
  ) throws(TrajpackError) -> TreeNode? {
    func isVector(_ item: TreeLayout.Item) -> Bool {
      item.part.type != .bytes && item.part.rowShape.isEmpty
        && item.node.array?.missing != .sentinel
    }
    if options.time == "none" || (options.time == nil && options.rate != nil) { return nil }
    if let name = options.time {
      guard let item = items.first(where: { $0.place == name }) else {
        throw missing("--time", name, items, file)
      }
      guard isVector(item) else {
        throw TrajpackError(
          .usage, file: file.path, "--time: the column '\(name)' has not one number in every row")
      }
      return item.node
    }
    let names = ["time", "date", "timestamp", "timestamps", "datetime"]
    let found = items.first { item in
      isVector(item) && (item.place == "t" || names.contains(item.place.lowercased()))
    }
    guard let found else { return nil }
    guard try ZarrReplay.rises(found.part, cuts) else {
      source.remarks.append(
        "\(file.place): the column '\(found.place)' does not rise within every recording, so it is a channel and not the time"
      )
      return nil
    }
    return found.node
  }

  /// The rows of each value of a column; those of one value must lie together.
  private static func episodes(
    _ node: TreeNode, _ tree: any ColumnTree, _ file: SourceFiles.File
  ) throws(TrajpackError) -> [(name: String, rows: Range<Int>)] {
    var names: [String] = []
    if let type = node.array?.type {
      try TreePart(tree, node).spool().forEachPiece(of: type) {
        (bytes, count) throws(TrajpackError) in
        for i in 0..<count {
          switch StoredNumber(bytes, i, type) {
          case .whole(let n): names.append(String(n))
          case .double(let x): names.append(Int64(exactly: x).map { String($0) } ?? String(x))
          }
        }
      }
    } else {
      try tree.texts(node, 0..<tree.rows) { (text) throws(TrajpackError) in
        guard let text else {
          throw TrajpackError(
            .data, file: file.path,
            "row \(names.count) has no text in the column '\(node.name)' of episodes")
        }
        names.append(String(decoding: text, as: UTF8.self))
      }
    }
    var out: [(name: String, rows: Range<Int>)] = []
    var seen: Set<String> = []
    for (row, name) in names.enumerated() {
      if out.last?.name == name {
        out[out.count - 1].rows = out[out.count - 1].rows.lowerBound..<row + 1
        continue
      }
      guard seen.insert(name).inserted else {
        throw TrajpackError(
          .data, file: file.path,
          "the rows of episode '\(name.printable)' do not lie together: row \(row) is one of them again; sort the table"
        )
      }
      out.append((name, row..<row + 1))
    }
    return out
  }
}
