import TrajpackFormat

/// A path on a sphere of unit vectors.
public enum SpherePath: Sendable, Hashable {
  /// Great arcs between unit quaternions along the shorter way; `q` and `-q` are one rotation.
  case slerp
  /// Shoemake's spherical quadrangle through unit quaternions: C¹ where slerp has corners. scipy's
  /// `RotationSpline` is another curve.
  case squad(QuaternionOrder)
  /// Great arcs between directions, where a vector and its opposite are different.
  case directions
}

extension ResamplePlan {
  /// Interpolates unit quaternions (four components) or directions (two to four).
  ///
  /// The output has unit length and, for quaternions, no sign flip between neighbouring rows of a
  /// run: each knot's sign follows the knot before it. Knots that have unit length already come
  /// back bit for bit (but for that sign). A row is missing where any of its components is, or its
  /// length is zero. Opposite directions have no arc between them: the output there is missing.
  ///
  /// - Throws: `.usage` for other component counts, or `squad` in an unknown order.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    _ path: SpherePath, _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    guard path == .directions ? 2...4 ~= components : components == 4 else {
      throw TrajpackError(
        .usage, "\(components) components a row: a quaternion has 4, a direction 2 to 4")
    }
    if path == .squad(.unknown) {
      throw TrajpackError(
        .usage, "squad multiplies quaternions and their order is unknown: declare xyzw or wxyz")
    }
    let x = try values.require(sourceRows, components, "values")
    let seen = try observed?.require(sourceRows, components, "observed")
    let out = try output.require(rows, components, "output")
    let outMask = try mask.require(rows, components, "mask")

    let knots = SphereKnots(self, x, seen, components, path)
    var piece = -1
    var arc = Arc(.zero, .zero)
    var inner = arc
    for row in 0..<rows {
      let to = out + row * components
      var place: (Int, Double)?
      if left[row] >= 0 {
        place = knots.locate(Int(left[row]), fraction[row], self)
      }
      var point = Quaternion(repeating: .nan)
      if let (p, u) = place {
        if u == 0 {
          point = knots.point[p]
        } else {
          if p != piece {
            piece = p
            arc = Arc(knots.point[p], knots.point[p + 1])
            if !knots.control.isEmpty { inner = Arc(knots.control[p], knots.control[p + 1]) }
          }
          if arc.isUndefined {
            place = nil
          } else if knots.control.isEmpty {
            point = arc.point(u)
          } else {
            point = Arc(arc.point(u), inner.point(u)).point(2 * u * (1 - u))
          }
        }
      }
      for c in 0..<components {
        to[c] = place == nil ? .nan : S(point[c])
        outMask[row * components + c] = place == nil ? 0 : 1
      }
    }
  }
}

/// Unit vectors at the observed rows.
private struct SphereKnots<S: SignalScalar>: ~Copyable {
  /// Where some rows are missing: those that are not.
  private let rows: SparseKnots<S>?
  var point: [Quaternion] = []
  /// Squad's inner points.
  var control: [Quaternion] = []

  init(
    _ plan: borrowing ResamplePlan, _ x: UnsafePointer<S>, _ seen: UnsafePointer<MaskByte>?,
    _ components: Int, _ path: SpherePath
  ) {
    let n = plan.sourceRows
    let valid = Scratch<S>(n)
    var missing = 0
    for row in 0..<n {
      var square: S = 0
      for c in 0..<components {
        let value = x[row * components + c]
        square += value * value
        if let seen, seen[row * components + c] == 0 { square = .nan }
      }
      valid[row] = square > 0 && square < .infinity ? 0 : .nan
      if valid[row] != 0 { missing += 1 }
    }
    let runs: [Int]
    let source: [Int32]
    if missing == 0 {
      rows = nil
      runs = plan.runs
      source = []
    } else {
      let sparse = SparseKnots(plan, valid.pointer, nil, stride: 1)
      runs = sparse.runs
      source = sparse.source
      rows = consume sparse
    }
    let count = missing == 0 ? n : source.count
    point.reserveCapacity(count)
    for i in 0..<count {
      let row = missing == 0 ? i : Int(source[i])
      var q = Quaternion.zero
      for c in 0..<components { q[c] = Double(x[row * components + c]) }
      let size = length(q)
      // Rounding of a unit vector in its own type is left alone.
      let slack = 4 * Double(S.ulpOfOne)
      point.append(abs(size - 1) <= slack ? q : q / size)
    }
    if path == .directions { return }
    for (start, end) in zip(runs, runs.dropFirst()) {
      for p in (start + 1)..<max(end, start + 1) where dot(point[p - 1], point[p]) < 0 {
        point[p] = -point[p]
      }
    }
    if case .squad(let order) = path { makeControls(order, runs) }
  }

  /// a = q · exp(−¼ [log(q⁻¹ next) + log(q⁻¹ previous)]), and q itself at the ends of a run.
  private mutating func makeControls(_ order: QuaternionOrder, _ runs: [Int]) {
    func last(_ q: Quaternion) -> Quaternion {
      order == .wxyz ? Quaternion(q.y, q.z, q.w, q.x) : q
    }
    control = point
    for (start, end) in zip(runs, runs.dropFirst()) where end - start > 2 {
      for p in start + 1..<end - 1 {
        let q = last(point[p])
        let inverse = conjugate(q)
        let sum =
          logarithm(product(inverse, last(point[p + 1])))
          + logarithm(product(inverse, last(point[p - 1])))
        let a = product(q, exponential(sum * -0.25))
        control[p] = order == .wxyz ? Quaternion(a.w, a.x, a.y, a.z) : a
      }
    }
  }

  @inline(__always)
  func locate(_ k: Int, _ u: Double, _ plan: borrowing ResamplePlan) -> (Int, Double)? {
    switch rows {
    case .some(let rows): rows.locate(k, u, plan)
    case .none: (k, u)
    }
  }
}
