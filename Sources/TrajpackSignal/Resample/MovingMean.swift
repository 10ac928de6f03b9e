import TrajpackFormat

extension ResamplePlan {
  /// The mean of the piecewise-linear path over `width` around each output row: the anti-aliasing
  /// filter for sources without a regular clock. Windows end where their run ends.
  ///
  /// - Parameter width: the window, usually the spacing of the output.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func applyMovingMean<S: SignalScalar>(
    width: Double, _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    guard width > 0, width < .infinity else {
      throw TrajpackError(.usage, "a moving mean over \(width): give a width above 0")
    }
    let x = try values.require(sourceRows, components, "values")
    let seen = try observed?.require(sourceRows, components, "observed")
    let out = try output.require(rows, components, "output")
    let outMask = try mask.require(rows, components, "mask")
    for c in 0..<components {
      let knots = SparseKnots(self, x + c, seen.map { $0 + c }, stride: components)
      for row in 0..<rows {
        var value = S.nan
        if left[row] >= 0, let (p, u) = knots.locate(Int(left[row]), fraction[row], self) {
          value = S(knots.mean(around: p, u, width / 2))
        }
        out[row * components + c] = value
        outMask[row * components + c] = value == value ? 1 : 0
      }
    }
  }
}

extension SparseKnots {
  /// Mean of the linear path within `half` of a place, clipped to its run.
  fileprivate func mean(around p: Int, _ u: Double, _ half: Double) -> Double {
    let (start, end) = runRange(p)
    if end - start == 1 { return Double(values[p]) }
    var area = 0.0
    var span = 0.0
    /// Adds the part of piece `k` between two fractions.
    func add(_ k: Int, _ from: Double, _ to: Double) {
      let (a, b) = (Double(values[k]), Double(values[k + 1]))
      let length = (to - from) * h[k]
      area += length * (a + (b - a) * (from + to) / 2)
      span += length
    }
    // Forward from the place, then backward.
    var (k, from, rest) = (p, u, half)
    while k + 1 < end, rest > 0 {
      let room = (1 - from) * h[k]
      let step = min(room, rest)
      add(k, from, step == room ? 1 : from + step / h[k])
      rest -= step
      (k, from) = (k + 1, 0)
    }
    var to: Double
    (k, to, rest) = (u == 0 || p + 1 >= end ? p - 1 : p, u == 0 || p + 1 >= end ? 1 : u, half)
    while k >= start, rest > 0 {
      let room = to * h[k]
      let step = min(room, rest)
      add(k, step == room ? 0 : to - step / h[k], to)
      rest -= step
      (k, to) = (k - 1, 1)
    }
    return span > 0 ? area / span : Double(values[p])
  }
}
