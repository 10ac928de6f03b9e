import CForkGuard
import CVideoTable
import Glibc
import TrajpackFormat
import TrajpackStore

/// Windows of one dataset or of a mixture of several, in batches, in an order that any number of ranks,
/// threads and restarts share.
///
/// One thread at a time asks for batches; ``cancel()`` and ``statistics`` may be called from others.
public final class Loader: @unchecked Sendable {
  // `engine` and `cursor` are changed by the one consumer; the lock protects `engine` from the others.
  /// The arrays of a batch.
  public var outputs: [Output] { setup.layout.outputs }
  /// Bytes of a batch.
  public var batchBytes: Int { setup.layout.bytes }
  /// Windows of each dataset.
  public var windows: [UInt64] { setup.sources.map(\.count) }
  /// The order.
  public internal(set) var order: WindowOrder
  /// How the order is cut.
  public private(set) var cut: WindowCursor.Cut
  /// The place after the last batch that was given out.
  public private(set) var cursor: WindowCursor
  /// The reference stream, and the rows of a window on its clock.
  public let reference: String
  /// Rows of a window on the reference clock.
  public var length: Int { setup.length }
  /// A digest of the datasets and of the options that decide the order, and of the weights that count in the epoch
  /// of the next batch.
  public var digest: UInt64 {
    order.weights(inEpoch: cursor.epoch).reduce(baseDigest) { digest, table in
      table.map { SplitMix64.mix(digest ^ $0.digest) } ?? digest
    }
  }
  /// The same without weights.
  public let baseDigest: UInt64
  /// The epoch that the weights count from.
  var weightsEpoch: UInt64
  /// Weights that a state was saved with and that are not here yet.
  var wanted: [(digest: UInt64, epoch: UInt64, isLater: Bool)] = []
  /// Threads; 0 for as many as there are processors.
  private var threads: Int

  let setup: LoaderSetup
  private var memory: BatchMemory
  private var engine: Engine?
  private var lock = ConditionLock()
  private var generation: UInt64
  private var isCancelled = false
  private var delivered = (batches: 0, windows: 0)
  /// What engines before the present one did.
  private var before = Engine.Totals()
  private let started = now()
  lazy var textReader = TextReader(setup)
  private lazy var reader = (Planner(setup), ChunkWorker(setup, cache: nil))
  /// Where ``read(dataset:windows:into:)`` has frames of videos from; another after a fork.
  private var readerFrames: (generation: UInt64, source: FrameSource)?

  init(
    _ setup: LoaderSetup, order: WindowOrder, cut: WindowCursor.Cut, reference: String,
    digest: UInt64
  ) {
    tp_fork_install()
    self.setup = setup
    self.order = order
    self.cut = cut
    self.reference = reference
    baseDigest = digest
    threads = setup.options.threads
    cursor = WindowCursor(epoch: setup.options.epoch)
    weightsEpoch = setup.options.epoch
    memory = BatchMemory(bytes: setup.layout.bytes, spareLimit: setup.options.prefetch + 2)
    generation = tp_fork_generation()
  }

  deinit { stopEngine() }

  /// Stops the threads. In the child of a fork they are not there, and what they held is left alone.
  private func stopEngine() {
    guard let engine else { return }
    if engine.generation == tp_fork_generation() {
      engine.stop()
      lock.locked {
        before.add(engine.statistics().totals)
        self.engine = nil
      }
    } else {
      _ = Unmanaged.passRetained(engine)
      self.engine = nil
    }
  }

  /// After a fork nothing that a lost thread may hold is touched again.
  private func restartAfterFork() {
    guard generation != tp_fork_generation() else { return }
    generation = tp_fork_generation()
    _ = Unmanaged.passRetained(lock)
    _ = Unmanaged.passRetained(memory)
    if let engine { _ = Unmanaged.passRetained(engine) }
    engine = nil
    lock = ConditionLock()
    memory = BatchMemory(bytes: setup.layout.bytes, spareLimit: setup.options.prefetch + 2)
  }

