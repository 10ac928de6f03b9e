import TrajpackFormat

/// Slopes at the knots of one run, for every component at once.
///
/// All piecewise cubic methods here are C¹, so a piece is given by the values and slopes at its
/// two ends and one evaluation serves them all.
struct KnotSlopes<S: SignalScalar> {
  /// Values, `rows` times `components`.
  let x: UnsafePointer<S>
  let rows: Int
  let components: Int
  /// Length of each piece, `rows - 1`.
  let h: UnsafePointer<Double>
  /// Slopes out, `rows` times `components`.
  let d: UnsafeMutablePointer<S>

  func fill(_ method: Interpolation) {
    if rows < 2 {
      d.initialize(repeating: 0, count: rows * components)
      return
    }
    switch method {
    case .hermiteBackward: backward()
    case .pchip: pchip()
    case .akima: akima(modified: false)
    case .makima: akima(modified: true)
    case .cubic(.clamped) where rows == 2: d.initialize(repeating: 0, count: 2 * components)
    case .cubic where rows == 2, .linear, .counter, .previous, .next, .nearest: backward()
    case .cubic(.notAKnot) where rows == 3: parabola()
    case .cubic(let ends): spline(ends)
    }
  }

  /// The secant slope of piece `k`.
  @inline(__always) func secant(_ k: Int, _ c: Int) -> S {
    (x[(k + 1) * components + c] - x[k * components + c]) / S(h[k])
  }

  /// Slope at knot `k` = secant of piece `k - 1`; at the first knot that of the first piece.
  private func backward() {
    for c in 0..<components { d[c] = secant(0, c) }
    var k = 1
    while k < rows {
      let inverse = S(1 / h[k - 1])
      let (now, before) = (x + k * components, x + (k - 1) * components)
      let out = d + k * components
      for c in 0..<components { out[c] = (now[c] - before[c]) * inverse }
      k += 1
    }
  }

  /// Three knots: the parabola through them, as scipy's not-a-knot does.
  private func parabola() {
    let (h0, h1) = (S(h[0]), S(h[1]))
    for c in 0..<components {
      let (m0, m1) = (secant(0, c), secant(1, c))
      let bend = (m1 - m0) / (h0 + h1)
      d[c] = m0 - h0 * bend
      d[components + c] = m0 + h0 * bend
      d[2 * components + c] = m1 + h1 * bend
    }
  }

  /// The tridiagonal system of C² continuity in the slopes (de Boor, "A Practical Guide to
  /// Splines", ch. IV), eliminated once for all components.
  private func spline(_ ends: Interpolation.CubicEnds) {
    let n = rows
    let upper = Scratch<Double>(n)
    // First row: slope_0 + upper · slope_1 = right-hand side.
    switch ends {
    case .natural:
      upper[0] = 0.5
      for c in 0..<components { d[c] = secant(0, c) * S(1.5) }
    case .clamped:
      upper[0] = 0
      d.initialize(repeating: 0, count: components)
    case .notAKnot:
      let span = h[0] + h[1]
      upper[0] = span / h[1]
      let (w0, w1) = (S((h[0] + 2 * span) / span), S(h[0] * h[0] / (span * h[1])))
      for c in 0..<components { d[c] = w0 * secant(0, c) + w1 * secant(1, c) }
    }
    var k = 1
    while k < n - 1 {
      let (before, after) = (h[k - 1], h[k])
      let pivot = 1 / (2 * (before + after) - after * upper[k - 1])
      upper[k] = before * pivot
      let w0 = S(3 * pivot * after / before)
      let w1 = S(3 * pivot * before / after)
      let w2 = S(after * pivot)
      let row = x + k * components
      let out = d + k * components
      let (left, right) = (row - components, row + components)
      let previous = out - components
      for c in 0..<components {
        out[c] = w0 * (row[c] - left[c]) + w1 * (right[c] - row[c]) - w2 * previous[c]
      }
      k += 1
    }
    let last = d + (n - 1) * components
    let previous = last - components
    switch ends {
    case .natural:
      let pivot = 1 / (2 - upper[n - 2])
      for c in 0..<components {
        last[c] = (3 * secant(n - 2, c) - previous[c]) * S(pivot)
      }
    case .clamped:
      last.initialize(repeating: 0, count: components)
    case .notAKnot:
      let (h1, h0) = (h[n - 2], h[n - 3])
      let span = h0 + h1
      let pivot = 1 / (h0 - span * upper[n - 2])
      let (w0, w1) = (S(h1 * h1 / span * pivot), S((2 * span + h1) * h0 / span * pivot))
      let w2 = S(span * pivot)
      for c in 0..<components {
        last[c] = w0 * secant(n - 3, c) + w1 * secant(n - 2, c) - w2 * previous[c]
      }
    }
    k = n - 2
    while k >= 0 {
      let factor = S(upper[k])
      let out = d + k * components
      let after = out + components
      for c in 0..<components { out[c] -= factor * after[c] }
      k -= 1
    }
  }
}
