import Glibc
import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackStore

/// The SHA-256 that is one digit, 64 times.
private func digest(_ digit: Int) -> FileDigest {
  guard let digest = FileDigest(hexadecimal: String(repeating: "\(digit)", count: 64)) else {
    fatalError("\(digit) is no digit")
  }
  return digest
}

@Suite struct JournalTests {
  private let plan: JSONValue = .record(["type": "plan", "format": "writer", "of": "é"])
  private let shards: [Manifest.Entry] = (0..<5).map {
    Manifest.Entry(
      name: Manifest.shardName($0),
      receipt: .init(
        bytes: 5000 + $0, digest: digest($0), episodes: 1, rows: 7))
  }

  /// A journal of the plan and all shards, and where each record ends.
  private func whole(_ scratch: Scratch) throws -> (bytes: [UInt8], ends: [Int]) {
    var ends = [19]
    let path = "\(scratch.path)/journal"
    do {
      let journal = try Journal(inFolder: scratch.path)
      try journal.begin(plan)
      ends.append(FileSystem.size(of: path))
      for shard in shards {
        try journal.acknowledge(shard)
        ends.append(FileSystem.size(of: path))
      }
    }
    return (try contents(path), ends)
  }

  @Test func cutAtEveryByteItKeepsTheWholeRecordsBefore() throws {
    let scratch = Scratch()
    let (whole, ends) = try whole(scratch)
    for length in 0...whole.count {
      try FileSystem.replace("\(scratch.path)/journal", with: Array(whole[..<length]))
      let kept = ends.lastIndex { $0 <= length } ?? 0
      let content = try JournalContent(inFolder: scratch.path)
      #expect(content.plan == (kept > 0 ? plan : nil))
      #expect(content.shards == Array(shards.prefix(max(kept - 1, 0))))
      // Opened for writing, nothing changes before something is appended behind the last whole record.
      do {
        let journal = try Journal(inFolder: scratch.path)
        #expect(try contents("\(scratch.path)/journal") == Array(whole[..<length]))
        for record in [plan] + shards.map(\.record) {
          if journal.plan == nil { try journal.begin(record) }
        }
        for shard in shards.dropFirst(journal.shards.count) { try journal.acknowledge(shard) }
      }
      #expect(try contents("\(scratch.path)/journal") == whole)
    }
  }

  @Test func aFlippedBitAnywhereIsRefused() throws {
    let scratch = Scratch()
    let (whole, _) = try whole(scratch)
    for at in whole.indices {
      for bit in [0, 5, 7] {
        var bytes = whole
        bytes[at] ^= 1 << bit
        try FileSystem.replace("\(scratch.path)/journal", with: bytes)
        #expect(failure { _ = try JournalContent(inFolder: scratch.path) }?.fault == .data)
        #expect(failure { _ = try Journal(inFolder: scratch.path) }?.fault == .data)
      }
    }
    #expect(try contents("\(scratch.path)/journal").count == whole.count)
  }

  @Test func lostSectorsOfTheLastRecordAreATornTail() throws {
    let scratch = Scratch()
    var random = SeededGenerator(seed: 5)
    let (whole, ends) = try whole(scratch)
    for padding in [0, 300, 700] {
      // Another plan, so that the last record straddles sectors at other places.
      let text = String(repeating: "x", count: padding)
      let journal = try Journal(inFolder: scratch.path)
      try journal.replace(
        plan: .record(["type": "plan", "format": "writer", "of": .string(text)]), shards: shards)
      let bytes = try contents("\(scratch.path)/journal")
      let start = bytes.count - (whole.count - ends[ends.count - 2])
      for _ in 0..<40 {
        var torn = bytes
        var (at, lost) = (start, false)
        while at < torn.count {
          let end = min(torn.count, (at / 512 + 1) * 512)
          if Bool.random(using: &random) {
            for i in at..<end { torn[i] = 0 }
            lost = true
          }
          at = end
        }
        try FileSystem.replace("\(scratch.path)/journal", with: torn)
        let content = try JournalContent(inFolder: scratch.path)
        #expect(content.shards == (lost ? shards.dropLast() : shards))
        #expect(content.isTorn == lost)
      }
    }
  }

  @Test func twoWritersExcludeEachOther() throws {
    let scratch = Scratch()
    let first = try Journal(inFolder: scratch.path)
    #expect(failure { _ = try Journal(inFolder: scratch.path) }?.fault == .usage)
    try first.begin(plan)
  }

  @Test func theFileOfAnotherProgramIsLeftAlone() throws {
    let scratch = Scratch()
    for text in ["x", "dear diary", "dear diary, much has happened today"] {
      try FileSystem.replace("\(scratch.path)/journal", with: Array(text.utf8))
      #expect(failure { _ = try Journal(inFolder: scratch.path) }?.fault == .data)
      #expect(try contents("\(scratch.path)/journal") == Array(text.utf8))
      #expect(!Journal.isJournal("\(scratch.path)/journal"))
    }
  }
}

@Suite struct ManifestTests {
  private func entry(_ number: Int) -> Manifest.Entry {
    Manifest.Entry(
      name: "shard-00000\(number).h5",
      receipt: .init(bytes: 100 + number, digest: digest(number), episodes: number, rows: 9))
  }

  @Test func comesBackFromItsJSON() throws {
    let manifest = Manifest(
      shards: [entry(0), entry(1)], source: .record(["format": "x"]), statistics: .object([]))
    let text = manifest.json.text(indent: 1)
    #expect(try Manifest(json: JSONValue(parsing: text)) == manifest)
    #expect(try Manifest.Entry(record: entry(3).record, number: 0) == entry(3))
    #expect(try Manifest.Entry(record: .record(["type": "plan"]), number: 0) == nil)
  }

