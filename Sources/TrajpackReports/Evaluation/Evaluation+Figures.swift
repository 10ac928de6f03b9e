import Glibc
import TrajpackEvaluate
import TrajpackFormat

/// What is worth looking at, as data.
extension Evaluation {
  /// Episodes that are drawn one by one.
  private static let shown = 4
  /// Points of a drawn curve at most.
  private static let points = 1500

  func figures(_ plan: MetricPlan, _ gathered: [MetricInputs]) -> [Figure] {
    switch plan.binding.evaluator {
    case "camera.path": return cameras(plan, gathered)
    case "skeleton.pose": return poses(gathered)
    case "attractor.d_stsp": return attractors(gathered)
    case "attractor.spectrum": return spectra(gathered)
    case "keypoints.state_alignment", "keypoints.tap_vid": return thresholds(plan)
    case "state.alignment": return steps()
    case "forecast.errors", "forecast.dtw": return series(gathered)
    default: return []
    }
  }

  /// The episodes to draw: all of a few, else the first ones and the worst, those that failed last.
  private func drawn(
    _ gathered: [MetricInputs], by score: String
  ) -> [(episode: MetricInputs, rank: String)] {
    guard gathered.count > Self.shown else { return gathered.map { ($0, "") } }
    let metric =
      reportMetrics.last { $0.name == score } ?? reportMetrics.last { $0.name.hasPrefix(score) }
    let isLower = metric?.better != "higher"
    func badness(_ id: String) -> Double? {
      guard let own = metric?.episodes.first(where: { $0.episode == id }) else { return nil }
      if own.failed > 0 { return .infinity }
      return own.value.map { isLower ? $0 : -$0 }
    }
    let ranked = gathered.compactMap { episode in badness(episode.id).map { (episode, $0) } }
      .sorted { $0.1 < $1.1 }
    let worst = ranked.suffix(Self.shown / 2)
    let ids = Set(worst.map(\.0.id))
    return gathered.filter { !ids.contains($0.id) }.prefix(Self.shown - worst.count).map {
      ($0, "")
    }
      + worst.map { ($0.0, $0.1 == .infinity ? " (failed)" : " (among the worst)") }
  }

  static func thinned(_ count: Int) -> [Int] {
    let step = max((count + points - 1) / points, 1)
    return Array(stride(from: 0, to: count, by: step))
  }

  static func note(_ count: Int, _ kept: Int) -> String {
    kept < count ? "\(kept) of \(count) points are drawn" : ""
  }

  /// Camera paths seen from above, the estimate fitted as the metric fits it.
  private func cameras(_ plan: MetricPlan, _ gathered: [MetricInputs]) -> [Figure] {
    drawn(gathered, by: "camera.ate.mean").compactMap { episode, rank in
      guard let truth = episode.clips.first?.arrays["truth_position"],
        let estimate = episode.clips.first?.arrays["estimate_position"]
      else { return nil }
      let fit = fit(plan, episode)
      let rows = Self.thinned(truth.rows)
      func path(_ numbers: Numbers, _ fit: Fit?) -> (x: [Double], y: [Double]) {
        let points = rows.map { row -> [Double] in
          // What the truth has not is not drawn of the estimate either.
          guard truth.isKnown(row: row) else { return [.nan, .nan, .nan] }
          let p = (0..<3).map { numbers.values[3 * row + $0] }
          return fit?.apply(p) ?? p
        }
        // The two axes along which the camera goes farthest.
        return (points.map { $0[axes.0] }, points.map { $0[axes.1] })
      }
      let axes = Self.widest(truth)
      let (a, b) = (path(truth, nil), path(estimate, fit))
      let unit = episode.units.map { " (\($0))" } ?? ""
      return Figure(
        "Camera path of \(episode.id)\(rank)\(fit == nil ? "" : ", the estimate aligned")",
        x: .init("xyz".map(String.init)[axes.0] + unit),
        y: .init("xyz".map(String.init)[axes.1] + unit),
        .paths([
          .init("truth", .truth, x: a.x, y: a.y), .init("prediction", .prediction, x: b.x, y: b.y),
        ]), note: Self.note(truth.rows, rows.count))
    }
  }

