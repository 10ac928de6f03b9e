import TrajpackFormat

/// How a channel is resampled.
public enum ResampleMethod: Sendable, Hashable {
  /// Piecewise interpolation or selection, of each component.
  case interpolate(Interpolation)
  /// A path of unit vectors.
  case sphere(SpherePath)
  /// Unwrap, interpolate, wrap.
  case angle(Interpolation, AngleRange)

  /// What people call it: `linear`, `slerp`.
  var name: String {
    switch self {
    case .interpolate(let how), .angle(let how, _): how.name
    case .sphere(.squad): "squad"
    case .sphere: "slerp"
    }
  }
}

/// Which anti-aliasing filter ran.
public enum FilterReport: Sendable, Hashable {
  /// None, and why.
  case none(String)
  /// A polyphase Kaiser low-pass from one regular clock to another.
  case polyphase(up: Int, down: Int, halfLength: Int, beta: Double)
  /// A Kaiser low-pass at the source's rate, then the interpolation.
  case lowPass(cutoff: Double, halfLength: Int, beta: Double)
  /// A windowed sinc through the rows of a clock that is regular, or near enough.
  case sinc(cutoff: Double, halfLength: Double, line: ClockLine)
  /// The moving mean of the linear path, where times have no regular clock.
  case movingMean(width: Double)
}

/// A channel's way from one clock to another by the rules of its kind.
public struct Resampler: Sendable {
  /// Where output rows lie among the source's.
  public let plan: ResamplePlan
  /// How values are made.
  public let method: ResampleMethod
  /// Which anti-aliasing filter runs.
  public let report: FilterReport
  private let filter: LowPass?
  private let sinc: WindowedSinc?
  /// The output's times, where the sinc asks for them.
  private let outputs: [Double]

  /// - Parameters:
  ///   - kind: decides what is allowed and the default method.
  ///   - method: `nil` for the kind's default.
  ///   - antiAliasing: whether averaging kinds are low-passed where the rate goes down.
  ///   - clock: how the source's clock is taken for the choice of the filter.
  /// - Throws: `.usage` where the method does not fit the kind.
  public init(
    _ kind: Kind, from source: Times, to target: Times, method: ResampleMethod? = nil,
    edges: EdgePolicy = .missing, gapLimit: TimeSpan? = nil, breaks: [Int] = [],
    antiAliasing: Bool = true, clock: ClockReading = .auto
  ) throws(TrajpackError) {
    let chosen: ResampleMethod
    if let method { chosen = method } else { chosen = try Self.defaultMethod(for: kind) }
    try Self.require(chosen, fits: kind)
    self.method = chosen
    plan = try ResamplePlan(
      from: source, to: target, edges: edges, gapLimit: gapLimit, breaks: breaks)
    (report, filter, sinc) = try Self.antiAlias(
      chosen, source, target, edges, antiAliasing, clock)
    outputs = sinc == nil ? [] : target.seconds(onClockOf: source)
  }

  /// The method of a kind where none is asked for.
  ///
  /// - Throws: `.usage` for angles, whose period only the caller knows.
  public static func defaultMethod(for kind: Kind) throws(TrajpackError) -> ResampleMethod {
    switch kind {
    case .scalar, .position: .interpolate(.linear)
    case .direction: .sphere(.directions)
    case .quaternion: .sphere(.slerp)
    case .angle:
      throw TrajpackError(.usage, "an angle has no method without its period: give .angle(…)")
    case .matrix, .intrinsics, .categorical, .label, .event, .image, .depth, .packet, .text:
      .interpolate(.previous)
    }
  }

  /// Refuses what makes no sense: the mean of a label, a line between two quaternions.
  public static func require(
    _ method: ResampleMethod, fits kind: Kind
  ) throws(TrajpackError) {
    var fits = false
    switch (kind, method) {
    case (_, .interpolate(let how)) where how.isSelection: fits = true
    case (.scalar, .interpolate), (.position, .interpolate), (.intrinsics, .interpolate):
      fits = true
    case (.label, .interpolate(.counter)): fits = true
    case (.direction, .sphere(.directions)), (.angle, .angle): fits = true
    case (.quaternion, .sphere(let path)): fits = path != .directions
    default: break
    }
    guard fits else {
      throw TrajpackError(
        .usage,
        "a channel of kind \(kind.rawValue) cannot be resampled by \(method.name): use its default or "
          + "previous, next, nearest")
    }
  }