  @Test func itsDigestIsOfNamesAndDigests() {
    let one = Manifest(shards: [entry(0), entry(1)], source: .object([]), statistics: .object([]))
    let other = Manifest(
      shards: [entry(1), entry(0)], source: .object([]), statistics: .object([]))
    #expect(one.digest != other.digest)
    // sha256sum of the two lines.
    let lines = "shard-000000.h5 \(String(repeating: "0", count: 64))\n"
    let single = Manifest(shards: [entry(0)], source: .object([]), statistics: .object([]))
    #expect(lines.utf8.count == 81)
    #expect(single.digest == "b810d0a66fa9de7fd08cd7ca65c75c691121bc61e771a3ae005361c8649e7ca5")
  }

  @Test(arguments: [
    ("\"bytes\": 100", "\"bytes\": -1"), ("\"bytes\": 100", "\"bytes\": 9223372036854775807"),
    ("\"bytes\": 100", "\"bytes\": 1.5"), ("shard-000000.h5", "../000000.h5"),
    ("shard-000000.h5", "shard-a/b.h5"),
    ("shard-000000.h5", "shard-\\u0000.h5"), ("shard-000000.h5", "shard-000001.h5"), ("1.0", "3.0"),
    ("trajpack dataset", "other"), ("0000000000", "000000000"), ("0000000000", "1000000000"),
  ])
  func aStrangeOneIsRefused(old: String, new: String) throws {
    let manifest = Manifest(
      shards: [entry(0), entry(1)], source: .object([]), statistics: .object([]))
    let text = manifest.json.text(indent: 1)
    let bad = text.replacing(old, with: new)
    try #require(bad != text)
    #expect(failure { _ = try Manifest(json: JSONValue(parsing: bad)) }?.fault == .data)
  }
}

@Suite struct SpoolTests {
  @Test(arguments: [0, 1, 7, 1000, 1 << 20]) func anyRangeComesBackBeyondAnyLimit(limit: Int) throws
  {
    var random = SeededGenerator(seed: UInt64(limit) + 5)
    let spool = RowSpool(limit: limit)
    var all: [UInt8] = []
    for _ in 0..<60 {
      let part = random.bytes(Int.random(in: 0...400, using: &random))
      try spool.append(part)
      all += part
      #expect(spool.count == all.count)
      for _ in 0..<5 {
        let first = Int.random(in: 0...all.count, using: &random)
        let range = first..<Int.random(in: first...all.count, using: &random)
        var out = [UInt8](repeating: 0, count: range.count)
        try out.withUnsafeMutableBytes { try spool.read(at: first, into: $0) }
        #expect(out == Array(all[range]))
      }
    }
  }
}

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 8]) func resultsBelongToTheirWork(threads: Int) throws {
    let pool = try WorkerPool(threads: threads)
    #expect(pool.count == threads)
    let results = (0..<3000).map { n in pool.run { () throws(TrajpackError) in n * n } }
    for (n, result) in results.enumerated() { #expect(try result.value() == n * n) }
    // A result can be asked for again.
    #expect(try results[7].value() == 49)
  }

  @Test func oneThreadKeepsTheOrder() throws {
    let pool = try WorkerPool(threads: 1)
    let log = Log()
    let results = (0..<500).map { n in pool.run { () throws(TrajpackError) in log.add(n) } }
    for result in results { try result.value() }
    #expect(log.entries == Array(0..<500))
  }

  @Test func errorsComeOutWhereTheResultIsAskedFor() throws {
    let pool = try WorkerPool(threads: 3)
    let results = (0..<100).map { n in
      pool.run { () throws(TrajpackError) -> Int in
        if n % 3 == 0 { throw TrajpackError(.data, "number \(n)") }
        return n
      }
    }
    for (n, result) in results.enumerated() {
      if n % 3 == 0 {
        #expect(failure { _ = try result.value() } == TrajpackError(.data, "number \(n)"))
      } else {
        #expect(try result.value() == n)
      }
    }
  }

  @Test func aPoolThatGoesFinishesWhatWasAsked() throws {
    let log = Log()
    do {
      let pool = try WorkerPool(threads: 2)
      for n in 0..<200 { _ = pool.run { () throws(TrajpackError) in log.add(n) } }
    }
    #expect(log.entries.sorted() == Array(0..<200))
  }

  /// What a job returns.
  private final class Result: Sendable {}

  private final class Gate: @unchecked Sendable {
    private let lock = ConditionLock()
    private var isOpen = false

    func open() {
      lock.locked {
        isOpen = true
        lock.wakeAll()
      }
    }

    func pass() { lock.locked { while !isOpen { lock.wait() } } }
  }

  /// A validation of many episodes always has some waiting.
  @Test func whatAJobReturnedIsLetGoWhileOthersWait() throws {
    let pool = try WorkerPool(threads: 1)
    let (begin, begun, end) = (Gate(), Gate(), Gate())
    weak var result: Result?
    try withExtendedLifetime(pool) {
      // All are in the list before the first one begins.
      _ = pool.run { () throws(TrajpackError) in begin.pass() }
      let future = pool.run { () throws(TrajpackError) in Result() }
      _ = pool.run { () throws(TrajpackError) in
        begun.open()
        end.pass()
      }
      _ = pool.run { () throws(TrajpackError) in }
      begin.open()
      result = try future.value()
      begun.pass()
    }
    #expect(result == nil)
    end.open()
    withExtendedLifetime(pool) {}
  }

  private final class Log: @unchecked Sendable {
    private let lock = ConditionLock()
    private var list: [Int] = []
    func add(_ n: Int) { lock.locked { list.append(n) } }
    var entries: [Int] { lock.locked { list } }
  }
}
