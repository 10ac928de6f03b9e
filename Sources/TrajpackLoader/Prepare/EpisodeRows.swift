import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// The tracks of one episode as a plan takes them. One thread at a time.
package final class EpisodeRows {
  package let shard: Shard
  package let episode: ShardIndex.Episode
  package let streams: [(stream: PlanStream, time: Int?)]
  package let programs: [PlanProgram]
  private let reader: BlockReader
  private var clocks: [String: PlanClock] = [:]
  /// The epoch of a loader that rows are made for.
  package var epoch: UInt64 = 0

  /// The tracks of episode `number`; `reader` is shared between episodes that are read in turn.
  public init(
    _ shard: Shard, episode number: Int, streams: [(stream: PlanStream, time: Int?)],
    programs: [PlanProgram], reader: BlockReader? = nil
  ) {
    self.shard = shard
    episode = shard.index.episode(number)
    self.streams = streams
    self.programs = programs
    self.reader = reader ?? BlockReader(shard)
  }

  /// A reader of a track.
  package func track(_ number: Int) -> TrackReader {
    TrackReader(shard, track: number, reader: reader)
  }

  /// Whose rows a track has.
  package func key(_ number: Int) -> PlanKey {
    let track = shard.index.track(number)
    var run = 0
    for other in episode.tracks where other < number {
      let before = shard.index.track(other)
      if before.stream == track.stream, before.entity == track.entity { run += 1 }
    }
    return PlanKey(
      episode: episode.id, stream: streams[track.stream].stream.name,
      entity: track.entity.map { "\($0.kind)/\($0.index)" }, run: run, epoch: epoch)
  }

  /// The clock of a track as it was recorded.
  package func clock(_ number: Int) throws(TrajpackError) -> PlanClock {
    let reader = track(number)
    switch reader.track.clock {
    case .regular(let start, let rate):
      return .regular(
        try RegularClock(start: start, rate: rate), first: 0, count: reader.count)
    case .ticks(let unit):
      let ticks = try reader.ticks { missingTime(reader, $0) }
      return .ticks(ticks, unit: unit, first: 0, origin: ticks.first ?? 0)
    case .float64:
      let x = try reader.storedTimes(0..<reader.count).doubles()
      if let row = x.firstIndex(where: { !$0.isFinite }) { throw missingTime(reader, row) }
      return .floats(x, first: 0, origin: x.first ?? 0)
    }
  }

  private func missingTime(_ reader: TrackReader, _ row: Int) -> TrajpackError {
    TrajpackError(
      .data,
      "episode '\(episode.id)', stream '\(reader.stream.name)': row \(row) has no time; a plan needs one "
        + "for each row")
  }

  /// The clock of a stream's only track after some steps, for streams that go onto it.
  func reference(_ name: String, _ steps: Int) throws(TrajpackError) -> PlanClock {
    if let known = clocks["\(steps) \(name)"] { return known }
    let found = episode.tracks.filter { streams[shard.index.track($0).stream].stream.name == name }
    guard let number = found.first, found.count == 1 else {
      throw TrajpackError(
        .data,
        "episode '\(episode.id)' has \(found.count) tracks of stream '\(name)', and one is needed to go "
          + "onto: leave the episode out, or go onto another stream")
    }
    let program = programs[shard.index.track(number).stream]
    let clock = try program.clock(
      try clock(number), steps: steps, key: key(number)
    ) { (stream, steps) throws(TrajpackError) in try self.reference(stream, steps) }
    clocks["\(steps) \(name)"] = clock
    return clock
  }

  /// A track as its program takes it: all of it, or some rows of a regular clock.
  package func input(
    _ number: Int, rows: Range<Int>? = nil
  ) throws(TrajpackError) -> PlanTrack {
    let reader = track(number)
    let whole = try clock(number)
    let clock = rows.map { whole.slice($0) } ?? whole
    let time = streams[reader.track.stream].time
    let channels = reader.stream.channels.indices.filter { $0 != time }
    let values = try reader.read(channels: channels, rows: rows ?? 0..<reader.count)
    return PlanTrack(clock: clock, columns: values.map { PlanColumn($0) })
  }

  /// A track after all steps.
  package func output(_ number: Int) throws(TrajpackError) -> PlanTrack {
    let program = programs[shard.index.track(number).stream]
    return try program.run(
      try input(number), key: key(number)
    ) { (stream, steps) throws(TrajpackError) in try self.reference(stream, steps) }
  }

  /// The clock of a track after all steps.
  package func outputClock(_ number: Int) throws(TrajpackError) -> PlanClock {
    let program = programs[shard.index.track(number).stream]
    return try program.clock(
      try clock(number), key: key(number)
    ) { (stream, steps) throws(TrajpackError) in try self.reference(stream, steps) }
  }

  /// Rows of a track after all steps, numbered as ``outputClock(_:)`` numbers them; `nil` where they need
  /// the whole track.
  package func output(
    _ number: Int, rows: Range<Int>
  ) throws(TrajpackError) -> PlanTrack? {
    let program = programs[shard.index.track(number).stream]
    let whole = try clock(number)
    let key = key(number)
    let needed = try program.sourceRows(
      for: rows, of: whole, key: key
    ) { (stream, steps) throws(TrajpackError) in try self.reference(stream, steps) }
    if needed == whole.rows { return nil }
    return try program.run(
      try input(number, rows: needed), key: key
    ) { (stream, steps) throws(TrajpackError) in try self.reference(stream, steps) }
    .trimmed(to: rows)
  }

  /// A track after all steps, in pieces of rows one after the other where that gives the same bits, so
  /// that a track of any length takes little memory.
  package func forEachPiece(
    _ number: Int, _ body: (PlanTrack) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let program = programs[shard.index.track(number).stream]
    let count = try clock(number).count
    let width = program.inputs.reduce(8) { $0 + $1.elements * max($1.type.size, 16) }
    let size = max(Self.pieceBytes / width, 64)
    guard count > 2 * size, !program.mayRoundInRuns else { return try body(output(number)) }
    let made = try outputClock(number).rows
    let rows = max(size * made.count / count, 1)
    var first = made.lowerBound
    while first < made.upperBound {
      let piece = first..<min(first + rows, made.upperBound)
      guard let part = try output(number, rows: piece) else {
        return try body(output(number).trimmed(to: first..<made.upperBound))
      }
      try body(part)
      first = piece.upperBound
    }
  }

  /// Bytes of rows of a piece, before the plan.
  private static let pieceBytes = 4 << 20
}
