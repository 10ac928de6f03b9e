import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

extension Conversion {
  /// Converts.
  ///
  /// - Throws: The first error, in the order of the recordings; under ``Options/skipsErrors`` only those that are
  ///   none of a recording's files. What was acknowledged stays; the same command with `resume` goes on behind it.
  public func run() throws(TrajpackError) -> Outcome {
    try check()
    let recordings = SourceRecordings(
      source.recordings, plan: taskRecord,
      shards: options.task.map { Array(plan[$0]) } ?? plan)
    let target = try ConversionTarget(
      destination, recordings, resume: options.resume, overwrite: options.overwrite,
      staging: options.staging, comparesBytes: options.comparesBytes, note: events.noted)
    do throws(TrajpackError) {
      let outcome = try run(in: target, recordings)
      if !outcome.isComplete { try target.stop() }
      return outcome
    } catch {
      try? target.stop()
      throw target.explain(error)
    }
  }

  private func run(
    in target: ConversionTarget, _ recordings: SourceRecordings
  ) throws(TrajpackError) -> Outcome {
    let folder = target.folder
    let point = folder.point
    let all = source.recordings
    let own = recordings.shards.joined()
    let total = own.reduce(0) { $0 + all[$1].bytes }
    let kept = folder.done.indices.filter { folder.damaged[$0] == nil }.flatMap { point.done[$0] }
    let settled = kept + point.failed.map(\.number)
    events.planned(own.count, total, settled.count, settled.reduce(0) { $0 + all[$1].bytes })
    if let read = events.read { source.watchReads(read) }
    let pool = try WorkerPool(threads: options.jobs)
    source.use(pool.idleThreads, isInterrupted: events.isInterrupted)
    var outcome = Outcome(
      shards: folder.done, isComplete: false, sourceBytes: total, failed: point.failed)
    var streams: [String: [Stream]] = [:]
    func note(_ schema: Schema) {
      for stream in schema.streams { streams[stream.name, default: []].append(stream) }
    }
    // What was left out since the last shard, for its record in the journal.
    var untold = point.failed
    var remarks: [(id: String, text: String)] = []
    let sender = try ShardSender(folder, isInterrupted: events.isInterrupted)
    // After an error, what was sent before is acknowledged all the same.
    defer { _ = try? sender.settle() }
    /// Takes the shard that was sent; `false` where the user wants to stop.
    func settle() throws(TrajpackError) -> Bool {
      switch try sender.settle() {
      case .nothing: return true
      case .acknowledged(let entry):
        outcome.shards.append(entry)
        return true
      case .stopped: return false
      }
    }
    for (step, range) in (point.done + shards(of: point.pending)).enumerated() {
      let number = min(step, outcome.shards.count + (sender.isSending ? 1 : 0))
      let name = Manifest.shardName(number)
      let path = "\(target.path)/\(name)"
      let known = step < folder.done.count ? folder.done[number] : nil
      let changed = known == nil ? [] : point.changed[number] ?? []
      if known != nil, folder.damaged[number] == nil, changed.isEmpty {
        note(try Shard("\(target.home)/\(name)").schema)
        continue
      }
      // A shard that was acknowledged and is damaged, or whose source was touched, is made again from the source,
      // and must come out equal.
      let written: Written?
      do throws(TrajpackError) {
        written = try write(path, range, pool, expected: known?.receipt.sha256)
      } catch {
        guard let first = changed.first, error.fault == .data else { throw error }
        let file =
          Recording.changed([all[first]], since: path) ?? all[first].path
        throw TrajpackError(
          .data, file: file,
          "has changed since \(name) was made from it, and does not give the same shard "
            + "(\(error.message)); put the old file back to go on, or use --overwrite",
          at: error.place)
      }
      guard let written else {
        _ = try settle()
        return outcome
      }
      outcome.failed += written.failed
      remarks += written.remarks
      outcome.remarks = Self.gathered(remarks)
      untold += written.failed
      if written.receipt != nil { note(written.schema) }
      if let known {
        guard try bringing(to: folder, { () throws(TrajpackError) in try folder.restore(known) })
        else { return outcome }
        let found =
          folder.damaged[number] ?? "\(all[changed[0]].path): was touched since \(name) was made"
        events.noted(
          "\(found); it was written again from the source"
            + (folder.damaged[number] == nil ? ", and is the same" : ""))
        continue
      }
      guard let receipt = written.receipt else { continue }
      let entry = Manifest.Entry(name: name, receipt: receipt)
      let note = recordings.note(name, written.numbers, untold)
      guard try settle() else { return outcome }
      try sender.send(entry, note: note)
      if folder.home.isFolder { outcome.shards.append(entry) }
      untold = []
    }
    guard try settle() else { return outcome }
    guard options.task == nil else {
      try target.folder.complete(leftOut: untold)
      outcome.isComplete = true
      outcome.failed.sort { $0.number < $1.number }
      return outcome
    }
    return try finish(outcome, target, streams)
  }

