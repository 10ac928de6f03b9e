import TrajpackFormat
import TrajpackStore

/// The Well: `t0_fields`, `t1_fields` and `t2_fields` of trajectories on a grid; the folder says the split. Layout
/// after the data format of the_well.
enum TheWell: MappedFormat {
  static let format = FormatDescription(
    name: "the-well", summary: "The Well (HDF5 fields of simulations)",
    carries:
      "every field, scalar, grid and boundary; each trajectory a recording; the folder as split",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    let index = TreeIndex(tree)
    return index["/t0_fields"] != nil && index["/dimensions"] != nil
      && index["/"]?["n_trajectories"] != nil
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      guard let root = index["/"], let samples = root["n_trajectories"]?.integer, samples > 0,
        let times = index["/dimensions/time"], let steps = times.array?.shape.last, steps > 0
      else {
        throw TrajpackError(
          .data, file: file.path,
          "has no trajectories or no /dimensions/time, as files of The Well do"
        )
      }
      var facts = TreeFacts()
      facts.add(root, skipping: ["n_trajectories"])
      let folder = file.place.pathComponents.dropLast().last.map { String($0) } ?? ""
      let isSplit = ["train", "valid", "test"].contains(folder)
      var recordings: [MappedRecording] = []
      for sample in 0..<samples {
        let name = samples > 1 ? "\(file.stem)/\(sample)" : file.stem
        var recording = MappedRecording(file, id: name)
        recording.split = isSplit ? folder : ""
        recording.values = facts.values
        var streams: [MappedStream] = []
        let axis = TreePart(
          index.tree, times, time: (times.array?.shape.count ?? 1) - 1,
          at: times.array?.shape.count == 2 ? [0: sample] : [:])
        let time = MappedStream.Time.array(
          .tree(axis), axis.type, tick: .one, unit: options.timeUnit ?? "time")
        for node in index.below("/") where options.takes(node.path) {
          guard let array = node.array, node.path != times.path else { continue }
          try add(
            node, array, (samples, steps, sample), time, index.tree, options, &recording, &streams)
        }
        recording.streams = streams
        recordings.append(recording)
      }
      return recordings
    }
    source.leftOut += files.others()
    return source
  }

  private static func add(
    _ node: TreeNode, _ array: TreeArray, _ place: (samples: Int, steps: Int, sample: Int),
    _ time: MappedStream.Time, _ tree: any ArrayTree, _ options: MappingOptions,
    _ recording: inout MappedRecording, _ streams: inout [MappedStream]
  ) throws(TrajpackError) {
    func varies(_ name: String) -> Bool { node[name]?.integer == 1 }
    let (bySample, byTime) = (varies("sample_varying"), varies("time_varying"))
    let axes = (bySample ? 1 : 0) + (byTime ? 1 : 0)
    let sizes = [(bySample, place.samples), (byTime, place.steps)].filter(\.0).map(\.1)
    guard array.type != nil, array.shape.count >= axes, Array(array.shape.prefix(axes)) == sizes
    else {
      throw TrajpackError(
        .data, file: tree.path,
        "\(node.path): its shape \(array.shape) does not begin with the \(sizes) that it says to vary over"
      )
    }
    let label = String(node.path.dropFirst())
    let fixed = bySample ? [0: place.sample] : [:]
    if !byTime {
      var whole = TreePart(tree, node)
      if bySample { whole.part[0] = place.sample..<place.sample + 1 }
      let shape = Array(array.shape.dropFirst(axes))
      if shape.reduce(1, *) <= 1024 {
        if let json = try whole.value(shape: shape).json {
          recording.values.append(.init(label, json))
        }
        return
      }
      // What does not change is a stream of one row.
      let channel = Channel(
        name: node.name, kind: .scalar, type: whole.type, shape: shape,
        missing: whole.type.isFloat ? .nan : .never)
      streams.append(
        MappedStream(
          name: label, count: 1, time: MappedStream.steps,
          channels: [MappedChannel(channel, .tree(whole))],
          attributes: [.init("constant", true)]))
      return
    }
    let part = TreePart(tree, node, time: axes - 1, at: fixed)
    var item = TreeLayout.Item(node: node, place: label, part: part)
    if let dims = node["dim_varying"]?.integers {
      item.conventions.append(
        .init("dim_varying", .string(dims.map(String.init).joined(separator: ","))))
    }
    let width = part.rowShape.reduce(part.type.size, *)
    let stream = width >= 4096 ? label : String(label.pathComponents.first ?? "")
    let name = width >= 4096 ? node.name : String(label.dropFirst(stream.utf8.count + 1))
    let channel = MappedChannel(TreeLayout.channel(name, item, options), .tree(part))
    if let i = streams.firstIndex(where: { $0.name == stream }) {
      streams[i].channels.append(channel)
    } else {
      streams.append(MappedStream(name: stream, count: part.count, time: time, channels: [channel]))
    }
  }
}

extension TreePart {
  /// The whole of a small part as a value of a shape.
  func value(shape: [Int]) throws(TrajpackError) -> TreeValue {
    let spool = try spool()
    let bytes = ByteBuffer(max(spool.count, 1))
    try spool.read(
      at: 0, into: UnsafeMutableRawBufferPointer(rebasing: bytes.bytes[..<spool.count]))
    return TreeValue(Array(bytes.bytes[..<spool.count]), type, shape)
  }
}
