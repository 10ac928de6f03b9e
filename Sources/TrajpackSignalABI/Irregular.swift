import CTrajpack
import TrajpackFormat
import TrajpackSignal

private func mechanism(
  _ code: Int32, _ amount: Double, _ list: [Int], _ weights: [Double]
) throws(TrajpackError) -> Missingness {
  func item(_ i: Int) throws(TrajpackError) -> Int {
    guard i < list.count else {
      throw TrajpackError(.usage, "mechanism \(code) needs \(i + 1) numbers in its list")
    }
    return list[i]
  }
  switch code {
  case 0: return .entries(probability: amount)
  case 1: return .exactEntries(fraction: amount)
  case 2: return .rows(fraction: amount)
  case 3: return .keptRows(probability: amount)
  case 4: return .listedRows(list)
  case 5: return .blocks(fraction: amount, length: try item(0), width: try item(1))
  case 6: return .channels(count: try item(0))
  case 7: return .byDrivers(fraction: amount, drivers: list, weights: weights)
  case 8: return .byValue(fraction: amount, slope: weights.first ?? 1)
  case 9: return .above(offset: amount)
  case 10:
    guard weights.count == 2 else {
      throw TrajpackError(.usage, "mechanism 10 needs a cycle and a phase as weights")
    }
    return .byTime(cycle: weights[0], phase: weights[1], scale: amount)
  default: throw TrajpackError(.usage, "mechanism \(code): see trajpack_signal.h for the codes")
  }
}

/// See `tp_signal_mask` in trajpack_signal.h.
@c(tp_signal_mask) @implementation
public func tp_signal_mask(
  _ code: Int32, _ amount: Double, _ list: UnsafePointer<Int64>?,
  _ weights: UnsafePointer<Double>?, _ count: Int64, _ seed: UInt64, _ stream: UInt64,
  _ input: UnsafePointer<tp_signal_input>, _ mask: UnsafeMutablePointer<UInt8>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let numbers = UnsafeBufferPointer(start: list, count: list == nil ? 0 : Int(count))
    let factors = UnsafeBufferPointer(start: weights, count: weights == nil ? 0 : Int(count))
    let how = try mechanism(code, amount, numbers.map { Int($0) }, Array(factors))
    let i = input.pointee
    let out = UnsafeMutableBufferPointer(start: mask, count: i.entries)
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      try how.apply(
        i.buffer(type), rows: Int(i.rows), components: Int(i.components), mask: out, seed: seed,
        stream: stream)
    }
    try i.typed(run, run)
  }
}

/// See `tp_signal_random` in trajpack_signal.h.
@c(tp_signal_random) @implementation
public func tp_signal_random(
  _ seed: UInt64, _ stream: UInt64, _ count: Int64, _ words: UnsafeMutablePointer<UInt64>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  let random = CounterRandom(seed: seed, stream: stream)
  for i in 0..<Int(count) { words[i] = random.word(i) }
  return 0
}

/// See `tp_signal_time_since` in trajpack_signal.h.
@c(tp_signal_time_since) @implementation
public func tp_signal_time_since(
  _ times: UnsafePointer<tp_signal_times>, _ input: UnsafePointer<tp_signal_input>,
  _ output: UnsafeMutableRawPointer, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let i = input.pointee
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      guard let mask = i.mask else {
        throw TrajpackError(.usage, "time since observed needs a mask")
      }
      let out = output.assumingMemoryBound(to: S.self)
      try timeSinceObserved(
        times.pointee.times(), mask: mask, components: Int(i.components),
        into: UnsafeMutableBufferPointer(start: out, count: i.entries))
    }
    try i.typed(run, run)
  }
}

/// See `tp_signal_coefficients` in trajpack_signal.h.
@c(tp_signal_coefficients) @implementation
public func tp_signal_coefficients(
  _ kind: Int32, _ times: UnsafePointer<tp_signal_times>, _ input: UnsafePointer<tp_signal_input>,
  _ coefficients: UnsafeMutableRawPointer?, _ queries: UnsafePointer<Double>?, _ count: Int64,
  _ path: UnsafeMutableRawPointer?, _ derivative: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let i = input.pointee
    let at = Array(UnsafeBufferPointer(start: queries, count: queries == nil ? 0 : Int(count)))
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      let result = try PathCoefficients<S>(
        choose(kind, "kind", [0: .naturalCubic, 1: .hermiteBackward]), times.pointee.times(),
        i.buffer(type), components: Int(i.components), observed: i.mask)
      func write(_ values: [S], _ to: UnsafeMutableRawPointer?) {
        to?.assumingMemoryBound(to: S.self).update(from: values, count: values.count)
      }
      write(result.coefficients, coefficients)
      if path != nil { write(result.evaluate(at), path) }
      if derivative != nil { write(result.evaluate(at, derivative: true), derivative) }
    }
    try i.typed(run, run)
  }
}

