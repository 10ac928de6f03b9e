import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// How many rows streams at their own rates have in the time of a window, at most.
struct NativeRows {
  let reference: String
  /// Rows of a window on the reference clock.
  let length: Int
  let rate: Rational?
  /// The streams that are asked about.
  let streams: Set<String>
  private let rounding: StampRounding
  private(set) var most: [String: Int] = [:]

  /// Looks at every episode; times are read where they are data.
  ///
  /// - Throws: A data error where times are damaged.
  init(
    _ datasets: [[ShardView]], streams: Set<String>, reference: String, length: Int,
    _ options: LoaderOptions
  ) throws(TrajpackError) {
    self.reference = reference
    self.length = length
    rounding = StampRounding(options.tolerance)
    rate = options.rate
    self.streams = streams
    for stream in streams { most[stream] = stream == reference && rate == nil ? length : 1 }
    if streams.isEmpty { return }
    for dataset in datasets {
      for shard in dataset {
        let reader = BlockReader(shard.shard)
        for episode in 0..<shard.index.episodeCount { try add(shard, episode, reader) }
      }
    }
  }

  private mutating func add(
    _ shard: ShardView, _ episode: Int, _ reader: BlockReader
  ) throws(TrajpackError) {
    let names = shard.schema.streams.map(\.name)
    // The tracks of each entity of each stream, in order.
    var groups: [(stream: String, entity: Int, clocks: [TrackClock])] = []
    var references: [TrackClock] = []
    for number in shard.index.tracks(ofEpisode: episode) {
      let track = shard.numbers(ofTrack: number)
      let name = names[track.stream]
      guard track.count > 0, name == reference || streams.contains(name) else { continue }
      let clock = try shard.trackClock(number, reader: reader)
      if name == reference { references.append(clock) }
      guard streams.contains(name), name != reference || rate != nil || track.entity >= 0 else {
        continue
      }
      if let at = groups.firstIndex(where: { $0.stream == name && $0.entity == track.entity }) {
        groups[at].clocks.append(clock)
      } else {
        groups.append((name, track.entity, [clock]))
      }
    }
    for group in groups {
      for clock in references {
        let rows = rows(group.clocks, clock)
        most[group.stream] = max(most[group.stream] ?? 1, rows)
      }
    }
  }

  /// The most rows of some tracks in a window on a reference track.
  private func rows(_ tracks: [TrackClock], _ reference: TrackClock) -> Int {
    var span: Instant?
    if let rate {
      span = .exact(Int128(length), 1) * Instant(periodOf: rate)
    } else if case .regular(_, _, let period, _) = reference {
      span = .exact(Int128(length), 1) * period
    }
    guard let span else {
      // Explicit times: each window lasts as long as it does; the last ones have no end.
      return (0..<reference.rows).reduce(0) { most, row in
        guard let begin = reference.instant(row) else { return most }
        let end = reference.instant(row + length)
        return max(
          most,
          tracks.reduce(0) { sum, track in
            sum + (end.map { track.first(near: $0, rounding) } ?? track.rows)
              - track.first(near: begin, rounding)
          })
      }
    }
    var most = inSpan(tracks.filter(\.isExplicit), span)
    for case .regular(_, let rate, _, let count) in tracks {
      let (whole, rest) = (span * rate).split
      most += whole >= count ? count : rest > 0 ? whole + 1 : max(whole, 1)
    }
    return most
  }

  /// The most rows in a span that begins at a row of one of the tracks: no other span has more.
  private func inSpan(_ tracks: [TrackClock], _ span: Instant) -> Int {
    var most = 0
    for track in tracks {
      for row in 0..<track.rows {
        guard let begin = track.instant(row) else { continue }
        let end = begin + span
        // Rounding of a sum may admit one more row; reserve it.
        let spare = if case .real = end { 1 } else { 0 }
        most = max(
          most,
          tracks.reduce(spare) { sum, track in
            sum + track.first(near: end, rounding) - track.first(near: begin, rounding)
          })
      }
    }
    return most
  }
}

extension TrackClock {
  /// Whether its times are data.
  var isExplicit: Bool {
    if case .regular = self { return false }
    return true
  }
}
