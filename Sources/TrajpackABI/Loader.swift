import CTrajpack
import Glibc
import TrajpackCInterface
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

private func made(_ loader: OpaquePointer?) throws(TrajpackError) -> Loader {
  try CInterface.object(loader, Loader.self, "loader")
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_create(
  _ datasets: UnsafePointer<OpaquePointer?>?, _ count: Int, _ options: UnsafePointer<CChar>?,
  _ loader: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  runWithFrames(error) { () throws(TrajpackError) in
    let out = try CInterface.need(loader, "loader")
    let datasets = try CInterface.need(datasets, "datasets")
    guard count <= 65_535 else {
      throw TrajpackError(.usage, "a loader takes at most 65,535 datasets, not \(count)")
    }
    var opened: [OpenDataset] = []
    for i in 0..<max(count, 0) {
      opened.append(try lazy(datasets[i], "datasets[\(i)]").whole())
    }
    let text = options == nil ? "{}" : try CInterface.string(options, "options")
    out.pointee = CInterface.handle(try Loader(opened, try LoaderOptions(json: text)))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_free(_ loader: OpaquePointer?) { CInterface.free(loader, as: Loader.self) }

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_describe(
  _ loader: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try made(loader).description
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_normalization(
  _ loader: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try made(loader).normalization
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_next(
  _ loader: OpaquePointer?, _ batch: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(batch, "batch")
    out.pointee = nil
    switch try made(loader).next() {
    case .batch(let batch):
      out.pointee = CInterface.handle(BatchHandle(batch))
      return TP_OK
    case .endOfEpoch: return TP_END
    case .cancelled: return TP_CANCELLED
    }
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_wait(_ loader: OpaquePointer?, _ milliseconds: Int32) -> Int32 {
  guard let loader = try? made(loader) else { return Int32(bitPattern: TP_OK.rawValue) }
  let isReady = loader.wait(milliseconds: Int(milliseconds))
  return Int32(bitPattern: isReady ? TP_OK.rawValue : TP_WAITING.rawValue)
}

/// A batch with its lists where C can look at them.
private final class BatchHandle {
  let batch: Batch
  let windows: UnsafeMutablePointer<UInt64>
  let datasets: UnsafeMutablePointer<UInt32>

  init(_ batch: Batch) {
    self.batch = batch
    windows = .allocate(capacity: max(batch.count, 1))
    datasets = .allocate(capacity: max(batch.count, 1))
    windows.initialize(from: batch.windows, count: batch.count)
    datasets.initialize(from: batch.datasets, count: batch.count)
  }

  deinit {
    windows.deallocate()
    datasets.deallocate()
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_batch_look(_ batch: OpaquePointer?, _ view: UnsafeMutablePointer<tp_batch_view>?) {
  guard let batch, let view else { return }
  let held = Unmanaged<BatchHandle>.fromOpaque(UnsafeRawPointer(batch)).takeUnretainedValue()
  view.pointee = tp_batch_view(
    memory: held.batch.memory, bytes: UInt64(held.batch.bytes), count: UInt64(held.batch.count),
    epoch: held.batch.cursor.epoch, position: held.batch.cursor.position,
    windows: UnsafePointer(held.windows), datasets: UnsafePointer(held.datasets))
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_batch_repeated(_ batch: OpaquePointer?) -> Int32 {
  guard let batch else { return 0 }
  let held = Unmanaged<BatchHandle>.fromOpaque(UnsafeRawPointer(batch)).takeUnretainedValue()
  return held.batch.isRepeated ? 1 : 0
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_set_part(
  _ loader: OpaquePointer?, _ part: UnsafePointer<tp_part>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let part = try CInterface.need(part, "part").pointee
    try made(loader).setPart(
      rank: Int(part.rank), world: Int(part.world), worker: Int(part.worker),
      workers: Int(part.workers), threads: Int(part.threads))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_batch_free(_ batch: OpaquePointer?) { CInterface.free(batch, as: BatchHandle.self) }

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_lend(
  _ loader: OpaquePointer?, _ memory: UnsafeMutableRawPointer?, _ bytes: Int,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let memory = try CInterface.need(memory, "memory")
    try made(loader).lend(UnsafeMutableRawBufferPointer(start: memory, count: max(bytes, 0)))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_set_weights(
  _ loader: OpaquePointer?, _ dataset: UInt32, _ weights: UnsafePointer<Float>?, _ count: Int,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let weights = try CInterface.need(weights, "weights")
    try made(loader).setWeights(
      dataset: Int(dataset), UnsafeBufferPointer(start: weights, count: max(count, 0)))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_replace_weights(
  _ loader: OpaquePointer?, _ weights: UnsafePointer<UnsafePointer<Float>?>?,
  _ counts: UnsafePointer<Int>?, _ datasets: Int, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let weights = try CInterface.need(weights, "weights")
    let counts = try CInterface.need(counts, "counts")
    var given: [UnsafeBufferPointer<Float>] = []
    for dataset in 0..<max(datasets, 0) {
      given.append(
        UnsafeBufferPointer(
          start: try CInterface.need(weights[dataset], "weights"), count: max(counts[dataset], 0)))
    }
    try made(loader).replaceWeights(given)
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_read(
  _ loader: OpaquePointer?, _ dataset: UInt32, _ windows: UnsafePointer<UInt64>?, _ count: Int,
  _ memory: UnsafeMutableRawPointer?, _ bytes: Int, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let windows = try CInterface.need(windows, "windows")
    let memory = try CInterface.need(memory, "memory")
    try made(loader).read(
      dataset: Int(dataset),
      windows: Array(UnsafeBufferPointer(start: windows, count: max(count, 0))),
      into: UnsafeMutableRawBufferPointer(start: memory, count: max(bytes, 0)))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_order(
  _ loader: OpaquePointer?, _ epoch: UInt64, _ first: UInt64, _ count: Int,
  _ windows: UnsafeMutablePointer<UInt64>?, _ datasets: UnsafeMutablePointer<UInt32>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let windows = try CInterface.need(windows, "windows")
    try made(loader).checkWeights()
    let order = try made(loader).order
    guard count >= 0, first <= order.epochWindows, UInt64(count) <= order.epochWindows - first
    else {
      throw TrajpackError(
        .usage,
        "places \(first) to \(first) + \(count) are asked for; an epoch has \(order.epochWindows)")
    }
    for i in 0..<count {
      let place = order.window(epoch: epoch, position: first + UInt64(i))
      windows[i] = place.window
      datasets?[i] = UInt32(place.dataset)
    }
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_locate(
  _ loader: OpaquePointer?, _ dataset: UInt32, _ window: UInt64,
  _ episode: UnsafeMutablePointer<Int64>?, _ track: UnsafeMutablePointer<Int64>?,
  _ row: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let found = try made(loader).locate(dataset: Int(dataset), window: window)
    episode?.pointee = Int64(found.episode)
    track?.pointee = Int64(found.track)
    row?.pointee = Int64(found.row)
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_locate_all(
  _ loader: OpaquePointer?, _ datasets: UnsafePointer<UInt32>?, _ windows: UnsafePointer<UInt64>?,
  _ count: Int, _ episodes: UnsafeMutablePointer<Int64>?, _ tracks: UnsafeMutablePointer<Int64>?,
  _ rows: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let windows = try CInterface.need(windows, "windows")
    let datasets = try CInterface.need(datasets, "datasets")
    let loader = try made(loader)
    for i in 0..<max(count, 0) {
      let found = try loader.locate(dataset: Int(datasets[i]), window: windows[i])
      episodes?[i] = Int64(found.episode)
      tracks?[i] = Int64(found.track)
      rows?[i] = Int64(found.row)
    }
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_texts(
  _ loader: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ datasets: UnsafePointer<UInt32>?,
  _ windows: UnsafePointer<UInt64>?, _ count: Int,
  _ bytes: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?,
  _ offsets: UnsafeMutablePointer<Int64>?, _ present: UnsafeMutablePointer<UInt8>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let out = try CInterface.need(bytes, "bytes")
    let offsets = try CInterface.need(offsets, "offsets")
    let windows = try CInterface.need(windows, "windows")
    let datasets = try CInterface.need(datasets, "datasets")
    let count = max(count, 0)
    let texts = try made(loader).texts(
      try CInterface.string(name, "name"),
      datasets: UnsafeBufferPointer(start: datasets, count: count).map { Int($0) },
      windows: Array(UnsafeBufferPointer(start: windows, count: count)))
    var joined: [UInt8] = []
    offsets[0] = 0
    for (i, text) in texts.enumerated() {
      joined += text?.utf8.map { $0 } ?? []
      offsets[i + 1] = Int64(joined.count)
      present?[i] = text == nil ? 0 : 1
    }
    guard let memory = malloc(max(joined.count, 1)) else {
      throw TrajpackError(.machine, "there is no memory for \(joined.count) bytes")
    }
    joined.withUnsafeBytes {
      if let from = $0.baseAddress { memory.copyMemory(from: from, byteCount: joined.count) }
    }
    out.pointee = memory.assumingMemoryBound(to: UInt8.self)
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_get_state(_ loader: OpaquePointer?, _ state: UnsafeMutablePointer<tp_state>?)
{
  guard let loader = try? made(loader), let state else { return }
  let weights = loader.weightsState
  state.pointee = tp_state(
    version: 1, digest: weights.digest == 0 ? loader.digest : loader.baseDigest,
    seed: loader.order.seed, epoch: loader.cursor.epoch, position: loader.cursor.position,
    weights: weights.digest, weights_epoch: weights.epoch, later_weights: weights.laterDigest,
    later_epoch: weights.laterEpoch)
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_set_state(
  _ loader: OpaquePointer?, _ state: UnsafePointer<tp_state>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    let state = try CInterface.need(state, "state").pointee
    guard state.version == 1 else {
      throw TrajpackError(
        .usage,
        "the state has version \(state.version), which this trajpack does not know; use a newer one"
      )
    }
    try made(loader).resume(
      WindowCursor(epoch: state.epoch, position: state.position), seed: state.seed,
      digest: state.digest,
      weights: WeightsState(
        digest: state.weights, epoch: state.weights_epoch, laterDigest: state.later_weights,
        laterEpoch: state.later_epoch))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_seek(
  _ loader: OpaquePointer?, _ epoch: UInt64, _ position: UInt64,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.run(error) { () throws(TrajpackError) in
    try made(loader).seek(WindowCursor(epoch: epoch, position: position))
    return TP_OK
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_stats(
  _ loader: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    try made(loader).statistics
  }
}

/// `trajpack.h` says what it does.
@c @implementation
public func tp_loader_cancel(_ loader: OpaquePointer?) {
  if let loader = try? made(loader) { loader.cancel() }
}
