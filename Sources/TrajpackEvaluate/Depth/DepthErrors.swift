import Glibc
import TrajpackFormat

/// How predicted depth is fitted to the true one before it is compared, image by image.
enum DepthAlignment: String, CaseIterable, Sendable {
  case none
  /// The ratio of medians.
  case median
  /// One factor, least squares.
  case scale
  /// Factor and offset, least squares (Ranftl et al., MiDaS).
  case scaleShift = "scale_shift"
}

/// Where the fit is made.
enum DepthSpace: String, CaseIterable, Sendable {
  case depth
  /// 1 / depth: predictions are disparities when `prediction_is_inverse`.
  case inverse
}

/// Options of `depth.errors`.
struct DepthOptions: PredictionOptions {
  var alignment = DepthAlignment.none
  var space = DepthSpace.depth
  var predictionIsInverse = false
  var nearest = 1e-3
  var farthest = 1e9
  var reduction = PathReduction.meanOfPaths
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("alignment", \.alignment, "fit of each predicted image to the true one"),
    .choice("space", \.space, "whether the fit is made in depth or in its inverse"),
    .flag("prediction_is_inverse", \.predictionIsInverse, "predictions are disparities"),
    .number("nearest", \.nearest, "true depth below this does not count", above: 0),
    .number("farthest", \.farthest, "true depth above this does not count", above: 0),
    .choice("images", \.reduction, "mean of each image's figures, or all pixels pooled"),
    failure(\.failed),
  ]
}

/// Depth errors (Eigen et al. 2014): AbsRel = mean |d − d̂|/d, SqRel, RMSE, RMSE of logs, and the
/// share with max(d/d̂, d̂/d) < 1.25^k.
enum DepthErrors {
  static let evaluator = Evaluator(
    "depth.errors", makes: ["depth."],
    "Depth: AbsRel, SqRel, RMSE, RMSE of logs, δ < 1.25^k, with alignment.",
    [
      .needed("truth", "F × H × W", "true depth"),
      .needed("prediction", "F × H × W", "predicted depth"),
      .optional("truth_mask", "F × H × W", "1 where the true depth exists"),
    ],
    DepthOptions.self, scores)

  private static let names = [
    "abs_rel", "sq_rel", "rmse", "rmse_log", "delta_1", "delta_2", "delta_3",
  ]

  static func scores(
    _ arrays: Arrays, _ options: DepthOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.tensor("truth", ranks: 2...3)
    let prediction = try arrays.tensor("prediction", ranks: 2...3)
    try truth.requireSameShape(prediction)
    let mask = try arrays.mask("truth_mask", count: truth.values.count)
    let images = truth.shape.count == 3 ? truth.shape[0] : 1
    let pixels = images > 0 ? truth.values.count / images : 0
    var tallies: [Tally] = []
    var notNumbers = 0
    var known = 0
    var lost = Failures("pixels")
    var unfitted = Failures("images")
    for image in 0..<images {
      var pairs: [(truth: Double, prediction: Double)] = []
      var broken: [Double] = []
      for index in image * pixels..<(image + 1) * pixels {
        let d = truth.values[index]
        guard d >= options.nearest, d <= options.farthest, mask.map({ $0[index] != 0 }) ?? true
        else { continue }
        let p = prediction.values[index]
        if p.isFinite {
          pairs.append((d, p))
        } else {
          lost.add(index, "the depth at index \(index) is not finite")
          broken.append(d)
        }
      }
      notNumbers += broken.count
      lost.total += pairs.count + broken.count
      guard !pairs.isEmpty || !broken.isEmpty else { continue }
      known += 1
      var tally = Tally()
      switch fit(pairs, options) {
      case .fit(let fit): for pair in pairs { tally.add(pair.truth, fit(pair.prediction)) }
      case .failed(let cause, let collapsed):
        unfitted.add(image, cause)
        if options.failed != .worst { continue }
        for pair in pairs { tally.add(pair.truth, collapsed) }
      }
      // At scale 0 a fitted prediction is the constant that remains; nothing is within any δ.
      if options.failed == .worst { for d in broken { tally.add(d, 0) } }
      if tally.count > 0 { tallies.append(tally) }
    }
    unfitted.total = known
    let failures = lost.count > 0 ? lost.including(unfitted) : unfitted
    let details = [
      Field("images", .count(images)), Field("nan_predictions", .count(notNumbers)),
      Field("not_positive", .count(tallies.reduce(0) { $0 + $1.notPositive })),
    ]
    var logs = Failures("pixels", of: tallies.reduce(0) { $0 + $1.count })
    for pixel in 0..<tallies.reduce(0, { $0 + $1.notPositive }) {
      logs.add(pixel, "a fitted depth is not above 0, and has no logarithm")
    }
    return report(tallies, details, options).map { score in
      guard score.name != "depth.rmse_log" else {
        return score.failing(failures.count > 0 ? failures : logs)
      }
      let isBounded = score.name.hasPrefix("depth.delta") || options.alignment != .none
      return score.failing(failures, worst: isBounded ? .counted : .none)
    }
  }

