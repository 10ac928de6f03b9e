import TrajpackFormat
import TrajpackLoader

/// Windows of one dataset, or of a mixture of several, in batches.
///
/// One thread at a time asks for batches.
///
///     while let batch = try windows.next() { ... }      // one epoch; the next call begins the next one
public final class Windows {
  private let loader: Loader

  /// Windows of several datasets; give `weights` in ``WindowOptions/more`` to mix them by share.
  ///
  /// - Throws: A usage error naming the option that does not fit the data.
  public init(_ datasets: [Dataset], _ options: WindowOptions) throws(TrajpackError) {
    loader = try Loader(datasets.map(\.opened), try options.parsed())
  }

  /// Windows of each dataset.
  public var counts: [Int] { loader.windows.map { Int(clamping: $0) } }
  /// Batches of an epoch on this rank.
  public var batchCount: Int {
    Int(clamping: loader.cut.steps(ofEpoch: loader.order.epochWindows))
  }
  /// The arrays that a batch has, with the shape of a full batch.
  public var arrays: [ArrayDescription] { loader.outputs.map { ArrayDescription($0) } }

  /// Waits for the next batch; `nil` at the end of an epoch, and the call after it begins the next one.
  ///
  /// - Throws: What kept the batch from being made; the next call throws it again.
  public func next() throws(TrajpackError) -> Batch? {
    switch try loader.next() {
    case .batch(let batch): return Batch(batch, loader.outputs)
    case .endOfEpoch, .cancelled: return nil
    }
  }

  /// Where the next batch begins.
  public var state: State {
    let weights = loader.weightsState
    return State(
      digest: weights.digest == 0 ? loader.digest : loader.baseDigest, seed: loader.order.seed,
      epoch: loader.cursor.epoch, position: loader.cursor.position, weights: weights.digest,
      weightsEpoch: weights.epoch, laterWeights: weights.laterDigest,
      laterEpoch: weights.laterEpoch)
  }

  /// Goes on where `state` was taken: the batches are those of a run that was not interrupted, whatever the
  /// number of threads, and with another number of ranks if they stop at the same batch.
  ///
  /// - Throws: A usage error where the state is of other data or of another order; then nothing changes.
  public func restore(_ state: State) throws(TrajpackError) {
    try loader.resume(
      WindowCursor(epoch: state.epoch, position: state.position), seed: state.seed,
      digest: state.digest,
      weights: WeightsState(
        digest: state.weights, epoch: state.weightsEpoch, laterDigest: state.laterWeights,
        laterEpoch: state.laterEpoch))
  }

  /// A place in the order, which may be encoded into a checkpoint.
  public struct State: Codable, Sendable, Equatable {
    /// A digest of the data and of the options that decide the order.
    public var digest: UInt64
    /// What the order is made from.
    public var seed: UInt64
    /// The epoch, from 0 on.
    public var epoch: UInt64
    /// Windows of the epoch that are behind, on all ranks.
    public var position: UInt64
    var weights: UInt64
    var weightsEpoch: UInt64
    var laterWeights: UInt64
    var laterEpoch: UInt64
  }
}
