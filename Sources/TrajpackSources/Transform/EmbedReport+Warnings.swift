import TrajpackFormat

extension EmbedReport {
  /// Fewer rows than this of an episode are worth a warning.
  static let fewRows = 100

  /// Says where one choice for all fits an episode badly: where it leaves few rows, and where the
  /// episode alone would have a lag more than twice or less than half of it, or a dimension two apart.
  ///
  /// - Parameter tracks: the episodes that were looked at, and the rows of each of their tracks.
  mutating func warn(
    of channel: String, _ lag: Int, _ dimension: Int, tracks: [(id: String, rows: [Int])]
  ) {
    let span = (dimension - 1) * lag
    let rows = tracks.map { (id: $0.id, rows: $0.rows.reduce(0) { $0 + max($1 - span, 0) }) }
    var others: [Entry] = []
    for i in entries.indices where entries[i].channel == channel {
      guard let id = entries[i].episode else { continue }
      entries[i].embeddedRows = rows.first { $0.id == id }?.rows
      guard let own = entries[i].lag, let ownDimension = entries[i].dimension else { continue }
      if own > 2 * lag || 2 * own < lag || abs(ownDimension - dimension) >= 2 {
        others.append(entries[i])
      }
    }
    let few = rows.filter { $0.rows < Self.fewRows }
    if let least = few.min(by: { $0.rows < $1.rows }) {
      warnings.append(
        "channel '\(channel)': tau \(lag) and dimension \(dimension) leave \(Self.share(few.count, rows.count)) "
          + "fewer than \(Self.fewRows) rows (\(least.rows) of episode '\(least.id)')")
    }
    if !others.isEmpty {
      let ids = Set(others.map(\.episode)).count
      warnings.append(
        "channel '\(channel)': \(Self.share(ids, tracks.count)) alone would have "
          + "tau \(Self.range(others.compactMap(\.lag))), dimension "
          + "\(Self.range(others.compactMap(\.dimension))), far from \(lag) and \(dimension) of all "
          + "together; recordings of different systems belong in datasets of their own")
    }
  }

  private static func share(_ part: Int, _ all: Int) -> String {
    all == 1 ? "the episode" : "\(part) of \(all) episodes"
  }

  private static func range(_ numbers: [Int]) -> String {
    guard let least = numbers.min(), let most = numbers.max() else { return "-" }
    return least == most ? "\(least)" : "\(least) to \(most)"
  }
}
