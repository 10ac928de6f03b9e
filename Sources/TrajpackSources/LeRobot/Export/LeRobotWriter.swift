import TrajpackFormat
import TrajpackStore

/// Writes the files of a LeRobot dataset, episode by episode.
final class LeRobotWriter {
  /// What `meta/episodes` says of an episode.
  struct Episode {
    var id: String
    var split: String
    var tasks: [String]
    var length: Int
    var first: Int
    var file: Int
    /// Of each video: seconds of the first and behind the last frame.
    var spans: [Range<Double>]
  }

  /// As lerobot's own writer has it: bytes of a table, and files in a folder.
  static let (tableBytes, filesInFolder) = (100 << 20, 1000)
  static let numbering: [(String, ElementType)] = [
    ("timestamp", .float32), ("frame_index", .int64), ("episode_index", .int64), ("index", .int64),
  ]

  let plan: LeRobotPlan
  let folder: ExportFolder
  private let media: String?
  let columns: [LeRobotFeature]
  let videos: [LeRobotFeature]
  let hasTasks: Bool
  var table: ParquetWriter?
  private(set) var file = -1
  private(set) var rows = 0
  private(set) var episodes: [Episode] = []
  private(set) var tasks = TextNumbers()
  private(set) var categories: [String: TextNumbers] = [:]
  private(set) var statistics: [String: LeRobotStatistics] = [:]
  private(set) var pictures: [String: LeRobotPictureStatistics] = [:]
  private let frames: EpisodeFrames

  /// Texts by number, in the order of their appearance.
  struct TextNumbers {
    private(set) var texts: [String] = []
    private var numbers: [String: Int] = [:]

    mutating func number(_ text: String) -> Int {
      if let number = numbers[text] { return number }
      numbers[text] = texts.count
      texts.append(text)
      return texts.count - 1
    }
  }

  var count: Int { episodes.count }

  init(
    _ plan: LeRobotPlan, _ folder: ExportFolder, of path: String, media: String?
  ) throws(TrajpackError) {
    frames = EpisodeFrames(path, media: media)
    self.plan = plan
    self.folder = folder
    self.media = media
    columns = plan.features.filter { $0.content != .video && $0.content != .task }
    videos = plan.features.filter { $0.content == .video }
    hasTasks = plan.features.contains { $0.content == .task }
    for name in ["meta", "meta/episodes", "meta/episodes/chunk-000", "data"] {
      try FileSystem.makeFolder("\(folder.path)/\(name)")
    }
    if !videos.isEmpty { try FileSystem.makeFolder("\(folder.path)/videos") }
    for video in videos { try FileSystem.makeFolder("\(folder.path)/videos/\(video.key)") }
  }

  // MARK: Episodes

  func append(
    _ episode: ShardIndex.Episode, _ shard: Shard, _ reader: BlockReader
  ) throws(TrajpackError) {
    var tracks: [String: TrackReader] = [:]
    for number in episode.tracks {
      let track = TrackReader(shard, track: number, reader: reader)
      if plan.streams.contains(track.stream.name) { tracks[track.stream.name] = track }
    }
    let count = try length(tracks)
    let metadata = try JSONValue(parsing: episode.metadata.isEmpty ? "{}" : episode.metadata)
    var (names, numbers): ([String], [Int64]) = ([], [])
    for text in try texts(of: tracks, count, metadata) {
      if !names.contains(text) { names.append(text) }
      numbers.append(Int64(tasks.number(text)))
    }
    var made = Episode(
      id: episode.id, split: episode.split, tasks: names, length: count, first: rows,
      file: max(file, 0), spans: [])
    for video in videos {
      guard let track = tracks[video.stream] else { continue }
      made.spans.append(try write(video, track, count))
    }
    for feature in plan.features where feature.content == .video || feature.content == .picture {
      guard let track = tracks[feature.stream], track.isVideo else { continue }
      try look(feature.key, track, episode.id)
    }
    made.file = try openTable()
    for piece in try pieces(tracks, count, episode.id) {
      var out: [ParquetOutputRows] = []
      for column in columns {
        out.append(try rows(column, tracks, piece, episode.id))
        try folder.goOn()
      }
      out += numbering(piece)
      out.append(.numbers(Array(numbers[piece]).packed))
      try table?.append(out, count: piece.count)
    }
    rows += count
    episodes.append(made)
  }

  /// Takes the frames of a video into the statistics; where they cannot be decoded, that is said.
  private func look(
    _ key: String, _ track: TrackReader, _ episode: String
  ) throws(TrajpackError) {
    do throws(TrajpackError) {
      let frames = try frames.frames(of: track, episode: episode)
      try pictures[key, default: LeRobotPictureStatistics()].add(frames, folder)
    } catch {
      try folder.goOn()
      folder.note("'\(key)' has no statistics of its pictures: \(error.message)")
    }
  }