  /// What ``next()`` gives.
  public enum Step {
    /// A batch.
    case batch(Batch)
    /// The epoch is over; the next call begins the next one.
    case endOfEpoch
    /// ``cancel()`` was called.
    case cancelled
  }

  /// Waits for the next batch.
  ///
  /// - Throws: What kept it from being made; the next call throws it again.
  public func next() throws(TrajpackError) -> Step {
    guard let engine = try running() else { return .cancelled }
    switch try engine.next() {
    case .batch(let batch, let next):
      cursor = next
      delivered.batches += 1
      delivered.windows += batch.count
      return .batch(batch)
    case .endOfEpoch(let next):
      cursor = next
      return .endOfEpoch
    case .cancelled: return .cancelled
    }
  }

  /// Waits until ``next()`` would answer at once, but no longer than `milliseconds`; whether it would.
  ///
  /// Who calls this in a loop stays able to do something else between: Python looks for Ctrl-C.
  public func wait(milliseconds: Int) -> Bool {
    // What keeps the threads from starting is for `next()` to say.
    guard let running = try? running() else { return true }
    return running.wait(nanoseconds: UInt64(max(milliseconds, 0)) * 1_000_000)
  }

  /// The engine, started where it is not running; `nil` after ``cancel()``.
  private func running() throws(TrajpackError) -> Engine? {
    restartAfterFork()
    if lock.locked({ isCancelled }) { return nil }
    if let engine { return engine }
    try checkWeights()
    tp_fork_gate_enter()
    defer { tp_fork_gate_leave() }
    let engine = Engine(
      setup, order: order, cut: cut, threads: threads, memory: memory, from: cursor)
    try engine.start()
    lock.locked {
      self.engine = engine
      if isCancelled { engine.cancel() }
    }
    return engine
  }

  /// Becomes another part of all who load: a rank of `world`, and a worker of `workers` on it. The place in
  /// the order stays.
  ///
  /// - Parameter threads: 0 leaves their number as the options say it.
  /// - Throws: A usage error where there is no such part, or where an epoch is too short for so many ranks.
  public func setPart(
    rank: Int, world: Int, worker: Int, workers: Int, threads: Int
  ) throws(TrajpackError) {
    let most = 1 << 20
    guard (1...most).contains(world), (0..<world).contains(rank) else {
      throw TrajpackError(.usage, "there is no rank \(rank) of \(world)")
    }
    guard (1...1 << 16).contains(workers), (0..<workers).contains(worker) else {
      throw TrajpackError(.usage, "there is no worker \(worker) of \(workers)")
    }
    guard (0...1024).contains(threads) else {
      throw TrajpackError(.usage, "'threads' is \(threads), but must be 0 to 1024")
    }
    var new = cut
    (new.rank, new.world, new.worker, new.workers) = (rank, world, worker, workers)
    try Self.check(new, order)
    let count = threads > 0 ? threads : setup.options.threads
    guard new != cut || count != self.threads else { return }
    restartAfterFork()
    stopEngine()
    cut = new
    self.threads = count
  }

  /// Goes to a place of the order.
  public func seek(_ cursor: WindowCursor, seed: UInt64? = nil) {
    restartAfterFork()
    stopEngine()
    lock.locked { isCancelled = false }
    if let seed { order.seed = seed }
    self.cursor = cursor
  }

  /// Makes ``next()`` return at once, now and until ``seek(_:seed:)``.
  public func cancel() {
    restartAfterFork()
    lock.locked {
      isCancelled = true
      engine?.cancel()
    }
  }

  /// Takes the caller's memory in for one batch: `batchBytes`, at a multiple of 64.
  public func lend(_ bytes: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    guard let start = bytes.baseAddress, bytes.count >= batchBytes,
      UInt(bitPattern: start) % 64 == 0
    else {
      throw TrajpackError(
        .usage,
        "memory for a batch must have \(batchBytes) bytes at a multiple of 64, not \(bytes.count)")
    }
    memory.lend(start)
  }

