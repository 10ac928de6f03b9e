import TrajpackFormat
import TrajpackStore

/// What the indexes say about the streams of all datasets, from the tallies of each shard.
struct StreamProfile {
  /// The most entities of each stream in an episode; 0 where it belongs to the episode.
  private(set) var entities: [String: Int] = [:]
  /// The rates of each stream's tracks; `nil` where some have explicit times.
  private var rates: [String: Set<Rational>?] = [:]
  /// The splits that there are.
  private(set) var splits: [String] = []
  /// The most rows that a track of each stream has.
  private(set) var longest: [String: Int] = [:]

  init(_ datasets: [[ShardView]]) {
    for dataset in datasets {
      for shard in dataset { add(shard) }
    }
  }

  private mutating func add(_ shard: ShardView) {
    for split in shard.schema.splits where !splits.contains(split) { splits.append(split) }
    for (stream, tally) in zip(shard.schema.streams, shard.tallies) {
      entities[stream.name] = max(entities[stream.name] ?? 0, tally.entities)
      longest[stream.name] = max(longest[stream.name] ?? 0, tally.longest)
      let before = rates[stream.name] ?? []
      rates[stream.name] = .some(tally.hasExplicitTimes ? nil : before?.union(tally.rates))
    }
  }

  /// The rates of a stream's tracks; `nil` where some have explicit times.
  func rates(_ stream: String) -> Set<Rational>? { rates[stream] ?? [] }

  /// The rate of each stream that has one, and no other.
  var singleRates: [String: Rational] {
    var out: [String: Rational] = [:]
    for name in rates.keys {
      if let rates = rates(name), rates.count == 1 { out[name] = rates.first }
    }
    return out
  }

  /// Streams of explicit times, and those with a single row: logs, whose rows count until the next one comes.
  var sparse: Set<String> {
    Set(rates.keys.filter { rates($0) == nil || longest[$0] == 1 })
  }

  /// Rows of a window that is given as a duration.
  ///
  /// - Throws: A usage error where the reference has no one rate.
  func rows(
    of duration: Rational, reference: String, rate: Rational?
  ) throws(TrajpackError) -> Int {
    var rate = rate
    if rate == nil, let rates = rates(reference), rates.count == 1 { rate = rates.first }
    guard let rate else {
      throw TrajpackError(
        .usage,
        "'duration' needs one rate, but stream '\(reference)' has explicit times or several; give "
          + "'rate', or 'length' in rows")
    }
    let rows = (Instant(duration) * Instant(rate)).value.rounded()
    guard rows >= 1, rows <= Double(LoaderOptions.limit) else {
      throw TrajpackError(
        .usage, "'duration' \(duration) at \(rate) rows a second is no number of rows")
    }
    return Int(rows)
  }
}
