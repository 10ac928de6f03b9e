import Testing

@testable import TrajpackLoader

@Suite struct ChunkCacheTests {
  private final class Watched {
    weak var entry: ChunkCache.Entry?
    init(_ entry: ChunkCache.Entry) { self.entry = entry }
  }

  /// What is let go is freed, or filled again: a cache holds no more than it was given.
  @Test func entriesThatAreLetGoAreFreed() {
    let cache = ChunkCache(limit: 10 << 10)
    var made: [Watched] = []
    for number in 0..<500 {
      let entry = cache.make(bytes: 1 << 10)
      made.append(Watched(entry))
      cache.keep(.init(chunk: UInt64(number)), entry)
    }
    #expect(cache.count == 10 << 10)
    var alive: Set<ObjectIdentifier> = []
    for watched in made { if let entry = watched.entry { alive.insert(ObjectIdentifier(entry)) } }
    #expect(alive.count <= 10 + 16)
    #expect(cache.find(.init(chunk: 499)) != nil && cache.find(.init(chunk: 0)) == nil)
  }
}
