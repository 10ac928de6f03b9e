import CTrajpack
import TrajpackFormat
import TrajpackSignal

private let interpolations: [Int32: Interpolation] = [
  0: .previous, 1: .next, 2: .nearest(.earlier), 3: .nearest(.later), 4: .linear,
  5: .hermiteBackward, 6: .cubic(.natural), 7: .cubic(.notAKnot), 8: .cubic(.clamped), 9: .pchip,
  10: .akima, 11: .makima, 12: .counter,
]
private let paths: [Int32: SpherePath] = [
  20: .slerp, 21: .squad(.xyzw), 22: .squad(.wxyz), 23: .directions, 24: .squad(.unknown),
]
private let edgePolicies: [Int32: EdgePolicy] = [
  0: .missing, 1: .hold, 2: .extrapolate, 3: .reflect,
]

/// See `tp_signal_resample` in trajpack_signal.h.
@c(tp_signal_resample) @implementation
public func tp_signal_resample(
  _ source: UnsafePointer<tp_signal_times>, _ target: UnsafePointer<tp_signal_times>,
  _ method: Int32,
  _ edges: Int32, _ gap: Double, _ breaks: UnsafePointer<Int64>?, _ breakCount: Int64,
  _ angle: UnsafePointer<Double>?, _ input: UnsafePointer<tp_signal_input>,
  _ output: UnsafePointer<tp_signal_output>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let rows = UnsafeBufferPointer(start: breaks, count: breaks == nil ? 0 : Int(breakCount))
    let plan = try ResamplePlan(
      from: source.pointee.times(), to: target.pointee.times(),
      edges: choose(edges, "edges", edgePolicies), gapLimit: span(gap), breaks: rows.map { Int($0) }
    )
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      let (i, o) = (input.pointee, output.pointee)
      let (values, out) = (i.buffer(type), o.buffer(type, i.components))
      let mask = o.masks(i.components)
      let components = Int(i.components)
      if let path = paths[method] {
        try plan.apply(
          path, values, components: components, observed: i.mask, into: out, mask: mask)
      } else if let angle {
        try plan.apply(
          angles: AngleRange(period: angle[0], low: angle[1]),
          choose(method, "method", interpolations), values, components: components,
          observed: i.mask, into: out, mask: mask)
      } else {
        try plan.apply(
          choose(method, "method", interpolations), values, components: components,
          observed: i.mask, into: out, mask: mask)
      }
    }
    try input.pointee.typed(run, run)
  }
}

/// See `tp_signal_polyphase` in trajpack_signal.h.
@c(tp_signal_polyphase) @implementation
public func tp_signal_polyphase(
  _ up: Int64, _ down: Int64, _ edges: Int32, _ bridge: Int64,
  _ input: UnsafePointer<tp_signal_input>,
  _ output: UnsafePointer<tp_signal_output>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let filter = try LowPass(up: Int(up), down: Int(down))
    let policy: FilterEdges = try choose(
      edges, "edges", [0: .zero, 1: .hold, 2: .reflect, 3: .line, 4: .mean])
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      let (i, o) = (input.pointee, output.pointee)
      try filter.apply(
        i.buffer(type), rows: Int(i.rows), components: Int(i.components), observed: i.mask,
        edges: policy, bridge: Int(bridge), into: o.buffer(type, i.components),
        mask: o.masks(i.components))
    }
    try input.pointee.typed(run, run)
  }
}

/// See `tp_signal_moving_mean` in trajpack_signal.h.
@c(tp_signal_moving_mean) @implementation
public func tp_signal_moving_mean(
  _ source: UnsafePointer<tp_signal_times>, _ target: UnsafePointer<tp_signal_times>,
  _ width: Double,
  _ gap: Double, _ input: UnsafePointer<tp_signal_input>, _ output: UnsafePointer<tp_signal_output>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let plan = try ResamplePlan(
      from: source.pointee.times(), to: target.pointee.times(), gapLimit: span(gap))
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      let (i, o) = (input.pointee, output.pointee)
      try plan.applyMovingMean(
        width: width, i.buffer(type), components: Int(i.components), observed: i.mask,
        into: o.buffer(type, i.components), mask: o.masks(i.components))
    }
    try input.pointee.typed(run, run)
  }
}

/// See `tp_signal_bins` in trajpack_signal.h.
@c(tp_signal_bins) @implementation
public func tp_signal_bins(
  _ source: UnsafePointer<tp_signal_times>, _ bins: UnsafePointer<tp_signal_times>,
  _ statistic: Int32,
  _ input: UnsafePointer<tp_signal_input>, _ output: UnsafePointer<tp_signal_output>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    guard case .regular(let clock, let count) = try bins.pointee.times() else {
      throw TrajpackError(.usage, "bins lie on a regular clock: give form 0")
    }
    let plan = try BinPlan(source.pointee.times(), bins: clock, count: count)
    let wanted: BinStatistic = try choose(
      statistic, "statistic",
      [0: .mean, 1: .sum, 2: .minimum, 3: .maximum, 4: .first, 5: .last, 6: .count])
    func run<S: SignalScalar>(_ type: S.Type) throws(TrajpackError) {
      let (i, o) = (input.pointee, output.pointee)
      try plan.apply(
        wanted, i.buffer(type), components: Int(i.components), observed: i.mask,
        into: o.buffer(type, i.components), mask: o.masks(i.components))
    }
    try input.pointee.typed(run, run)
  }
}

/// See `tp_signal_align` in trajpack_signal.h.
@c(tp_signal_align) @implementation
public func tp_signal_align(
  _ stream: UnsafePointer<tp_signal_times>, _ reference: UnsafePointer<tp_signal_times>,
  _ direction: Int32,
  _ tolerance: Double, _ numerator: Int64, _ denominator: Int64, _ same: Int32,
  _ rounding: Double,
  _ rows: UnsafeMutablePointer<Int32>?, _ offsets: UnsafeMutablePointer<Double>?,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let exact = denominator == 0 ? nil : Rational(numerator, denominator).map(TimeSpan.exact)
    let plan = try AlignPlan(
      stream.pointee.times(), to: reference.pointee.times(),
      choose(direction, "direction", [0: .backward, 1: .forward, 2: .nearest, 3: .exact]),
      tolerance: exact ?? span(tolerance), allowsSameTime: same != 0,
      rounding: StampRounding(rounding < 0 ? nil : rounding))
    for i in 0..<plan.rows.count {
      rows?[i] = plan.rows[i]
      offsets?[i] = plan.offsets[i]
    }
  }
}
