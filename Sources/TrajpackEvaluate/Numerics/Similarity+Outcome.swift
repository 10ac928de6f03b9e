/// How far points spread about their mean, along their principal axes, and what of it is rounding.
struct OutcomeSpread {
  /// The mean of the points.
  let mean: SIMD3<Double>
  /// Root mean squares along the principal axes, falling.
  let axes: SIMD3<Double>
  /// Below this a spread is the rounding of the coordinates.
  let floor: Double

  /// - Parameter precision: Relative error of the coordinates' own arithmetic.
  init(_ points: [SIMD3<Double>], magnitude: Double? = nil, precision: Double = 0x1p-52) {
    var mean = SIMD3<Double>.zero
    var largest = 0.0
    for point in points {
      mean += point
      largest = max(largest, abs(point.x), abs(point.y), abs(point.z))
    }
    mean /= Double(max(points.count, 1))
    var covariance = Matrix3.zero
    for point in points { covariance.addOuter(point - mean, point - mean) }
    let values = SVD3((1 / Double(max(points.count, 1))) * covariance).values
    self.mean = mean
    axes = SIMD3(
      max(values.x, 0).squareRoot(), max(values.y, 0).squareRoot(), max(values.z, 0).squareRoot())
    floor = 64 * precision * max(magnitude ?? largest, largest)
  }

  /// Whether all points are one, but for rounding.
  var isStill: Bool { !(axes.x > floor) }
  /// Whether they lie on a line: to a millionth of its length, which is the precision of float32.
  var isStraight: Bool { !(axes.y > max(floor, 1e-6 * axes.x)) }
}

extension Similarity {
  /// What came of a fit.
  enum Outcome {
    /// A similarity; `line` is the axis about which nothing says how it turns, where there is one.
    case fit(Similarity, line: SIMD3<Double>?)
    /// The target is one point: only the translation can be known.
    case stillTarget(Similarity)
    /// The source is one point, or unrelated to the target: the best scale is 0.
    case failed(String)
  }

  /// The similarity of least squares as ``fit(from:to:scaled:)``, with a decision that does not
  /// depend on units or rounding: spreads are held against each other and against the size of the
  /// coordinates.
  static func outcome(
    from source: [SIMD3<Double>], to target: [SIMD3<Double>], scaled: Bool,
    spreads: (source: OutcomeSpread, target: OutcomeSpread)? = nil
  ) -> Outcome {
    let from = spreads?.source ?? OutcomeSpread(source)
    let to = spreads?.target ?? OutcomeSpread(target)
    guard !to.isStill else {
      return .stillTarget(Similarity(translation: to.mean - from.mean))
    }
    guard !from.isStill else { return .failed("the estimate does not move, and the truth does") }
    var covariance = Matrix3.zero
    let count = min(source.count, target.count)
    for index in 0..<count {
      covariance.addOuter(target[index] - to.mean, source[index] - from.mean)
    }
    let svd = SVD3((1 / Double(count)) * covariance)
    guard svd.values.x > 1e-12 * from.axes.x * to.axes.x else {
      return .failed("the estimate has nothing in common with the truth")
    }
    let isRolled = from.isStraight || to.isStraight || !(svd.values.y > 1e-12 * svd.values.x)
    var fit = Similarity()
    let trace: Double
    var line: SIMD3<Double>?
    if isRolled {
      let (u, v) = (svd.u.transposed.rows.0, svd.v.transposed.rows.0)
      fit.rotation = .taking(v, to: u)
      trace = svd.values.x
      line = u
    } else {
      let mirrored = svd.u.determinant * svd.v.determinant < 0
      let signs = SIMD3<Double>(1, 1, mirrored ? -1 : 1)
      let vt = svd.v.transposed
      fit.rotation = svd.u * Matrix3(vt.rows.0, vt.rows.1, signs.z * vt.rows.2)
      trace = (svd.values * signs).sum()
    }
    if scaled {
      let variance = dot(from.axes, from.axes)
      fit.scale = trace / variance
    }
    fit.translation = to.mean - fit.scale * (fit.rotation * from.mean)
    guard fit.scale.isFinite, fit.translation.sum().isFinite, fit.rotation.isFinite else {
      return .failed("the coordinates are beyond what float64 can square")
    }
    return .fit(fit, line: line)
  }

  /// The same in a plane, of points whose z is 0.
  static func outcomeInPlane(
    from source: [SIMD3<Double>], to target: [SIMD3<Double>]
  ) -> Outcome {
    guard !OutcomeSpread(source).isStill else {
      return .failed("the estimate is one point, and the truth is not")
    }
    guard let fit = fitInPlane(from: source, to: target) else {
      return .failed("the estimate has nothing in common with the truth")
    }
    return .fit(fit, line: nil)
  }

  init(translation: SIMD3<Double>) {
    self.init()
    self.translation = translation
  }
}

extension Matrix3 {
  /// The smallest rotation that takes one unit vector to another.
  static func taking(_ a: SIMD3<Double>, to b: SIMD3<Double>) -> Matrix3 {
    let axis = TrajpackEvaluate.cross(a, b)
    let (sine, cosine) = (length(axis), dot(a, b))
    if sine < 1e-15 {
      guard cosine < 0 else { return .identity }
      // Half a turn about any axis across.
      let helper = abs(a.x) < 0.6 ? SIMD3<Double>(1, 0, 0) : SIMD3(0, 1, 0)
      let across = TrajpackEvaluate.cross(a, helper)
      return about(across / length(across), cosine: -1, sine: 0)
    }
    return about(axis / sine, cosine: cosine, sine: sine)
  }

  /// The rotation about a unit vector: Rodrigues' formula.
  static func about(_ axis: SIMD3<Double>, cosine: Double, sine: Double) -> Matrix3 {
    let k = Matrix3(
      SIMD3(0, -axis.z, axis.y), SIMD3(axis.z, 0, -axis.x), SIMD3(-axis.y, axis.x, 0))
    let square = k * k
    let one = Matrix3.identity.rows
    return Matrix3(
      one.0 + sine * k.rows.0 + (1 - cosine) * square.rows.0,
      one.1 + sine * k.rows.1 + (1 - cosine) * square.rows.1,
      one.2 + sine * k.rows.2 + (1 - cosine) * square.rows.2)
  }
}
