import TrajpackFormat
import TrajpackStore

/// MATLAB 7.3: HDF5 with axes in MATLAB's order, reversed. A file is a recording; the first axis of MATLAB counts rows.
enum Matlab73: MappedFormat {
  static let format = FormatDescription(
    name: "matlab73", summary: "MATLAB files of version 7.3 (HDF5)",
    carries: "numeric arrays, cells and structs of them; scalars and texts as values", reads: true,
    writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    return tree.nodes.contains { $0["MATLAB_class"] != nil }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      var reader = Variables(index: index, options: options, file: FileSystem.name(of: file.path))
      for node in index.children("/") where !node.name.hasPrefix("#") {
        try reader.add(node, as: node.name, level: 0)
      }
      var layout = TreeLayout(index.tree, options)
      layout.time = MappedStream.time(rate: options.rate)
      if let name = options.time, let i = reader.items.firstIndex(where: { $0.place == name }) {
        let part = reader.items.remove(at: i).part
        layout.time = .array(.tree(part), part.type, tick: .one, unit: options.timeUnit ?? "time")
        let rows = part.count
        for item in reader.items where item.part.count != rows {
          source.leftOut.append(
            LeftOut(
              path: "\(reader.file):\(item.place)",
              why: "has \(item.part.count) rows where there are \(rows) times"))
        }
        reader.items.removeAll { $0.part.count != rows }
      }
      var recording = MappedRecording(file, id: file.stem)
      recording.streams = try layout.streams(reader.items)
      recording.values = reader.facts.values + layout.values
      recording.streams += reader.facts.streams
      source.leftOut += reader.leftOut
      return [recording]
    }
    source.leftOut += files.others()
    return source
  }

  private struct Variables {
    let index: TreeIndex
    let options: MappingOptions
    let file: String
    var items: [TreeLayout.Item] = []
    var facts = TreeFacts()
    var leftOut: [LeftOut] = []

    mutating func add(
      _ node: TreeNode, as name: String, level: Int, isCell: Bool = false
    ) throws(TrajpackError) {
      guard level < 8 else { return leave(name, "lies too deep in cells and structs") }
      guard options.takes(node.path) else { return }
      let kind = node["MATLAB_class"]?.text ?? ""
      if node.isGroup {
        if kind != "struct", node["MATLAB_sparse"] != nil {
          return leave(name, "is sparse, which is not read")
        }
        for child in index.children(node.path) {
          try add(child, as: "\(name)/\(child.name)", level: level + 1, isCell: isCell)
        }
        return
      }
      guard let array = node.array else { return leave(name, "cannot be read") }
      if node["MATLAB_empty"]?.integer == 1 { return leave(name, "is empty") }
      switch array.form {
      case .unread(let why): return leave(name, why)
      case .references:
        let targets = try index.tree.value(node).texts ?? []
        for (i, target) in targets.enumerated() {
          guard let object = index[target] else { continue }
          let number = targets.count == 1 ? name : "\(name)/\(i)"
          try add(object, as: number, level: level + 1, isCell: targets.count > 1)
        }
        return
      case .text, .bytes: return leave(name, "is text that MATLAB does not write")
      case .numbers: break
      }
      if kind == "char" {
        let units = (try index.tree.value(node).integers ?? []).map { UInt16(clamping: $0) }
        return facts.add(name, .string(String(decoding: units, as: UTF16.self)))
      }
      guard kind != "function_handle", !kind.isEmpty || !array.shape.isEmpty else {
        return leave(name, "is a \(kind)")
      }
      guard array.count > 0 else { return leave(name, "is empty") }
      // MATLAB's axes are those of HDF5, from the last to the first; the parts of complex numbers come last in both.
      let parts = array.elementRank
      let axes = Array(array.shape.indices.dropLast(parts).reversed())
      let shape = axes.map { array.shape[$0] }
      if shape.reduce(1, *) == 1, parts == 0 {
        if case .integers(let all) = try index.tree.value(node).content, let first = all.first {
          facts.add(name, kind == "logical" ? .bool(first != 0) : .int(first))
        } else if let x = try index.tree.value(node).number {
          facts.add(name, TreeValue(content: .numbers([x])).json ?? .null)
        }
        return
      }
      var part = TreePart(index.tree, node)
      // A row vector counts along its only axis.
      let isRow = shape.count == 2 && shape[0] == 1
      var order = isRow ? [axes[1]] : axes
      if shape.count == 2, shape[1] == 1 { order = [axes[0]] }
      part.order = order + Array(array.shape.indices.suffix(parts))
      var item = TreeLayout.Item(node: node, place: name, part: part)
      if kind == "logical", array.type == .uint8 { (item.kind, item.type) = (.label, .bool) }
      item.isApart = isCell
      items.append(item)
    }

    private mutating func leave(_ name: String, _ why: String) {
      leftOut.append(LeftOut(path: "\(file):\(name)", why: why))
    }
  }
}