  /// The plan as the journal of a task has it: with the shards that are its own.
  private var taskRecord: JSONValue {
    options.task.map { planRecord.limited(to: $0) } ?? planRecord
  }

  private func finish(
    _ outcome: Outcome, _ target: ConversionTarget, _ streams: [String: [Stream]]
  ) throws(TrajpackError) -> Outcome {
    var outcome = outcome
    outcome.isComplete = true
    if let manifest = target.folder.finished {
      try target.folder.leave()
      try target.finish(outcome.shards, source: planRecord, sideFiles: [])
      outcome.reading = manifest.source["reading"]
      outcome.leftOut = manifest.source["left_out"]
      return outcome
    }
    guard outcome.shards.contains(where: { $0.receipt.episodes > 0 }) else {
      let first = outcome.failed.first.map { "; \($0.path): \($0.why)" } ?? ""
      throw TrajpackError(
        .data, "every recording of the source was left out, so no dataset was made\(first)")
    }
    let reading = source.reading(of: streams)
    outcome.reading = reading.isEmpty ? nil : .array(reading)
    outcome.failed.sort { $0.number < $1.number }
    outcome.leftOut = LeftOut.json(of: source.leftOut, failed: outcome.failed)
    let told = JSONValue.record(["reading": outcome.reading, "left_out": outcome.leftOut])
    try target.finish(
      outcome.shards, source: .object((planRecord.members ?? []) + (told.members ?? [])),
      sideFiles: try options.sideFiles?(
        .init(shards: target.home, files: target.path), outcome.shards) ?? [])
    return outcome
  }

  /// Brings a shard home, which may take long for a bucket; `false` where the user wants to stop.
  private func bringing(
    to folder: DatasetFolder, _ body: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Bool {
    guard !folder.home.isFolder else {
      try body()
      return true
    }
    do throws(TrajpackError) {
      try Interruption.watched(events.isInterrupted, body)
      return true
    } catch {
      guard events.isInterrupted() else { throw error }
      return false
    }
  }

  /// Each sentence once, in the order of the recordings, with the first of them that it is true of and their number.
  private static func gathered(_ remarks: [(id: String, text: String)]) -> [String] {
    var texts: [String] = []
    var ids: [String: (first: String, count: Int)] = [:]
    for (id, text) in remarks {
      if ids[text] == nil { texts.append(text) }
      ids[text, default: (id, 0)].count += 1
    }
    return texts.map { text in
      guard let (first, count) = ids[text] else { return text }
      return "\(first)\(count > 1 ? " and \(count - 1) more" : ""): \(text)"
    }
  }

  /// Refuses a source without recordings, or with an id that comes twice.
  public func check() throws(TrajpackError) {
    guard !source.recordings.isEmpty else {
      throw TrajpackError(.data, "there is no recording in the source; see 'trajpack formats'")
    }
    var seen: [String: String] = [:]
    for recording in source.recordings {
      if let first = seen.updateValue(recording.path, forKey: recording.id) {
        throw TrajpackError(
          .data,
          "episode id '\(recording.id)' comes twice, from \(first) and from "
            + "\(recording.path); convert them into two datasets or rename one")
      }
    }
  }
}
