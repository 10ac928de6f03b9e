import TrajpackFormat
import TrajpackStore

/// What the indexes say about the streams of all datasets, gathered in one pass over the tracks.
struct DataFacts {
  /// The most entities of each stream in an episode; 0 where it belongs to the episode.
  private(set) var entities: [String: Int] = [:]
  /// The clocks that tracks of each stream have.
  private(set) var clocks: [String: Set<Clock>] = [:]
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
    let index = shard.index
    let streams = shard.schema.streams
    for split in shard.schema.splits where !splits.contains(split) { splits.append(split) }
    var used = streams.map { _ in Set<Int>() }
    var last = [Int](repeating: -1, count: streams.count)
    var rows = [Int](repeating: 0, count: streams.count)
    var most = [Int](repeating: 0, count: streams.count)
    var present = streams.map { _ in Set<Int>() }
    var episode = -1
    for number in 0..<index.trackCount {
      let track = shard.numbers(ofTrack: number)
      if track.clock != last[track.stream] {
        used[track.stream].insert(track.clock)
        last[track.stream] = track.clock
      }
      rows[track.stream] = max(rows[track.stream], track.count)
      guard track.entity >= 0, track.count > 0 else { continue }
      if track.episode != episode {
        episode = track.episode
        for i in present.indices { present[i].removeAll(keepingCapacity: true) }
      }
      present[track.stream].insert(track.entity)
      most[track.stream] = max(most[track.stream], present[track.stream].count)
    }
    let all = shard.clocks
    for (i, stream) in streams.enumerated() {
      entities[stream.name] = max(entities[stream.name] ?? 0, most[i])
      longest[stream.name] = max(longest[stream.name] ?? 0, rows[i])
      clocks[stream.name, default: []].formUnion(used[i].map { all[$0] })
    }
  }

  /// The rates of a stream's tracks; `nil` where some have explicit times.
  func rates(_ stream: String) -> Set<Rational>? {
    var rates: Set<Rational> = []
    for clock in clocks[stream] ?? [] {
      guard case .regular(_, let rate) = clock else { return nil }
      rates.insert(rate)
    }
    return rates
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
