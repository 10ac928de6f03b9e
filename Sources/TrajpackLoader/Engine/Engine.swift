import CPlatform
import CVideoTable
import Glibc
import Synchronization
import TrajpackFormat
import TrajpackStore

/// Threads that fill a ring of batches, a few ahead of the consumer, in order.
///
/// A thread without work plans the next batch where there is room for one, otherwise takes the next item
/// of the oldest batch that has one left. So all threads are busy across the borders of batches, and
/// no chunk is read before a batch in flight needs it.
final class Engine: @unchecked Sendable {
  /// One place of the ring.
  final class Slot {
    let plan: BatchPlan?
    /// Where the batch begins, and the place after it.
    let cursor: WindowCursor
    let next: WindowCursor
    /// Whether its only window is one that another rank has.
    var isRepeated = false
    var nextItem = 0
    var doneItems = 0
    var isReady = false
    var error: TrajpackError?

    init(plan: BatchPlan?, cursor: WindowCursor, next: WindowCursor) {
      self.plan = plan
      self.cursor = cursor
      self.next = next
    }
  }

  /// What the consumer gets.
  enum Delivery {
    case batch(Batch, next: WindowCursor)
    case endOfEpoch(next: WindowCursor)
    case cancelled
  }

  /// What it has done.
  struct Totals {
    var counters = Counters()
    var skipped = 0
    var dataWait: UInt64 = 0
    var consumerWait: UInt64 = 0
    var lastError: TrajpackError?

    mutating func add(_ other: Totals) {
      counters.add(other.counters)
      skipped += other.skipped
      dataWait += other.dataWait
      consumerWait += other.consumerWait
      lastError = other.lastError ?? lastError
    }
  }

  // Everything below is changed under the lock only, but for the plans of slots.
  private let lock = ConditionLock()
  private let setup: LoaderSetup
  private let order: WindowOrder
  private let cut: WindowCursor.Cut
  private let memory: BatchMemory
  private let cache: ChunkCache?
  private let threadCount: Int
  private var threads: [pthread_t] = []
  private var ring: [Slot] = []
  private var cursor: WindowCursor
  private var isPlanning = false
  private var isStopped = false
  /// Whether threads that wait for a server are to end.
  private let endsWaits = Atomic<Bool>(false)
  private var isCancelled = false
  private var totals = Totals()
  private var spare: [BatchPlan] = []
  private let planner: Planner
  private var frameSource: FrameSource?
  /// The fork generation in which its threads were started.
  let generation = tp_fork_generation()

  init(
    _ setup: LoaderSetup, order: WindowOrder, cut: WindowCursor.Cut, threads: Int,
    memory: BatchMemory, from cursor: WindowCursor
  ) {
    self.setup = setup
    self.order = order
    self.cut = cut
    self.memory = memory
    self.cursor = cursor
    planner = Planner(setup)
    // Only a pool of blocks comes back to the same chunks soon, but not in the same batch.
    var limit = 0
    if case .block = setup.options.shuffle { limit = 64 << 20 }
    // Output of a plan is expensive to compute again, whole tracks above all, so the default cache
    // is larger with a plan.
    if setup.options.plan != nil { limit = 192 << 20 }
    limit = setup.options.cache ?? limit
    cache = limit > 0 ? ChunkCache(limit: limit) : nil
    threadCount = threads > 0 ? threads : Int(tp_processors())
  }

  /// Starts the threads; the corresponding C function is `pthread_create`.
  func start() throws(TrajpackError) {
    frameSource = setup.frames?.source()
    planner.frameSource = frameSource
    for _ in 0..<threadCount {
      var thread = pthread_t()
      let box = Unmanaged.passRetained(self)
      let status = pthread_create(
        &thread, nil,
        { @Sendable raw in
          guard let raw else { return nil }
          Unmanaged<Engine>.fromOpaque(raw).takeRetainedValue().work()
          return nil
        }, box.toOpaque())
      guard status == 0 else {
        box.release()
        if threads.isEmpty {
          throw TrajpackError(.machine, "no thread can be started for the loader")
        }
        break
      }
      threads.append(thread)
    }
  }

