import TrajpackFormat
import TrajpackStore

/// PDEBench: fields `[B, T, X…]` beside `x-coordinate` and `t-coordinate`, or groups `0000` with `data [T, X, Y, C]`.
enum PDEBench: MappedFormat {
  static let format = FormatDescription(
    name: "pdebench", summary: "PDEBench (HDF5 fields of equations)",
    carries: "every field and grid; each sample a recording; the configuration as a value",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    let index = TreeIndex(tree)
    let hasGrid = index.array("/x-coordinate") != nil && index.array("/t-coordinate") != nil
    return hasGrid || index.groups("/", "*").contains { isSample($0, index) }
  }

  private static func isSample(_ group: TreeNode, _ index: TreeIndex) -> Bool {
    Int(group.name) != nil && index.array("\(group.path)/data") != nil
      && index["\(group.path)/grid"] != nil
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    var isLonger = false
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      let groups = index.groups("/", "*").filter { isSample($0, index) }
      if !groups.isEmpty {
        return try groups.mapThrowing { (group) throws(TrajpackError) in
          try sample(group, file, files, index, options)
        }
      }
      guard let times = index["/t-coordinate"], let length = times.array?.shape.first else {
        throw TrajpackError(.data, file: file.path, "has no /t-coordinate, as files of PDEBench do")
      }
      let fields = index.children("/").filter {
        !$0.name.hasSuffix("-coordinate") && ($0.array?.shape.count ?? 0) >= 3
      }
      guard let samples = fields.first?.array?.shape[0], let steps = fields.first?.array?.shape[1],
        fields.allSatisfy({
          $0.array?.shape[0] == samples && $0.array?.shape[1] == steps && $0.array?.type != nil
        })
      else {
        throw TrajpackError(
          .data, file: file.path, "has no fields of one number of samples and steps")
      }
      guard length >= steps else {
        throw TrajpackError(.data, file: file.path, "has \(length) times for \(steps) steps")
      }
      if length > steps { isLonger = true }
      var facts = TreeFacts()
      if let root = index["/"] { facts.add(root) }
      for node in index.children("/")
      where node.name.hasSuffix("-coordinate") && node.path != times.path {
        if (node.array?.count ?? 0) <= 1024, let json = try index.tree.value(node).json {
          facts.add(node.name, json)
        }
      }
      return (0..<samples).map { sample in
        var recording = MappedRecording(
          file, id: samples > 1 ? "\(file.stem)/\(sample)" : file.stem)
        let axis = TreePart(index.tree, times, rows: 0..<steps)
        let time = MappedStream.Time.array(
          .tree(axis), axis.type, tick: .one, unit: options.timeUnit ?? "time")
        recording.values = facts.values
        recording.streams = fields.filter { options.takes($0.path) }.map { node in
          let part = TreePart(index.tree, node, time: 1, at: [0: sample])
          let item = TreeLayout.Item(node: node, place: node.name, part: part)
          return MappedStream(
            name: node.name, count: steps, time: time,
            channels: [MappedChannel(TreeLayout.channel(node.name, item, options), .tree(part))])
        }
        return recording
      }
    }
    if isLonger {
      source.remarks.append(
        "there are more times than steps, as in PDEBench's one-dimensional files; the first are those of the steps"
      )
    }
    source.leftOut += files.others()
    return source
  }

  private static func sample(
    _ group: TreeNode, _ file: SourceFiles.File, _ files: SourceFiles, _ index: TreeIndex,
    _ options: MappingOptions
  ) throws(TrajpackError) -> MappedRecording {
    var recording = MappedRecording(file, id: files.prefix(file) + group.name)
    var layout = TreeLayout(index.tree, options)
    if let times = index["\(group.path)/grid/t"], times.array?.shape.count == 1 {
      let axis = TreePart(index.tree, times)
      layout.time = .array(.tree(axis), axis.type, tick: .one, unit: options.timeUnit ?? "time")
    }
    let items = try layout.items(index.below(group.path), below: group.path) {
      $0.hasPrefix("grid/")
    }
    recording.streams = try layout.streams(items)
    var facts = TreeFacts()
    facts.add(group)
    for node in index.below("\(group.path)/grid")
    where node.name != "t" && (node.array?.count ?? .max) <= 1024 {
      if let json = try index.tree.value(node).json { facts.add("grid/\(node.name)", json) }
    }
    recording.values = facts.values + layout.values
    recording.streams += facts.streams
    return recording
  }
}
