import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

/// Writes a dataset as an HDF5 file of robomimic: `data/demo_N` with actions, rewards, `obs` and `next_obs`, and lists of
/// demonstrations in `mask` by the splits. Layout after robomimic's documentation of datasets.
final class RobomimicExport: DatasetExporter {
  /// What `trajpack formats` says of it.
  static var format: FormatDescription { Robomimic.format }

  private let request: ExportRequest
  private let attributes: JSONValue
  private var folder: ExportFolder?
  private var file: HDF5TreeWriter?
  private let frames: EpisodeFrames
  private var names: Set<String> = []
  private var total = 0
  /// Rows a second of the actions, of all episodes.
  private var rates: Set<Rational> = []
  private var masks: [(name: String, demos: [String])] = []

  init(_ request: ExportRequest) throws(TrajpackError) {
    self.request = request
    attributes = try request.dataset.shard(0).schema.attributes
    frames = EpisodeFrames(request.dataset.path, media: request.media)
    try request.checkRate()
  }

  func begin(in folder: ExportFolder) throws(TrajpackError) {
    self.folder = folder
    file = try HDF5TreeWriter("\(folder.path)/demo.hdf5")
  }

  func append(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader
  ) throws(TrajpackError) {
    guard let file, let folder else { return }
    let tracks = labelled(episode.tracks.map { TrackReader(shard, track: $0, reader: reader) })
    let all = try StepArrays(tracks, format: "robomimic", names: request.names)
    for sentence in all.remarks { folder.note(sentence) }
    guard let actions = all.arrays.first(where: { $0.role == .action("") }) else {
      let names = all.of { if case .action = $0 { true } else { false } }.map { "'\($0.path)'" }
      throw TrajpackError(
        .data,
        "has the actions \(names.joined(separator: ", ")), and robomimic asks for one array 'actions'"
      )
    }
    try look(at: actions.track)
    let name = demo(episode.id)
    let group = "data/\(name)"
    try file.group(group)
    var writer = StepArrayWriter(file, folder, frames, episode: episode.id, group: group)
    let hasNext = !all.of { if case .nextObservation = $0 { true } else { false } }.isEmpty
    for array in all.arrays {
      let rows = 0..<array.track.count
      let place: String
      switch array.role {
      case .action(let key): place = key.isEmpty ? "actions" : "action_dict/\(key)"
      case .observation(let key): place = "obs/\(key.isEmpty ? "observation" : key)"
      case .nextObservation(let key): place = "next_obs/\(key)"
      case .reward: place = "rewards"
      case .done: place = "dones"
      case .terminated, .truncated: place = array.path
      case .other(let path): place = path
      }
      if case .observation(let key) = array.role, rows.count == all.steps + 1, all.steps > 0 {
        _ = try writer.write(array, rows: 0..<all.steps, as: place)
        if !hasNext {
          _ = try writer.write(
            array, rows: 1..<all.steps + 1,
            as: "next_obs/\(key.isEmpty ? "observation" : key)")
          folder.note(
            "observations have a row more than actions: 'obs' has all but the last, and 'next_obs' all but the first"
          )
        } else {
          folder.note("the last row of '\(array.path)' is not written, as 'next_obs' is there")
        }
        continue
      }
      if rows.count != all.steps {
        folder.note(
          "'\(place)' has another number of rows than there are actions, which robomimic does not read"
        )
      }
      _ = try writer.write(array, rows: rows, as: place)
    }
    try file.set("num_samples", of: group, .int(Int64(all.steps)))
    for (name, text) in all.texts { try file.set(name, of: group, .string(text)) }
    try describe(episode, group, name, isDescribed: all.texts.contains { $0.name == "ep_meta" })
    total += all.steps
  }

  /// Takes in how many actions there are in a second.
  ///
  /// - Throws: A usage error where their times say something else than was asked for.
  private func look(at actions: TrackReader) throws(TrajpackError) {
    guard actions.stream.timeUnit == "s", case .regular(_, let own) = actions.track.clock else {
      if let rate = request.rate { rates.insert(rate) }
      return
    }
    guard request.rate == nil || request.rate == own else {
      throw request.rateIsKnown(
        "the rows of '\(actions.stream.name)' have times in seconds, at \(own) Hz")
    }
    rates.insert(own)
  }

