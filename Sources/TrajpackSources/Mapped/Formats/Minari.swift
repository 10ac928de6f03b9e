import TrajpackFormat
import TrajpackStore

/// Minari's storage in HDF5 (and in Arrow, see ``MinariArrow``): `episode_N` with T + 1 observations and infos beside T actions. Layout after minari 0.5.
enum Minari: MappedFormat {
  static let format = FormatDescription(
    name: "minari", summary: "Minari datasets (HDF5 and Arrow storage)",
    carries:
      "every array, T+1 observations beside T actions, texts; JPEG and PNG pictures as frames of a video, byte for "
      + "byte; seeds and options as values", reads: true, writes: true)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let first = files.trees.first else { return false }
    if MinariArrow.episode(beside: first.path) != nil { return true }
    guard let tree = files.first else { return false }
    let index = TreeIndex(tree)
    return index.groups("/", "episode_*").contains {
      $0["total_steps"] != nil && index.array("\($0.path)/rewards") != nil
    }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    var used: Set<String> = []
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      let beside = MinariArrow.metadata(beside: file.path)
      if FileSystem.item(at: beside) == .file {
        used.insert(beside)
        if files.trees.count == 1 { try describe(beside, &source) }
      }
      if index.tree is ArrowFile {
        let above = "\(FileSystem.parent(of: FileSystem.parent(of: file.path)))/metadata.json"
        if FileSystem.item(at: above) == .file, used.insert(above).inserted,
          MinariArrow.isOneDataset(files)
        {
          try describe(above, &source)
        }
        return [try MinariArrow.recording(file, index, files, options, &source)]
      }
      let groups = index.groups("/", "episode_*")
      guard !groups.isEmpty else { throw TrajpackError(.data, file: file.path, "has no episode") }
      var recordings: [MappedRecording] = []
      for group in groups {
        var recording = MappedRecording(file, id: files.prefix(file) + group.name)
        var layout = TreeLayout(index.tree, options)
        layout.time = MappedStream.time(rate: options.rate)
        var items = try layout.items(index.below(group.path), below: group.path)
        for i in items.indices { try PictureArrays.find(&items[i]) }
        recording.streams = try layout.streams(
          items, rows: index.array("\(group.path)/rewards")?.shape.first)
        source.leftOut += layout.leftOut
        var facts = TreeFacts()
        facts.add(group)
        recording.values = facts.values + layout.values
        recording.streams += facts.streams
        recordings.append(recording)
      }
      return recordings
    }
    _ = TreePictures.take(&source.recordings, options, isSwapped: false)
    source.leftOut += files.others(but: used)
    return source
  }

  /// Members of the metadata longer than this (spaces that spell out every bound of a picture) are not carried.
  private static let longMember = 4096

  private static func describe(_ path: String, _ source: inout MappedSource) throws(TrajpackError) {
    let document = try within(file: path) { () throws(TrajpackError) in
      let file = try LocalFile(path)
      return try JSONValue(parsing: try file.bytes(0..<file.length))
    }
    for member in document.members ?? [] {
      let length = member.value.text().utf8.count
      if length <= longMember {
        source.attributes.append(member)
      } else {
        source.leftOut.append(
          LeftOut(
            path: "metadata.json: \(member.name)",
            why: "has \(length) bytes; the metadata of a shard is not for that"))
      }
    }
  }
}

/// Compressed pictures in arrays.
enum PictureArrays {
  /// Marks an item whose rows are JPEG or PNG files: bytes of any length, or rows of bytes padded with zeros.
  static func find(_ item: inout TreeLayout.Item) throws(TrajpackError) {
    guard let array = item.node.array else { return }
    let isBytes = array.form == .bytes && array.shape.count == 1
    guard isBytes || (array.type == .uint8 && array.shape.count == 2 && array.shape[1] > 16) else {
      return
    }
    var first: [UInt8] = []
    var part = item.part.part
    part[0] = part[0].lowerBound..<min(part[0].lowerBound + 1, part[0].upperBound)
    if isBytes {
      try item.part.tree.readTexts(item.node, part) { (bytes) throws(TrajpackError) in first = bytes
      }
    } else {
      try item.part.tree.read(item.node, part) { (bytes) throws(TrajpackError) in
        first += Array(bytes)
      }
    }
    let encoding: String
    if first.starts(with: [0xFF, 0xD8, 0xFF]) {
      encoding = "jpeg"
    } else if first.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      encoding = "png"
    } else {
      return
    }
    item.part.isPadded = !isBytes
    item.picture = PictureHead(first).map { FirstPicture(head: $0, bytes: first.count) }
    item.kind = .packet
    item.conventions.append(.init("encoding", .string(encoding)))
  }
}
