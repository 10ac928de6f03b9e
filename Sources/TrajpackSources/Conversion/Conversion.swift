import TrajpackCodecs
import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

/// Converts recordings into a dataset, shard by shard, with what is needed to go on after any end.
///
/// The shards are planned from the sizes of the recordings alone, so the plan is the same on every run
/// and each shard is a task of its own: examined, laid out, written, made durable, acknowledged in the
/// journal. A run that was stopped loses the shard that was under way, nothing else.
public struct Conversion<Source: Importer>: Sendable {
  /// What the command line says.
  public struct Options: Sendable {
    /// How rows are cut and compressed.
    public var layout = LayoutOptions()
    /// Threads.
    public var jobs = WorkerPool.processors
    /// Bytes of source in a shard; a recording is never split.
    public var shardBytes = 512 << 20
    /// Go on with what is there.
    public var resume = false
    /// Replace the dataset that is there.
    public var overwrite = false
    /// Makes the side files of the dataset, when its shards are durable and before its manifest is written. It is
    /// given the folder and the shards, in order.
    public var sideFiles:
      (
        @Sendable (_ folder: String, _ shards: [Manifest.Entry]) throws(TrajpackError) ->
          [SideFile]
      )?

    /// The defaults.
    public init() {}
  }

  /// What happens meanwhile, for a progress bar.
  public struct Events: Sendable {
    /// Recordings and bytes in all, and how many of them an earlier run has done.
    public var planned:
      @Sendable (_ items: Int, _ bytes: Int, _ doneItems: Int, _ doneBytes: Int) -> Void
    /// A recording is being written.
    public var began: @Sendable (Recording) -> Void
    /// A recording has been written.
    public var wrote: @Sendable (Recording) -> Void
    /// A recording was left out, and why.
    public var skipped: @Sendable (Recording) -> Void
    /// Whether the user wants to stop.
    public var isInterrupted: @Sendable () -> Bool
    /// A sentence that a user should know.
    public var noted: @Sendable (String) -> Void

    /// Events that nobody looks at.
    public init(
      planned: @escaping @Sendable (Int, Int, Int, Int) -> Void = { _, _, _, _ in },
      began: @escaping @Sendable (Recording) -> Void = { _ in },
      wrote: @escaping @Sendable (Recording) -> Void = { _ in },
      skipped: @escaping @Sendable (Recording) -> Void = { _ in },
      isInterrupted: @escaping @Sendable () -> Bool = { false },
      noted: @escaping @Sendable (String) -> Void = { _ in }
    ) {
      self.planned = planned
      self.began = began
      self.wrote = wrote
      self.skipped = skipped
      self.isInterrupted = isInterrupted
      self.noted = noted
    }
  }

  /// What came of it.
  public struct Outcome: Sendable {
    /// The shards, in order.
    public var shards: [Manifest.Entry]
    /// Whether every shard was written; not so after an interrupt.
    public var isComplete: Bool
    /// Bytes of all recordings' files.
    public var sourceBytes: Int
    /// Recordings that were left out.
    public var skipped: Int
    /// How the source was read, as the manifest has it: an array of objects.
    public var reading: JSONValue?
    /// The files that were not taken, as the manifest has them, and how many there are.
    public var leftOut: JSONValue?

    /// Episodes in all.
    public var episodes: Int { shards.reduce(0) { $0 + $1.receipt.episodes } }
    /// Bytes of the shards.
    public var bytes: Int { shards.reduce(0) { $0 + $1.receipt.bytes } }
  }

  let source: Source
  let destination: String
  let options: Options
  let events: Events

  /// A conversion of `source` into the folder `destination`.
  public init(_ source: Source, to destination: String, options: Options, events: Events = Events())
  {
    self.source = source
    self.destination = destination
    self.options = options
    self.events = events
  }

  /// The most recordings of a shard: what is known of each before it is written is kept meanwhile.
  static var mostRecordings: Int { 4096 }