/// See `tp_signal_rectilinear` in trajpack_signal.h.
@c(tp_signal_rectilinear) @implementation
public func tp_signal_rectilinear(
  _ input: UnsafePointer<tp_signal_input>, _ timeComponent: Int64, _ lookAhead: Int32,
  _ output: UnsafePointer<tp_signal_output>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let (i, o) = (input.pointee, output.pointee)
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      try rectilinearPath(
        i.buffer(type), rows: Int(i.rows), components: Int(i.components),
        timeComponent: Int(timeComponent), observed: i.mask, allowsLookingAhead: lookAhead != 0,
        into: o.buffer(type, i.components))
    }
    try i.typed(run, run)
  }
}

/// See `tp_signal_quantise` in trajpack_signal.h.
@c(tp_signal_quantise) @implementation
public func tp_signal_quantise(
  _ times: UnsafePointer<tp_signal_times>, _ quantum: Double,
  _ input: UnsafePointer<tp_signal_input>,
  _ ticks: UnsafeMutablePointer<Int64>, _ output: UnsafePointer<tp_signal_output>,
  _ rows: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let (i, o) = (input.pointee, output.pointee)
    guard case .floats(let at) = try times.pointee.times() else {
      throw TrajpackError(.usage, "quantising takes floating-point times: give form 2")
    }
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      let result = try QuantisedSeries<S>(
        at, quantum: quantum, i.buffer(type), components: Int(i.components), observed: i.mask)
      ticks.update(from: result.ticks, count: result.ticks.count)
      o.buffer(type, i.components).base(result.values)
      o.mask?.update(from: result.mask, count: result.mask.count)
      rows.pointee = Int64(result.ticks.count)
    }
    try i.typed(run, run)
  }
}

/// See `tp_signal_union` in trajpack_signal.h.
@c(tp_signal_union) @implementation
public func tp_signal_union(
  _ times: UnsafePointer<tp_signal_times>, _ inputs: UnsafePointer<tp_signal_input>,
  _ present: UnsafePointer<UnsafePointer<UInt8>?>?, _ count: Int64,
  _ unionTimes: UnsafeMutablePointer<Double>, _ ticks: UnsafeMutablePointer<Int64>,
  _ ticksPerUnit: UnsafeMutablePointer<Int64>, _ values: UnsafeMutableRawPointer,
  _ presence: UnsafeMutablePointer<UInt8>, _ rows: UnsafeMutablePointer<Int64>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    guard count > 0, count < 1 << 32 else {
      throw TrajpackError(.usage, "\(count) series: give one or more")
    }
    let components = Int(inputs[0].components)
    for i in 0..<Int(count) {
      guard inputs[i].dtype == inputs[0].dtype, inputs[i].components == inputs[0].components else {
        throw TrajpackError(
          .usage, "series \(i) has other components or another type than series 0: give all alike")
      }
    }
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      var batch: [BatchSeries<S>] = []
      for i in 0..<Int(count) {
        let input = inputs[i]
        batch.append(
          BatchSeries(
            times: try times[i].times(), values: input.buffer(type), observed: input.mask,
            present: present?[i].map { UnsafeBufferPointer(start: $0, count: Int(input.rows)) }))
      }
      let result = try UnionBatch(batch, components: components)
      unionTimes.update(from: result.times, count: result.times.count)
      if let exact = result.ticks { ticks.update(from: exact, count: exact.count) }
      ticksPerUnit.pointee = result.ticksPerUnit
      values.assumingMemoryBound(to: S.self).update(
        from: result.values, count: result.values.count)
      presence.update(from: result.presence, count: result.presence.count)
      rows.pointee = Int64(result.times.count)
    }
    try inputs[0].typed(run, run)
  }
}

extension UnsafeMutableBufferPointer {
  fileprivate func base(_ values: [Element]) {
    baseAddress?.update(from: values, count: values.count)
  }
}
