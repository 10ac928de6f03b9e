import TrajpackFormat
import TrajpackHDF5
import TrajpackStore

extension Conversion {
  /// A shard that was written.
  struct Written {
    /// `nil` where every recording was left out, so that there is no shard.
    var receipt: ShardWriter.Receipt?
    var schema: Schema
    /// The recordings that it holds.
    var numbers: [Int]
    /// Those that were left out.
    var failed: [FailedRecording]
    /// What a user should know of those that it holds, in order.
    var remarks: [(id: String, text: String)] = []
  }

  /// Recordings of a shard while it is made: what is known of those that are taken, and those that are not.
  private struct Batch {
    var taken: [(number: Int, recording: Recording, examination: Source.Examination)] = []
    var failed: [FailedRecording] = []

    var examined: [(Recording, Source.Examination)] { taken.map { ($0.recording, $0.examination) } }
  }

  /// What a thread has found; an error that leaves the recording out is a value.
  private enum Found<Value: Sendable>: Sendable {
    case value(Value)
    case error(TrajpackError)
  }

  /// Writes a shard; `nil` where the user wants to stop.
  func write(
    _ path: String, _ numbers: [Int], _ pool: WorkerPool, expected: String?
  ) throws(TrajpackError) -> Written? {
    // What was converted once must be so again.
    let skips = options.skipsErrors && expected == nil
    guard var batch = try examine(numbers, pool, skips: skips) else { return nil }
    var told: Set<String> = []
    while true {
      var schema = try layOut(&batch, skips: skips)
      try options.depth.apply(to: &schema, isFirst: numbers.first == 0)
      guard !batch.taken.isEmpty || expected != nil else {
        return Written(receipt: nil, schema: schema, numbers: [], failed: batch.failed)
      }
      let writer = try ShardWriter(
        path, schema: schema, level: options.layout.level, pool: pool
      ) { (path) throws(TrajpackError) in try HDF5Backend(path) }
      let (source, taken, laidOut) = (source, batch.taken, schema)
      var bad: (at: Int, error: TrajpackError)?
      var remarks: [(id: String, text: String)] = []
      do throws(TrajpackError) {
        try inOrder(0..<taken.count, pool, ahead: pool.count) { (at) throws(TrajpackError) in
          try Self.trying(skips) { () throws(TrajpackError) in
            try within(taken[at].recording.path) { () throws(TrajpackError) in
              try source.draft(taken[at].recording, taken[at].examination, laidOut)
            }
          }
        } each: { (at, found) throws(TrajpackError) in
          let recording = taken[at].recording
          switch found {
          case .value(let draft):
            events.began(recording)
            if let read = events.read {
              // What is written counts like another reading of the files.
              let share = Double(recording.bytes) / Double(max(draft.byteCount(in: schema), 1))
              writer.tookBytes = { read(Int(Double($0) * share)) }
            }
            try Interruption.watched(events.isInterrupted) { () throws(TrajpackError) in
              try writer.append(draft)
            }
            remarks += draft.remarks.map { (recording.id, $0) }
            if told.insert(recording.id).inserted { events.wrote(recording) }
          case .error(let error):
            bad = (at, error)
            return false
          }
          return !events.isInterrupted()
        }
      } catch {
        // A draft and its writing end themselves when the user wants to stop.
        if events.isInterrupted() { return nil }
        throw error
      }
      if events.isInterrupted() { return nil }
      if let bad {
        // The shard is begun again without it, as if it had never been there.
        leaveOut(bad.at, bad.error, &batch)
        continue
      }
      let receipt = try writer.commit(replacing: expected != nil, expected: expected)
      do throws(TrajpackError) {
        try source.check(shard: path)
      } catch {
        try? FileSystem.remove(path)
        throw error
      }
      return Written(
        receipt: receipt, schema: schema, numbers: batch.taken.map(\.number), failed: batch.failed,
        remarks: remarks)
    }
  }

