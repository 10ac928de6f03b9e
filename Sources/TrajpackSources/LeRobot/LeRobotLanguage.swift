import Synchronization
import TrajpackFormat
import TrajpackStore

/// Columns of what is said of an episode in words: `language_persistent`, of which every row has the whole list with its
/// times, and `language_events`, each on the row at which it happens. Each becomes a stream of its own, a row a record.
struct LeRobotLanguage: Sendable {
  typealias Record = [String: ParquetTable.Field]

  /// The column.
  var name: String
  /// The fields that are channels, in order.
  var fields: [String]

  private static let time = "timestamp"

  /// Whether a feature is such a column.
  static func isLanguage(_ feature: LeRobotInfo.Feature) -> Bool { feature.type == "language" }

  init(_ name: String, _ leaves: [ParquetColumn]) {
    self.name = name
    var fields: [String] = []
    for leaf in leaves where leaf.path.count >= 4 && leaf.path[3] != Self.time {
      if fields.last != leaf.path[3] { fields.append(leaf.path[3]) }
    }
    self.fields = fields
  }

  /// The stream of an episode.
  func stream(
    _ episode: LeRobotEpisode, _ tables: LeRobotFiles, _ fps: Rational
  ) -> MappedStream {
    let language = self
    let times = RowSource.made { () throws(TrajpackError) in
      try language.rows(episode, tables, fps).flatMap { row in
        withUnsafeBytes(of: row.time.bitPattern.littleEndian) { Array($0) }
      }
    }
    let channels = fields.map { field in
      MappedChannel(
        Channel(name: field, kind: .text, type: .bytes),
        .texts { () throws(TrajpackError) in
          try language.rows(episode, tables, fps).map { row in
            switch row.record[field] {
            case .text(let text): Array(text.utf8)
            case .texts(let texts): Self.json(texts)
            case .number(let number): Array("\(number)".utf8)
            case nil: nil
            }
          }
        })
    }
    return MappedStream(
      name: name, count: MappedStream.asTimes, time: .array(times, .float64, tick: .one, unit: "s"),
      channels: channels,
      attributes: [.init("lerobot", .record(["dtype": "language"]))])
  }

  /// A list as JSON; its elements are JSON already, or texts.
  private static func json(_ texts: [String]) -> [UInt8] {
    let parts = texts.map { text in
      (try? JSONValue(parsing: text)) == nil ? JSONValue.string(text).text() : text
    }
    return Array("[\(parts.joined(separator: ","))]".utf8)
  }

  private func rows(
    _ episode: LeRobotEpisode, _ tables: LeRobotFiles, _ fps: Rational
  ) throws(TrajpackError) -> [(time: Double, record: Record)] {
    let (table, range) = try tables.rows(episode)
    let records = try table.recordRows(name)
    guard table.file.leaves(name).contains(where: { $0.path.count > 3 && $0.path[3] == Self.time })
    else {
      return range.flatMap { row in
        records[row].map {
          (Double(row - range.lowerBound) * Double(fps.denominator) / Double(fps.numerator), $0)
        }
      }
    }
    guard let first = range.first else { return [] }
    if let other = range.first(where: { records[$0] != records[first] }) {
      throw TrajpackError(
        .data, file: table.file.path,
        "row \(other): '\(name)' is another list than in row \(first), and it is one of the whole "
          + "episode; leave it out by --exclude-members '\(name)'")
    }
    var out: [(time: Double, record: Record)] = []
    for (number, record) in records[first].enumerated() {
      guard case .number(let time)? = record[Self.time], time.isFinite else {
        throw TrajpackError(
          .data, file: table.file.path, "row \(first): '\(name)' has no time in record \(number)")
      }
      out.append((time, record))
    }
    // Those of one time stay in their order.
    return out.enumerated().sorted {
      ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
    }.map(\.element)
  }
}
