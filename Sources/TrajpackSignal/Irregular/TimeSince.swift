import TrajpackFormat

/// Time since each component was last observed (Che et al., "Recurrent neural networks for
/// multivariate time series with missing values", 2018; GRU-D): δ₁ = 0 and
/// δ_t = s_t − s_{t−1} + (1 − m_{t−1}) δ_{t−1}, with the real times of the clock.
///
/// - Parameters:
///   - mask: rows times components, 1 where observed.
///   - output: rows times components.
/// - Throws: `.data` for times that do not increase.
@specialized(where S == Float)
@specialized(where S == Double)
public func timeSinceObserved<S: SignalScalar>(
  _ times: Times, mask: UnsafeBufferPointer<MaskByte>, components: Int,
  into output: UnsafeMutableBufferPointer<S>
) throws(TrajpackError) {
  let rows = times.count
  let m = try mask.require(rows, components, "mask")
  let out = try output.require(rows, components, "output")
  let steps = try times.steps()
  if rows > 0 { out.initialize(repeating: 0, count: components) }
  // Kept in double, so that float32 sums do not drift.
  let since = Scratch<Double>(components, filledWith: 0)
  for row in 1..<max(rows, 1) {
    for c in 0..<components {
      since[c] = steps[row - 1] + (m[(row - 1) * components + c] != 0 ? 0 : since[c])
      out[row * components + c] = S(since[c])
    }
  }
}

extension Times {
  /// Lengths between rows, each rounded once.
  func steps() throws(TrajpackError) -> [Double] {
    // A plan onto no rows holds just that.
    let nowhere = Times.floats(UnsafeBufferPointer(start: nil, count: 0))
    switch self {
    case .floats: return try ResamplePlan(from: self, to: nowhere).pieces
    case .regular(let clock, _):
      return try ResamplePlan(from: self, to: .regular(clock, count: 0)).pieces
    case .ticks(_, let unit):
      let none = UnsafeBufferPointer<Int64>(start: nil, count: 0)
      return try ResamplePlan(from: self, to: .ticks(none, unit: unit)).pieces
    }
  }
}