  /// The rows of an episode: as many as its streams have, of which one may have the state behind the last action.
  private func length(_ tracks: [String: TrackReader]) throws(TrajpackError) -> Int {
    let counts = tracks.mapValues(\.count)
    let least = counts.values.min() ?? 0
    var start: Rational?
    for (name, track) in tracks.sorted(by: { $0.key < $1.key }) {
      guard case .regular(let own, _) = track.track.clock else { continue }
      guard start == nil || start == own else {
        throw TrajpackError(
          .data,
          "'\(name)' begins at \(own) s and another stream at \(start ?? own) s; bring them to one clock first ('trajpack "
            + "resample')")
      }
      start = own
      if track.count == least + 1 {
        folder.note("the last row of '\(name)' has no row in other streams and is not written")
      } else if track.count != least {
        let other = counts.filter { $0.value == least }.keys.min() ?? ""
        throw TrajpackError(
          .data,
          "'\(name)' has \(track.count) rows and '\(other)' \(least); bring them to one clock first ('trajpack resample')"
        )
      }
    }
    if let start, start != .zero {
      folder.note(
        "times count from 0 in a LeRobot dataset; those of the recordings begin elsewhere")
    }
    return least
  }

  /// The task of each row.
  private func texts(
    of tracks: [String: TrackReader], _ count: Int, _ metadata: JSONValue
  ) throws(TrajpackError) -> [String] {
    if let feature = plan.features.first(where: { $0.content == .task }),
      let track = tracks[feature.stream], let channel = track.stream.channel(named: feature.channel)
    {
      let values = try track.read(channel: channel, rows: 0..<count)
      return (0..<count).map { values.category($0) ?? "" }
    }
    let known =
      metadata[ValueTable.member]?["task"]?.string ?? metadata["tasks"]?.array?.first?.string
    if known == nil {
      folder.note("recordings have no value 'task', so their task is an empty text")
    }
    return [String](repeating: known ?? "", count: count)
  }

  private func numbering(_ piece: Range<Int>) -> [ParquetOutputRows] {
    let period = Double(plan.fps.denominator) / Double(plan.fps.numerator)
    let all = Int64(piece.lowerBound)..<Int64(piece.upperBound)
    return [
      .numbers(
        piece.flatMap { row in
          withUnsafeBytes(of: Float(Double(row) * period).bitPattern.littleEndian) { Array($0) }
        }),
      .numbers(Array(all).packed),
      .numbers([Int64](repeating: Int64(episodes.count), count: piece.count).packed),
      .numbers(all.map { $0 + Int64(rows) }.packed),
    ]
  }

  func openTable() throws(TrajpackError) -> Int {
    if let table, table.count < Self.tableBytes { return file }
    try table?.finish()
    file += 1
    let chunk = Self.number(file / Self.filesInFolder)
    if file % Self.filesInFolder == 0 {
      try FileSystem.makeFolder("\(folder.path)/data/chunk-\(chunk)")
    }
    let numbers = Self.numbering.map { name, type in
      ParquetOutputColumn(name: name, form: .numbers(type, []))
    }
    table = try ParquetWriter(
      "data/chunk-\(chunk)/file-\(Self.number(file % Self.filesInFolder)).parquet",
      columns.compactMap(\.column) + numbers
        + [ParquetOutputColumn(name: "task_index", form: .numbers(.int64, []))], in: folder)
    return file
  }

  static func number(_ number: Int) -> String {
    String(repeating: "0", count: max(3 - "\(number)".count, 0)) + "\(number)"
  }

  // MARK: Columns

  private func isSwapped(_ track: TrackReader) throws(TrajpackError) -> Bool {
    let metadata = track.track.metadata
    return metadata.isEmpty ? false : ChannelOrder.isSwapped(try JSONValue(parsing: metadata))
  }

  /// Bytes of pictures and texts that are held at a time.
  private static let pieceBytes = 16 << 20

  /// The rows of an episode in row groups: one, or several where its pictures and texts are many bytes.
  private func pieces(
    _ tracks: [String: TrackReader], _ count: Int, _ episode: String
  ) throws(TrajpackError) -> [Range<Int>] {
    var channels: [(track: TrackReader, channel: Int)] = []
    var decoded = 0
    for column in columns where column.content == .picture || column.content == .text {
      guard let track = tracks[column.stream] else { continue }
      if column.content == .picture, track.isVideo, try isSwapped(track) {
        decoded += try frames.frames(of: track, episode: episode).bytes
      } else if let channel = track.stream.channel(named: column.channel) {
        channels.append((track, channel))
      }
    }
    return try RowPieces(count, rows: max(count, 1), bytes: Self.pieceBytes) {
      (rows) throws(TrajpackError) in
      var sizes = [Int](repeating: decoded, count: rows.count)
      for (track, channel) in channels {
        for (row, size) in try track.byteCounts([channel], rows).enumerated() { sizes[row] += size }
      }
      return sizes
    }.all
  }

