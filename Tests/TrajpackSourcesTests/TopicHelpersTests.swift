import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackSources
@testable import TrajpackStore

@Suite struct TopicHelpersTests {
  private func recording(_ bytes: Int) -> Recording {
    Recording(id: "r", path: "r.mcap", bytes: bytes, fingerprint: "")
  }

  @Test func idleThreadsReadShares() throws {
    let pool = try WorkerPool(threads: 3)
    let helpers = TopicHelpers()
    func shares(_ bytes: Int) throws -> [[Int]] {
      try helpers.read(recording(bytes), MappingOptions()) { (decoding) throws(TrajpackError) in
        [decoding.share.part, decoding.share.parts]
      }
    }
    #expect(try shares(TopicHelpers.least) == [[0, 1]])
    helpers.use(pool.idleThreads) { false }
    #expect(try shares(TopicHelpers.least - 1) == [[0, 1]])
    #expect(try shares(TopicHelpers.least) == (0..<4).map { [$0, 4] })
  }

  @Test func noMoreThreadsThanTopicsThatAreKnown() throws {
    let pool = try WorkerPool(threads: 3)
    let helpers = TopicHelpers()
    helpers.use(pool.idleThreads) { false }
    let topics = ["/a", "/b"].map { TopicProfile(TopicKey(topic: $0)) }
    let parts = try helpers.read(recording(TopicHelpers.least), MappingOptions(), topics) {
      (decoding) throws(TrajpackError) in
      topics.indices.filter { decoding.share.owns(topics[$0].key, $0) }
    }
    #expect(parts.count == 2 && parts.flatMap { $0 }.sorted() == [0, 1])
  }

  @Test func theTopicsWithTheMostMessagesAreSharedFirst() {
    var topics = (0..<5).map { TopicProfile(TopicKey(topic: "/\($0)")) }
    for (i, rows) in [10, 70, 10, 40, 30].enumerated() { topics[i].rows = rows }
    let parts = (0..<2).map { part in
      let share = TopicShare(part, of: 2, topics)
      return topics.indices.filter { share.owns(topics[$0].key, $0) }
    }
    #expect(parts == [[0, 1], [2, 3, 4]])
  }

  /// Whichever part fails, and whenever.
  @Test(arguments: 0..<4) func theErrorAfterTheFewestMessagesIsSaid(first: Int) throws {
    let pool = try WorkerPool(threads: 3)
    let helpers = TopicHelpers()
    helpers.use(pool.idleThreads) { false }
    let error = failure {
      _ = try helpers.read(recording(TopicHelpers.least), MappingOptions()) {
        (decoding) throws(TrajpackError) -> Int in
        let part = decoding.share.part
        decoding.passed = part == first ? 7 : 100 + part
        if part == 3, first != 3 { return 0 }
        throw TrajpackError(.data, "part \(part)")
      }
    }
    #expect(error?.message == "part \(first)")
  }
}
