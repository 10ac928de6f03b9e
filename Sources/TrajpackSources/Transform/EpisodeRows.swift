import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// The tracks of one episode as a plan takes them. One thread at a time.
final class EpisodeRows {
  let shard: Shard
  let episode: ShardIndex.Episode
  let layout: EpisodeSource.Layout
  let streams: [(stream: PlanStream, time: Int?)]
  let programs: [PlanProgram]
  private let reader: BlockReader
  private var clocks: [String: PlanClock] = [:]

  init(
    _ source: EpisodeSource, _ place: EpisodeSource.Place, _ programs: [PlanProgram]
  ) throws(TrajpackError) {
    shard = try source.shard(place.shard)
    episode = shard.index.episode(place.number)
    layout = source.layouts[place.layout]
    streams = EpisodeSource.streams(layout)
    self.programs = programs
    reader = BlockReader(shard)
  }

  /// A reader of a track.
  func track(_ number: Int) -> TrackReader { TrackReader(shard, track: number, reader: reader) }

  /// Whose rows a track has.
  func key(_ number: Int) -> PlanKey {
    let track = shard.index.track(number)
    var run = 0
    for other in episode.tracks where other < number {
      let before = shard.index.track(other)
      if before.stream == track.stream, before.entity == track.entity { run += 1 }
    }
    return PlanKey(
      episode: episode.id, stream: streams[track.stream].stream.name,
      entity: track.entity.map { "\($0.kind)/\($0.index)" }, run: run)
  }

  /// The clock of a track as it was recorded.
  func clock(_ number: Int) throws(TrajpackError) -> PlanClock {
    let reader = track(number)
    switch reader.track.clock {
    case .regular(let start, let rate):
      return .regular(
        try RegularClock(start: start, rate: rate), first: 0, count: reader.count)
    case .ticks(let unit):
      let values = try times(reader)
      var ticks: [Int64] = []
      ticks.reserveCapacity(reader.count)
      for row in 0..<reader.count {
        guard case .int(let tick) = values.value(row, 0) else { throw missingTime(reader, row) }
        ticks.append(tick)
      }
      return .ticks(ticks, unit: unit, first: 0, origin: ticks.first ?? 0)
    case .float64:
      let x = try times(reader).doubles()
      if let row = x.firstIndex(where: { !$0.isFinite }) { throw missingTime(reader, row) }
      return .floats(x, first: 0, origin: x.first ?? 0)
    }
  }

  private func times(_ reader: TrackReader) throws(TrajpackError) -> ChannelValues {
    guard let time = reader.stream.channel(named: "time") else {
      throw TrajpackError(
        .data,
        "\(shard.name): stream '\(reader.stream.name)' has explicit times but no channel 'time'")
    }
    return try reader.read(channel: time, rows: 0..<reader.count)
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

  /// Rows of a track as its program takes them.
  private func input(
    _ number: Int, _ clock: PlanClock, _ rows: Range<Int>
  ) throws(TrajpackError) -> PlanTrack {
    let reader = track(number)
    let time = streams[reader.track.stream].time
    var columns: [PlanColumn] = []
    for (i, _) in reader.stream.channels.enumerated() where i != time {
      columns.append(PlanColumn(try reader.read(channel: i, rows: rows)))
    }
    return PlanTrack(clock: clock.slice(rows), columns: columns)
  }

  /// A track after all steps.
  func output(_ number: Int) throws(TrajpackError) -> PlanTrack {
    let clock = try clock(number)
    return try programs[shard.index.track(number).stream].run(
      try input(number, clock, 0..<clock.count), key: key(number), reference: reference)
  }

  /// A track after all steps, in pieces of rows one after the other where that gives the same bits, so
  /// that a track of any length takes little memory.
  func forEachPiece(
    _ number: Int, _ body: (PlanTrack) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let program = programs[shard.index.track(number).stream]
    let clock = try clock(number)
    let key = key(number)
    let width = program.inputs.reduce(8) { $0 + $1.elements * max($1.type.size, 16) }
    let size = max(Self.pieceBytes / width, 64)
    guard clock.count > 2 * size, !program.mayRoundInRuns else { return try body(output(number)) }
    let made = try program.clock(clock, key: key, reference: reference).rows
    let rows = max(size * made.count / clock.count, 1)
    var first = made.lowerBound
    while first < made.upperBound {
      let piece = first..<min(first + rows, made.upperBound)
      let needed = try program.sourceRows(for: piece, of: clock, key: key, reference: reference)
      if needed == clock.rows { return try body(output(number)) }
      try body(
        try program.run(try input(number, clock, needed), key: key, reference: reference)
          .trimmed(to: piece))
      first = piece.upperBound
    }
  }

  /// Bytes of rows of a piece, before the plan.
  private static let pieceBytes = 4 << 20
}
