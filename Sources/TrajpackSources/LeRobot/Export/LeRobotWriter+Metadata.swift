import TrajpackFormat
import TrajpackStore

extension LeRobotWriter {
  /// Writes what belongs to all episodes.
  func finish(robot: String?) throws(TrajpackError) {
    if table == nil { _ = try openTable() }
    try table?.finish()
    try writeEpisodes()
    try write(tasks, "task")
    for column in columns where column.content == .category {
      try write(categories[column.key] ?? TextNumbers(), String(column.key.dropLast(6)))
    }
    var features = plan.features.filter { $0.content != .task }.map {
      JSONValue.Member($0.key, $0.json)
    }
    for (name, type) in Self.numbering + [("task_index", .int64)] {
      features.append(
        .init(
          name,
          .record(["dtype": .string(type.rawValue), "shape": .array([.int(1)]), "names": .null])))
    }
    let fps = plan.fps
    let info = JSONValue.record([
      "codebase_version": "v3.0", "robot_type": robot.map { .string($0) } ?? "unknown",
      "total_episodes": .int(Int64(episodes.count)), "total_frames": .int(Int64(rows)),
      "total_tasks": .int(Int64(tasks.texts.count)), "chunks_size": .int(Int64(Self.filesInFolder)),
      "data_files_size_in_mb": 100, "video_files_size_in_mb": 200,
      "fps": fps.denominator == 1 ? .int(fps.numerator) : .double(fps.value),
      "splits": splits(),
      "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
      "video_path": videos.isEmpty
        ? .null : "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
      "features": .object(features),
    ])
    try write(info, "meta/info.json")
    var figures: [JSONValue.Member] = []
    for column in columns {
      guard case .numbers(_, let shape) = column.content,
        let json = statistics[column.key]?.json(shape.isEmpty ? [1] : shape)
      else { continue }
      figures.append(.init(column.key, json))
    }
    for feature in plan.features {
      if let json = pictures[feature.key]?.json { figures.append(.init(feature.key, json)) }
    }
    try write(.object(figures), "meta/stats.json")
    try FileSystem.syncFolder(folder.path)
  }

  private func write(_ json: JSONValue, _ name: String) throws(TrajpackError) {
    let file = try OutputFile(name, in: folder)
    try file.write(json.text(indent: 2) + "\n")
    try file.finish()
  }

  /// The episodes of each split as ranges of their numbers.
  private func splits() -> JSONValue {
    var runs: [(name: String, ranges: [Range<Int>])] = []
    for (number, episode) in episodes.enumerated() {
      let name = episode.split
      guard let place = runs.firstIndex(where: { $0.name == name }) else {
        runs.append((name, [number..<number + 1]))
        continue
      }
      if let last = runs[place].ranges.last, last.upperBound == number {
        runs[place].ranges[runs[place].ranges.count - 1] = last.lowerBound..<number + 1
      } else {
        runs[place].ranges.append(number..<number + 1)
      }
    }
    if runs.count == 1, runs[0].name.isEmpty { runs[0].name = "train" }
    return .object(
      runs.filter { !$0.name.isEmpty }.map { run in
        .init(
          run.name,
          .string(run.ranges.map { "\($0.lowerBound):\($0.upperBound)" }.joined(separator: ",")))
      })
  }

  /// A table of texts, whose index is the text: pandas' metadata say so, or lerobot takes numbers for tasks.
  private func write(_ texts: TextNumbers, _ name: String) throws(TrajpackError) {
    let columns = [
      ParquetOutputColumn(name: "\(name)_index", form: .numbers(.int64, [])),
      ParquetOutputColumn(name: name, form: .text),
    ]
    func column(_ name: String, _ kind: String, _ type: String) -> JSONValue {
      .record([
        "name": .string(name), "field_name": .string(name), "pandas_type": .string(kind),
        "numpy_type": .string(type), "metadata": .null,
      ])
    }
    let pandas = JSONValue.record([
      "index_columns": .array([.string(name)]), "column_indexes": .array([]),
      "columns": .array([
        column("\(name)_index", "int64", "int64"), column(name, "unicode", "object"),
      ]), "pandas_version": "2.0",
    ])
    let file = try ParquetWriter(
      "meta/\(name)s.parquet", columns, facts: [("pandas", pandas.text())], in: folder)
    try file.append(
      [
        .numbers(texts.texts.indices.map { Int64($0) }.packed),
        .bytes(texts.texts.map { Array($0.utf8) }),
      ], count: texts.texts.count)
    try file.finish()
  }

  private func writeEpisodes() throws(TrajpackError) {
    var columns: [ParquetOutputColumn] = []
    var rows: [ParquetOutputRows] = []
    func add(_ name: String, _ numbers: [Int]) {
      columns.append(ParquetOutputColumn(name: name, form: .numbers(.int64, [])))
      rows.append(.numbers(numbers.map { Int64($0) }.packed))
    }
    func add(_ name: String, seconds: [Double]) {
      columns.append(ParquetOutputColumn(name: name, form: .numbers(.float64, [])))
      rows.append(
        .numbers(seconds.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }))
    }
    let all = Array(episodes.indices)
    add("episode_index", all)
    columns.append(ParquetOutputColumn(name: "tasks", form: .texts))
    rows.append(.lists(episodes.map(\.tasks)))
    add("length", episodes.map(\.length))
    add("data/chunk_index", episodes.map { $0.file / Self.filesInFolder })
    add("data/file_index", episodes.map { $0.file % Self.filesInFolder })
    add("dataset_from_index", episodes.map(\.first))
    add("dataset_to_index", episodes.map { $0.first + $0.length })
    for (number, video) in videos.enumerated() {
      let key = "videos/\(video.key)"
      add("\(key)/chunk_index", all.map { $0 / Self.filesInFolder })
      add("\(key)/file_index", all.map { $0 % Self.filesInFolder })
      add("\(key)/from_timestamp", seconds: episodes.map { $0.spans[number].lowerBound })
      add("\(key)/to_timestamp", seconds: episodes.map { $0.spans[number].upperBound })
    }
    add("meta/episodes/chunk_index", all.map { _ in 0 })
    add("meta/episodes/file_index", all.map { _ in 0 })
    columns.append(ParquetOutputColumn(name: LeRobotInfo.idColumn, form: .text))
    rows.append(.bytes(episodes.map { Array($0.id.utf8) }))
    let file = try ParquetWriter("meta/episodes/chunk-000/file-000.parquet", columns, in: folder)
    try file.append(rows, count: episodes.count)
    try file.finish()
  }
}

extension [Int64] {
  /// As bytes, little-endian.
  var packed: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(count * 8)
    for number in self {
      Swift.withUnsafeBytes(of: number.littleEndian) { out.append(contentsOf: $0) }
    }
    return out
  }
}