  private static func antiAlias(
    _ method: ResampleMethod, _ source: Times, _ target: Times, _ edges: EdgePolicy, _ wanted: Bool,
    _ reading: ClockReading
  ) throws(TrajpackError) -> (FilterReport, LowPass?, WindowedSinc?) {
    guard wanted else { return (.none("switched off"), nil, nil) }
    switch method {
    case .interpolate(let how) where how.isSelection || how == .counter:
      return (.none("rows are selected, not averaged"), nil, nil)
    case .sphere: return (.none("unit vectors are not averaged"), nil, nil)
    case .interpolate, .angle: break
    }
    guard let to = target.meanRate, let mean = source.meanRate else {
      return (.none("the rate does not go down"), nil, nil)
    }
    let line = ClockLine(source, reading)
    let from = line.map { 1 / $0.period } ?? mean
    guard to < from * (1 - 1e-12) else {
      return (.none("the rate does not go down"), nil, nil)
    }
    guard let line else { return (.movingMean(width: 1 / to), nil, nil) }
    // Rows of the two clocks coincide at the start, and nothing stands outside the source.
    if reading != .explicit, case .regular(let a, _) = source, case .regular(let b, _) = target,
      a.start == b.start, edges == .missing, case .interpolate = method
    {
      if let ratio = b.rate.divided(by: a.rate), ratio.denominator <= 100_000 {
        let f = try LowPass(up: Int(ratio.numerator), down: Int(ratio.denominator))
        return (.polyphase(up: f.up, down: f.down, halfLength: f.halfLength, beta: f.beta), f, nil)
      }
    }
    if edges == .missing || line.places != nil {
      let sinc = WindowedSinc(line, rate: to)
      return (
        .sinc(cutoff: sinc.cutoff, halfLength: sinc.halfLength, line: line), nil, sinc
      )
    }
    let f = try LowPass(cutoff: to / from)
    return (.lowPass(cutoff: f.cutoff, halfLength: f.halfLength, beta: f.beta), f, nil)
  }

  /// Resamples; buffers as in ``ResamplePlan/apply(_:_:components:observed:into:mask:)-(Interpolation,_,_,_,_,_)``.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    let n = plan.sourceRows
    let x = try values.require(n, components, "values")
    let seen = try observed?.require(n, components, "observed")
    if case .sphere(let path) = method {
      return try plan.apply(
        path, values, components: components, observed: observed, into: output, mask: mask)
    }
    if report.isNone {
      switch method {
      case .interpolate(let how):
        return try plan.apply(
          how, values, components: components, observed: observed, into: output, mask: mask)
      case .angle(let how, let range):
        return try plan.apply(
          angles: range, how, values, components: components, observed: observed, into: output,
          mask: mask)
      case .sphere: return
      }
    }
    // Filtered: unwrapped first where the numbers wrap, wrapped last.
    let flat = Scratch<S>(n * components)
    if case .angle(_, let range) = method {
      plan.unwrap(range, x, seen, components, flat.pointer)
    } else {
      flat.pointer.update(from: x, count: n * components)
    }
    let input = UnsafeBufferPointer(start: flat.pointer, count: n * components)
    switch report {
    case .movingMean(let width):
      try plan.applyMovingMean(
        width: width, input, components: components, observed: observed, into: output, mask: mask)
    case .sinc:
      let out = try output.require(plan.rows, components, "output")
      let outMask = try mask.require(plan.rows, components, "mask")
      sinc?.apply(
        flat.pointer, plan, outputs, components: components, observed: seen,
        bridge: bridgeRows, into: out, mask: outMask)
    case .polyphase, .lowPass:
      try filtered(input, components, observed, output, mask)
    case .none: break
    }
    if case .angle(_, let range) = method {
      for i in 0..<output.count { output[i] = range.wrap(output[i]) }
    }
  }

  private func filtered<S: SignalScalar>(
    _ input: UnsafeBufferPointer<S>, _ components: Int,
    _ observed: UnsafeBufferPointer<MaskByte>?, _ output: UnsafeMutableBufferPointer<S>,
    _ mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    guard let filter else { return }
    let count = filter.outputRows(plan.sourceRows)
    let smooth = Scratch<S>(count * components)
    let smoothMask = Scratch<MaskByte>(count * components)
    let breaks = Array(plan.runs.dropFirst().dropLast())
    let (values, seen) = (smooth.pointer, smoothMask.pointer)
    try filter.apply(
      input, rows: plan.sourceRows, components: components, observed: observed,
      bridge: plan.bridgeRows, breaks: breaks,
      into: UnsafeMutableBufferPointer(start: values, count: count * components),
      mask: UnsafeMutableBufferPointer(start: seen, count: count * components))
    guard case .polyphase = report else {
      var how = Interpolation.linear
      if case .interpolate(let asked) = method { how = asked }
      return try plan.apply(
        how, UnsafeBufferPointer(start: values, count: count * components),
        components: components,
        observed: UnsafeBufferPointer(start: seen, count: count * components), into: output,
        mask: mask)
    }
    let out = try output.require(plan.rows, components, "output")
    let outMask = try mask.require(plan.rows, components, "mask")
    for row in 0..<plan.rows {
      for c in 0..<components {
        let i = row * components + c
        let has = row < count && plan.left[row] >= 0 && seen[i] != 0
        out[i] = has ? values[i] : .nan
        outMask[i] = has ? 1 : 0
      }
    }
  }
}

