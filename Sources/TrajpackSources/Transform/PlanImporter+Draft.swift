import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackStore

extension PlanImporter {
  /// The streams that a stream's tracks are written to: their channels, and how their times are kept.
  struct Target: Sendable {
    /// The stream's number in the new schema; `nil` where no channel is left.
    var stream: Int?
    /// The sort of explicit times; `nil` where every track has a regular clock.
    var times: PlanClock.Sort?
  }

  /// The streams of the source's layout as the plan leaves them; see ``Importer``.
  public func schema(
    for examined: [(Recording, EpisodeNumber)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    guard let first = examined.first?.1.value else { return Schema() }
    let number = source.places[first].layout
    let old = source.layouts[number].schema
    let targets = try targets(number)
    var plans: [StreamPlan] = []
    for (i, stream) in old.streams.enumerated() where targets[i].stream != nil {
      var planned: [ChannelPlan] = []
      let program = programs[number][i]
      var new = stream
      if program.isIdentity {
        planned = stream.channels.map { ChannelPlan($0, stored: old.blocks[$0.storage.block].type) }
      } else {
        if let times = targets[i].times {
          planned.append(
            ChannelPlan(
              Channel(name: "time", kind: .scalar, type: times == .ticks ? .int64 : .float64)))
        }
        planned += program.outputs.map { channel in
          var channel = channel
          channel.storage = .init(block: 0, column: 0)
          return ChannelPlan(channel)
        }
        // What the importer noted of the source's columns is no longer so, but how it wrote dates is.
        new.attributes = .record(["time": stream.attributes["time"]])
      }
      new.blob = nil
      plans.append(
        StreamPlan(
          new, channels: planned,
          blobBytes: stream.blob.map { old.blocks[$0].rows } ?? 0,
          blobIsText: stream.blob.map { old.blocks[$0].codec != .none } ?? true))
    }
    let used = Set(plans.compactMap(\.stream.skeleton))
    let isPlain = programs[number].allSatisfy(\.isIdentity)
    var attributes =
      isPlain
      ? old.attributes
      : .record(["source": "plan", ValueTable.member: old.attributes[ValueTable.member]])
    attributes = values.attributes(attributes)
    return Schema(
      layingOut: plans, skeletons: old.skeletons.filter { used.contains($0.name) },
      attributes: attributes, options: layout)
  }

  /// Where the streams of a layout go.
  func targets(_ layout: Int) throws(TrajpackError) -> [Target] {
    let programs = programs[layout]
    let sorts = PreparedSorts(programs, source.layouts[layout].sorts)
    var next = 0
    var result: [Target] = []
    for (i, program) in programs.enumerated() {
      let isKept = !program.outputs.isEmpty || program.inputs.isEmpty
      result.append(Target(stream: isKept ? next : nil, times: try sorts.explicit(i)))
      if isKept { next += 1 }
    }
    return result
  }

  /// Reads an episode and runs the plan; see ``Importer``.
  public func draft(
    _ recording: Recording, _ examination: EpisodeNumber, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let place = source.places[examination.value]
    let rows = try source.rows(place, programs[place.layout])
    let targets = try targets(place.layout)
    var tracks: [TrackDraft] = []
    var report: [JSONValue] = []
    for number in rows.episode.tracks {
      let track = rows.shard.index.track(number)
      let target = targets[track.stream]
      guard let stream = target.stream else { continue }
      let metadata =
        track.metadata.isEmpty ? .object([]) : try JSONValue(parsing: Array(track.metadata.utf8))
      var draft = TrackDraft(
        stream: stream, entity: track.entity, clock: track.clock, count: track.rows.count,
        metadata: metadata, rows: [])
      if programs[place.layout][track.stream].isIdentity {
        draft.rows = try schema.blockRows(
          of: stream, try copies(rows.track(number)), count: track.rows.count)
      } else {
        var written = TrackWriter(target.times)
        try rows.forEachPiece(number) { (piece) throws(TrajpackError) in
          try written.append(piece)
        }
        report.append(written.report(rows.key(number), before: track.rows.count))
        // A track that no row is left of is no track.
        guard let clock = written.clock, written.count > 0 else { continue }
        draft.clock = clock
        draft.count = written.count
        draft.rows = try schema.blockRows(of: stream, written.channels, count: written.count)
      }
      if track.blob.count > 0, schema.streams[stream].blob != nil {
        draft.bytes = .made(ArchivedBytes(rows.shard, track: number))
      }
      tracks.append(draft)
    }
    var metadata =
      rows.episode.metadata.isEmpty
      ? [] : try JSONValue(parsing: Array(rows.episode.metadata.utf8)).members ?? []
    metadata = values.metadata(metadata, of: rows.episode.id)
    if !report.isEmpty {
      let before = metadata.first { $0.name == Self.reportName }?.value.array ?? []
      metadata.removeAll { $0.name == Self.reportName }
      metadata.append(
        .init(
          Self.reportName,
          .array(
            before + [
              .object([
                .init("plan_digest", .string(plan.digest)), .init("tracks", .array(report)),
              ])
            ])))
    }
    return EpisodeDraft(
      id: rows.episode.id, split: rows.episode.split, metadata: .object(metadata), tracks: tracks)
  }

  /// The member of an episode's metadata that says what plans did to it.
  public static let reportName = "prepared"

  /// The channels of a track as they are stored.
  private func copies(_ track: TrackReader) throws(TrajpackError) -> [ChannelRows] {
    let spools = track.stream.channels.map { _ in RowSpool() }
    try track.forEachRun { (run) throws(TrajpackError) in
      for (number, spool) in spools.enumerated() {
        try spool.append(try track.read(channel: number, rows: run).bytes)
      }
    }
    return spools.map { ChannelRows(spool: $0) }
  }
}
