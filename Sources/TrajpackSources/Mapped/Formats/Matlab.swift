import TrajpackFormat
import TrajpackStore

/// MATLAB 7.3: HDF5 with axes in MATLAB's order, reversed.
enum Matlab73: MappedFormat {
  static let format = FormatDescription(
    name: "matlab73", summary: "MATLAB files of version 7.3 (HDF5)",
    carries: "numeric arrays, cells and structs of them; scalars and texts as values", reads: true,
    writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first, !(tree is MATFile) else { return false }
    return tree.nodes.contains { $0["MATLAB_class"] != nil }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    try Matlab.read(files, options)
  }
}

/// MATLAB 4, 5, 6 and 7, whose trees are those of 7.3.
enum Matlab5: MappedFormat {
  static let format = FormatDescription(
    name: "matlab5", summary: "MATLAB files of versions 4 to 7 (.mat)",
    carries:
      "numeric, sparse and complex arrays, cells and structs of them; scalars and texts as values",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping
      && files.trees.prefix(4).contains { TreeFiles.kind(of: $0.path) == MATFile.self }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    try Matlab.read(files, options)
  }
}

/// The variables of MATLAB files: a file is a recording, and the first axis of MATLAB counts rows.
enum Matlab {
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
      guard !recording.streams.isEmpty else {
        throw TrajpackError(
          .data,
          "\(file.path): has no array with rows; 'trajpack inspect \(file.path)' shows what it holds"
        )
      }
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
      if case .unread(let why) = node.content { return leave(name, why) }
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
      case .text where kind == "char":
        return add(lines: try index.tree.value(node).texts ?? [], as: name)
      case .text, .bytes: return leave(name, "is text that MATLAB does not write")
      case .numbers: break
      }
      if kind == "char" {
        // The characters of several lines lie column by column.
        let units = (try index.tree.value(node).integers ?? []).map { UInt16(clamping: $0) }
        let rows = max(array.shape.last ?? 1, 1)
        return add(
          lines: (0..<rows).map { row in
            let line = stride(from: row, to: units.count, by: rows).map { units[$0] }
            return String(decoding: line, as: UTF16.self)
          }, as: name)
      }
      guard kind != "function_handle", !kind.isEmpty || !array.shape.isEmpty else {
        return leave(name, "is a \(kind)")
      }
      guard array.count > 0 else { return leave(name, "is empty") }
      if array.count == 1 {
        if case .integers(let all) = try index.tree.value(node).content, let first = all.first {
          facts.add(name, kind == "logical" ? .bool(first != 0) : .int(first))
        } else if let x = try index.tree.value(node).number {
          facts.add(name, TreeValue(content: .numbers([x])).json ?? .null)
        }
        return
      }
      let part = TreePart(index.tree, node)
      var item = TreeLayout.Item(node: node, place: name, part: part)
      if kind == "logical", array.type == .uint8 { (item.kind, item.type) = (.label, .bool) }
      item.isApart = isCell
      items.append(item)
    }

    /// A text, whose lines are ended by newlines where there are several.
    private mutating func add(lines: [String], as name: String) {
      facts.add(name, .string(lines.joined(separator: "\n")))
    }

    private mutating func leave(_ name: String, _ why: String) {
      leftOut.append(LeftOut(path: "\(file):\(name)", why: why))
    }
  }
}
