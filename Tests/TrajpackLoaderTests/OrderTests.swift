import Testing
import TrajpackTestSupport

@testable import TrajpackLoader

@Suite struct OrderTests {
  @Test(arguments: [1, 2, 3, 5, 16, 17, 63, 64, 65, 255, 1000, 4097, 70_001] as [UInt64])
  func permutationsAreBijective(count: UInt64) {
    for seed in 0..<4 as Range<UInt64> {
      let order = Permutation(count: count, seed: seed)
      var seen = [Bool](repeating: false, count: Int(count))
      for i in 0..<count {
        let x = order[i]
        #expect(x < count)
        seen[Int(x)] = true
        if i % 97 == 0 { #expect(order.place(of: x) == i) }
      }
      #expect(seen.allSatisfy { $0 })
    }
  }

  @Test func hugePermutationsNeedNoMemory() {
    var random = SeededGenerator(seed: 5)
    for count in [10_000_000_000, 1 << 40 + 1, UInt64(1) << 62 + 3] as [UInt64] {
      let order = Permutation(count: count, seed: 9)
      for _ in 0..<200 {
        let i = UInt64.random(in: 0..<count, using: &random)
        #expect(order[i] < count && order.place(of: order[i]) == i)
      }
    }
  }

  /// Every number comes to every place about equally often (chi-squared with 24 × 24 degrees at 6 sigma).
  @Test func placesAreUniform() {
    let (n, trials) = (24, 12_000)
    var counts = [Int](repeating: 0, count: n * n)
    for seed in 0..<trials {
      let order = Permutation(count: UInt64(n), seed: UInt64(seed))
      for i in 0..<n { counts[i * n + Int(order[UInt64(i)])] += 1 }
    }
    let expected = Double(trials) / Double(n)
    let chi = counts.reduce(0.0) {
      $0 + (Double($1) - expected) * (Double($1) - expected) / expected
    }
    let degrees = Double((n - 1) * (n - 1))
    #expect(abs(chi - degrees) < 6 * (2 * degrees).squareRoot())
  }

  @Test func blockPermutationsAreBijective() {
    var random = SeededGenerator(seed: 11)
    for trial in 0..<300 {
      let count = UInt64.random(in: 1...600, using: &random)
      let block = UInt64.random(in: 1...70, using: &random)
      let pool = UInt64.random(in: 1...9, using: &random)
      let order = BlockPermutation(count: count, block: block, pool: pool, seed: UInt64(trial))
      let all = Set((0..<count).map { order[$0] })
      #expect(all.count == Int(count) && all.allSatisfy { $0 < count })
    }
  }

  /// Within a pool's places, windows come from no more blocks than a pool has.
  @Test func blockPermutationsKeepNeighboursTogether() {
    let order = BlockPermutation(count: 10_000, block: 50, pool: 4, seed: 3)
    for pool in 0..<50 as Range<UInt64> {
      let blocks = Set((pool * 200..<pool * 200 + 200).map { order[$0] / 50 })
      #expect(blocks.count == 4)
    }
  }

  @Test func blocksOfOtherLengthsAreBijective() {
    var random = SeededGenerator(seed: 13)
    for trial in 0..<40 as Range<UInt64> {
      var starts: [UInt64] = []
      var count: UInt64 = 0
      for _ in 0..<Int.random(in: 1...40, using: &random) {
        starts.append(count)
        count += UInt64.random(in: 1...30, using: &random)
      }
      let pool = Int.random(in: 1...9, using: &random)
      let order = BlockTable(starts: starts, count: count, pool: pool)
      // Several seeds, and back, so that what is kept of one is not taken for another.
      for seed in [trial, trial + 1000, trial + 2000, trial + 3000, trial + 4000, trial] {
        let all = (0..<count).map { order[$0, seed] }
        #expect(Set(all) == Set(0..<count))
        let block = all.map { number in starts.lastIndex { $0 <= number } ?? 0 }
        var last = [Int](repeating: -1, count: starts.count)
        for (place, b) in block.enumerated() { last[b] = place }
        // No more blocks than a pool has are begun and not at their end.
        var open: Set<Int> = []
        for (place, b) in block.enumerated() {
          open.insert(b)
          #expect(open.count <= pool)
          if last[b] == place { open.remove(b) }
        }
      }
    }
  }

  @Test func mixturesKeepTheirWeightsAtEveryPrefix() {
    var random = SeededGenerator(seed: 1)
    var cases: [[Double]] = [
      [1, 1], [0.7, 0.3], [3, 2, 1], [0.5, 0.25, 0.125, 0.125], [1, 99],
    ]
    for _ in 0..<12 {
      let count = Int.random(in: 2...7, using: &random)
      cases.append((0..<count).map { _ in Double.random(in: 0.01...1, using: &random) })
    }
    for weights in cases {
      let mixture = Mixture(weights: weights)
      let shares = mixture.shares.map { Double($0) / Double(mixture.period) }
      let sum = weights.reduce(0, +)
      for (share, weight) in zip(shares, weights) { #expect(abs(share - weight / sum) < 1e-4) }
      var counts = [UInt64](repeating: 0, count: weights.count)
      for n in 0..<min(mixture.period * 2 + 100, 150_000) {
        let (dataset, number) = mixture.draw(n)
        #expect(number == counts[dataset])
        counts[dataset] += 1
        for (d, count) in counts.enumerated() {
          let due = shares[d] * Double(n + 1)
          if abs(Double(count) - due) >= 1 { Issue.record("\(weights) at \(n): \(counts)") }
        }
      }
    }
  }

  private static func orders() -> [WindowOrder] {
    [
      WindowOrder(sizes: [103], shuffle: .none, seed: 0),
      WindowOrder(sizes: [1000], shuffle: .global, seed: 1),
      WindowOrder(sizes: [400, 77], shuffle: .global, seed: 2),
      WindowOrder(sizes: [517], shuffle: .block(windows: 16, count: 4), seed: 3),
      WindowOrder(
        sizes: [300, 50, 9], weights: [2, 1, 1], epochWindows: 400, shuffle: .global, seed: 4),
    ]
  }

  @Test(arguments: orders().indices)
  func ranksCutOneOrder(number: Int) {
    let order = Self.orders()[number]
    for world in 1...5 {
      for dropLast in [true, false] {
        var all: [UInt64: UInt64] = [:]
        for rank in 0..<world {
          let cut = WindowCursor.Cut(batch: 7, rank: rank, world: world, dropLast: dropLast)
          var cursor = WindowCursor()
          var steps: UInt64 = 0
          while let share = cursor.next(cut, epochWindows: order.epochWindows) {
            steps += 1
            #expect(!share.places.isEmpty && (!share.isRepeated || share.places.count == 1))
            for place in share.places where !share.isRepeated { all[place, default: 0] += 1 }
          }
          #expect(steps == cut.steps(ofEpoch: order.epochWindows))
          #expect(cursor == WindowCursor(epoch: 1))
        }
        let step = UInt64(7 * world)
        let count = dropLast ? order.epochWindows / step * step : order.epochWindows
        #expect(Set(all.keys) == Set(0..<count) && all.values.allSatisfy { $0 == 1 })
      }
    }
  }

  @Test(arguments: orders().indices)
  func ranksMayChangeInTheMiddle(number: Int) {
    let order = Self.orders()[number]
    var seen: [WindowOrder.Reference] = []
    var cursor = WindowCursor()
    for world in [1, 2, 4, 3] {
      // Some steps on so many ranks; then the state is all that is left.
      var after = cursor
      var parts: [[UInt64]] = []
      for rank in 0..<world {
        var own = cursor
        var places: [UInt64] = []
        for _ in 0..<2 {
          places +=
            own.next(.init(batch: 4, rank: rank, world: world), epochWindows: order.epochWindows)?
            .places ?? []
        }
        parts.append(places)
        after = own
      }
      seen += parts.flatMap { $0 }.sorted().map { order.window(epoch: cursor.epoch, position: $0) }
      cursor = after
    }
    let whole = (0..<UInt64(seen.count)).map { order.window(epoch: 0, position: $0) }
    #expect(seen == whole)
    #expect(cursor.position == UInt64(seen.count))
  }

  @Test func everyWindowOnceAnEpochAndAnotherOrderEachTime() {
    let order = WindowOrder(sizes: [400, 77], shuffle: .global, seed: 2)
    let epochs = (0..<3 as Range<UInt64>).map { epoch in
      (0..<order.epochWindows).map { order.window(epoch: epoch, position: $0) }
    }
    for epoch in epochs { #expect(Set(epoch).count == 477) }
    #expect(epochs[0] != epochs[1] && epochs[1] != epochs[2])
    let mixed = WindowOrder(
      sizes: [30, 50], weights: [1, 1], epochWindows: 60, shuffle: .global, seed: 4)
    let first = (0..<60).map { mixed.window(epoch: 0, position: $0) }.filter { $0.dataset == 0 }
    #expect(
      Set(first).count == 30, "a data set goes through all of its windows before any comes again")
  }
}