  /// Stops the threads and waits for them; each ends after the chunk it is at.
  func stop() {
    endsWaits.store(true, ordering: .relaxed)
    lock.locked {
      isStopped = true
      lock.wakeAll(.worker)
      lock.wakeAll(.consumer)
    }
    for thread in threads { pthread_join(thread, nil) }
    threads = []
    for slot in ring { if let plan = slot.plan { memory.give(plan.memory) } }
    ring = []
  }

  /// Makes the consumer return at once, now and later.
  func cancel() {
    lock.locked {
      isCancelled = true
      lock.wakeAll(.consumer)
    }
  }

  /// Waits for a batch, but no longer than that; true where ``next()`` will now return at once.
  func wait(nanoseconds: UInt64) -> Bool {
    lock.locked {
      let start = now()
      let deadline = start &+ min(nanoseconds, 1 << 62)
      var isReady = isCancelled || isStopped || ring.first?.isReady == true
      guard !isReady, nanoseconds > 0 else { return isReady }
      while !isReady, lock.wait(.consumer, until: deadline) {
        isReady = isCancelled || isStopped || ring.first?.isReady == true
      }
      totals.dataWait += now() - start
      return isReady || isCancelled || isStopped || ring.first?.isReady == true
    }
  }

  /// Waits for the next batch.
  ///
  /// - Throws: What kept the batch from being made; the batch stays, so that the next call throws it too.
  func next() throws(TrajpackError) -> Delivery {
    lock.lock()
    if !isCancelled, ring.first?.isReady != true {
      let start = now()
      while !isCancelled, !isStopped, ring.first?.isReady != true { lock.wait(.consumer) }
      totals.dataWait += now() - start
    }
    guard !isCancelled, !isStopped, let slot = ring.first else {
      lock.unlock()
      return .cancelled
    }
    if let error = slot.error {
      lock.unlock()
      throw error
    }
    ring.removeFirst()
    lock.wakeAll(.worker)
    lock.unlock()
    guard let plan = slot.plan else { return .endOfEpoch(next: slot.next) }
    plan.fetches.removeAll()
    let places = compact(plan)
    if slot.isRepeated {
      for output in setup.layout.outputs where output.role == .padding && !places.isEmpty {
        memset(plan.memory + output.offset, 1, output.windowBytes)
      }
    }
    let batch = Batch(
      plan.memory, bytes: setup.layout.bytes, pool: memory, cursor: slot.cursor, places: places,
      isRepeated: slot.isRepeated)
    lock.locked { if spare.count <= setup.options.prefetch { spare.append(plan) } }
    return .batch(batch, next: slot.next)
  }

  /// Closes the gaps that windows left which could not be read.
  private func compact(_ plan: BatchPlan) -> [WindowOrder.Reference] {
    guard plan.failures.contains(where: { $0 != nil }) else { return plan.places }
    var kept: [WindowOrder.Reference] = []
    for (window, place) in plan.places.enumerated() where plan.failures[window] == nil {
      if kept.count < window {
        for output in setup.layout.outputs {
          let size = output.windowBytes
          memmove(
            plan.memory + output.offset + kept.count * size,
            plan.memory + output.offset + window * size,
            size)
        }
      }
      kept.append(place)
    }
    return kept
  }

  /// What was done so far, and bytes that the cache holds.
  func statistics() -> (totals: Totals, cacheBytes: Int, threads: Int) {
    lock.locked { (totals, cache?.count ?? 0, threadCount) }
  }

  /// What was decoded so far.
  var frameCounts: tpv_counts? { frameSource?.counts }

  // MARK: - The threads

