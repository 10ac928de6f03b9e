import TrajpackFormat
import TrajpackStore

/// The rows of a track in pieces that fit into memory, whatever the length of their texts and bytes.
struct RowPieces {
  /// The pieces, in order.
  private(set) var all: [Range<Int>] = []

  /// - Parameters:
  ///   - rows: The most rows of a piece.
  ///   - bytes: The most bytes that the rows of a piece have; one row may have more.
  ///   - sizes: The bytes of each of some rows.
  init(
    _ count: Int, rows: Int, bytes: Int, sizes: (Range<Int>) throws(TrajpackError) -> [Int]
  ) throws(TrajpackError) {
    for first in stride(from: 0, to: count, by: rows) {
      let end = min(first + rows, count)
      var (start, filled) = (first, 0)
      for (row, size) in zip(first..<end, try sizes(first..<end)) {
        if row > start, filled + size > bytes {
          all.append(start..<row)
          (start, filled) = (row, 0)
        }
        filled += size
      }
      all.append(start..<end)
    }
  }
}

extension TrackReader {
  /// The bytes that each of some rows has in channels of texts and bytes.
  func byteCounts(_ channels: [Int], _ rows: Range<Int>) throws(TrajpackError) -> [Int] {
    var sizes = [Int](repeating: 0, count: rows.count)
    for values in try read(channels: channels, rows: rows) {
      for row in sizes.indices {
        guard case .int(let length) = values.value(row, 1) else { continue }
        // What is longer than a row may be is refused where it is read.
        sizes[row] += Int(min(max(length, 0), Int64(Self.maximumBytes)))
      }
    }
    return sizes
  }
}

/// The names of the columns that channels become.
enum ColumnNames {
  /// Names of which none is taken: a channel may be called as the column of times is.
  static func of(
    _ stream: Stream, _ channels: [Int], taken: Set<String>, in folder: ExportFolder
  ) -> [String] {
    let own = Set(channels.map { stream.channels[$0].name })
    var taken = taken
    return channels.map { number in
      let channel = stream.channels[number].name
      var name = channel
      while taken.contains(name) || (name != channel && own.contains(name)) { name += "_" }
      taken.insert(name)
      if name != channel {
        folder.note(
          "'\(stream.name)/\(channel)' is the column '\(name)', as '\(channel)' has the times of rows"
        )
      }
      return name
    }
  }
}
