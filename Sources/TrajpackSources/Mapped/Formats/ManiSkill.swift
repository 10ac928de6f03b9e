import TrajpackFormat
import TrajpackStore

/// ManiSkill: `traj_N` with T + 1 observations and states beside T actions, and a JSON file beside with what is known
/// of the episodes.
enum ManiSkill: MappedFormat {
  static let format = FormatDescription(
    name: "maniskill", summary: "ManiSkill trajectories (HDF5 and JSON)",
    carries:
      "every array, T+1 observations beside T actions; what the JSON says of an episode as values",
    reads: true, writes: false)

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    guard !options.isMapping, let tree = files.first else { return false }
    let index = TreeIndex(tree)
    return index.groups("/", "traj_*").contains { index.array("\($0.path)/actions") != nil }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    var source = MappedSource(recordings: [])
    var used: Set<String> = []
    source.recordings = try files.recordings(options) { (file, index) throws(TrajpackError) in
      let beside = SourceFiles.File.stem(file.path) + ".json"
      var known: [Int: JSONValue] = [:]
      if FileSystem.item(at: beside) == .file {
        used.insert(beside)
        let document = try within(file: beside) { () throws(TrajpackError) in
          let json = try LocalFile(beside)
          return try JSONValue(parsing: try json.bytes(0..<json.length))
        }
        for episode in document["episodes"]?.array ?? [] {
          if let id = episode["episode_id"]?.int { known[id] = episode }
        }
        for member in document.members ?? []
        where member.name != "episodes" && files.trees.count == 1 {
          source.attributes.append(member)
        }
      }
      let groups = index.groups("/", "traj_*")
      guard !groups.isEmpty else {
        throw TrajpackError(.data, file: file.path, "has no trajectory")
      }
      var recordings: [MappedRecording] = []
      for group in groups {
        var recording = MappedRecording(file, id: files.prefix(file) + group.name)
        var layout = TreeLayout(index.tree, options)
        layout.time = MappedStream.time(rate: options.rate)
        var items = try layout.items(index.below(group.path), below: group.path)
        for i in items.indices where items[i].node.name == "cam2world_gl" {
          items[i].kind = .matrix
          items[i].conventions = [.init("pose", "camera-to-world"), .init("axes", "OpenGL")]
        }
        recording.streams = try layout.streams(
          items, rows: index.array("\(group.path)/actions")?.shape.first)
        source.leftOut += layout.leftOut
        var facts = TreeFacts()
        facts.add(group)
        if let number = Int(group.name.dropFirst("traj_".count)), let episode = known[number] {
          flatten(episode, "", &facts)
        }
        recording.values = facts.values + layout.values
        recording.streams += facts.streams
        recordings.append(recording)
      }
      return recordings
    }
    source.leftOut += files.others(but: used)
    return source
  }

  /// Members of objects within an object by their path.
  private static func flatten(_ json: JSONValue, _ prefix: String, _ facts: inout TreeFacts) {
    for member in json.members ?? [] {
      if member.value.members != nil {
        flatten(member.value, "\(prefix)\(member.name)/", &facts)
      } else if member.value != .null {
        facts.add(prefix + member.name, member.value)
      }
    }
  }
}