  private func work() {
    let worker = ChunkWorker(setup, cache: cache)
    worker.frameSource = frameSource
    Interruption.watchThread { [unowned self] in endsWaits.load(ordering: .relaxed) }
    defer { Interruption.watchThread(nil) }
    lock.lock()
    while !isStopped {
      if !isPlanning, ring.count < setup.options.prefetch {
        isPlanning = true
        planNext(worker)
        isPlanning = false
      } else if let slot = ring.first(where: { $0.nextItem < $0.plan?.itemCount ?? 0 }),
        let plan = slot.plan
      {
        // Frames take so long that each is an item to be taken by itself.
        let count =
          slot.nextItem < plan.frameItems ? 1 : share(of: plan.itemCount - slot.nextItem)
        let items = slot.nextItem..<slot.nextItem + count
        slot.nextItem = items.upperBound
        run(items, plan, slot, worker)
      } else {
        let isFull = !isPlanning && ring.allSatisfy(\.isReady)
        let start = isFull ? now() : 0
        lock.wait(.worker)
        if isFull { totals.consumerWait += now() - start }
      }
    }
    lock.unlock()
  }

  /// Plans the next batch; the lock is held before and after.
  private func planNext(_ worker: ChunkWorker) {
    let begin = cursor
    let share = cursor.next(cut, epochWindows: order.epochWindows)
    let next = cursor
    let old = share == nil ? nil : spare.popLast()
    lock.unlock()
    var slot: Slot
    if let share {
      var error: TrajpackError?
      var made: BatchPlan?
      do throws(TrajpackError) {
        let bytes = try memory.take()
        let plan = old ?? BatchPlan(memory: bytes)
        plan.memory = bytes
        made = plan
        try planner.plan(
          share.places.map { order.window(epoch: begin.epoch, position: $0) },
          epoch: begin.epoch, into: plan)
        if setup.hasRemote { worker.fetch(plan) }
        for window in plan.places.indices where plan.remaining[window] == 0 {
          worker.finisher.run(plan, window: window)
        }
      } catch let failure { error = failure }
      slot = Slot(plan: made, cursor: begin, next: next)
      slot.isRepeated = share.isRepeated
      slot.error = error
      slot.isReady = error != nil || made?.itemCount == 0
      if error != nil { slot.nextItem = .max }
    } else {
      slot = Slot(plan: nil, cursor: begin, next: next)
      slot.isReady = true
    }
    lock.lock()
    ring.append(slot)
    lock.wakeAll(.worker)
    if ring.first === slot, slot.isReady { lock.wakeAll(.consumer) }
  }

  /// How many items a thread takes at once, of those that are left of a batch: fewer towards its end, so
  /// that all threads end at the same time, and the lock is seldom asked for.
  private func share(of left: Int) -> Int { min(max(left / (2 * threadCount), 1), 16) }

  /// Does some items; the lock is held before and after.
  private func run(_ items: Range<Int>, _ plan: BatchPlan, _ slot: Slot, _ worker: ChunkWorker) {
    lock.unlock()
    let failures = worker.run(items, plan)
    lock.lock()
    totals.counters.add(worker.counters)
    worker.counters = Counters()
    for failure in failures {
      for i in plan.segments(ofItem: failure.item) {
        let window = Int(plan.segments[i].window)
        if plan.failures[window] == nil { plan.failures[window] = failure.error }
      }
    }
    var finished: [Int] = []
    for i in plan.items[items.lowerBound]..<plan.items[items.upperBound] {
      let window = Int(plan.segments[i].window)
      plan.remaining[window] -= 1
      if plan.remaining[window] == 0, !plan.finishes(ofWindow: window).isEmpty {
        finished.append(window)
      }
    }
    if !finished.isEmpty {
      lock.unlock()
      for window in finished { worker.finisher.run(plan, window: window) }
      lock.lock()
    }
    slot.doneItems += items.count
    guard slot.doneItems == plan.itemCount else { return }
    // What is not the data's fault is never skipped.
    let errors = plan.failures.compactMap { $0 }
    if let error = errors.first(where: { $0.fault != .data }) ?? errors.first {
      totals.lastError = error
      if setup.options.skipsErrors, error.fault == .data {
        totals.skipped += plan.failures.count { $0 != nil }
      } else {
        slot.error = error
      }
    }
    slot.isReady = true
    if ring.first === slot { lock.wakeAll(.consumer) }
  }
}
