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
    // Umeyama's condition: the covariance must have rank of at least two, whatever the units.
    guard svd.values.y > svd.values.x * 1e-12, variance > 0, variance.isFinite else {
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

  /// The same in a plane, of points whose z is 0: x + iy ↦ a(x + iy) + b has the least squared
  /// error at a = Σ z̄w / Σ|z|² about the means. A turn in space could also mirror the plane, which
  /// is no turn of a picture. Nil when the source is one point.
  static func fitInPlane(
    from source: [SIMD3<Double>], to target: [SIMD3<Double>]
  ) -> Similarity? {
    let count = Double(min(source.count, target.count))
    guard count > 1 else { return nil }
    let meanSource = source.reduce(.zero, +) / count
    let meanTarget = target.reduce(.zero, +) / count
    var product = (re: 0.0, im: 0.0)
    var square = 0.0
    for (p, q) in zip(source, target) {
      let (z, w) = (p - meanSource, q - meanTarget)
      product.re += z.x * w.x + z.y * w.y
      product.im += z.x * w.y - z.y * w.x
      square += z.x * z.x + z.y * z.y
    }
    let size = (product.re * product.re + product.im * product.im).squareRoot()
    guard square > 0, size > 0, size.isFinite else { return nil }
    let (c, s) = (product.re / size, product.im / size)
    var fit = Similarity()
    fit.rotation = Matrix3(SIMD3(c, -s, 0), SIMD3(s, c, 0), SIMD3(0, 0, 1))
    fit.scale = size / square
    fit.translation = meanTarget - fit.scale * (fit.rotation * meanSource)
    return fit
  }
}
