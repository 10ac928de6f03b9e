import TrajpackFormat

/// Covariance of channels and their delayed copies (Carrara and Papadopoulo, "Classification of
/// BCI-EEG based on the augmented covariance matrix", 2024): blocks `k = 0 ..< order` of the rows
/// from `k·lag` to `(order − k)·lag` before the end, so `T − order·lag` samples, and all of them
/// for order 1, as its authors' code does.
public struct AugmentedCovariance: Sendable, Hashable {
  /// What is taken off, and divided by.
  public enum Estimator: Sendable, Hashable {
    /// The mean of each row; n − 1 (`numpy.cov`).
    case aboutMean
    /// Nothing; n (`pyriemann` `scm` with `assume_centered`).
    case aboutZero
  }

  /// Copies of each channel.
  public let order: Int
  /// Rows between copies.
  public let lag: Int

  /// Refuses an order or lag below 1.
  public init(order: Int, lag: Int) throws(TrajpackError) {
    guard order >= 1, lag >= 1, order < 1 << 16, lag < 1 << 32 else {
      throw TrajpackError(.usage, "order \(order), lag \(lag): give at least 1")
    }
    self.order = order
    self.lag = lag
  }

  /// Samples that are left of an epoch of `rows`.
  public func samples(_ rows: Int) -> Int { order == 1 ? rows : max(rows - order * lag, 0) }

  /// The matrix of one epoch, `order·components` squared; row `k·components + c` is channel `c`
  /// delayed by `k` lags.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func matrix<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, rows: Int, components: Int, estimator: Estimator = .aboutZero,
    into output: UnsafeMutableBufferPointer<Double>
  ) throws(TrajpackError) {
    let x = try values.require(rows, components, "values")
    let n = samples(rows)
    guard n > (estimator == .aboutMean ? 1 : 0) else {
      throw TrajpackError(
        .usage,
        "an epoch of \(rows) rows has none left at order \(order) and lag \(lag): use smaller ones")
    }
    let size = order * components
    let out = try output.require(size, size, "output")
    for c in 0..<components { try Episodes(whole: rows).requireFinite(x, components, c) }
    // Rows side by side, so that the products run along time.
    let series = Scratch<Double>(size * n)
    for block in 0..<order {
      for c in 0..<components {
        let row = series.pointer + (block * components + c) * n
        var sum = 0.0
        for i in 0..<n {
          row[i] = Double(x[(i + block * lag) * components + c])
          sum += row[i]
        }
        if estimator == .aboutMean {
          let mean = sum / Double(n)
          for i in 0..<n { row[i] -= mean }
        }
      }
    }
    let divisor = Double(estimator == .aboutMean ? n - 1 : n)
    for a in 0..<size {
      for b in a..<size {
        var sum0 = SIMD4<Double>.zero
        let (p, q) = (series.pointer + a * n, series.pointer + b * n)
        var i = 0
        while i + 4 <= n {
          sum0 +=
            SIMD4(p[i], p[i + 1], p[i + 2], p[i + 3])
            * SIMD4(q[i], q[i + 1], q[i + 2], q[i + 3])
          i += 4
        }
        var total = sum0.sum()
        while i < n {
          total += p[i] * q[i]
          i += 1
        }
        out[a * size + b] = total / divisor
        out[b * size + a] = total / divisor
      }
    }
  }
}
