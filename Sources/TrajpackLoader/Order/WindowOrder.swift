import TrajpackFormat

/// The global order of windows: a pure function of seed, epoch and place.
///
/// Ranks, threads and batches only cut it; so it is the same on any number of them.
public struct WindowOrder: Sendable {
  /// How windows are shuffled.
  public enum Shuffle: Sendable, Equatable {
    /// In the order of the data set.
    case none
    /// ``BlockPermutation`` with blocks of `windows`, `count` of them in a pool.
    case block(windows: Int, count: Int)
    /// ``Permutation``.
    case global
  }

  /// A window: the data set of the mixture, and its number in that data set's own order.
  public struct Reference: Sendable, Equatable, Hashable {
    /// The data set.
    public var dataset: Int
    /// The window.
    public var window: UInt64
  }

  /// Windows of each data set.
  public let sizes: [UInt64]
  /// Windows of an epoch.
  public let epochWindows: UInt64
  /// The seed.
  public var seed: UInt64
  let shuffle: Shuffle
  /// `nil` where the data sets lie one after the other, as one.
  let mixture: Mixture?
  /// Weights of the windows of each data set, where they have some: they are drawn instead of permuted.
  var weights: [WeightTable?]
  /// Those that take their place from an epoch on.
  var later: (epoch: UInt64, weights: [WeightTable?])?
  /// Whether windows without weights are drawn, too, each with the same chance.
  var hasReplacement = false
  /// Blocks of other lengths than ``shuffle`` says: of all windows, or of each data set of a mixture.
  var blocks: [BlockTable] = []

  /// The weights in an epoch.
  func weights(inEpoch epoch: UInt64) -> [WeightTable?] {
    if let later, epoch >= later.epoch { return later.weights }
    return weights
  }

  /// An order of windows of data sets of `sizes`, none of them 0. Without weights every window comes
  /// once an epoch.
  public init(
    sizes: [UInt64], weights: [Double]? = nil, epochWindows: UInt64? = nil, shuffle: Shuffle,
    seed: UInt64
  ) {
    self.sizes = sizes
    self.shuffle = shuffle
    self.seed = seed
    mixture = weights.map { Mixture(weights: $0) }
    self.weights = sizes.map { _ in nil }
    self.epochWindows = epochWindows ?? sizes.reduce(0, +)
  }

  /// The window at place `position` of an epoch.
  ///
  /// Each data set of a mixture goes through all of its windows before any comes again, in an order
  /// of its own that changes every time.
  public func window(epoch: UInt64, position: UInt64) -> Reference {
    let draw = epoch &* epochWindows &+ position
    let isLater = later.map { epoch >= $0.epoch } == true
    func table(_ dataset: Int) -> WeightTable? {
      isLater ? later?.weights[dataset] : weights[dataset]
    }
    if let mixture {
      let (dataset, number) = mixture.draw(draw)
      return Reference(
        dataset: dataset,
        window: table(dataset).map { drawn($0, number, stream: UInt64(dataset)) }
          ?? shuffled(number, of: sizes[dataset], stream: UInt64(dataset)))
    }
    // Without a mixture there are weights for one data set only.
    if let table = table(0) { return Reference(dataset: 0, window: drawn(table, draw, stream: 0)) }
    var window = shuffled(draw, of: sizes.reduce(0, +), stream: 0)
    for (dataset, size) in sizes.enumerated() {
      if window < size { return Reference(dataset: dataset, window: window) }
      window -= size
    }
    return Reference(dataset: 0, window: 0)
  }

  private func drawn(_ table: WeightTable, _ draw: UInt64, stream: UInt64) -> UInt64 {
    table.draw(SplitMix64.seed(seed, stream, draw, 0x77))
  }

  private func shuffled(_ draw: UInt64, of size: UInt64, stream: UInt64) -> UInt64 {
    if hasReplacement {
      return SplitMix64.seed(seed, stream, draw, 0x78).multipliedFullWidth(by: max(size, 1)).high
    }
    let (round, place) = draw.quotientAndRemainder(dividingBy: max(size, 1))
    let seed = SplitMix64.seed(seed, stream, round)
    switch shuffle {
    case .none: return place
    case .global: return Permutation(count: size, seed: seed)[place]
    case .block where !blocks.isEmpty: return blocks[Int(stream)][place, seed]
    case .block(let windows, let count):
      return BlockPermutation(
        count: size, block: UInt64(windows), pool: UInt64(count), seed: seed)[place]
    }
  }
}

/// A place in the order, and which windows a rank's next batch has.
public struct WindowCursor: Sendable, Equatable {
  /// The epoch.
  public var epoch: UInt64
  /// Windows of the epoch that are behind, on all ranks.
  public var position: UInt64

  /// A place.
  public init(epoch: UInt64 = 0, position: UInt64 = 0) {
    self.epoch = epoch
    self.position = position
  }

  /// How the order is cut.
  public struct Cut: Sendable, Equatable {
    /// Windows of a batch on one rank.
    public var batch: Int
    /// Which rank this is.
    public var rank: Int
    /// How many there are.
    public var world: Int
    /// Whether the windows that do not fill a batch on every rank are left out.
    public var dropLast: Bool
    /// Which worker of the rank this is: it gives the rank's batches `worker`, `worker + workers`, and so
    /// on, whole.
    public var worker: Int
    /// How many workers the rank has.
    public var workers: Int

    /// A cut.
    public init(
      batch: Int, rank: Int = 0, world: Int = 1, dropLast: Bool = true, worker: Int = 0,
      workers: Int = 1
    ) {
      self.batch = batch
      self.rank = rank
      self.world = world
      self.dropLast = dropLast
      self.worker = worker
      self.workers = workers
    }

    /// Steps of a whole epoch, the same on every rank; those of all workers together.
    public func steps(ofEpoch windows: UInt64) -> UInt64 {
      let step = UInt64(batch * world)
      return dropLast ? windows / step : (windows + step - 1) / step
    }
  }

  /// What a rank's next batch has.
  public struct Share: Sendable, Equatable {
    /// Places in the order.
    public var places: [UInt64]
    /// Whether the only place is one that another rank has: the last step of an epoch has fewer windows
    /// than there are ranks, and no rank gets an empty batch.
    public var isRepeated = false
  }

  /// The next batch, after which the cursor is behind it; `nil` at the end of the epoch, after which it is
  /// at the beginning of the next.
  ///
  /// A worker's cursor moves by whole rounds: a step of each worker.
  public mutating func next(_ cut: Cut, epochWindows: UInt64) -> Share? {
    let step = UInt64(cut.batch * cut.world)
    let before = step * UInt64(cut.worker)
    let left = epochWindows > position ? epochWindows - position : 0
    guard left > before, !cut.dropLast || left - before >= step else {
      self = WindowCursor(epoch: epoch &+ 1)
      return nil
    }
    let begin = position + before
    let count = min(step, left - before)
    position += min(step * UInt64(cut.workers), left)
    let first = begin + UInt64(cut.rank)
    var places = (0..<UInt64(cut.batch)).map { first + $0 * UInt64(cut.world) }
    if places.last.map({ $0 >= begin + count }) == true {
      places.removeAll { $0 >= begin + count }
    }
    if places.isEmpty {
      return Share(places: [begin + UInt64(cut.rank) % count], isRepeated: true)
    }
    return Share(places: places)
  }
}
