import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackValidate

@Suite struct ExternalSortTests {
  @Test func givesRecordsInOrderHoweverFewAreHeld() throws {
    var random = SeededGenerator(seed: 1)
    for (count, most) in [(0, 4), (1, 4), (4, 4), (5, 4), (999, 1), (20_000, 37), (5000, 1 << 18)] {
      let sort = ExternalSort(most: most)
      var all: [ExternalSort.Record] = []
      for _ in 0..<count {
        let record = ExternalSort.Record(
          key: UInt64.random(in: 0...200, using: &random),
          value: UInt64.random(in: 0...UInt64.max, using: &random))
        all.append(record)
        try sort.add(record.key, record.value)
      }
      #expect(sort.spilledBytes == count / most * most * 16)
      var found: [ExternalSort.Record] = []
      try sort.forEach { found.append($0) }
      #expect(found == all.sorted())
    }
  }
}

@Suite struct EpisodeComparisonTests {
  private struct Episode {
    var split: String
    var digest: UInt64?
    var hashes: [UInt64]
  }

  private func place(_ number: Int) -> Place {
    Place(
      shard: "shard-\(number / 100)", episode: "e\(number)", entity: nil, rows: nil, values: [],
      note: nil)
  }

  private func compare(
    _ episodes: [Episode], most: Int, leakage: Bool
  ) throws -> (equal: EpisodeComparison.Matches, shared: EpisodeComparison.Matches) {
    let comparison = EpisodeComparison(most: most)
    for (number, item) in episodes.enumerated() {
      try comparison.add(
        place(number), split: item.split, digest: item.digest, hashes: item.hashes,
        near: item.hashes.map { .init(hash: $0) })
    }
    var (equal, known) = try comparison.equal(leakage: leakage)
    guard leakage else { return (equal, .init()) }
    let shared = try comparison.sharing(near: false, except: &known)
    // What one kind of hashes has told the other does not tell again.
    #expect(try comparison.sharing(near: true, except: &known).count == 0)
    // Of what windows look like twice as many are asked for: each comes twice here.
    let near = EpisodeComparison(most: most)
    for (number, item) in episodes.enumerated() {
      try near.add(
        place(number), split: item.split, digest: item.digest,
        near: item.hashes.flatMap { [.init(hash: $0), .init(hash: $0 | 1 << 32)] })
    }
    var told = try near.equal(leakage: true).all
    #expect(try near.sharing(near: true, except: &told).count == shared.count)
    #expect(told == known)
    return (equal, shared)
  }

  private func text(_ matches: EpisodeComparison.Matches) -> String {
    "\(matches.count) "
      + matches.first.map {
        "\($0.place.shard ?? "")/\($0.place.episode ?? ""): \($0.other.episode ?? "") \($0.split) \($0.shared)/\($0.of)"
      }.joined(separator: ", ")
  }

  @Test func findsWithLittleMemoryWhatADictionaryFinds() throws {
    var random = SeededGenerator(seed: 2)
    for round in 0..<6 {
      let episodes = (0..<300).map { _ in
        Episode(
          split: ["train", "test", ""].randomElement(using: &random) ?? "",
          digest: Bool.random(using: &random) ? UInt64.random(in: 0...80, using: &random) : nil,
          hashes: (0..<Int.random(in: 0...12, using: &random)).map { _ in
            UInt64.random(in: 0...(round < 3 ? 40 : 400), using: &random)
          })
      }
      for leakage in [false, true] {
        let small = try compare(episodes, most: 5, leakage: leakage)
        let large = try compare(episodes, most: 1 << 18, leakage: leakage)
        #expect(text(small.equal) == text(large.equal))
        #expect(text(small.shared) == text(large.shared))
        let truth = naive(episodes, leakage)
        #expect(small.equal.count == truth.equal)
        if leakage { #expect(small.shared.count == truth.shared) }
      }
    }
  }

  private func naive(_ episodes: [Episode], _ leakage: Bool) -> (equal: Int, shared: Int) {
    var whole: [UInt64: Int] = [:]
    var windows: [UInt64: Int] = [:]
    var (equal, shared) = (0, 0)
    var twins: Set<Int> = []
    for (number, item) in episodes.enumerated() {
      guard let digest = item.digest else { continue }
      if let other = whole[digest] {
        let splits = [episodes[other].split, item.split]
        // A copy of an episode that is in no split is no leak.
        if (splits[0] != splits[1] && !splits.contains("")) == leakage {
          equal += 1
          twins.insert(number)
        }
      } else {
        whole[digest] = number
      }
    }
    for (number, item) in episodes.enumerated() {
      var counts: [Int: Int] = [:]
      for hash in Set(item.hashes) {
        if let other = windows[hash] {
          if episodes[other].split != item.split { counts[other, default: 0] += 1 }
        } else {
          windows[hash] = number
        }
      }
      let most = counts.values.max() ?? 0
      if most >= 4, most * 4 >= Set(item.hashes).count, !twins.contains(number) { shared += 1 }
    }
    return (equal, shared)
  }

  @Test func keepsAFixedNumberOfHashesOfAnEpisode() throws {
    let comparison = EpisodeComparison(most: 1)
    for number in 0..<50 {
      try comparison.add(
        place(number), split: "", digest: UInt64(number),
        hashes: (0..<500).map { UInt64($0 &+ number &* 1000) },
        near: (0..<500).map { .init(hash: UInt64($0)) })
    }
    #expect(comparison.spilledBytes == 50 * 16 * (1 + 2 * EpisodeComparison.mostHashes))
  }
}

@Suite struct ChannelTableTests {
  private func schema(_ count: Int) -> Schema {
    var schema = Schema()
    schema.streams = [
      Stream(
        name: "s",
        channels: (0..<count).map {
          Channel(
            name: "c\($0)", kind: .scalar, type: .float32, storage: .init(block: 0, column: $0))
        })
    ]
    schema.blocks = [
      Block(
        path: "/s/0", stream: 0, type: .float32, shape: [count], chunkRows: 32, codec: .none,
        shuffle: 1)
    ]
    return schema
  }

  @Test func remembersNoMoreChannelsThanItMay() {
    let numbers = ChannelNumbers()
    let schema = schema(5000)
    let layout = TrackContext.Layout(schema, stream: 0, numbers)
    let about = EpisodeAbout(
      id: "a", split: "", metadata: "", shard: nil, schema: schema,
      tracks: [
        .init(
          stream: 0, entity: nil, clock: .regular(start: .zero, rate: .one), count: 1, blobBytes: 0,
          metadata: "")
      ])
    let track = TrackContext(about, track: 0, layout, .init())
    let table = ChannelTable<Int>(most: 300)
    for columns in layout.columns { _ = table.place(track, columns, orElse: 7) }
    #expect(table.entries.count == 300 && table.isFull)
    #expect(table.entries[299].channel == "c299")
    // Another layout of the same names has the same places.
    let other = TrackContext.Layout(schema, stream: 0, numbers)
    #expect(table.place(other.columns[12]) == 12)
  }
}
