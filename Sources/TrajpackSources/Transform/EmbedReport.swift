import TrajpackFormat
import TrajpackSignal

/// How a lag and a dimension were chosen.
public struct EmbedReport: Sendable {
  /// A choice for one number of a row.
  public struct Entry: Sendable {
    /// The channel, as `stream/channel`, and which number of its rows.
    public var channel: String
    /// Which number of a row; 0 for a scalar.
    public var element: Int
    /// The episode; `nil` for all that were looked at together.
    public var episode: String?
    /// Rows that were looked at.
    public var rows: Int
    /// The lag; `nil` where none was found.
    public var lag: Int? { estimate.lag }
    /// The dimension; `nil` where none was found.
    public var dimension: Int? { estimate.dimension }
    /// What was unusual.
    public var remarks: [String] { estimate.remarks }
    var estimate: EmbedEstimate
    /// For an episode, the most rows that it has after the embedding; over gaps there are fewer.
    public internal(set) var embeddedRows: Int?
  }

  /// How the lag was sought.
  public var lagBy: String
  /// How the dimension was sought.
  public var dimensionBy: String
  /// The split whose episodes were looked at; empty for all.
  public var split: String
  /// For each channel and element: first of all episodes together, then of each.
  public internal(set) var entries: [Entry] = []
  /// What was chosen for each channel: the median of its elements' lags, the largest dimension.
  public internal(set) var chosen: [(channel: String, lag: Int, dimension: Int)] = []
  /// The list that PECUZAL or MDOP chose; `nil` where each channel has a lag and a dimension.
  public internal(set) var joint: Joint?
  /// Of how many episodes rows were looked at.
  public internal(set) var episodes = (looked: 0, of: 0)
  /// What a reader should know before using the choice, in sentences.
  public internal(set) var warnings: [String] = []

  /// All of it.
  public var json: JSONValue {
    let looked: JSONValue = .record([
      "episodes": .int(Int64(episodes.looked)), "of": .int(Int64(episodes.of)),
    ])
    let warnings: JSONValue? = warnings.isEmpty ? nil : .array(warnings.map { .string($0) })
    if let joint { return joint.json(split: split, looked: looked, warnings: warnings) }
    return .record([
      "tau_by": .string(lagBy), "dimension_by": .string(dimensionBy), "split": .string(split),
      "looked_at": looked, "warnings": warnings,
      "chosen": .array(
        chosen.map {
          .record([
            "channel": .string($0.channel), "tau": .int(Int64($0.lag)),
            "dimension": .int(Int64($0.dimension)),
          ])
        }), "estimates": .array(entries.map(\.json)),
    ])
  }
}

extension EmbedReport.Entry {
  fileprivate var json: JSONValue {
    func list(_ numbers: [Double]) -> JSONValue? {
      numbers.isEmpty ? nil : .array(numbers.map { .double($0) })
    }
    return .record([
      "channel": .string(channel), "element": .int(Int64(element)),
      "episode": episode.map { .string($0) }, "rows": .int(Int64(rows)),
      "embedded_rows": embeddedRows.map { .int(Int64($0)) },
      "tau": lag.map { .int(Int64($0)) } ?? .null,
      "dimension": dimension.map { .int(Int64($0)) } ?? .null,
      "remarks": remarks.isEmpty ? nil : .array(remarks.map { .string($0) }),
      "by_lag": list(estimate.byLag), "by_dimension": list(estimate.byDimension),
      "e2": list(estimate.e2),
    ])
  }
}
