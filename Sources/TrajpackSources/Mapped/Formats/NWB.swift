import TrajpackFormat
import TrajpackStore

/// Neurodata Without Borders: a file is a recording, each time series a stream with its own clock. Layout after the
/// NWB schema 2.
enum NWB: MappedFormat {
  static let format = FormatDescription(
    name: "nwb", summary: "Neurodata Without Borders (HDF5)",
    carries:
      "every time series in its unit, tables of intervals, texts and numbers of the session as values",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    return tree.nodes.first?["nwb_version"] != nil
  }

  /// Attributes that say how the file is made, not what was recorded.
  private static let technical: Set<String> = [
    "namespace", "neurodata_type", "object_id", ".specloc", "colnames", "data_unit", "target",
  ]

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      guard index["/"]?["nwb_version"] != nil else {
        throw TrajpackError(.data, file: file.path, "does not say which version of NWB it is")
      }
      var recording = MappedRecording(file, id: file.stem)
      var facts = TreeFacts()
      if let version = index["/"]?["nwb_version"]?.json { facts.add("nwb_version", version) }
      var done: [String] = []
      for group in index.below("/") where group.isGroup && !group.path.hasPrefix("/specifications")
      {
        if let data = index["\(group.path)/data"], data.array != nil {
          done.append(group.path)
          if let stream = try series(group, data, index, options, &source, file) {
            recording.streams.append(stream)
          }
          for name in ["comments", "description"] {
            if let text = group[name]?.text, text != "no comments", text != "no description" {
              facts.add("\(group.path.dropFirst())/\(name)", .string(text))
            }
          }
        } else if group["colnames"] != nil {
          done.append(group.path)
          recording.streams += try table(group, index, options, &source)
        }
      }
      for node in index.below("/")
      where !node.path.hasPrefix("/specifications") && options.takes(node.path) {
        guard let array = node.array, !done.contains(where: { node.path.hasPrefix($0 + "/") })
        else { continue }
        if array.isRead, array.count > 0, array.count <= 1024 {
          if let json = try index.tree.value(node).json {
            facts.add(
              String(node.path.dropFirst()), json.array?.count == 1 ? json.array?[0] ?? json : json)
          }
        } else {
          source.leftOut.append(
            LeftOut(
              path: "\(FileSystem.name(of: file.path)):\(node.path)",
              why: "is no time series or table (\(array.text))"))
        }
      }
      recording.values = facts.values
      recording.streams += facts.streams
      return [recording]
    }
    source.leftOut += files.others()
    return source
  }

  private static func series(
    _ group: TreeNode, _ data: TreeNode, _ index: TreeIndex, _ options: MappingOptions,
    _ source: inout MappedSource, _ file: SourceFiles.File
  ) throws(TrajpackError) -> MappedStream? {
    func leave(_ why: String) {
      source.leftOut.append(
        LeftOut(path: "\(FileSystem.name(of: file.path)):\(group.path)", why: why))
    }
    guard options.takes(data.path), let array = data.array else { return nil }
    if let external = index["\(group.path)/external_file"], external.array != nil {
      let names = try index.tree.value(external).texts ?? []
      leave("its pictures are in \(names.joined(separator: ", ")), which is not read with it")
      return nil
    }
    guard array.isRead, let rows = array.shape.first, rows > 0,
      array.shape.dropFirst().reduce(1, *) > 0,
      array.type != nil || array.shape.count == 1
    else {
      if case .unread(let why) = array.form {
        leave(why)
      } else {
        leave("has no rows (\(array.text))")
      }
      return nil
    }
    var part = TreePart(index.tree, data)
    var item = TreeLayout.Item(node: data, place: "data", part: part)
    let (scale, offset) = (data["conversion"]?.number ?? 1, data["offset"]?.number ?? 0)
    if array.type != nil, scale != 1 || offset != 0 {
      part.scaling = TreePart.Scaling(scale: scale, offset: offset)
      item.part = part
      item.conventions = [.init("stored", .string("\(array.text), times \(scale), plus \(offset)"))]
    }
    item.units = data["unit"]?.text.flatMap { $0 == "n/a" ? nil : $0 }
    item.description = group["description"]?.text.flatMap { $0 == "no description" ? nil : $0 }
    let time: MappedStream.Time
    if let times = index["\(group.path)/timestamps"], times.array?.shape == [rows] {
      let axis = TreePart(index.tree, times)
      time = .array(.tree(axis), axis.type, tick: .one, unit: "s")
    } else if let start = index["\(group.path)/starting_time"], let rate = start["rate"]?.number,
      rate > 0,
      let exact = Rational(nearest: rate), let first = try index.tree.value(start).number,
      let begin = Rational(nearest: first)
    {
      time = MappedStream.time(rate: exact, start: begin)
    } else {
      leave("has neither times for its \(rows) rows nor a rate")
      return nil
    }
    let name = String(group.path.dropFirst())
    return MappedStream(
      name: name, count: rows, time: time,
      channels: [MappedChannel(TreeLayout.channel("data", item, options), .tree(part))])
  }

  /// A table: its columns are channels of a stream of its rows; lists of any length a row, which NWB keeps end to
  /// end, are a stream of their own, and `NAME_index` says behind which of them each row's end.
  private static func table(
    _ group: TreeNode, _ index: TreeIndex, _ options: MappingOptions, _ source: inout MappedSource
  ) throws(TrajpackError) -> [MappedStream] {
    var layout = TreeLayout(index.tree, options)
    let items = try layout.items(index.below(group.path), below: group.path)
    source.leftOut += layout.leftOut
    let name = String(group.path.dropFirst())
    let ragged = Set(
      items.map(\.place).filter { $0.hasSuffix("_index") }.map { String($0.dropLast(6)) })
    var streams: [MappedStream] = []
    var columns: [MappedChannel] = []
    var rows = 0
    for item in items {
      let channel = MappedChannel(TreeLayout.channel(item.place, item, options), .tree(item.part))
      if ragged.contains(item.place) {
        streams.append(
          MappedStream(
            name: "\(name)/\(item.place)", count: item.part.count, time: MappedStream.steps,
            channels: [channel]))
      } else {
        if columns.isEmpty { rows = item.part.count }
        guard item.part.count == rows else {
          throw TrajpackError(
            .data, file: index.tree.path,
            "\(item.node.path): has \(item.part.count) rows beside columns of \(rows)"
          )
        }
        columns.append(channel)
      }
    }
    if !columns.isEmpty {
      streams.insert(
        MappedStream(name: name, count: rows, time: MappedStream.steps, channels: columns), at: 0)
    }
    return streams
  }
}
