import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

/// Writes a dataset in Minari's HDF5 storage: `data/main_data.hdf5` with a group an episode, T + 1 observations beside T
/// actions, and `data/metadata.json` with the spaces. Layout after minari 0.5.
final class MinariExport: DatasetExporter {
  /// What `trajpack formats` says of it.
  static var format: FormatDescription { Minari.format }

  private let request: ExportRequest
  private let attributes: JSONValue
  private var folder: ExportFolder?
  private var file: HDF5TreeWriter?
  private let frames: EpisodeFrames
  private var count = 0
  private var steps = 0
  private var observation = GymSpace()
  private var action = GymSpace()

  init(_ request: ExportRequest) throws(TrajpackError) {
    self.request = request
    attributes = try request.dataset.shard(0).schema.attributes
    frames = EpisodeFrames(request.dataset.path, media: request.media)
  }

  func begin(in folder: ExportFolder) throws(TrajpackError) {
    self.folder = folder
    try FileSystem.makeFolder("\(folder.path)/data")
    file = try HDF5TreeWriter("\(folder.path)/data/main_data.hdf5")
  }

  func append(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader
  ) throws(TrajpackError) {
    guard let file, let folder else { return }
    let tracks = labelled(episode.tracks.map { TrackReader(shard, track: $0, reader: reader) })
    let all = try StepArrays(tracks, format: "Minari", names: request.names)
    for sentence in all.remarks { folder.note(sentence) }
    let arrays = all.arrays.filter { array in
      if all.isFit(array) { return true }
      folder.note(
        "'\(array.path)' is left out: it has another number of rows than there are steps, or one more"
      )
      return false
    }
    let observations = arrays.filter { if case .observation = $0.role { true } else { false } }
    guard let least = observations.map(\.track.count).min() else {
      throw TrajpackError(
        .data,
        "has no observations with a row for each of its \(all.steps) actions, or one more, which Minari asks for"
      )
    }
    // T + 1 observations; where there is none behind the last action, that action has no place.
    let length = min(all.steps, least - 1)
    guard length > 0 else {
      throw TrajpackError(
        .data, "has \(least) rows of observations, and Minari asks for one behind each action")
    }
    if length < all.steps {
      folder.note(
        "there is no observation behind the last action, which is not written (Minari has T + 1 observations)"
      )
    }
    let group = "episode_\(count)"
    try file.group(group)
    var writer = StepArrayWriter(file, folder, frames, episode: episode.id, group: group)
    let areParts = (
      actions: arrays.contains {
        if case .action(let key) = $0.role { !key.isEmpty } else { false }
      },
      observations: observations.contains { $0.role != .observation("") }
    )
    var ends: [StepArray] = []
    for array in arrays {
      switch array.role {
      case .action(let key):
        // Beside actions of other names, the one without is one of them.
        let name = key.isEmpty && areParts.actions ? "action" : key
        let place = "actions\(name.isEmpty ? "" : "/\(name)")"
        if let made = try writer.write(array, rows: 0..<length, as: place) {
          action.add(made, below: "actions")
        }
      case .observation(let key):
        let name = key.isEmpty && areParts.observations ? "observation" : key
        let place = "observations\(name.isEmpty ? "" : "/\(name)")"
        if let made = try writer.write(array, rows: 0..<length + 1, as: place) {
          observation.add(made, below: "observations")
        }
      case .reward, .terminated, .truncated, .done: ends.append(array)
      case .nextObservation:
        folder.note("'\(array.path)' is left out: Minari's observations have a row more instead")
      case .other(let path):
        let key = path.hasPrefix("infos/") ? String(path.dropFirst(6)) : path
        _ = try writer.write(
          array, rows: 0..<min(array.track.count, length + 1), as: "infos/\(key)")
      }
    }
    try writeEnds(ends, length, &writer)
    for (name, text) in all.texts { try file.set(name, of: group, .string(text)) }
    try describe(episode, group, length)
    count += 1
    steps += length
  }

  /// Rewards, terminations and truncations, which Minari asks for.
  private func writeEnds(
    _ arrays: [StepArray], _ length: Int, _ writer: inout StepArrayWriter
  ) throws(TrajpackError) {
    func rows(
      _ role: StepRole, _ name: String, _ writer: inout StepArrayWriter
    ) throws(TrajpackError) -> Bool {
      guard let array = arrays.first(where: { $0.role == role }) else { return false }
      _ = try writer.write(array, rows: 0..<length, as: name)
      return true
    }
    if try !rows(.reward, "rewards", &writer) {
      folder?.note("the recordings have no rewards; they are NaN")
      var out = try writer.make("rewards", .float64, rows: length)
      try out.append(
        littleEndian([UInt64](repeating: Double.nan.bitPattern, count: length)), count: length)
    }
    func filled(
      _ name: String, endsWith last: UInt8, _ writer: inout StepArrayWriter
    ) throws(TrajpackError) {
      var out = try writer.make(name, .bool, rows: length)
      try out.append([UInt8](repeating: 0, count: length - 1) + [last], count: length)
    }
    let hasTruncations = try rows(.truncated, "truncations", &writer)
    var hasTerminations = try rows(.terminated, "terminations", &writer)
    if !hasTerminations {
      hasTerminations = try rows(.done, "terminations", &writer)
    } else if let done = arrays.first(where: { $0.role == .done }) {
      _ = try writer.write(done, rows: 0..<length, as: "infos/\(done.path)")
    }
    if !hasTerminations { try filled("terminations", endsWith: 0, &writer) }
    if !hasTruncations {
      try filled("truncations", endsWith: hasTerminations ? 0 : 1, &writer)
    }
    if !hasTerminations, !hasTruncations {
      folder?.note("the recordings do not say how they end; the last step of each is truncated")
    }
  }

  private func describe(
    _ episode: ShardIndex.Episode, _ group: String, _ length: Int
  ) throws(TrajpackError) {
    guard let file else { return }
    let metadata = try JSONValue(parsing: episode.metadata.isEmpty ? "{}" : episode.metadata)
    try file.set("id", of: group, .int(Int64(count)))
    try file.set("total_steps", of: group, .int(Int64(length)))
    for value in metadata[ValueTable.member]?.members ?? []
    where !["id", "total_steps"].contains(value.name) {
      try file.set(value.name, of: group, value.value)
    }
    if episode.id != group { try file.set("trajpack_id", of: group, .string(episode.id)) }
  }

  /// Members of the metadata that are carried from where the dataset came from.
  private static let carried = [
    "env_spec", "algorithm_name", "author", "author_email", "code_permalink", "description",
    "eval_env_spec", "requirements", "ref_max_score", "ref_min_score", "num_episodes_average_score",
  ]

  func finish() throws(TrajpackError) {
    guard let file, let folder else { return }
    try file.finish()
    var members =
      JSONValue.record([
        "dataset_id": attributes["dataset_id"] ?? "trajpack/dataset-v0",
        "total_episodes": .int(Int64(count)), "total_steps": .int(Int64(steps)),
        "data_format": "hdf5",
        "jpeg_encoding": .bool(observation.hasPictures || action.hasPictures),
        "observation_space": .string(observation.json.text()),
        "action_space": .string(action.json.text()),
        "minari_version": attributes["minari_version"] ?? "0.5.4",
      ]).members ?? []
    for name in Self.carried {
      if let value = attributes[name], value != .null { members.append(.init(name, value)) }
    }
    let out = try OutputFile("data/metadata.json", in: folder)
    try out.write(JSONValue.object(members).text(indent: 2) + "\n")
    try out.finish()
    try FileSystem.syncFolder("\(folder.path)/data")
  }
}