  /// The recordings of each shard, by number.
  public var plan: [Range<Int>] {
    var shards: [Range<Int>] = []
    var first = 0
    var bytes = 0
    for (i, recording) in source.recordings.enumerated() {
      let isFull =
        bytes + recording.bytes > options.shardBytes || i - first >= Self.mostRecordings
      if i > first, isFull || source.beginsShard(i) {
        shards.append(first..<i)
        (first, bytes) = (i, 0)
      }
      bytes += recording.bytes
    }
    if first < source.recordings.count { shards.append(first..<source.recordings.count) }
    return shards
  }

  /// What identifies the conversion: the same plan gives the same bytes.
  var planRecord: JSONValue {
    var hash = SHA256()
    for recording in source.recordings {
      Array("\(recording.id)\n\(recording.fingerprint)\n".utf8).withUnsafeBytes { hash.add($0) }
    }
    return .record([
      "type": "plan", "format": .string(Source.format.name), "options": source.options,
      "codec": .string(options.layout.codec.name),
      "level": options.layout.level.map { .int(Int64($0)) },
      "chunk_rows": options.layout.chunkRows.map { .int(Int64($0)) },
      "shard_bytes": .int(Int64(options.shardBytes)),
      "recordings": .int(Int64(source.recordings.count)), "digest": .string(hash.hexadecimal()),
    ])
  }

  /// Converts.
  ///
  /// - Throws: The first error, in the order of the recordings. What was acknowledged stays; the same
  ///   command with `resume` goes on behind it.
  public func run() throws(TrajpackError) -> Outcome {
    guard !source.recordings.isEmpty else {
      throw TrajpackError(.data, "there is no recording in the source; see 'trajpack formats'")
    }
    try refuseDuplicates()
    let target = try ConversionTarget(
      destination, plan: planRecord, resume: options.resume, overwrite: options.overwrite,
      note: events.noted)
    do throws(TrajpackError) {
      let outcome = try run(in: target)
      if !outcome.isComplete { try target.stop() }
      return outcome
    } catch {
      try? target.stop()
      throw target.explain(error)
    }
  }

  private func run(in target: ConversionTarget) throws(TrajpackError) -> Outcome {
    let folder = target.folder
    let total = source.recordings.reduce(0) { $0 + $1.bytes }
    let plan = plan
    guard folder.done.count <= plan.count else {
      throw TrajpackError(
        .data,
        "\(target.path): lists \(folder.done.count) shards where this conversion has \(plan.count); "
          + "use --overwrite to replace it")
    }
    let kept = folder.done.indices.filter { folder.damaged[$0] == nil }.flatMap { Array(plan[$0]) }
    events.planned(
      source.recordings.count, total, kept.count,
      kept.reduce(0) { $0 + source.recordings[$1].bytes })
    let pool = try WorkerPool(threads: options.jobs)
    var skipped = 0
    var shards = folder.done
    var streams: [String: [Stream]] = [:]
    func note(_ schema: Schema) {
      for stream in schema.streams { streams[stream.name, default: []].append(stream) }
    }
    for (number, range) in plan.enumerated() {
      let name = Manifest.shardName(number)
      let path = "\(target.path)/\(name)"
      if number < shards.count, folder.damaged[number] == nil {
        note(try Shard(path).schema)
        continue
      }
      // A shard that was acknowledged and is damaged is made again from the source, and must come out equal.
      let known = number < shards.count ? shards[number] : nil
      guard
        let (receipt, schema, left) = try write(
          path, range, pool, expected: known?.receipt.sha256)
      else {
        return Outcome(shards: shards, isComplete: false, sourceBytes: total, skipped: skipped)
      }
      skipped += left
      if let found = folder.damaged[number] {
        events.noted("\(found); it was written again from the source")
        note(schema)
        continue
      }
      let entry = Manifest.Entry(name: name, receipt: receipt)
      try folder.acknowledge(entry)
      shards.append(entry)
      note(schema)
    }
    if let manifest = folder.finished {
      try folder.leave()
      try target.finish(shards, source: planRecord, sideFiles: [])
      return Outcome(
        shards: shards, isComplete: true, sourceBytes: total, skipped: skipped,
        reading: manifest.source["reading"], leftOut: manifest.source["left_out"])
    }
    guard shards.contains(where: { $0.receipt.episodes > 0 }) else {
      throw TrajpackError(
        .data, "every recording of the source was left out, so no dataset was made")
    }
    let reading = source.reading(of: streams)
    let outcome = Outcome(
      shards: shards, isComplete: true, sourceBytes: total, skipped: skipped,
      reading: reading.isEmpty ? nil : .array(reading), leftOut: LeftOut.json(of: source.leftOut))
    let told = JSONValue.record(["reading": outcome.reading, "left_out": outcome.leftOut])
    try target.finish(
      shards, source: .object((planRecord.members ?? []) + (told.members ?? [])),
      sideFiles: try options.sideFiles?(target.path, shards) ?? [])
    return outcome
  }

