import TrajpackFormat
import TrajpackStore

/// An episode as the metadata of a LeRobot dataset list it.
struct LeRobotEpisode: Sendable {
  var index: Int
  var length: Int
  var tasks: [String]
  /// The file of its rows, below the folder.
  var file: String
  /// Its id, where the dataset says one; else it is made of its number.
  var id: String?
  /// Where each of its videos lies: the file, below the folder, and the seconds at which the episode begins in it.
  var videos: [String: (file: String, start: Double)] = [:]
}

extension LeRobotInfo {
  /// The episodes, in the order of their numbers.
  func episodes() throws(TrajpackError) -> [LeRobotEpisode] {
    var episodes = isSingle ? try listed() : try tabled()
    episodes.sort { $0.index < $1.index }
    for (a, b) in zip(episodes, episodes.dropFirst()) where a.index == b.index {
      throw TrajpackError(.data, "\(folder)/meta: episode \(a.index) is listed twice")
    }
    guard !episodes.isEmpty else {
      throw TrajpackError(.data, "\(folder)/meta: lists no episode")
    }
    return episodes
  }

  /// Version 2: a line an episode.
  private func listed() throws(TrajpackError) -> [LeRobotEpisode] {
    try lines("meta/episodes.jsonl").mapThrowing { (line, place) throws(TrajpackError) in
      guard let index = line["episode_index"]?.int, index >= 0, let length = line["length"]?.int,
        length >= 0
      else {
        throw TrajpackError(
          .data, "\(place): has no 'episode_index' and 'length'",
          at: ErrorPlace(file: "\(folder)/meta/episodes.jsonl"))
      }
      let numbers = ["episode_chunk": index / chunkSize, "episode_index": index]
      var episode = LeRobotEpisode(
        index: index, length: length, tasks: (line["tasks"]?.array ?? []).compactMap(\.string),
        file: try path(dataPath, numbers))
      for key in videoKeys {
        episode.videos[key] = (try path(videoPath, numbers, ["video_key": key]), 0)
      }
      return episode
    }
  }

  /// Version 3: a row an episode, in Parquet files.
  private func tabled() throws(TrajpackError) -> [LeRobotEpisode] {
    var files: [String] = []
    for chunk in NaturalOrder.sorted(try FileSystem.names(in: "\(folder)/meta/episodes")) {
      let place = "\(folder)/meta/episodes/\(chunk)"
      guard FileSystem.item(at: place) == .folder else { continue }
      files += NaturalOrder.sorted(try FileSystem.names(in: place))
        .filter { $0.hasSuffix(".parquet") && !$0.hasPrefix(".") }.map { "\(place)/\($0)" }
    }
    var out: [LeRobotEpisode] = []
    for file in files {
      let table = try ParquetTable(file)
      let index = try table.integers("episode_index")
      let length = try table.integers("length")
      let chunk = try table.integers("data/chunk_index")
      let number = try table.integers("data/file_index")
      let videos = try videoKeys.mapThrowing { (key) throws(TrajpackError) in
        (
          key: key, chunk: try table.integers("videos/\(key)/chunk_index"),
          file: try table.integers("videos/\(key)/file_index"),
          start: try table.doubles("videos/\(key)/from_timestamp")
        )
      }
      let ids = try table.file.column(Self.idColumn).map { (column) throws(TrajpackError) in
        try table.texts(column)
      }
      let tasks =
        table.file.leaves("tasks").isEmpty ? [] : try table.lists("tasks")
      for row in index.indices {
        guard 0..<1 << 40 ~= index[row], 0..<1 << 40 ~= length[row] else {
          throw TrajpackError(.data, file: file, "row \(row) has negative numbers")
        }
        func numbers(_ chunk: Int64, _ number: Int64) throws(TrajpackError) -> [String: Int] {
          guard 0..<1 << 40 ~= chunk, 0..<1 << 40 ~= number else {
            throw TrajpackError(.data, file: file, "row \(row) has negative numbers")
          }
          return ["chunk_index": Int(chunk), "file_index": Int(number)]
        }
        var episode = LeRobotEpisode(
          index: Int(index[row]), length: Int(length[row]),
          tasks: tasks.isEmpty ? [] : tasks[row],
          file: try path(dataPath, numbers(chunk[row], number[row])))
        episode.id = try ids?.text(row).map { String(decoding: $0, as: UTF8.self) }
        for video in videos {
          guard video.start[row].isFinite, abs(video.start[row]) < 1e9 else {
            throw TrajpackError(
              .data, file: file,
              "row \(row): 'videos/\(video.key)/from_timestamp' is \(video.start[row])")
          }
          episode.videos[video.key] = (
            try path(
              videoPath, numbers(video.chunk[row], video.file[row]), ["video_key": video.key]),
            video.start[row]
          )
        }
        out.append(episode)
      }
    }
    return out
  }

  /// The texts that numbers of a column stand for, `tasks` or `subtasks`; empty where there is no such file.
  func texts(_ what: String, _ index: String) throws(TrajpackError) -> [Int64: String] {
    var out: [Int64: String] = [:]
    let table = "\(folder)/meta/\(what)s.parquet"
    if FileSystem.item(at: table) == .file {
      let table = try ParquetTable(table)
      let numbers = try table.integers(index)
      // The text is the index that pandas keeps, whose column has various names.
      let text = table.file.columns.first { $0.physical == .bytes && $0.repetition == 0 }
      guard let text else {
        throw TrajpackError(.data, file: table.file.path, "has no column of text")
      }
      let texts = try table.texts(text)
      for (row, number) in numbers.enumerated() {
        out[number] = String(decoding: try texts.text(row) ?? [], as: UTF8.self)
      }
    } else if FileSystem.item(at: "\(folder)/meta/\(what)s.jsonl") == .file {
      for (line, place) in try lines("meta/\(what)s.jsonl") {
        guard let number = line[index]?.int, let text = line[what]?.string else {
          throw TrajpackError(
            .data, "\(place): has no '\(index)' and '\(what)'",
            at: ErrorPlace(file: "\(folder)/meta/\(what)s.jsonl"))
        }
        out[Int64(number)] = text
      }
    }
    return out
  }

  /// The objects of a file of JSON lines, and the place of each.
  private func lines(_ name: String) throws(TrajpackError) -> [(JSONValue, String)] {
    let path = "\(folder)/\(name)"
    let file = try LocalFile(path)
    guard file.length <= 64 << 20 else {
      throw TrajpackError(.data, file: path, "has \(file.length) bytes, too many for metadata")
    }
    var out: [(JSONValue, String)] = []
    let all = try file.bytes(0..<file.length)
    for (number, line) in all.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
    ).enumerated() {
      guard line.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) else { continue }
      let place = "\(path): line \(number + 1)"
      out.append(
        (
          try within(place, file: path, line: number + 1, startingAt: line.startIndex) {
            () throws(TrajpackError) in
            try JSONValue(parsing: Array(line), mostValues: 1 << 20)
          }, place
        ))
    }
    return out
  }
}
