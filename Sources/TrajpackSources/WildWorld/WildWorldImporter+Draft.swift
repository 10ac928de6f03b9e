import TrajpackFormat
import TrajpackStore

extension WildWorldImporter {
  /// Reads a recording into rows; see ``Importer``.
  public func draft(
    _ recording: Recording, _ examination: WildWorldExaminationResult, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let sample = try sample(recording)
    let seen = examination.seen
    var tracks: [TrackDraft] = []
    var layout: Int?
    var absent: JSONValue?
    if let columns = seen.columns {
      let names = JSONValue.array(columns.map { .string($0.name) })
      layout = schema.attributes["layouts"]?.array?.firstIndex(of: names)
      let state = try stateRows(sample, columns, schema, limit: seen.frames)
      absent = state.absentTexts
      tracks += state.tracks(clock)
    }
    for array in seen.arrays ?? [] {
      tracks += try skeletonTracks(sample, array, schema, limit: seen.frames)
    }
    for video in seen.videos {
      guard let stream = schema.stream(named: video.stream) else { continue }
      let file =
        sample.pictures[video.stream] != nil
        ? video.stream : WildWorldImporter.videoFiles.first { $0.0 == video.stream }?.1 ?? ""
      tracks.append(
        try video.draft(
          stream: stream, schema: schema, rate: settings.rate,
          mode: settings.mode(of: video.stream),
          limit: seen.isByTime ? nil : seen.frames,
          place: "\(sample.place)/\(file)"))
    }
    return EpisodeDraft(
      id: recording.id,
      metadata: .record([
        "frames": .int(Int64(seen.frames)), "rate": .string(settings.rate.description),
        "layout": layout.map { .int(Int64($0)) }, "absent": absent,
        "skeleton": seen.arrays.map { arrays in
          .array(
            arrays.map {
              .record([
                "key": .string($0.key), "joints": .int(Int64($0.joints)),
                "type": $0.type == .float32 ? nil : .string($0.type.rawValue),
              ])
            })
        },
      ]), tracks: tracks, remarks: seen.remarks)
  }

  private func stateRows(
    _ sample: Sample, _ columns: [WildWorldExamination.Column], _ schema: Schema, limit: Int
  ) throws(TrajpackError) -> StateRows {
    try within(file: "state.csv") { () throws(TrajpackError) in
      var state = StateRows(columns, schema)
      let table = try TableReader(csv: watch.file("\(sample.folder)/state.csv"))
      var frame = 0
      while table.form.count == columns.count, frame < limit, try table.next() {
        try state.append(table, frame: frame)
        frame += 1
      }
      guard frame == limit else {
        throw TrajpackError(.data, "has changed while it was converted; run again")
      }
      return state
    }
  }

  /// The clock of rows that begin with a frame.
  private func clock(from frame: Int) -> Clock {
    let rate = settings.rate
    let start = Rational(Int64(frame) * rate.denominator, rate.numerator) ?? .zero
    return .regular(start: start, rate: rate)
  }

  private func skeletonTracks(
    _ sample: Sample, _ array: WildWorldExamination.Array, _ schema: Schema, limit: Int
  ) throws(TrajpackError) -> [TrackDraft] {
    guard let stream = schema.stream(named: array.stream(sample.edges)) else { return [] }
    let stored = schema.streams[stream].channels.first?.type ?? array.type
    let rowBytes = array.joints * 3 * stored.size
    var rows = SkeletonRows(joints: array.joints, array.type, as: stored)
    let archive = try NPZ(
      watch.file("\(sample.folder)/skeleton.npz", times: 2), as: "skeleton.npz")
    try archive.array(array.key).read { (bytes, _) throws(TrajpackError) in
      try rows.append(bytes, limit: limit)
    }
    var row = 0
    return rows.runs.map { run in
      defer { row += run.count }
      return TrackDraft(
        stream: stream, entity: array.entity, clock: clock(from: run.first), count: run.count,
        rows: [.init(rows.spool, offset: row * rowBytes)])
    }
  }
}