  /// The frames of a video, in whose files red and blue are swapped, as PNG files with the colours in their places.
  private func pictures(
    of track: TrackReader, _ rows: Range<Int>, _ episode: String
  ) throws(TrajpackError) -> [[UInt8]?] {
    var files: [[UInt8]?] = []
    try frames.frames(of: track, episode: episode).forEachPNG(
      Array(rows), of: track.stream.name
    ) { (_, png) throws(TrajpackError) in
      files.append(png)
      try folder.goOn()
    }
    folder.note(
      "'\(track.stream.name)': its pictures, in whose files red and blue are swapped, are decoded and written as PNG, with the "
        + "colours in their places")
    return files
  }

  private func rows(
    _ feature: LeRobotFeature, _ tracks: [String: TrackReader], _ piece: Range<Int>,
    _ episode: String
  ) throws(TrajpackError) -> ParquetOutputRows {
    if case .numbers(let type, let shape) = feature.content, !feature.parts.isEmpty {
      var parts: [LeRobotNumbers] = []
      for part in feature.parts {
        parts.append(LeRobotNumbers(try values(part, tracks, piece), as: type))
      }
      let joined = LeRobotNumbers(joining: parts, of: type, count: piece.count)
      count(feature, shape, joined)
      return .numbers(joined.bytes)
    }
    if case .mask = feature.content, !feature.parts.isEmpty {
      var parts: [LeRobotNumbers] = []
      for part in feature.parts {
        parts.append(LeRobotNumbers(observed: try values(part, tracks, piece)))
      }
      return .numbers(LeRobotNumbers(joining: parts, of: .bool, count: piece.count).bytes)
    }
    guard let track = tracks[feature.stream] else {
      throw TrajpackError(.data, "has no stream '\(feature.stream)'")
    }
    if feature.content == .picture, track.isVideo, try isSwapped(track) {
      return .bytes(try pictures(of: track, piece, episode))
    }
    let values = try values(feature, tracks, piece)
    switch feature.content {
    case .text, .picture:
      var rows: [[UInt8]?] = []
      for row in 0..<piece.count { rows.append(try track.bytes(values, row)) }
      return .bytes(rows)
    case .category:
      return .numbers(
        (0..<piece.count).map { row in
          Int64(categories[feature.key, default: TextNumbers()].number(values.category(row) ?? ""))
        }.packed)
    case .mask: return .numbers(LeRobotNumbers(observed: values).bytes)
    default:
      let numbers = LeRobotNumbers(values, as: values.channel.type)
      count(feature, values.channel.shape, numbers)
      return .numbers(numbers.bytes)
    }
  }

  /// Takes numbers into the statistics.
  private func count(_ feature: LeRobotFeature, _ shape: [Int], _ numbers: LeRobotNumbers) {
    statistics[
      feature.key, default: LeRobotStatistics(components: shape.reduce(1, *))
    ].add(numbers.doubles)
  }

  private func values(
    _ feature: LeRobotFeature, _ tracks: [String: TrackReader], _ piece: Range<Int>
  ) throws(TrajpackError) -> ChannelValues {
    guard let track = tracks[feature.stream],
      let channel = track.stream.channel(named: feature.channel)
    else {
      throw TrajpackError(.data, "'\(feature.stream)' has no channel '\(feature.channel)'")
    }
    return try track.read(channel: channel, rows: piece)
  }

  private func write(
    _ video: LeRobotFeature, _ track: TrackReader, _ count: Int
  ) throws(TrajpackError) -> Range<Double> {
    let number = episodes.count
    let chunk = Self.number(number / Self.filesInFolder)
    let place = "videos/\(video.key)/chunk-\(chunk)"
    if number % Self.filesInFolder == 0 { try FileSystem.makeFolder("\(folder.path)/\(place)") }
    let metadata = JSONReader(
      try JSONValue(parsing: track.track.metadata), at: "metadata of '\(track.stream.name)'")
    if try metadata.text("stored") == VideoMode.link.rawValue, media == nil {
      throw TrajpackError(
        .usage, "the videos of '\(track.stream.name)' are linked: say with --media where they lie")
    }
    guard let base = try metadata.timeBase(), let channel = track.stream.channel(named: "pts")
    else {
      throw TrajpackError(.data, "the video '\(track.stream.name)' has no times")
    }
    let pts = try track.read(channel: channel, rows: 0..<count).doubles()
    let tick = Double(base.0) / Double(base.1)
    let start = (pts.first ?? 0) * tick
    let period = Double(plan.fps.denominator) / Double(plan.fps.numerator)
    for (row, time) in pts.enumerated() where abs(time * tick - start - Double(row) * period) > 1e-4
    {
      throw TrajpackError(
        .data,
        "frame \(row) of '\(track.stream.name)' is shown at \(time * tick - start) s, and its row lies at "
          + "\(Double(row) * period) s; lerobot reads no frame that is off by more than 0.1 ms; 'trajpack transcode' gives "
          + "frames the times of rows")
    }
    try VideoExport.write(
      track, mediaFolder: media,
      as: "\(place)/file-\(Self.number(number % Self.filesInFolder)).mp4", in: folder)
    return start..<start + Double(count) * period
  }
}