  /// Looks at the recordings of a shard; `nil` where the user wants to stop.
  private func examine(
    _ numbers: [Int], _ pool: WorkerPool, skips: Bool
  ) throws(TrajpackError) -> Batch? {
    var batch = Batch()
    let (source, recordings) = (source, source.recordings)
    do throws(TrajpackError) {
      try inOrder(0..<numbers.count, pool, ahead: pool.count * 4) { (at) throws(TrajpackError) in
        let recording = recordings[numbers[at]]
        return try Self.trying(skips) { () throws(TrajpackError) in
          try within(recording.path) { () throws(TrajpackError) in try source.examine(recording) }
        }
      } each: { (at, found) throws(TrajpackError) in
        let (number, recording) = (numbers[at], recordings[numbers[at]])
        switch found {
        case .value(let examination?): batch.taken.append((number, recording, examination))
        case .value(nil):
          fail(recording, number, "its files differ in frames", .mismatch, &batch)
        case .error(let error):
          fail(recording, number, Self.reason(error, recording), .error, &batch)
        }
        return !events.isInterrupted()
      }
    } catch {
      if events.isInterrupted() { return nil }
      throw error
    }
    return events.isInterrupted() ? nil : batch
  }

  /// Lays out a schema. Where one recording does not go with those before it, it is left out.
  private func layOut(_ batch: inout Batch, skips: Bool) throws(TrajpackError) -> Schema {
    while true {
      do throws(TrajpackError) {
        return try source.schema(for: batch.examined, options.layout)
      } catch {
        guard skips, error.fault == .data, !batch.taken.isEmpty else { throw error }
        // The first recording that makes it fail, by halves.
        var (good, bad) = (0, batch.taken.count)
        while bad - good > 1 {
          let middle = (good + bad) / 2
          let part = Array(batch.examined.prefix(middle))
          if (try? source.schema(for: part, options.layout)) == nil {
            bad = middle
          } else {
            good = middle
          }
        }
        leaveOut(bad - 1, error, &batch)
      }
    }
  }

  private func leaveOut(_ at: Int, _ error: TrajpackError, _ batch: inout Batch) {
    let (number, recording, _) = batch.taken.remove(at: at)
    fail(recording, number, Self.reason(error, recording), .error, &batch)
  }

  private func fail(
    _ recording: Recording, _ number: Int, _ why: String, _ rule: FailedRecording.Rule,
    _ batch: inout Batch
  ) {
    let failure = FailedRecording(recording, number: number, why, rule)
    batch.failed.append(failure)
    events.skipped(recording, failure)
  }

  /// An error without the path, which is said beside it.
  private static func reason(_ error: TrajpackError, _ recording: Recording) -> String {
    let prefix = "\(recording.path): "
    return error.message.hasPrefix(prefix)
      ? String(error.message.dropFirst(prefix.count)) : error.message
  }

  /// Runs `work`; an error of the data is a value where recordings are left out for it.
  private static func trying<Value: Sendable>(
    _ skips: Bool, _ work: () throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Found<Value> {
    do throws(TrajpackError) {
      return .value(try work())
    } catch {
      guard skips, error.fault == .data else { throw error }
      return .error(error)
    }
  }

  /// Has the pool work some items ahead, each of which ends itself when the user wants to stop, and takes the results
  /// in order until `take` says no.
  private func inOrder<Value: Sendable>(
    _ range: Range<Int>, _ pool: WorkerPool, ahead: Int,
    _ work: @escaping @Sendable (Int) throws(TrajpackError) -> Value,
    each take: (Int, Value) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) {
    var queue: [Future<Value>] = []
    var next = range.lowerBound
    let isInterrupted = events.isInterrupted
    for number in range {
      while next < range.upperBound, next - number <= ahead {
        let item = next
        queue.append(
          pool.run { () throws(TrajpackError) in
            try Interruption.watched(isInterrupted) { () throws(TrajpackError) in try work(item) }
          })
        next += 1
      }
      let future = queue.removeFirst()
      guard try take(number, try future.value()) else { return }
    }
  }
}
