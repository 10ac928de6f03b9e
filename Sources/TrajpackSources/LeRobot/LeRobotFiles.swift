import Synchronization
import TrajpackFormat
import TrajpackStore

/// The tables of a LeRobot dataset; the last ones that were asked for stay decoded.
final class LeRobotFiles: Sendable {
  private static let most = 4

  /// Seconds by which a timestamp may differ from the number of its row divided by the rate, as in lerobot.
  private static let tolerance = 1e-4

  private final class Open: Sendable {
    let path: String
    let table: ParquetTable
    let ranges: [Int64: Range<Int>]
    /// Episodes whose times and numbers of rows were compared with the clock.
    let checked = Mutex<Set<Int>>([])

    init(_ path: String, _ columns: [ParquetTable.NumberColumn]) throws(TrajpackError) {
      self.path = path
      table = try ParquetTable(path, expected: columns)
      ranges = try LeRobotFiles.ranges(table)
    }
  }

  private let folder: String
  private let fps: Rational
  private let columns: [ParquetTable.NumberColumn]
  private let open = Mutex<[Open]>([])

  /// The tables in a folder, of a rate, of which these columns will be read.
  init(_ folder: String, _ fps: Rational, _ columns: [ParquetTable.NumberColumn]) {
    (self.folder, self.fps, self.columns) = (folder, fps, columns)
  }

  /// The table of an episode, and its rows in it: those that have its number. Their times and numbers are those of the clock.
  func rows(_ episode: LeRobotEpisode) throws(TrajpackError) -> (ParquetTable, Range<Int>) {
    let path = "\(folder)/\(episode.file)"
    let found = try open.withLock { (open) throws(TrajpackError) in
      if let place = open.firstIndex(where: { $0.path == path }) {
        let found = open.remove(at: place)
        open.append(found)
        return found
      }
      let found = try Open(path, columns)
      if open.count == Self.most { open.removeFirst() }
      open.append(found)
      return found
    }
    let rows = found.ranges[Int64(episode.index)] ?? 0..<0
    guard rows.count == episode.length else {
      throw TrajpackError(
        .data, file: path,
        "episode \(episode.index) has \(rows.count) rows, and \(episode.length) in the dataset's metadata"
      )
    }
    if !found.checked.withLock({ $0.contains(episode.index) }) {
      try check(episode, found.table, rows)
      found.checked.withLock { _ = $0.insert(episode.index) }
    }
    return (found.table, rows)
  }

  /// Compares the times and numbers of rows with the clock.
  private func check(
    _ episode: LeRobotEpisode, _ table: ParquetTable, _ range: Range<Int>
  ) throws(TrajpackError) {
    let rate = Double(fps.numerator) / Double(fps.denominator)
    if !table.file.leaves("timestamp").isEmpty {
      for (row, time) in try table.doubles("timestamp", range).enumerated() {
        // float32 has less than 1e-4 s of precision beyond 1000 s.
        let room = max(Self.tolerance, Double(row) / rate * 1.2e-7)
        guard abs(time - Double(row) / rate) <= room else {
          throw TrajpackError(
            .data, file: table.file.path,
            "row \(range.lowerBound + row): 'timestamp' is \(time) s where row \(row) of episode "
              + "\(episode.index) lies at \(Double(row) / rate) s by the \(fps) frames a second of meta/info.json"
          )
        }
      }
    }
    if !table.file.leaves("frame_index").isEmpty {
      for (row, number) in try table.integers("frame_index", range).enumerated()
      where number != row {
        throw TrajpackError(
          .data, file: table.file.path,
          "row \(range.lowerBound + row): 'frame_index' is \(number) where \(row) is expected"
        )
      }
    }
  }

  private static func ranges(_ table: ParquetTable) throws(TrajpackError) -> [Int64: Range<Int>] {
    let numbers = try table.integers("episode_index")
    var ranges: [Int64: Range<Int>] = [:]
    var first = 0
    for row in numbers.indices where row + 1 == numbers.count || numbers[row + 1] != numbers[row] {
      guard ranges.updateValue(first..<row + 1, forKey: numbers[row]) == nil else {
        throw TrajpackError(
          .data, file: table.file.path,
          "the rows of episode \(numbers[row]) do not lie together (row \(first))"
        )
      }
      first = row + 1
    }
    return ranges
  }
}
