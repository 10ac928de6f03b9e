import TrajpackFormat

/// Numbers that wrap around: the period, and the smallest value of the range they are given in.
public struct AngleRange: Sendable, Hashable {
  /// One full turn: 2π, 360, or the length of a cycle.
  public let period: Double
  /// Results lie in `low ..< low + period`.
  public let low: Double

  /// Refuses a period that is not above zero.
  public init(period: Double, low: Double) throws(TrajpackError) {
    guard period > 0, period < .infinity, low.isFinite else {
      throw TrajpackError(
        .usage, "an angle of period \(period) from \(low): give a finite period above 0")
    }
    self.period = period
    self.low = low
  }

  /// The value brought into the range; rounding never reaches its open end.
  @inline(__always) public func wrap<S: SignalScalar>(_ value: S) -> S {
    let turns = ((Double(value) - low) / period).rounded(.down)
    if turns == 0 { return value }
    let wrapped = S(Double(value) - turns * period)
    return Double(wrapped) >= low + period ? S(low) : (Double(wrapped) < low ? S(low) : wrapped)
  }

  /// How many turns to add to `next` so that it is within half a period of `previous`; a jump of
  /// exactly half a period keeps its sign, as `numpy.unwrap`.
  @inline(__always) func turns(from previous: Double, to next: Double) -> Double {
    let jump = next - previous
    let folds = (jump + period / 2) / period
    let whole = folds.rounded(.down)
    return -(whole == folds && jump > 0 ? whole - 1 : whole)
  }
}

extension ResamplePlan {
  /// Interpolates angles: unwraps each run from its first observed value, interpolates, and wraps.
  /// Buffers as in ``apply(_:_:components:observed:into:mask:)``; knots come back bit for bit.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    angles range: AngleRange, _ method: Interpolation, _ values: UnsafeBufferPointer<S>,
    components: Int, observed: UnsafeBufferPointer<MaskByte>? = nil,
    into output: UnsafeMutableBufferPointer<S>, mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    let x = try values.require(sourceRows, components, "values")
    let seen = try observed?.require(sourceRows, components, "observed")
    let unwrapped = Scratch<S>(sourceRows * components)
    unwrap(range, x, seen, components, unwrapped.pointer)
    try apply(
      method, UnsafeBufferPointer(start: unwrapped.pointer, count: values.count),
      components: components, observed: observed, into: output, mask: mask)
    let out = output.base
    for row in 0..<rows {
      let isKnot = fraction[row] == 0 && left[row] >= 0
      let knot = Int(max(left[row], 0)) * components
      for c in 0..<components {
        let i = row * components + c
        if isKnot, mask[i] != 0, x[knot + c] == x[knot + c], seen?[knot + c] != 0 {
          out[i] = x[knot + c]
        } else {
          out[i] = range.wrap(out[i])
        }
      }
    }
  }

  func unwrap<S: SignalScalar>(
    _ range: AngleRange, _ x: UnsafePointer<S>, _ seen: UnsafePointer<MaskByte>?,
    _ components: Int, _ out: UnsafeMutablePointer<S>
  ) {
    for c in 0..<components {
      for (start, end) in zip(runs, runs.dropFirst()) {
        var turns = 0.0
        var previous: Double?
        for k in start..<end {
          let i = k * components + c
          let value = Double(x[i])
          if seen?[i] != 0, value == value {
            if let previous { turns += range.turns(from: previous, to: value) }
            previous = value
          }
          out[i] = turns == 0 ? x[i] : S(value + turns * range.period)
        }
      }
    }
  }
}
