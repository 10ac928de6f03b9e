extension PathAlignment {
  /// The similarity that carries the estimate onto the truth; nil when it does not exist (too few
  /// points, points on a line, an estimate that never moves).
  func fit(_ pair: PathPair) -> Similarity? {
    let truth = pair.truth.centres
    let estimate = pair.estimate.centres
    switch self {
    case .none: return Similarity()
    case .se3: return .fit(from: estimate, to: truth, scaled: false)
    case .sim3: return .fit(from: estimate, to: truth, scaled: true)
    case .scaleUmeyama:
      guard let fit = Similarity.fit(from: estimate, to: truth, scaled: true) else { return nil }
      return Similarity(scale: fit.scale)
    case .scale:
      var product = 0.0
      var square = 0.0
      for (p, q) in zip(truth, estimate) {
        product += dot(p, q)
        square += dot(q, q)
      }
      return square > 0 ? Similarity(scale: product / square) : nil
    case .scaleL1:
      return Self.leastDistance(truth, estimate).map { Similarity(scale: $0) }
    }
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
