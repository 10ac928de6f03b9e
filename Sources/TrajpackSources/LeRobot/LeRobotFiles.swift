import Synchronization
import TrajpackFormat
import TrajpackStore

/// The tables of a LeRobot dataset; the last ones that were asked for stay decoded.
final class LeRobotFiles: Sendable {
  private static let most = 4

  private struct Open {
    var path: String
    var table: ParquetTable
    var ranges: [Int64: Range<Int>]
  }

  private let folder: String
  private let open = Mutex<[Open]>([])

  init(_ folder: String) { self.folder = folder }

  /// The table of an episode, and its rows in it: those that have its number.
  func rows(_ episode: LeRobotEpisode) throws(TrajpackError) -> (ParquetTable, Range<Int>) {
    let path = "\(folder)/\(episode.file)"
    let (table, ranges) = try open.withLock { (open) throws(TrajpackError) in
      if let place = open.firstIndex(where: { $0.path == path }) {
        let found = open.remove(at: place)
        open.append(found)
        return (found.table, found.ranges)
      }
      let table = try ParquetTable(path)
      let ranges = try Self.ranges(table)
      if open.count == Self.most { open.removeFirst() }
      open.append(Open(path: path, table: table, ranges: ranges))
      return (table, ranges)
    }
    let rows = ranges[Int64(episode.index)] ?? 0..<0
    guard rows.count == episode.length else {
      throw TrajpackError(
        .data, file: path,
        "episode \(episode.index) has \(rows.count) rows, and \(episode.length) in the dataset's metadata"
      )
    }
    return (table, rows)
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
