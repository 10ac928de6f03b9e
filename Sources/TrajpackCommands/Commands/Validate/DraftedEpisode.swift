import TrajpackFormat
import TrajpackSources
import TrajpackStore
import TrajpackValidate

/// An episode of a source that was read and is not written anywhere.
struct DraftedEpisode: EpisodeData {
  let about: EpisodeAbout
  private let draft: EpisodeDraft
  /// For each block of rows, its place among those of its stream.
  private let places: [Int: Int]

  init(_ draft: EpisodeDraft, _ schema: Schema) {
    self.draft = draft
    var places: [Int: Int] = [:]
    for stream in schema.streams.indices {
      for (place, block) in schema.rowBlocks(of: stream).enumerated() { places[block] = place }
    }
    self.places = places
    func text(_ json: JSONValue) -> String { json == .object([]) ? "" : json.text() }
    about = EpisodeAbout(
      id: draft.id, split: draft.split, metadata: text(draft.metadata), shard: nil, schema: schema,
      tracks: draft.tracks.map {
        .init(
          stream: $0.stream, entity: $0.entity, clock: $0.clock, count: $0.count,
          blobBytes: $0.bytes?.count ?? 0, metadata: text($0.metadata))
      })
  }

  func read(
    track: Int, block: Int, rows: Range<Int>, into buffer: UnsafeMutableRawPointer
  ) throws(TrajpackError) {
    guard let place = places[block] else { return }
    let size = about.schema.blocks[block].rowBytes
    let from = draft.tracks[track].rows[place]
    try from.spool.read(
      at: from.offset + rows.lowerBound * size,
      into: UnsafeMutableRawBufferPointer(start: buffer, count: rows.count * size))
  }
}

/// Looks at recordings as a conversion would take them, without writing any.
struct SourceValidation<Source: Importer> {
  let source: Source
  let name: String
  let config: ValidateConfig
  let pool: WorkerPool
  /// The profile whose rules are run; the importer's where `nil`.
  var profile: String?
  /// What is not checked of it, whatever it holds.
  var unchecked = "the rules on files of a dataset, which has not been made yet"

  func run(
    isStopped: () -> Bool, planned: (_ bytes: Int, _ episodes: Int) -> Void,
    progress: @escaping (EpisodeAbout, Int) -> Void
  ) throws(TrajpackError) -> Validation.Outcome {
    let run = try Validation(
      name, profile: profile ?? Source.format.name, config, pool: pool, progress: progress)
    run.unchecked(
      unchecked,
      rules: Rule.all.map(\.id).filter {
        $0.hasPrefix("container.") && $0 != "container.unreadable"
      })
    if !source.leftOut.isEmpty {
      run.unchecked("\(source.leftOut.count) files that a conversion would not take")
    }
    let all = source.recordings
    planned(all.reduce(0) { $0 + $1.bytes }, all.count)
    let plan = Conversion(source, to: "", options: .init()).plan
    for numbers in plan {
      let wanted = numbers.filter { run.takes(all[$0].id) }
      var examined: [(TrajpackSources.Recording, Source.Examination)] = []
      for found in try examine(wanted.map { all[$0] }) {
        guard !isStopped() else { return try run.finish(isStopped: true) }
        switch found.result {
        case .success(let examination?): examined.append((found.recording, examination))
        case .success(nil):
          run.unreadable(
            found.recording.path,
            TrajpackError(.data, file: found.recording.path, "its files differ in frames"))
        case .failure(let error): run.unreadable(found.recording.path, error)
        }
      }
      guard !examined.isEmpty else { continue }
      let schema: Schema
      do throws(TrajpackError) { schema = try source.schema(for: examined, LayoutOptions()) } catch
      {
        guard error.fault == .data else { throw error }
        // The file that does not go with the others, where the error names it.
        let named = examined.first { error.message.hasPrefix($0.0.path + ":") }
        run.unreadable((named ?? examined[0]).0.path, error)
        run.unchecked(
          "the rows of \(examined.count) recordings from '\(examined[0].0.id)' on, which do not go together"
        )
        continue
      }
      for (recording, examination) in examined {
        guard !isStopped() else { return try run.finish(isStopped: true) }
        let source = source
        try run.add(recording.id, shard: nil) { () throws(TrajpackError) in
          let draft = try within(file: recording.path) { () throws(TrajpackError) in
            try source.draft(recording, examination, schema)
          }
          return [DraftedEpisode(draft, schema)]
        }
      }
    }
    return try run.finish()
  }

  private struct Found: Sendable {
    var recording: TrajpackSources.Recording
    var result: Result<Source.Examination?, TrajpackError>
  }

  /// Looks at recordings, several at once. Only an error of the machine is thrown.
  private func examine(_ recordings: [TrajpackSources.Recording]) throws(TrajpackError) -> [Found] {
    let source = source
    let jobs = recordings.map { recording in
      pool.run { () throws(TrajpackError) -> Found in
        do throws(TrajpackError) {
          return Found(recording: recording, result: .success(try source.examine(recording)))
        } catch {
          guard error.fault == .data else { throw error }
          return Found(recording: recording, result: .failure(error))
        }
      }
    }
    var out: [Found] = []
    for job in jobs { out.append(try job.value()) }
    return out
  }
}
