import Synchronization
import TrajpackFormat

/// What ``BlockPermutation`` does, with blocks of different lengths: the blocks are permuted, runs of ``pool`` blocks form
/// pools, and the numbers of a pool are permuted among themselves.
///
/// A number is kept for each block, and for the permutations that were asked for last one for each pool.
final class BlockTable: Sendable {
  /// The first number of each block, and the count of all.
  let starts: [UInt64]
  /// Blocks of a pool.
  let pool: Int
  private struct Round {
    var seed: UInt64
    /// The first place of each pool, and the count of all.
    var places: [UInt64]
  }
  private let rounds = Mutex<[Round]>([])
  /// Epochs that overlap, and those of ranks that are asked about from outside.
  private static let keptRounds = 4

  /// Blocks that begin at `starts`, ascending from 0, and end before `count`; `pool` is at least 1.
  init(starts: [UInt64], count: UInt64, pool: Int) {
    self.starts = starts + [count]
    self.pool = pool
  }

  var blocks: Int { starts.count - 1 }
  /// The most numbers of a block.
  var longest: UInt64 { (0..<blocks).map(length).max() ?? 0 }

  private func length(_ block: Int) -> UInt64 { starts[block + 1] - starts[block] }

  /// Which number lies at place `i`, below the count, of the permutation that `seed` stands for.
  subscript(i: UInt64, seed: UInt64) -> UInt64 {
    let order = Permutation(count: UInt64(blocks), seed: seed)
    let places = places(order, seed)
    var (j, end) = (0, places.count - 1)
    while end - j > 1 {
      let middle = (j + end) / 2
      if places[middle] <= i { j = middle } else { end = middle }
    }
    let inside = Permutation(
      count: places[j + 1] - places[j], seed: SplitMix64.seed(seed, UInt64(j), 1))
    var rest = inside[i - places[j]]
    for member in j * pool..<min((j + 1) * pool, blocks) {
      let block = Int(order[UInt64(member)])
      if rest < length(block) { return starts[block] + rest }
      rest -= length(block)
    }
    return 0
  }

  /// Where each pool begins.
  private func places(_ order: Permutation, _ seed: UInt64) -> [UInt64] {
    rounds.withLock { rounds in
      if let known = rounds.first(where: { $0.seed == seed }) { return known.places }
      var places: [UInt64] = []
      var at: UInt64 = 0
      for member in 0..<blocks {
        if member % pool == 0 { places.append(at) }
        at += length(Int(order[UInt64(member)]))
      }
      places.append(at)
      if rounds.count == Self.keptRounds { rounds.removeFirst() }
      rounds.append(Round(seed: seed, places: places))
      return places
    }
  }

  /// What tells these blocks from others.
  var digest: UInt64 {
    starts.reduce(UInt64(pool)) { SplitMix64.mix($0 ^ $1 &+ SplitMix64.increment) }
  }
}
