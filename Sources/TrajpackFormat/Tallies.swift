/// What the tracks of one stream of a shard are like.
package struct StreamSummary: Sendable {
  /// Tracks.
  package private(set) var tracks = 0
  /// The most rows of a track.
  package private(set) var longest = 0
  /// The most entities of an episode that have rows; 0 where the stream belongs to the episode.
  package private(set) var entities = 0
  /// The rates of tracks with a regular clock.
  package private(set) var rates: Set<Rational> = []
  /// Whether some tracks have explicit times.
  package private(set) var hasExplicitTimes = false

  // The clock and the rate of the track before, and the entities of its episode so far.
  private var clock = -1
  private var rate = (numerator: 0, denominator: 0)
  private var episode = -1
  private var present: Set<Int> = []

  /// A stream without tracks.
  package init() {}

  /// A clock's rate as a track's clock has it; `nil` for explicit times.
  package typealias Rate = (numerator: Int, denominator: Int)?

  /// Counts a track; those of an episode come one after the other.
  @inline(__always)
  package mutating func add(_ track: ShardIndex.TrackRecord, rate: (_ clock: Int) -> Rate) {
    tracks += 1
    longest = max(longest, track.count)
    if track.clock != clock { change(track.clock, rate(track.clock)) }
    if track.entity >= 0, track.count > 0 { meet(track.entity, in: track.episode) }
  }

  private mutating func change(_ clock: Int, _ rate: Rate) {
    self.clock = clock
    guard let rate else {
      hasExplicitTimes = true
      return
    }
    // Each track may have a clock of its own, as it begins at another time, of the same rate.
    if rate != self.rate, let exact = Rational(Int64(rate.numerator), Int64(rate.denominator)) {
      rates.insert(exact)
      self.rate = rate
    }
  }

  private mutating func meet(_ entity: Int, in episode: Int) {
    if episode != self.episode {
      self.episode = episode
      present.removeAll(keepingCapacity: true)
    }
    present.insert(entity)
    entities = max(entities, present.count)
  }

  /// Adds the tracks of other episodes.
  package mutating func add(_ other: StreamSummary) {
    tracks += other.tracks
    longest = max(longest, other.longest)
    entities = max(entities, other.entities)
    rates.formUnion(other.rates)
    hasExplicitTimes = hasExplicitTimes || other.hasExplicitTimes
  }
}

/// The episodes of one split of a shard.
package struct SplitTally: Sendable {
  /// How many.
  package var count = 0
  /// The number of the first one.
  package var first = Int.max
}