extension Resampler {
  /// How many missing periods the gap limit lets the sinc bridge. Periods that were skipped are a gap, and without
  /// a limit any number of missing ones is bridged, as of a regular clock.
  private var bridgeRows: Int {
    guard let limit = plan.gapLimit?.value, let period = sinc?.line.period else { return .max / 2 }
    return max(Int(min(limit / period * (1 + 1e-12), 1e15)) - 1, 0)
  }
}

extension Times {
  /// These times as float64 on the scale that ``seconds(_:)`` has for another clock: ticks count from that clock's
  /// first.
  fileprivate func seconds(onClockOf source: Times) -> [Double] {
    guard case .ticks(let ticks, let unit) = source, let first = ticks.first else {
      if case .ticks(let own, let unit) = self { return own.map { Double($0) * unit.value } }
      return (0..<count).map { seconds($0) }
    }
    if case .ticks(let own, let step) = self, step == unit {
      return own.map { Double($0 - first) * unit.value }
    }
    let origin = Rational(wide: Int128(first) * Int128(unit.numerator), Int128(unit.denominator))
    switch self {
    case .regular(let clock, let count):
      // Exact differences where they fit, so that epoch times keep their last digits.
      return (0..<count).map { row in
        if let origin,
          let away = Rational(
            Instant(ofRow: row, start: clock.start, rate: clock.rate) - Instant(origin))
        {
          return away.value
        }
        return clock.start.value + Double(row) / clock.rate.value - Double(first) * unit.value
      }
    case .ticks(let own, let step):
      return own.map { Double($0) * step.value - Double(first) * unit.value }
    case .floats(let values): return values.map { $0 - Double(first) * unit.value }
    }
  }
}

extension FilterReport {
  fileprivate var isNone: Bool {
    if case .none = self { return true }
    return false
  }
}

extension ResamplePlan {
  /// How many missing rows the gap limit lets a filter bridge; without a limit, any number.
  fileprivate var bridgeRows: Int {
    guard let limit = gapLimit?.value, let piece = pieces.first, piece > 0 else { return .max / 2 }
    return max(Int(clamping: min(limit / piece * (1 + 1e-12), 1e15)) - 1, 0)
  }
}

extension Times {
  /// Rows a unit of time: the rate of a regular clock, else the mean; `nil` below two rows.
  var meanRate: Double? {
    switch self {
    case .regular(let clock, _): return clock.rate.value
    case .ticks(let t, let unit):
      guard let a = t.first, let b = t.last, b > a else { return nil }
      return Double(t.count - 1) / (Double(b) - Double(a)) / unit.value
    case .floats(let t):
      guard let a = t.first, let b = t.last, b > a else { return nil }
      return Double(t.count - 1) / (b - a)
    }
  }
}
