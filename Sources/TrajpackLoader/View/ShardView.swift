import TrajpackFormat
import TrajpackStore

/// A shard as a loader sees it: as it was recorded, or as a plan leaves it.
final class ShardView: Sendable {
  let shard: Shard
  let schema: Schema
  let clocks: [Clock]
  /// What a plan makes of it; `nil` without a plan.
  let prepared: PreparedTracks?

  /// A shard as it was recorded.
  init(_ shard: Shard) {
    self.shard = shard
    schema = shard.schema
    clocks = shard.index.allClocks
    prepared = nil
  }

  /// A shard as a plan leaves it.
  init(_ shard: Shard, _ prepared: PreparedTracks, _ schema: Schema, _ clocks: [Clock]) {
    self.shard = shard
    self.prepared = prepared
    self.schema = schema
    self.clocks = clocks
  }

  var index: ShardIndex { shard.index }

  /// The numbers of a track.
  func numbers(ofTrack number: Int) -> ShardIndex.TrackRecord {
    prepared?.tracks[number] ?? shard.index.numbers(ofTrack: number)
  }

  /// What the tracks of each stream are like.
  var tallies: [StreamSummary] {
    guard let prepared else { return shard.index.streamTallies }
    var tallies = schema.streams.map { _ in StreamSummary() }
    for track in prepared.tracks {
      tallies[track.stream].add(track) { number in
        clocks[number].rate.map { (Int($0.numerator), Int($0.denominator)) }
      }
    }
    return tallies
  }

  /// Whether rows of a stream are made by a plan.
  func isPrepared(_ stream: Int) -> Bool { prepared?.isPrepared(stream) ?? false }

  /// The channels that are others in each epoch, as `stream/channel`.
  static func varying(_ views: [[ShardView]]) -> Set<String> {
    var out: Set<String> = []
    for program in views.joined().compactMap(\.prepared).flatMap(\.programs) {
      out.formUnion(program.varying.map { "\(program.stream)/\($0)" })
    }
    return out
  }

  /// The epoch that rows of a stream are to be made for; 0 where they are the same in each.
  func epoch(_ epoch: UInt64, ofStream stream: Int) -> UInt64 {
    prepared?.varies(stream) == true ? epoch : 0
  }

  /// The times of a track's rows.
  ///
  /// - Throws: A data error where they are data, and damaged.
  func trackClock(
    _ track: Int, reader: @autoclosure () -> BlockReader
  ) throws(TrajpackError) -> TrackClock {
    let numbers = numbers(ofTrack: track)
    let clock = clocks[numbers.clock]
    if case .regular(let start, let rate) = clock {
      return TrackClock(start: start, rate: rate, rows: numbers.count)
    }
    if let prepared, prepared.isPrepared(numbers.stream) {
      return try TrackViewer(self, prepared).clock(track)
    }
    return try TrackClock(shard, track: track, reader: reader())
  }
}
