/// A similarity `x ↦ scale · rotation · x + translation`.
struct Similarity {
  var rotation = Matrix3.identity
  var scale = 1.0
  var translation = SIMD3<Double>.zero

  @inline(__always) func apply(_ point: SIMD3<Double>) -> SIMD3<Double> {
    scale * (rotation * point) + translation
  }

  /// The similarity that takes `source` to `target` with the least squared error: Umeyama, IEEE
  /// PAMI 13 (1991), equations 34 to 43; without reflection. Nil when the points lie on a line.
  static func fit(
    from source: [SIMD3<Double>], to target: [SIMD3<Double>], scaled: Bool
  ) -> Similarity? {
    let count = min(source.count, target.count)
    guard count > 1 else { return nil }
    var meanSource = SIMD3<Double>.zero
    var meanTarget = SIMD3<Double>.zero
    for index in 0..<count {
      meanSource += source[index]
      meanTarget += target[index]
    }
    meanSource /= Double(count)
    meanTarget /= Double(count)
    var covariance = Matrix3.zero
    var variance = 0.0
    for index in 0..<count {
      let x = source[index] - meanSource
      covariance.addOuter(target[index] - meanTarget, x)
      variance += dot(x, x)
    }
    let inverse = 1 / Double(count)
    variance *= inverse
    let svd = SVD3(inverse * covariance)
    // evo's and Umeyama's condition: the covariance must have rank of at least two.
    guard svd.values.y > 2.2e-16, svd.values.y > svd.values.x * 1e-12, variance > 0 else {
      return nil
    }
    let mirrored = svd.u.determinant * svd.v.determinant < 0
    let signs = SIMD3<Double>(1, 1, mirrored ? -1 : 1)
    let vt = svd.v.transposed
    let signed = Matrix3(vt.rows.0, vt.rows.1, signs.z * vt.rows.2)
    var fit = Similarity()
    fit.rotation = svd.u * signed
    fit.scale = scaled ? (svd.values * signs).sum() / variance : 1
    fit.translation = meanTarget - fit.scale * (fit.rotation * meanSource)
    return fit
  }
}
