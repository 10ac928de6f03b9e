import TrajpackFormat
import TrajpackStore

/// robomimic, LIBERO and Isaac Lab: `data/demo_N` with actions, observations and rewards, `mask/NAME` with lists of
/// demonstrations. Layout after robomimic's documentation of datasets.
enum Robomimic: MappedFormat {
  static let format = FormatDescription(
    name: "robomimic", summary: "robomimic, LIBERO and Isaac Lab (HDF5)",
    carries:
      "every array, next_obs too; tasks, attributes and masks as values; train and valid as splits",
    reads: true, writes: true)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    let index = TreeIndex(tree)
    return index.groups("/data", "demo_*").contains { index.array("\($0.path)/actions") != nil }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    var hasRate = true
    var shared: [JSONValue.Member]?
    var differing: Set<String> = []
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      guard let data = index["/data"] else {
        throw TrajpackError(.data, file: file.path, "has no group /data, as robomimic files do")
      }
      let environment = JSONValue(document: data["env_args"]?.text)
      let problem = JSONValue(document: data["problem_info"]?.text)
      let frequency = environment?["env_kwargs"]?["control_freq"]?.double
      let rate = options.rate ?? frequency.flatMap { $0 > 0 ? Rational(nearest: $0) : nil }
      if rate == nil { hasRate = false }
      let masks = try masks(index)
      let own = data.attributes.compactMap { name, value in
        value.json.map { JSONValue.Member("data/\(name)", $0) }
      }
      // Those of one file are those of the shards; of several files, those that are the same in all.
      let known = shared ?? own
      differing.formUnion(
        (known.filter { !own.contains($0) } + own.filter { !known.contains($0) }).map(\.name))
      shared = known.filter { own.contains($0) }
      let demos = index.groups("/data", "demo_*")
      guard !demos.isEmpty else {
        throw TrajpackError(.data, file: file.path, "has no demonstration in /data")
      }
      var recordings: [MappedRecording] = []
      for demo in demos {
        var recording = MappedRecording(file, id: files.prefix(file) + demo.name)
        var layout = TreeLayout(index.tree, options)
        layout.time = MappedStream.time(rate: rate)
        let items = try layout.items(index.below(demo.path), below: demo.path)
        let rows = index.array("\(demo.path)/actions")?.shape.first
        recording.streams = try layout.streams(items, rows: rows)
        source.leftOut += layout.leftOut
        var known = TreeFacts()
        let meta = JSONValue(document: demo["ep_meta"]?.text)
        let task = meta?["lang"]?.string ?? problem?["language_instruction"]?.string
        if let task { known.add("task", .string(task)) }
        known.add(demo)
        recording.values = known.values + layout.values
        recording.streams += known.streams
        mark(&recording, demo.name, masks)
        recordings.append(recording)
      }
      return recordings
    }
    source.attributes += shared ?? []
    differing.remove("data/total")
    if !differing.isEmpty {
      source.remarks.append(
        "the files differ in the attributes \(differing.sorted().map { "'\($0)'" }.joined(separator: ", ")), which are not carried"
      )
    }
    if !hasRate {
      source.remarks.append(
        "the files do not say how many steps there are in a second; rows are numbered (give --rate where it is known)"
      )
    }
    source.leftOut += files.others()
    return source
  }

  /// The names of demonstrations in each mask.
  private static func masks(_ index: TreeIndex) throws(TrajpackError) -> [(
    name: String, demos: Set<String>
  )] {
    var masks: [(name: String, demos: Set<String>)] = []
    for node in index.children("/mask") where node.array?.form == .text {
      masks.append((node.name, Set(try index.tree.value(node).texts ?? [])))
    }
    return masks
  }

  /// Names of masks that are splits, where a demonstration is in one of them.
  private static let splits = ["train", "valid", "val", "test"]

  private static func mark(
    _ recording: inout MappedRecording, _ demo: String,
    _ masks: [(name: String, demos: Set<String>)]
  ) {
    let own = masks.filter { splits.contains($0.name) && $0.demos.contains(demo) }
    if own.count == 1 { recording.split = own[0].name }
    for mask in masks where !splits.contains(mask.name) || own.count > 1 {
      recording.values.append(.init("mask/\(mask.name)", .bool(mask.demos.contains(demo))))
    }
  }
}
