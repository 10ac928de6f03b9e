import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Which recordings of a source the shards of a dataset hold, and which are still to be converted.
///
/// The journal has a record of type `recordings` for each shard, with the ids and fingerprints that it was made
/// from; the manifest has those of recordings that were left out. So a recording that was mended, added or removed
/// since does not keep the others from being gone on with.
struct ResumePoint {
  /// The numbers of the recordings in each shard, in order.
  var done: [[Int]] = []
  /// The numbers of the recordings that are still to be converted.
  var pending: [Int] = []
  /// The recordings that an earlier run has left out and that are as they were.
  var failed: [FailedRecording] = []
  /// The recordings of a shard whose files have changed since, by the shard's number.
  var changed: [Int: [Int]] = [:]
}

/// The recordings of a source as a resumption compares them.
struct SourceRecordings {
  let plan: JSONValue
  let recordings: [Recording]
  /// The numbers of the recordings of each shard where nothing was done before.
  let shards: [[Int]]
  private let numbers: [String: Int]

  init(_ recordings: [Recording], plan: JSONValue, shards: [[Int]]) {
    (self.recordings, self.plan, self.shards) = (recordings, plan, shards)
    numbers = Dictionary(
      recordings.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// What stands for the fingerprint of a recording in a journal.
  static func mark(_ fingerprint: String) -> String {
    Array(fingerprint.utf8).withUnsafeBytes { String(SHA256.of($0).prefix(16)) }
  }

  /// SHA-256 over the ids and fingerprints of recordings.
  static func digest(_ recordings: some Sequence<(id: String, fingerprint: String)>) -> String {
    var hash = SHA256()
    for (id, fingerprint) in recordings {
      Array("\(id)\n\(fingerprint)\n".utf8).withUnsafeBytes { hash.add($0) }
    }
    return hash.hexadecimal()
  }

  /// Whether two plans differ at most in their recordings.
  static func areAlike(_ one: JSONValue?, _ other: JSONValue) -> Bool {
    func rest(_ plan: JSONValue?) -> [JSONValue.Member]? {
      plan?.members?.filter { !["recordings", "digest"].contains($0.name) }
    }
    return one != nil && rest(one) == rest(other)
  }

  /// The journal's record of the recordings that a shard holds, and of those left out beside them.
  func note(_ shard: String, _ numbers: [Int], _ failed: [FailedRecording]) -> JSONValue {
    .record([
      "type": "recordings", "shard": .string(shard),
      "ids": .array(numbers.map { .string(recordings[$0].id) }),
      "fingerprints": .array(
        numbers.map { .string(Self.mark(recordings[$0].fingerprint)) }),
      "left_out": FailedRecording.json(of: failed),
    ])
  }

  /// Nothing is done.
  var start: ResumePoint { ResumePoint(pending: Array(shards.joined())) }

  /// After shards of which only the plan is known, which is that of these recordings: the first shards of it.
  func point(
    after shards: [Manifest.Entry], in path: String, _ failed: [FailedRecording]
  ) throws(TrajpackError) -> ResumePoint {
    guard shards.count <= self.shards.count else {
      throw TrajpackError(
        .data, file: path,
        "lists \(shards.count) shards where this conversion has \(self.shards.count); "
          + "use --overwrite to replace it")
    }
    var point = ResumePoint(failed: failed)
    let known = Set(failed.map(\.id))
    for (number, entry) in shards.enumerated() {
      let planned = self.shards[number].filter { !known.contains(recordings[$0].id) }
      point.done.append(planned)
      guard entry.receipt.episodes < planned.count,
        let shard = try? Shard("\(path)/\(entry.name)")
      else { continue }
      // An earlier run has left some out.
      let ids = Set((0..<shard.index.episodeCount).map { shard.index.episode($0).id })
      for i in planned where !ids.contains(recordings[i].id) {
        point.failed.append(
          FailedRecording(recordings[i], number: i, "an earlier run left it out", .earlier))
      }
      point.done[number] = planned.filter { ids.contains(recordings[$0].id) }
    }
    point.pending = self.shards[shards.count...].flatMap(\.self)
    return point
  }

  /// After a finished dataset of these recordings: by the plan, or where mended recordings stand in shards of their
  /// own at the end by what the shards say.
  func finished(
    _ entries: [Manifest.Entry], in path: String, _ failed: [FailedRecording]
  ) throws(TrajpackError) -> ResumePoint {
    var point = ResumePoint(failed: failed)
    var isDone = [Bool](repeating: false, count: recordings.count)
    for failure in failed { if let i = numbers[failure.id] { isDone[i] = true } }
    var isPlanned = entries.count <= shards.count
    for (number, entry) in entries.enumerated() {
      let shard = try? Shard("\(path)/\(entry.name)")
      let own = shard.map { shard in
        (0..<shard.index.episodeCount).compactMap { numbers[shard.index.episode($0).id] }
      }
      for i in own ?? [] { isDone[i] = true }
      if isPlanned, !Set(own ?? []).isSubset(of: shards[number]) { isPlanned = false }
      point.done.append(own ?? [])
    }
    if isPlanned { return try self.point(after: entries, in: path, failed) }
    // A shard that does not open has what no other one has.
    var left = recordings.indices.filter { !isDone[$0] }[...]
    for (number, entry) in entries.enumerated() where point.done[number].isEmpty {
      point.done[number] = Array(left.prefix(entry.receipt.episodes))
      left = left.dropFirst(entry.receipt.episodes)
    }
    return point
  }

  /// After shards of whose recordings the journal has records.
  ///
  /// - Parameter completion: The record that ends the journal of a task, with what was left out behind its last shard.
  /// - Throws: A usage error that names a recording which a shard holds and the source does not.
  func point(
    after shards: [Manifest.Entry], _ notes: [String: JSONValue], completion: JSONValue? = nil,
    in path: String
  ) throws(TrajpackError) -> ResumePoint {
    var point = ResumePoint()
    var isDone = [Bool](repeating: false, count: recordings.count)
    func takeLeftOut(_ record: JSONValue?) {
      for var failure in FailedRecording.list(record?["left_out"]) {
        guard let i = numbers[failure.id], !isDone[i],
          recordings[i].fingerprint == failure.fingerprint
        else { continue }
        failure.number = i
        isDone[i] = true
        point.failed.append(failure)
      }
    }
    for (number, entry) in shards.enumerated() {
      guard let note = notes[entry.name], let ids = note["ids"]?.array,
        let marks = note["fingerprints"]?.array, ids.count == marks.count
      else { throw Self.other(path, "") }
      var own: [Int] = []
      for (id, mark) in zip(ids, marks) {
        guard let id = id.string, let i = numbers[id] else {
          throw Self.other(path, "recording '\(id.string ?? "")' is not in the source any more; ")
        }
        own.append(i)
        isDone[i] = true
        if Self.mark(recordings[i].fingerprint) != mark.string {
          point.changed[number, default: []].append(i)
        }
      }
      point.done.append(own)
      takeLeftOut(note)
    }
    takeLeftOut(completion)
    point.pending = self.shards.joined().filter { !isDone[$0] }
    return point
  }

  /// After a finished dataset whose source was another: the records of its shards, where only recordings that
  /// were left out have changed, or others were added.
  ///
  /// - Throws: A usage error that names what has changed, as far as that is known.
  func notes(
    of manifest: Manifest, in path: String
  ) throws(TrajpackError) -> [String: JSONValue] {
    let failed = FailedRecording.list(manifest.source["left_out"])
    var ids: [[String]] = []
    for entry in manifest.shards {
      let index = try Shard("\(path)/\(entry.name)").index
      ids.append((0..<index.episodeCount).map { index.episode($0).id })
    }
    var kept: [Int] = []
    for id in ids.joined() {
      guard let i = numbers[id] else {
        throw Self.other(path, "recording '\(id)' is not in the source any more; ")
      }
      kept.append(i)
    }
    kept.sort()
    // The recordings as they were: what was left out stands at its number.
    var before = kept.map { (id: recordings[$0].id, fingerprint: recordings[$0].fingerprint) }
    for failure in failed.sorted(by: { $0.number < $1.number }) {
      before.insert(
        (failure.id, failure.fingerprint), at: min(failure.number, before.count))
    }
    guard manifest.source["digest"]?.string == Self.digest(before) else {
      let since = Recording.changed(
        kept.map { recordings[$0] }, since: "\(path)/\(Manifest.fileName)")
      throw Self.other(
        path,
        since.map { "\($0) has changed since it was made; " }
          ?? "files of recordings that it holds have changed; ")
    }
    var notes: [String: JSONValue] = [:]
    for (number, entry) in manifest.shards.enumerated() {
      notes[entry.name] = note(
        entry.name, ids[number].compactMap { numbers[$0] }, number == 0 ? failed : [])
    }
    return notes
  }

  private static func other(_ path: String, _ what: String) -> TrajpackError {
    TrajpackError(
      .usage, file: path,
      "was made from other sources or with other options; \(what)give the same ones to "
        + "resume, or use --overwrite")
  }
}
