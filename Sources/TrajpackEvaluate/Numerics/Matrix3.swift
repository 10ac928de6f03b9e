import Glibc

/// A 3 × 3 matrix, by rows.
struct Matrix3: Equatable {
  var rows: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)

  init(_ a: SIMD3<Double>, _ b: SIMD3<Double>, _ c: SIMD3<Double>) { rows = (a, b, c) }

  static let identity = Matrix3(SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1))
  static let zero = Matrix3(.zero, .zero, .zero)

  static func == (a: Matrix3, b: Matrix3) -> Bool {
    a.rows.0 == b.rows.0 && a.rows.1 == b.rows.1 && a.rows.2 == b.rows.2
  }

  /// The rotation of a quaternion (x, y, z, w), which is normalised first; nil for a zero or
  /// non-finite one.
  init?(quaternion q: SIMD4<Double>) {
    let length = (q * q).sum().squareRoot()
    guard length.isFinite, length > 1e-12 else { return nil }
    let u = q / length
    let (x, y, z, w) = (u.x, u.y, u.z, u.w)
    rows = (
      SIMD3(1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
      SIMD3(2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
      SIMD3(2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y))
    )
  }

  var transposed: Matrix3 {
    let (a, b, c) = rows
    return Matrix3(SIMD3(a.x, b.x, c.x), SIMD3(a.y, b.y, c.y), SIMD3(a.z, b.z, c.z))
  }

  var trace: Double { rows.0.x + rows.1.y + rows.2.z }

  var determinant: Double { dot(rows.0, cross(rows.1, rows.2)) }

  var isFinite: Bool { (rows.0 + rows.1 + rows.2).sum().isFinite }

  @inline(__always) static func * (m: Matrix3, v: SIMD3<Double>) -> SIMD3<Double> {
    SIMD3(dot(m.rows.0, v), dot(m.rows.1, v), dot(m.rows.2, v))
  }

  @inline(__always) static func * (a: Matrix3, b: Matrix3) -> Matrix3 {
    func row(_ r: SIMD3<Double>) -> SIMD3<Double> {
      r.x * b.rows.0 + r.y * b.rows.1 + r.z * b.rows.2
    }
    return Matrix3(row(a.rows.0), row(a.rows.1), row(a.rows.2))
  }

  static func * (s: Double, m: Matrix3) -> Matrix3 {
    Matrix3(s * m.rows.0, s * m.rows.1, s * m.rows.2)
  }

  /// Adds `a bᵀ`.
  @inline(__always) mutating func addOuter(_ a: SIMD3<Double>, _ b: SIMD3<Double>) {
    rows.0 += a.x * b
    rows.1 += a.y * b
    rows.2 += a.z * b
  }

  /// The angle of this rotation in radians, from sine and cosine, so that it is exact for small
  /// angles and for those near π.
  @inline(__always) var angle: Double {
    let axis = SIMD3(
      rows.2.y - rows.1.z, rows.0.z - rows.2.x, rows.1.x - rows.0.y)
    return atan2(length(axis), trace - 1)
  }
}

@inline(__always) func dot(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { (a * b).sum() }

@inline(__always) func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
  SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}

@inline(__always) func length(_ a: SIMD3<Double>) -> Double { dot(a, a).squareRoot() }

/// A singular value decomposition `u · diag(values) · vᵀ`, values falling.
struct SVD3 {
  var u: Matrix3
  var values: SIMD3<Double>
  var v: Matrix3

  /// One-sided Jacobi (Hestenes 1958): rotate the columns of `m` until they are orthogonal. Small
  /// singular values come out to full relative accuracy, unlike with the eigenvalues of mᵀm.
  init(_ m: Matrix3) {
    let columns = m.transposed
    var a = [columns.rows.0, columns.rows.1, columns.rows.2]
    var v = [SIMD3<Double>(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1)]
    for _ in 0..<40 {
      var rotated = false
      for (p, q) in [(0, 1), (0, 2), (1, 2)] {
        let alpha = dot(a[p], a[p])
        let beta = dot(a[q], a[q])
        let gamma = dot(a[p], a[q])
        guard abs(gamma) > 1e-17 * (alpha * beta).squareRoot(), gamma != 0 else { continue }
        rotated = true
        let zeta = (beta - alpha) / (2 * gamma)
        let t = (zeta >= 0 ? 1.0 : -1.0) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
        let c = 1 / (1 + t * t).squareRoot()
        let s = c * t
        (a[p], a[q]) = (c * a[p] - s * a[q], s * a[p] + c * a[q])
        (v[p], v[q]) = (c * v[p] - s * v[q], s * v[p] + c * v[q])
      }
      if !rotated { break }
    }
    let order = [0, 1, 2].sorted { dot(a[$0], a[$0]) > dot(a[$1], a[$1]) }
    let sizes = order.map { length(a[$0]) }
    values = SIMD3(sizes[0], sizes[1], sizes[2])
    let right = order.map { v[$0] }
    self.v = Matrix3(right[0], right[1], right[2]).transposed
    u = Self.basis(order.map { a[$0] }, sizes).transposed
  }

  /// Orthonormal rows along the columns of u·diag(values), completed where a value vanishes.
  private static func basis(_ columns: [SIMD3<Double>], _ sizes: [Double]) -> Matrix3 {
    let tiny = sizes[0] * 1e-15
    guard sizes[0] > 0 else { return .identity }
    let first = columns[0] / sizes[0]
    var second = columns[1]
    if sizes[1] > tiny {
      second /= sizes[1]
    } else {
      let helper = abs(first.x) < 0.6 ? SIMD3<Double>(1, 0, 0) : SIMD3(0, 1, 0)
      second = cross(first, helper)
      second /= length(second)
    }
    let third = sizes[2] > tiny ? columns[2] / sizes[2] : cross(first, second)
    return Matrix3(first, second, third)
  }
}
