import TrajpackFormat
import TrajpackStore

/// Sorts any number of records of two numbers in fixed memory: runs of them are sorted, written to a temporary file, and merged.
final class ExternalSort {
  /// A record; records are sorted by key, then by value.
  struct Record: Comparable {
    var key: UInt64
    var value: UInt64

    static func < (a: Record, b: Record) -> Bool { (a.key, a.value) < (b.key, b.value) }
  }

  /// Records that are held in memory before they are written.
  private let most: Int
  private var held: [Record] = []
  /// The sorted runs in ``file``: the first byte and the records of each.
  private var runs: [(at: Int, count: Int)] = []
  private var file: RowSpool?

  /// Records that a merge holds of all runs together.
  private static let merged = 1 << 17

  /// - Parameter most: Records that are held in memory, of 16 bytes each.
  init(most: Int = 1 << 18) { self.most = max(most, 1) }

  /// Bytes in the temporary file.
  var spilledBytes: Int { file?.count ?? 0 }

  /// Adds a record.
  ///
  /// - Throws: An error of the machine where the temporary file cannot be written.
  func add(_ key: UInt64, _ value: UInt64) throws(TrajpackError) {
    held.append(Record(key: key, value: value))
    if held.count >= most { try spill() }
  }

  private func spill() throws(TrajpackError) {
    held.sort()
    let out = file ?? RowSpool(limit: 1 << 16)
    file = out
    runs.append((out.count, held.count))
    for first in stride(from: 0, to: held.count, by: 4096) {
      let failure = held[first..<min(first + 4096, held.count)].withUnsafeBytes {
        bytes -> TrajpackError? in
        do throws(TrajpackError) {
          try out.append(bytes)
          return nil
        } catch { return error }
      }
      if let failure { throw failure }
    }
    held.removeAll(keepingCapacity: true)
  }

  /// Gives all records in order, and forgets them.
  ///
  /// - Throws: What `body` throws, and an error of the machine where the temporary file cannot be read.
  func forEach(_ body: (Record) throws(TrajpackError) -> Void) throws(TrajpackError) {
    defer { (held, runs, file) = ([], [], nil) }
    guard let file, !runs.isEmpty else {
      held.sort()
      for record in held { try body(record) }
      return
    }
    if !held.isEmpty { try spill() }
    held = []
    let each = max(Self.merged / runs.count, 64)
    var heap: [RunReader] = []
    for run in runs {
      let reader = RunReader(file, run.at, run.count, each)
      if try reader.advance() { heap.append(reader) }
    }
    for root in stride(from: heap.count / 2 - 1, through: 0, by: -1) { Self.sink(&heap, root) }
    while let first = heap.first {
      try body(first.record)
      if try !first.advance() {
        let last = heap.removeLast()
        if heap.isEmpty { return }
        heap[0] = last
      }
      Self.sink(&heap, 0)
    }
  }

  /// Moves a reader down a heap until none below it is before it.
  private static func sink(_ heap: inout [RunReader], _ from: Int) {
    var at = from
    while true {
      var least = at
      for child in [2 * at + 1, 2 * at + 2]
      where child < heap.count && heap[child].record < heap[least].record {
        least = child
      }
      guard least != at else { return }
      heap.swapAt(at, least)
      at = least
    }
  }
}

/// Reads a sorted run, some records at a time.
private final class RunReader {
  private let file: RowSpool
  private var at: Int
  private var left: Int
  private var buffer: [ExternalSort.Record] = []
  private var next = 0
  private let each: Int
  private(set) var record = ExternalSort.Record(key: 0, value: 0)

  init(_ file: RowSpool, _ at: Int, _ count: Int, _ each: Int) {
    (self.file, self.at, left, self.each) = (file, at, count, each)
  }

  /// Goes to the next record; `false` where there is none.
  func advance() throws(TrajpackError) -> Bool {
    if next == buffer.count {
      guard left > 0 else { return false }
      let count = min(left, each)
      if buffer.count != count { buffer = Array(repeating: record, count: count) }
      let (file, at) = (file, at)
      let failure = buffer.withUnsafeMutableBytes { bytes -> TrajpackError? in
        do throws(TrajpackError) {
          try file.read(at: at, into: bytes)
          return nil
        } catch { return error }
      }
      if let failure { throw failure }
      self.at += count * MemoryLayout<ExternalSort.Record>.stride
      left -= count
      next = 0
    }
    record = buffer[next]
    next += 1
    return true
  }
}