  /// Reads given windows of one dataset into `bytes`, in this thread, as they are in the loader's epoch.
  ///
  /// - Throws: A usage error for more than a batch, or a window that is not there.
  public func read(
    dataset: Int, windows: [UInt64], into bytes: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    guard let start = bytes.baseAddress, bytes.count >= batchBytes else {
      throw TrajpackError(.usage, "a batch needs \(batchBytes) bytes, not \(bytes.count)")
    }
    guard windows.count <= cut.batch else {
      throw TrajpackError(
        .usage,
        "at most \(counted(cut.batch, "window")) (a 'batch') can be read at once, not \(windows.count)"
      )
    }
    guard setup.sources.indices.contains(dataset) else {
      throw TrajpackError(
        .usage, "there is no dataset \(dataset) in a mixture of \(setup.sources.count)")
    }
    for window in windows { try check(window, dataset) }
    let plan = BatchPlan(memory: start)
    let (planner, worker) = reader
    if let frames = setup.frames, readerFrames?.generation != tp_fork_generation() {
      if let old = readerFrames { _ = Unmanaged.passRetained(old.source) }
      readerFrames = (tp_fork_generation(), frames.source())
    }
    planner.frameSource = readerFrames?.source
    worker.frameSource = readerFrames?.source
    try planner.plan(
      windows.map { WindowOrder.Place(dataset: dataset, window: $0) }, epoch: cursor.epoch,
      into: plan)
    if let failure = worker.run(0..<plan.itemCount, plan).first { throw failure.error }
    for window in windows.indices {
      if let failure = plan.failures[window] { throw failure }
      worker.finisher.run(plan, window: window)
    }
  }

  func check(_ window: UInt64, _ dataset: Int) throws(TrajpackError) {
    guard window < setup.sources[dataset].count else {
      throw TrajpackError(
        .usage,
        "there is no window \(window); dataset \(dataset) has \(setup.sources[dataset].count)")
    }
  }

  /// Where a window lies: its episode and track, by number in the dataset, and its first row.
  public func locate(
    dataset: Int, window: UInt64
  ) throws(TrajpackError) -> (episode: Int, track: Int, row: Int) {
    guard setup.sources.indices.contains(dataset) else {
      throw TrajpackError(
        .usage, "there is no dataset \(dataset) in a mixture of \(setup.sources.count)")
    }
    try check(window, dataset)
    let location = setup.sources[dataset].locate(window)
    let shard = location.shard
    let numbers = shard.numbers(ofTrack: location.track)
    return (
      shard.firstEpisode + numbers.episode, shard.firstTrack + location.track,
      location.clip?.row ?? location.anchor
    )
  }

  /// What the loader has done: members of a JSON object; `trajpack.h` names them.
  public var statistics: JSONValue {
    restartAfterFork()
    var (totals, cacheBytes, threads) = (before, 0, 0)
    var frames = tpv_counts()
    lock.locked {
      totals = before
      guard let found = engine?.statistics() else { return }
      totals.add(found.totals)
      (cacheBytes, threads) = (found.cacheBytes, found.threads)
      frames = engine?.frameCounts ?? frames
    }
    let counters = totals.counters
    func seconds(_ nanoseconds: UInt64) -> JSONValue { .double(Double(nanoseconds) / 1e9) }
    return .record([
      "batches": .int(Int64(delivered.batches)), "windows": .int(Int64(delivered.windows)),
      "skipped": .int(Int64(totals.skipped)),
      "bytes_read": .int(Int64(counters.bytesRead)),
      "bytes_inflated": .int(Int64(counters.bytesInflated)), "chunks": .int(Int64(counters.chunks)),
      "cache_hits": .int(Int64(counters.cacheHits)), "cache_bytes": .int(Int64(cacheBytes)),
      "wait_data_seconds": seconds(totals.dataWait),
      "wait_consumer_seconds": seconds(totals.consumerWait),
      "seconds": seconds(now() - started), "threads": .int(Int64(threads)),
      "frames": .int(frames.frames), "frame_packets": .int(frames.packets),
      "cached_frames": .int(frames.cached_frames),
      "frame_bytes": .int(frames.frame_bytes), "decoder_bytes": .int(frames.decoder_bytes),
      "last_error": totals.lastError.map { .string($0.message) } ?? .null,
    ])
  }
}
