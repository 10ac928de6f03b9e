import TrajpackFormat
import TrajpackStore

/// LeRobot datasets of versions 3.0, 2.1 and 2.0. Layout after lerobot 0.6.1 and
/// 0.3.3; see `docs/formats/lerobot.md`.
enum LeRobot: MappedFormat {
  static let format = FormatDescription(
    name: "lerobot", summary: "LeRobot datasets (v3.0, v2.1)",
    carries:
      "every number, text, picture and video packet, tasks, splits; null as not observed",
    reads: true, writes: true)

  /// The most tasks that are categories of a channel.
  private static let mostCategories = 4096
  /// Columns that number rows and episodes, which is what rows and episodes of an archive are.
  private static let numbering = ["timestamp", "frame_index", "episode_index", "index"]

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !files.sources.isEmpty
      && files.sources.allSatisfy { LeRobotInfo.recognises($0) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    guard !options.isMapping, options.time == nil, options.timeUnit == nil else {
      throw TrajpackError(
        .usage,
        "--episodes, --ends, --terminals, --axes, --map and --time are not for LeRobot datasets, which say all of it"
      )
    }
    guard options.rate == nil else {
      throw TrajpackError(
        .usage, "--rate: a LeRobot dataset states its own rate (fps of meta/info.json)")
    }
    var source = MappedSource(recordings: [])
    for path in files.sources {
      var folder = path
      while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
      let prefix = files.sources.count > 1 ? "\(FileSystem.name(of: folder))/" : ""
      try read(folder, prefix, options, &source)
    }
    return source
  }

  private static func read(
    _ folder: String, _ prefix: String, _ options: MappingOptions, _ source: inout MappedSource
  ) throws(TrajpackError) {
    var info = try LeRobotInfo(folder)
    // Those that are not wanted may be absent.
    info.videoKeys.removeAll { options.video == .drop || !options.takes($0) }
    let episodes = try info.episodes()
    var layout = LeRobotLayout(info, options)
    var known: [String: TrajpackError?] = [:]
    for episode in episodes where known[episode.file] == nil {
      do throws(TrajpackError) {
        try layout.look(ParquetFile("\(folder)/\(episode.file)"))
        known[episode.file] = .some(nil)
      } catch {
        guard options.skipsErrors, error.fault == .data else { throw error }
        known[episode.file] = error
      }
    }
    let columns = try layout.columns()
    let tables = LeRobotFiles(
      folder, info.fps,
      columns.compactMap(\.numbers).flatMap { [$0.values] + ($0.mask.map { [$0] } ?? []) })
    source.leftOut += layout.leftOut.map { LeftOut(path: "\(prefix)\($0.path)", why: $0.why) }
    let videos = VideoPlan(info, layout.videos, episodes)
    let rows = episodes.reduce(0) { $0 + $1.length }
    let bytes = known.keys.reduce(0) { $0 + FileSystem.size(of: "\(folder)/\($1)") }
    let languages = layout.languages
    for episode in episodes {
      let path = "\(folder)/\(episode.file)"
      var recording = MappedRecording(
        id: prefix
          + (episode.id
            ?? "episode_" + String(repeating: "0", count: max(6 - "\(episode.index)".count, 0))
            + "\(episode.index)"),
        path: path)
      let share = max(bytes / max(rows, 1) * episode.length, 1)
      let films = videos.streams(of: episode)
      recording.streams =
        streams(episode, columns, tables, info, share) + films
        + languages.map { $0.stream(episode, tables, info.fps) }
      recording.bytes = share + films.reduce(0) { $0 + ($1.video?.bytes ?? 0) }
      recording.fingerprint =
        ([path] + videos.paths(of: episode)).map { Recording.fingerprint(of: $0) }
        .joined(separator: ";")
      recording.split = info.split(episode.index)
      recording.failure = known[episode.file] ?? nil
      if episode.tasks.count == 1 {
        recording.values.append(.init("task", .string(episode.tasks[0])))
      }
      recording.metadata.append(.init("tasks", .array(episode.tasks.map { .string($0) })))
      source.recordings.append(recording)
    }
    for name in ["codebase_version", "robot_type", "fps"] {
      guard let value = info.json[name], value != .null,
        !source.attributes.contains(where: { $0.name == name })
      else { continue }
      source.attributes.append(.init(name, value))
    }
    source.note = "LeRobot \(info.version), \(info.fps) frames a second"
  }

  /// The videos of a dataset, and how its files are shared.
  private struct VideoPlan {
    private let info: LeRobotInfo
    private let features: [LeRobotInfo.Feature]
    private let files = LeRobotVideos()
    /// Bytes and rows of each file.
    private var sizes: [String: (bytes: Int, rows: Int)] = [:]

    init(
      _ info: LeRobotInfo, _ features: [LeRobotInfo.Feature], _ episodes: [LeRobotEpisode]
    ) {
      (self.info, self.features) = (info, features)
      for episode in episodes {
        for path in paths(of: episode) {
          sizes[path, default: (FileSystem.size(of: path), 0)].rows += episode.length
        }
      }
    }