  /// The name of a demonstration: the episode's own where it is one, else a number.
  private func demo(_ id: String) -> String {
    let parts = id.split(separator: "_", omittingEmptySubsequences: false)
    if parts.count == 2, parts[0] == "demo", let number = Int(parts[1]), "demo_\(number)" == id,
      names.insert(id).inserted
    {
      return id
    }
    var number = names.count
    while !names.insert("demo_\(number)").inserted { number += 1 }
    return "demo_\(number)"
  }

  /// Attributes of a demonstration: its values, its task and, where it was called otherwise, its id.
  private func describe(
    _ episode: ShardIndex.Episode, _ group: String, _ name: String, isDescribed: Bool
  ) throws(TrajpackError) {
    guard let file else { return }
    let metadata = try JSONValue(parsing: episode.metadata.isEmpty ? "{}" : episode.metadata)
    let values = metadata[ValueTable.member]?.members ?? []
    if !episode.split.isEmpty { mark(episode.split, name) }
    for value in values {
      if value.name.hasPrefix("mask/") {
        let isIn = value.value.bool ?? (value.value.int == 1)
        if isIn { mark(String(value.name.dropFirst(5)), name) }
      } else if value.name == "task" {
        if !isDescribed, metadata["ep_meta"] == nil,
          values.first(where: { $0.name == "ep_meta" }) == nil
        {
          let meta = JSONValue.record(["lang": value.value])
          try file.set("ep_meta", of: group, .string(meta.text()))
        }
      } else if value.name != "num_samples" {
        try file.set(value.name, of: group, value.value)
      }
    }
    if episode.id != name { try file.set("trajpack_id", of: group, .string(episode.id)) }
  }

  private func mark(_ mask: String, _ demo: String) {
    if let place = masks.firstIndex(where: { $0.name == mask }) {
      masks[place].demos.append(demo)
    } else {
      masks.append((mask, [demo]))
    }
  }

  func finish() throws(TrajpackError) {
    guard let file else { return }
    for mask in masks {
      try file.texts(
        "mask/\(mask.name.replacing("/", with: "_"))", mask.demos.map { Array($0.utf8) })
    }
    let own = "data/"
    for member in attributes.members ?? [] where member.name.hasPrefix(own) {
      let name = String(member.name.dropFirst(own.utf8.count))
      if !["total", Self.environment].contains(name) {
        try file.set(name, of: "data", member.value)
      }
    }
    try file.set("total", of: "data", .int(Int64(total)))
    try file.set(Self.environment, of: "data", environment(attributes[own + Self.environment]))
    try file.finish()
  }

  private static let environment = "env_args"

  /// What the file says of the environment: what it was where the dataset came from, with the rate where that was not said.
  private func environment(_ known: JSONValue?) -> JSONValue {
    let rate = rates.count == 1 ? rates.first : nil
    if rates.count > 1 {
      let all = rates.sorted { $0.value < $1.value }.map { "\($0)" }.joined(separator: ", ")
      folder?.note("episodes have the rates \(all) Hz, so 'env_args' has no control_freq")
    }
    guard let known else {
      if rates.isEmpty {
        folder?.note("the dataset has no rate, so 'env_args' has no control_freq")
      }
      let arguments = JSONValue.record([
        "env_name": attributes["env_name"] ?? "unknown", "type": 2,
        "env_kwargs": .record(["control_freq": rate.map { .double($0.value) }]),
      ])
      return .string(arguments.text())
    }
    guard let rate, var document = JSONValue(document: known.string) else { return known }
    var options = document["env_kwargs"] ?? .object([])
    guard options.members != nil, options["control_freq"] == nil else {
      if let said = options["control_freq"]?.double, said != rate.value {
        folder?.note(
          "'env_args' of the source says a control_freq of \(said), and the actions have \(rate) Hz: it is left as it was"
        )
      }
      return known
    }
    options.set("control_freq", .double(rate.value))
    document.set("env_kwargs", options)
    return .string(document.text())
  }
}