  private func refuseDuplicates() throws(TrajpackError) {
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

  /// Writes a shard; `nil` where the user wants to stop.
  private func write(
    _ path: String, _ range: Range<Int>, _ pool: WorkerPool, expected: String?
  ) throws(TrajpackError) -> (ShardWriter.Receipt, schema: Schema, skipped: Int)? {
    let source = source
    var examined: [(Recording, Source.Examination)] = []
    var skipped = 0
    try inOrder(range, pool, ahead: pool.count * 4) { (recording) throws(TrajpackError) in
      try within(recording.path) { () throws(TrajpackError) in try source.examine(recording) }
    } each: { (recording, examination) throws(TrajpackError) in
      if let examination {
        examined.append((recording, examination))
      } else {
        skipped += 1
        events.skipped(recording)
      }
      return !events.isInterrupted()
    }
    if events.isInterrupted() { return nil }
    let schema = try source.schema(for: examined, options.layout)
    let writer = try ShardWriter(
      path, schema: schema, level: options.layout.level, pool: pool
    ) { (path) throws(TrajpackError) in try HDF5Backend(path) }
    let examinations = examined
    try inOrder(0..<examined.count, pool, ahead: pool.count) { (number) throws(TrajpackError) in
      let (recording, examination) = examinations[number]
      return try within(recording.path) { () throws(TrajpackError) in
        try source.draft(recording, examination, schema)
      }
    } each: { (number, draft) throws(TrajpackError) in
      events.began(examinations[number].0)
      try writer.append(draft)
      events.wrote(examinations[number].0)
      return !events.isInterrupted()
    }
    if events.isInterrupted() { return nil }
    return (try writer.commit(replacing: expected != nil, expected: expected), schema, skipped)
  }

  private func inOrder<Value: Sendable>(
    _ range: Range<Int>, _ pool: WorkerPool, ahead: Int,
    _ work: @escaping @Sendable (Recording) throws(TrajpackError) -> Value,
    each take: (Recording, Value) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) {
    let recordings = source.recordings
    try inOrder(range, pool, ahead: ahead) { (number) throws(TrajpackError) in
      try work(recordings[number])
    } each: { (number, value) throws(TrajpackError) in
      try take(recordings[number], value)
    }
  }

  /// Has the pool work some items ahead, and takes the results in order until `take` says no.
  private func inOrder<Value: Sendable>(
    _ range: Range<Int>, _ pool: WorkerPool, ahead: Int,
    _ work: @escaping @Sendable (Int) throws(TrajpackError) -> Value,
    each take: (Int, Value) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) {
    var queue: [Deferred<Value>] = []
    var next = range.lowerBound
    for number in range {
      while next < range.upperBound, next - number <= ahead {
        let item = next
        queue.append(pool.run { () throws(TrajpackError) in try work(item) })
        next += 1
      }
      let deferred = queue.removeFirst()
      guard try take(number, try deferred.value()) else { return }
    }
  }
}