    func paths(of episode: LeRobotEpisode) -> [String] {
      features.compactMap { episode.videos[$0.name] }.map { "\(info.folder)/\($0.file)" }
    }

    func streams(of episode: LeRobotEpisode) -> [MappedStream] {
      features.compactMap { feature in
        guard let (file, start) = episode.videos[feature.name] else { return nil }
        let size = sizes["\(info.folder)/\(file)"] ?? (0, 1)
        var stream = MappedStream(
          name: feature.name, count: episode.length, time: MappedStream.time(rate: info.fps),
          channels: [])
        stream.attributes = [.init("lerobot", feature.json)]
        stream.video = LeRobotVideo(
          key: feature.name, file: file, folder: info.folder, start: start, fps: info.fps,
          bytes: Int(Double(size.bytes) * Double(episode.length) / Double(max(size.rows, 1))),
          isOwn: info.isSingle, files: files)
        return stream
      }
    }
  }

  private static func streams(
    _ episode: LeRobotEpisode, _ columns: [LeRobotLayout.Column], _ tables: LeRobotFiles,
    _ info: LeRobotInfo, _ share: Int
  ) -> [MappedStream] {
    var steps: [MappedChannel] = []
    var streams: [MappedStream] = []
    let time = MappedStream.time(rate: info.fps)
    for column in columns {
      if case .frames(let leaf) = column.content {
        var stream = MappedStream(
          name: column.name, count: episode.length, time: time, channels: [])
        stream.video = LeRobotPictures(
          key: column.name, leaf: leaf, bytes: share, episode: episode,
          tables: tables, fps: info.fps)
        stream.attributes = column.feature.map { [.init("lerobot", $0.json)] } ?? []
        streams.append(stream)
        continue
      }
      let channel = MappedChannel(column.channel, rows(episode, column, tables, info))
      if let feature = column.feature {
        var stream = MappedStream(
          name: column.name, count: episode.length, time: time, channels: [channel])
        stream.attributes = [.init("lerobot", feature.json)]
        streams.append(stream)
      } else {
        steps.append(channel)
      }
    }
    let main = MappedStream(
      name: TreeLayout.main, count: episode.length, time: time, channels: steps)
    return (steps.isEmpty ? [] : [main]) + streams
  }

  private static func rows(
    _ episode: LeRobotEpisode, _ column: LeRobotLayout.Column, _ tables: LeRobotFiles,
    _ info: LeRobotInfo
  ) -> RowSource {
    switch column.content {
    case .texts(let leaf), .frames(let leaf):
      .texts { () throws(TrajpackError) in
        let (table, range) = try tables.rows(episode)
        guard let own = table.file.column(leaf) else {
          throw TrajpackError(.data, file: table.file.path, "has no column '\(leaf)'")
        }
        let texts = try table.texts(own)
        var out: [[UInt8]?] = []
        for row in range { out.append(try texts.text(row)) }
        return out
      }
    case .numbers:
      .made { () throws(TrajpackError) in
        let (table, range) = try tables.rows(episode)
        guard let numbers = column.numbers else { return [] }
        var bytes = try table.bytes(try table.rows(numbers.values), range)
        guard let mask = numbers.mask else { return bytes }
        let observed = try table.bytes(try table.rows(mask), range)
        let size = column.channel.type.size
        for (i, isThere) in observed.enumerated() where isThere == 0 {
          // The smallest number, little-endian.
          for byte in 0..<size { bytes[i * size + byte] = byte == size - 1 ? 0x80 : 0 }
        }
        return bytes
      }
    case .categories(let places):
      .made { () throws(TrajpackError) in
        let (table, range) = try tables.rows(episode)
        let numbers = try table.integers(column.name, range)
        var out: [UInt8] = []
        for (row, number) in numbers.enumerated() {
          guard let place = places[number] else {
            throw TrajpackError(
              .data, file: table.file.path,
              "row \(range.lowerBound + row): '\(column.name)' is \(number), which the metadata do not name"
            )
          }
          withUnsafeBytes(of: place.littleEndian) { out.append(contentsOf: $0) }
        }
        return out
      }
    }
  }

  /// Whether a column is not a channel, because it numbers rows.
  static func isNumbering(_ name: String) -> Bool { numbering.contains(name) }

  /// The texts of a column of indices: their order as categories, and the place of each number.
  static func categories(
    _ info: LeRobotInfo, _ name: String
  ) throws(TrajpackError) -> ([String], [Int64: Int32])? {
    guard name.hasSuffix("_index") else { return nil }
    let texts = try info.texts(String(name.dropLast(6)), name)
    guard !texts.isEmpty, texts.count <= mostCategories, Set(texts.values).count == texts.count
    else { return nil }
    let order = texts.keys.sorted()
    var places: [Int64: Int32] = [:]
    for (place, number) in order.enumerated() { places[number] = Int32(place) }
    return (order.map { texts[$0] ?? "" }, places)
  }
}
