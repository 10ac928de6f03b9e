/// What came of an alignment of an estimate to the truth.
enum AlignedPath {
  /// A similarity, and what it is called where it is not the whole of what was asked for.
  case fit(Similarity, note: String?)
  /// The fit degenerates because of the estimate; what it becomes at scale 0, where there is a fit.
  case failed(String, collapsed: Similarity)
  /// The truth has fewer poses than the fit needs: there is no figure, and nothing has failed.
  case tooShort
}

extension PathAlignment {
  /// How many poses a path must have for an error that is left over to mean something: a fit of
  /// rotation and translation needs three places (evo refuses two as well), and a path that begins
  /// where the truth begins needs a second pose. Fewer are reproduced by any estimate.
  func leastPoses(firstPose: Bool) -> Int {
    self == .se3 || self == .sim3 ? 3 : firstPose ? 2 : 1
  }

  /// The same as ``fit(_:rotated:anySign:)`` of a path that has `least` poses. A path of which the
  /// estimate has lost so many poses that fewer are left has failed.
  func fit(_ pair: PathPair, least: Int, rotated: Bool, anySign: Bool) -> AlignedPath {
    guard pair.known >= least else { return .tooShort }
    guard pair.frames.isEmpty || pair.frames.count >= least else {
      return .failed(
        "fewer than \(least) poses are left, which the figure needs", collapsed: collapsed(pair))
    }
    return fit(pair, rotated: rotated, anySign: anySign)
  }

  /// The similarity that carries the estimate onto the truth.
  ///
  /// A truth on a line leaves the turn about it open, and one that stands still all but the
  /// translation: then the orientations decide what they can, and the note says so. A factor that
  /// would not be positive has failed, unless `anySign`.
  func fit(_ pair: PathPair, rotated: Bool, anySign: Bool) -> AlignedPath {
    let truth = pair.truth.centres
    let estimate = pair.estimate.centres
    let spreads = pair.spreads
    switch self {
    case .none: return .fit(Similarity(), note: nil)
    case .se3, .sim3, .scaleUmeyama:
      let isWhole = self != .scaleUmeyama
      switch Similarity.outcome(
        from: estimate, to: truth, scaled: self != .se3, spreads: spreads)
      {
      case .failed(let cause): return .failed(cause, collapsed: collapsed(pair))
      case .stillTarget(let fit):
        return .fit(
          isWhole ? fit : Similarity(), note: "the truth stands still: translation alone")
      case .fit(let fit, let line):
        guard isWhole else { return .fit(Similarity(scale: fit.scale), note: nil) }
        guard let line else { return .fit(fit, note: nil) }
        return .fit(
          rotated ? fit.rolled(pair, about: line, through: spreads.target.mean) : fit,
          note: "a path is a straight line: "
            + (rotated
              ? "the orientations decide the turn about it"
              : "the turn about it is open, and the least is taken"))
      }
    case .scale, .scaleL1:
      func reach(_ path: [SIMD3<Double>]) -> Double { path.map(length).max() ?? 0 }
      guard reach(truth) > spreads.target.floor else {
        return .fit(Similarity(), note: "the truth stands still: scale 1")
      }
      guard reach(estimate) > spreads.source.floor else {
        return .failed("the estimate does not move, and the truth does", collapsed: collapsed(pair))
      }
      var product = 0.0
      var square = 0.0
      for (p, q) in zip(truth, estimate) {
        product += dot(p, q)
        square += dot(q, q)
      }
      let scale = self == .scale ? product / square : Self.leastDistance(truth, estimate) ?? 0
      guard scale.isFinite, scale > 0 || (anySign && scale != 0) else {
        return .failed(
          "the best scale is \(scale < 0 ? "negative" : "0"), the estimate runs the other way",
          collapsed: collapsed(pair))
      }
      return .fit(Similarity(scale: scale), note: nil)
    }
  }

  /// What an estimate becomes at scale 0: the mean of the truth where a fit has a translation.
  func collapsed(_ pair: PathPair) -> Similarity {
    guard self == .se3 || self == .sim3 else { return Similarity(scale: 0) }
    let all = pair.truth.centres + pair.lost.map(\.centre)
    return Similarity(
      scale: 0, translation: all.reduce(.zero, +) / Double(max(all.count, 1)))
  }

  /// The factor c that minimises Σ‖p − c p̂‖, a convex function: golden-section search inside
  /// the range of the factors that are best for one point alone.
  private static func leastDistance(
    _ truth: [SIMD3<Double>], _ estimate: [SIMD3<Double>]
  ) -> Double? {
    var low = Double.infinity
    var high = -Double.infinity
    for (p, q) in zip(truth, estimate) where dot(q, q) > 0 {
      let best = dot(p, q) / dot(q, q)
      low = min(low, best)
      high = max(high, best)
    }
    guard low.isFinite, high.isFinite else { return nil }
    func cost(_ c: Double) -> Double {
      var sum = 0.0
      for index in truth.indices { sum += length(truth[index] - c * estimate[index]) }
      return sum
    }
    let golden = (5.0.squareRoot() - 1) / 2
    var left = high - golden * (high - low)
    var right = low + golden * (high - low)
    var costs = (cost(left), cost(right))
    for _ in 0..<120 where high - low > 1e-15 * max(abs(low), abs(high)) {
      if costs.0 <= costs.1 {
        high = right
        right = left
        costs.1 = costs.0
        left = high - golden * (high - low)
        costs.0 = cost(left)
      } else {
        low = left
        left = right
        costs.0 = costs.1
        right = low + golden * (high - low)
        costs.1 = cost(right)
      }
    }
    return (low + high) / 2
  }
}

extension Similarity {
  /// The same, turned about a line as the orientations fit best: of the rotations R(φ) about u,
  /// the one that maximises Σ tr(Tᵀ R(φ) R E) over true and estimated orientations T and E.
  func rolled(
    _ pair: PathPair, about axis: SIMD3<Double>, through centre: SIMD3<Double>
  ) -> Similarity {
    var sum = Matrix3.zero
    for (t, e) in zip(pair.truth.rotations, pair.estimate.rotations) {
      let m = (rotation * e) * t.transposed
      sum = Matrix3(sum.rows.0 + m.rows.0, sum.rows.1 + m.rows.1, sum.rows.2 + m.rows.2)
    }
    let cosine = sum.trace - dot(axis, sum * axis)
    let sine =
      axis.x * (sum.rows.1.z - sum.rows.2.y) + axis.y * (sum.rows.2.x - sum.rows.0.z)
      + axis.z * (sum.rows.0.y - sum.rows.1.x)
    let size = (cosine * cosine + sine * sine).squareRoot()
    guard size > 1e-12 * Double(pair.truth.count) else { return self }
    let roll = Matrix3.about(axis, cosine: cosine / size, sine: sine / size)
    var copy = self
    copy.rotation = roll * rotation
    // The line passes through the truth's mean, which the turn leaves where it is.
    copy.translation = centre + roll * (translation - centre)
    return copy
  }

  /// A scale and a translation.
  init(scale: Double, translation: SIMD3<Double>) {
    self.init(rotation: .identity, scale: scale, translation: translation)
  }

  /// A scale alone.
  init(scale: Double) { self.init(rotation: .identity, scale: scale, translation: .zero) }

  /// The transform as fields of a report.
  var described: Value {
    let r = rotation.rows
    func row(_ v: SIMD3<Double>) -> Value { .numbers([v.x, v.y, v.z]) }
    return .fields([
      Field("scale", .number(scale)),
      Field("rotation", .list([row(r.0), row(r.1), row(r.2)])),
      Field("translation", row(translation)),
    ])
  }
}
