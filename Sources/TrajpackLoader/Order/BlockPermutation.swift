import TrajpackFormat

/// A permutation that keeps neighbours together for a while: windows are cut into blocks, the blocks are
/// permuted, runs of `pool` blocks form pools, and the windows of a pool are permuted among themselves.
/// What a shuffle buffer of `pool · block` windows does, in no memory and from any place.
public struct BlockPermutation: Sendable {
  /// How many numbers it permutes.
  public let count: UInt64
  private let block: UInt64
  private let pool: UInt64
  private let blocks: Permutation
  private let seed: UInt64
  /// What the last block lacks, and the place at which it lies.
  private let lack: UInt64
  private let partial: UInt64

  /// The permutation of `0..<count` that `seed` stands for; `block` and `pool` are at least 1.
  public init(count: UInt64, block: UInt64, pool: UInt64, seed: UInt64) {
    self.count = count
    self.block = block
    self.pool = pool
    self.seed = seed
    let number = count == 0 ? 0 : (count - 1) / block + 1
    blocks = Permutation(count: number, seed: seed)
    lack = number * block - count
    partial = number == 0 ? 0 : blocks.place(of: number - 1)
  }

  private func start(ofPool j: UInt64) -> UInt64 {
    j * pool * block - (partial < j * pool ? lack : 0)
  }

  /// Which number lies at place `i`, below ``count``.
  public subscript(i: UInt64) -> UInt64 {
    var j = i / (pool * block)
    if (j + 1) * pool < blocks.count, i >= start(ofPool: j + 1) { j += 1 }
    let first = j * pool
    let members = min(pool, blocks.count - first)
    let isRagged = lack > 0 && partial >= first && partial < first + members
    let size = members * block - (isRagged ? lack : 0)
    let inside = Permutation(count: size, seed: SplitMix64.seed(seed, j, 1))[i - start(ofPool: j)]
    var member = inside / block
    if isRagged {
      // The short block counts as the last of its pool.
      if member == members - 1 {
        member = partial - first
      } else if first + member == partial {
        member = members - 1
      }
    }
    return blocks[first + member] * block + inside % block
  }
}