  private static func widest(_ positions: Numbers) -> (Int, Int) {
    let spans = (0..<3).map { axis -> Double in
      let values = (0..<positions.rows).map { positions.values[3 * $0 + axis] }.filter(\.isFinite)
      return (values.max() ?? 0) - (values.min() ?? 0)
    }
    let least = spans.indices.min { spans[$0] < spans[$1] } ?? 1
    let kept = [0, 1, 2].filter { $0 != least }
    return (kept[0], kept[1])
  }

  /// A similarity, as the details of a score give it.
  private struct Fit {
    var scale: Double
    var rotation: [[Double]]
    var translation: [Double]

    func apply(_ p: [Double]) -> [Double] {
      (0..<3).map { row in
        scale * (0..<3).reduce(0) { $0 + rotation[row][$1] * p[$1] } + translation[row]
      }
    }
  }

  /// The fit of one episode's path alone.
  private func fit(_ plan: MetricPlan, _ episode: MetricInputs) -> Fit? {
    guard let clip = episode.clips.first,
      let scores = try? Scorer(
        plan: plan, settings: plan.settings, isPartial: true
      ).scores([clip], [:]),
      let json = scores.first?.details.json["alignment_fit"],
      let scale = json["scale"]?.double,
      let rotation = json["rotation"]?.array?.map({ ($0.array ?? []).compactMap(\.double) }),
      let translation = json["translation"]?.array?.compactMap(\.double), rotation.count == 3,
      rotation.allSatisfy({ $0.count == 3 }), translation.count == 3
    else { return nil }
    return Fit(scale: scale, rotation: rotation, translation: translation)
  }

  /// Skeletons of frames from the best to the worst of the first episode.
  private func poses(_ gathered: [MetricInputs]) -> [Figure] {
    let worst = drawn(gathered, by: "skeleton.mpjpe").last?.episode
    guard let episode = worst ?? gathered.first, let clip = episode.clips.first,
      let truth = clip.arrays["truth"], let prediction = clip.arrays["prediction"],
      truth.shape.count == 3, truth.shape == prediction.shape
    else { return [] }
    let (joints, width) = (truth.shape[1], truth.shape[2])
    var bones: [[Int]] = []
    var offset = 0
    for entry in episode.entries["truth"] ?? [] {
      bones += (episode.bones[entry.path] ?? []).map { $0.map { $0 + offset } }
      offset += (episode.widths[entry.path] ?? 0) / max(width, 1)
    }
    bones = bones.filter { $0.count == 2 && $0.allSatisfy { $0 < joints } }
    func error(_ frame: Int) -> Double? {
      var (sum, count) = (0.0, 0)
      for joint in 0..<joints {
        let square = (0..<width).reduce(0.0) { sum, axis in
          let at = (frame * joints + joint) * width + axis
          let d = truth.values[at] - prediction.values[at]
          return sum + d * d
        }
        if square.isFinite { (sum, count) = (sum + square.squareRoot(), count + 1) }
      }
      return count > 0 ? sum / Double(count) : nil
    }
    let ranked = (0..<truth.rows).compactMap { frame in error(frame).map { (frame, $0) } }
      .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
    guard !ranked.isEmpty else { return [] }
    let picks = [0, (ranked.count - 1) / 2, ranked.count - 1]
    func points(_ numbers: Numbers, _ frame: Int) -> [[Double]] {
      (0..<joints).map { joint in
        [0, 1].map { numbers.values[(frame * joints + joint) * width + $0] }
      }
    }
    let titles = ["best", "median", "worst"]
    let poses = zip(titles, picks).map { title, pick in
      let (frame, value) = ranked[pick]
      return Figure.Pose(
        title: "\(title): frame \(frame), \(Self.short(value))", bones: bones,
        truth: points(truth, frame), prediction: points(prediction, frame))
    }
    return [
      Figure(
        "Skeletons of \(episode.id)\(gathered.count > 1 ? ", the worst episode" : ""): the best, the median and the worst frame",
        x: .init("x"), y: .init("y"), .poses(poses),
        note: "mean distance of joints under each; seen along z")
    ]
  }

