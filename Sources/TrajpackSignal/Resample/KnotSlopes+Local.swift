import TrajpackFormat

extension KnotSlopes {
  /// Weighted harmonic means of neighbouring secants; zero at a turning point. Ends: the
  /// three-point formula, limited to keep the shape (Moler, "Numerical Computing", `pchip`).
  func pchip() {
    if rows == 2 {
      for c in 0..<components {
        d[c] = secant(0, c)
        d[components + c] = d[c]
      }
      return
    }
    var k = 1
    while k < rows - 1 {
      let (i0, i1) = (S(1 / h[k - 1]), S(1 / h[k]))
      let (w0, w1) = (S(2 * h[k] + h[k - 1]), S(h[k] + 2 * h[k - 1]))
      let total = w0 + w1
      let row = x + k * components
      let (left, right) = (row - components, row + components)
      let out = d + k * components
      for c in 0..<components {
        let m0 = (row[c] - left[c]) * i0
        let m1 = (right[c] - row[c]) * i1
        let mean = total * m0 * (m1 / (w0 * m1 + w1 * m0))
        let same = (m0 > 0) == (m1 > 0) && (m0 < 0) == (m1 < 0)
        out[c] = same && m0 != 0 ? mean : 0
      }
      k += 1
    }
    let n = rows
    for c in 0..<components {
      d[c] = pchipEnd(S(h[0]), S(h[1]), secant(0, c), secant(1, c))
      d[(n - 1) * components + c] = pchipEnd(
        S(h[n - 2]), S(h[n - 3]), secant(n - 2, c), secant(n - 3, c))
    }
  }

  private func pchipEnd(_ h0: S, _ h1: S, _ m0: S, _ m1: S) -> S {
    let slope = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    if sign(slope) != sign(m0) { return 0 }
    if sign(m0) != sign(m1), abs(slope) > 3 * abs(m0) { return 3 * m0 }
    return slope
  }

  private func sign(_ value: S) -> Int { value > 0 ? 1 : (value < 0 ? -1 : 0) }

  /// Akima's weights, with secants extended linearly beyond the ends.
  ///
  /// Where both weights vanish beside the secants themselves (below 1e-9 of them) the slope is the
  /// mean of the two neighbouring secants. scipy compares with the largest weight of the whole
  /// array instead, by which one channel changes another.
  func akima(modified: Bool) {
    let n = rows
    var k = 0
    while k < n {
      let out = d + k * components
      if k >= 2, k < n - 2 {
        let row = x + k * components
        let (i0, i1) = (S(1 / h[k - 2]), S(1 / h[k - 1]))
        let (i2, i3) = (S(1 / h[k]), S(1 / h[k + 1]))
        let (l1, l2) = (row - components, row - 2 * components)
        let (r1, r2) = (row + components, row + 2 * components)
        for c in 0..<components {
          out[c] = Self.blend(
            (l1[c] - l2[c]) * i0, (row[c] - l1[c]) * i1, (r1[c] - row[c]) * i2,
            (r2[c] - r1[c]) * i3, modified)
        }
      } else {
        for c in 0..<components {
          out[c] = Self.blend(
            extended(k - 2, c), extended(k - 1, c), extended(k, c), extended(k + 1, c), modified)
        }
      }
      k += 1
    }
  }

  /// The secant of piece `k`, continued linearly over two pieces at either end.
  private func extended(_ k: Int, _ c: Int) -> S {
    let last = rows - 2
    if last == 0 { return secant(0, c) }
    if k < 0 {
      let (m0, m1) = (secant(0, c), secant(1, c))
      return k == -1 ? 2 * m0 - m1 : 3 * m0 - 2 * m1
    }
    if k > last {
      let (m0, m1) = (secant(last, c), secant(last - 1, c))
      return k == last + 1 ? 2 * m0 - m1 : 3 * m0 - 2 * m1
    }
    return secant(k, c)
  }

  @inline(__always)
  private static func blend(_ m0: S, _ m1: S, _ m2: S, _ m3: S, _ modified: Bool) -> S {
    var (left, right) = (abs(m3 - m2), abs(m1 - m0))
    if modified {
      left += abs(m3 + m2) / 2
      right += abs(m1 + m0) / 2
    }
    let total = left + right
    let size = abs(m0) + abs(m1) + abs(m2) + abs(m3)
    let mean = (m1 + m2) / 2
    let weighted = m1 + (right / total) * (m2 - m1)
    return total > S(1e-9) * size ? weighted : mean
  }
}