  private static func report(
    _ tallies: [Tally], _ details: [Field], _ options: DepthOptions
  ) -> [Score] {
    let count = tallies.reduce(0) { $0 + $1.count }
    let negative = tallies.reduce(0) { $0 + $1.notPositive }
    return names.indices.map { index in
      let name = "depth.\(names[index])"
      guard count > 0 else {
        return Score(name, missing: "no pixel counts", details: details)
      }
      let parts =
        options.reduction == .pooled
        ? [tallies.reduce(into: Tally()) { $0.merge($1) }] : tallies
      let known = parts.compactMap { $0.figures[index] }
      guard !known.isEmpty else {
        return Score(name, missing: "no predicted depth is above 0", details: details)
      }
      let pixels = names[index] == "rmse_log" ? count - negative : count
      return Score(name, Statistics.mean(known), count: pixels, details: details)
    }
  }

  /// What came of the fit of an image.
  private enum Fit {
    case fit((Double) -> Double)
    /// It degenerates because of the prediction; the depth that it becomes at scale 0.
    case failed(String, collapsed: Double)
  }

  /// What takes a prediction to a depth. A factor is above 0; a true image of one depth has no
  /// slope, so that an offset alone is fitted to it.
  private static func fit(
    _ pairs: [(truth: Double, prediction: Double)], _ options: DepthOptions
  ) -> Fit {
    let inverse = options.space == .inverse
    // Into the space of the fit.
    let into: (Double) -> Double =
      options.predictionIsInverse == inverse ? { $0 } : { 1 / $0 }
    let out: (Double) -> Double = inverse ? { 1 / $0 } : { $0 }
    let x = pairs.map { into($0.prediction) }
    let y = pairs.map { inverse ? 1 / $0.truth : $0.truth }
    guard !pairs.isEmpty else { return .fit { out(into($0)) } }
    let flat = "the predicted image is one depth, and the true one is not"
    let wrong = "the best factor is not above 0"
    switch options.alignment {
    case .none: return .fit { out(into($0)) }
    case .median:
      guard let a = Statistics.median(x), let b = Statistics.median(y), (b / a).isFinite, b / a > 0
      else { return .failed("its median is not above 0", collapsed: 0) }
      return .fit { out(into($0) * (b / a)) }
    case .scale:
      let square = x.reduce(0) { $0 + $1 * $1 }
      let scale = zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } / square
      guard scale.isFinite, scale > 0 else { return .failed(wrong, collapsed: 0) }
      return .fit { out(into($0) * scale) }
    case .scaleShift:
      let (meanX, meanY) = (Statistics.mean(x), Statistics.mean(y))
      func isFlat(_ values: [Double]) -> Bool {
        Statistics.isConstant(values)
      }
      guard !isFlat(y) else { return .fit { out(into($0) - meanX + meanY) } }
      guard !isFlat(x), let slope = Statistics.slope(x, y), slope.isFinite else {
        return .failed(flat, collapsed: out(meanY))
      }
      guard slope > 0 else { return .failed(wrong, collapsed: out(meanY)) }
      return .fit { out((into($0) - meanX) * slope + meanY) }
    }
  }

  private struct Tally {
    var count = 0
    var notPositive = 0
    var sums = [Double](repeating: 0, count: 7)

    mutating func add(_ d: Double, _ p: Double) {
      count += 1
      let error = d - p
      sums[0] += abs(error) / d
      sums[1] += error * error / d
      sums[2] += error * error
      guard p > 0 else {
        // No ratio and no logarithm: within no δ, and left out of the logs.
        notPositive += 1
        return
      }
      let logs = log(d / p)
      sums[3] += logs * logs
      let ratio = max(d / p, p / d)
      if ratio < 1.25 { sums[4] += 1 }
      if ratio < 1.5625 { sums[5] += 1 }
      if ratio < 1.953125 { sums[6] += 1 }
    }

    mutating func merge(_ other: Tally) {
      count += other.count
      notPositive += other.notPositive
      for index in sums.indices { sums[index] += other.sums[index] }
    }

    /// In the order of the names; nil for logarithms that no pixel has.
    var figures: [Double?] {
      let n = Double(count)
      let logs = Double(count - notPositive)
      return [
        sums[0] / n, sums[1] / n, (sums[2] / n).squareRoot(),
        logs > 0 ? (sums[3] / logs).squareRoot() : nil, sums[4] / n, sums[5] / n, sums[6] / n,
      ]
    }
  }
}