  private func attractors(_ gathered: [MetricInputs]) -> [Figure] {
    drawn(gathered, by: "attractor.d_stsp").compactMap { episode, rank in
      guard let clip = episode.clips.first, let truth = clip.arrays["truth"],
        let made = clip.arrays["generated"], truth.width >= 2, made.width == truth.width
      else { return nil }
      let last = min(truth.width - 1, 2)
      func curve(_ numbers: Numbers) -> (x: [Double], y: [Double]) {
        let rows = Self.thinned(numbers.rows)
        return (
          rows.map { numbers.values[$0 * numbers.width] },
          rows.map { numbers.values[$0 * numbers.width + last] }
        )
      }
      let (a, b) = (curve(truth), curve(made))
      return Figure(
        "Attractor of \(episode.id)\(rank)", x: .init("dimension 0"), y: .init("dimension \(last)"),
        .paths([
          .init("truth", .truth, x: a.x, y: a.y), .init("generated", .prediction, x: b.x, y: b.y),
        ]), note: Self.note(truth.rows, a.x.count))
    }
  }

  private func spectra(_ gathered: [MetricInputs]) -> [Figure] {
    drawn(gathered, by: "attractor.d_h").compactMap { episode, rank in
      guard let clip = episode.clips.first, let truth = clip.arrays["truth"],
        let made = clip.arrays["generated"]
      else { return nil }
      let rate = episode.frames.rate ?? 1
      func curve(_ numbers: Numbers) -> (x: [Double], y: [Double])? {
        let column = (0..<numbers.rows).map { numbers.values[$0 * numbers.width] }
        guard column.count > 3, column.allSatisfy(\.isFinite) else { return nil }
        let power = PowerSpectrum.of(column)
        // The mean over bins that a point stands for; the first bin is the mean of the series.
        let step = max((power.count + 399) / 400, 1)
        let starts = Array(stride(from: 1, to: power.count, by: step))
        return (
          starts.map { Double($0) * rate / Double(column.count) },
          starts.map { first in
            let part = power[first..<min(first + step, power.count)]
            return part.reduce(0, +) / Double(part.count)
          }
        )
      }
      guard let a = curve(truth), let b = curve(made) else { return nil }
      return Figure(
        "Power spectrum of \(episode.id)\(rank), dimension 0",
        x: .init(episode.frames.rate == nil ? "cycles a row" : "frequency (1/time)"),
        y: .init("power", isLogarithmic: true),
        .lines([
          .init("truth", .truth, x: a.x, y: a.y), .init("generated", .prediction, x: b.x, y: b.y),
        ]))
    }
  }

  /// The first dimension of the first episodes, truth and forecast.
  private func series(_ gathered: [MetricInputs]) -> [Figure] {
    guard !reportFigures.contains(where: { $0.title.hasPrefix("Forecast of") }) else { return [] }
    let score = reportMetrics.last { $0.evaluator.hasPrefix("forecast.") }?.name ?? ""
    return drawn(gathered, by: score).compactMap { episode, rank in
      guard let clip = episode.clips.first, let truth = clip.arrays["truth"],
        let made = clip.arrays["prediction"], truth.width == made.width
      else { return nil }
      let rows = Self.thinned(truth.rows)
      let x = rows.map { Double($0 + (episode.starts.first ?? 0)) }
      func y(_ numbers: Numbers) -> [Double] { rows.map { numbers.values[$0 * numbers.width] } }
      let name = episode.entries["truth"]?.first?.path ?? "dimension 0"
      return Figure(
        "Forecast of \(episode.id)\(rank)\(request.window == nil ? "" : ", first window")",
        x: .init("row"),
        y: .init(name),
        .lines([
          .init("truth", .truth, x: x, y: y(truth)),
          .init("forecast", .prediction, x: x, y: y(made)),
        ]), note: Self.note(truth.rows, rows.count))
    }
  }
}
