import TrajpackFormat

/// Curves of figures: by threshold, step, episode and horizon.
extension Evaluation {
  /// Shares within the thresholds, of the metrics just added.
  func thresholds(_ plan: MetricPlan) -> [Figure] {
    var series: [Figure.Series] = []
    func add(_ name: String, _ role: Figure.Role, _ points: [(Double, Double)]) {
      guard points.count > 1 else { return }
      let sorted = points.sorted { $0.0 < $1.0 }
      series.append(.init(name, role, x: sorted.map(\.0), y: sorted.map(\.1)))
    }
    let own = reportMetrics.filter { $0.evaluator == plan.binding.evaluator }
    for metric in own {
      guard let members = metric.details["within"]?.members else { continue }
      let isTruth = metric.name.hasSuffix("_truth")
      add(
        isTruth ? "true video (ceiling)" : "prediction", isTruth ? .reference : .prediction,
        members.compactMap { member in
          guard let x = Double(member.name), let y = member.value.double else { return nil }
          return (x, 100 * y)
        })
    }
    for (prefix, name) in [("keypoints.within_", "within"), ("keypoints.jaccard_", "Jaccard")] {
      add(
        name, .prediction,
        own.compactMap { metric in
          guard metric.name.hasPrefix(prefix), let x = Double(metric.name.dropFirst(prefix.count)),
            let y = metric.value
          else { return nil }
          return (x, 100 * y)
        })
    }
    guard !series.isEmpty else { return [] }
    return [
      Figure(
        "Keypoints within a threshold", x: .init("threshold (px)", isLogarithmic: true),
        y: .init("share (%)"), .lines(series))
    ]
  }

  /// State alignment by step.
  func steps() -> [Figure] {
    guard let metric = reportMetrics.first(where: { $0.name == "state.alignment" }),
      let curve = metric.details["per_horizon"]?.array, curve.count > 1
    else { return [] }
    let rows = Self.thinned(curve.count)
    return [
      Figure(
        "State alignment by step", x: .init(request.window == nil ? "frame" : "step of the window"),
        y: .init("1 − normalised L1"),
        .lines([
          .init(
            "state.alignment", .prediction, x: rows.map { Double($0) },
            y: rows.map { curve[$0].double ?? .nan })
        ]), note: Self.note(curve.count, rows.count))
    ]
  }

  /// Headline figures by episode, and by horizon.
  static func overview(_ report: Report) -> [Figure] {
    var out: [Figure] = []
    var seen: Set<String> = []
    for metric in report.metrics where metric.value != nil && seen.insert(metric.evaluator).inserted
    {
      let known = metric.episodes.filter { $0.value != nil }
      if known.count > 1 {
        let isHigher = metric.better == "higher"
        let isRanked = metric.better != nil
        let sorted =
          !isRanked
          ? known
          : known.sorted { a, b in
            let (x, y) = (a.value ?? 0, b.value ?? 0)
            return x == y ? a.episode < b.episode : (x < y) != isHigher
          }
        out.append(
          Figure(
            "\(metric.name) by episode\(isRanked ? ", best first" : "")", x: .init("episode"),
            y: .init(metric.unit.map { "\(metric.name) (\($0))" } ?? metric.name),
            .dots(
              labels: sorted.map(\.episode),
              [
                .init(
                  metric.name, .prediction, x: sorted.indices.map { Double($0) },
                  y: sorted.map { $0.value ?? .nan })
              ])))
      }
      if metric.horizons.count > 1 {
        out.append(
          Figure(
            "\(metric.name) over the first rows", x: .init("rows"),
            y: .init(metric.unit ?? metric.name),
            .lines([
              .init(
                metric.name, .prediction, x: metric.horizons.map { Double($0.rows) },
                y: metric.horizons.map { $0.value ?? .nan })
            ])))
      }
    }
    return out
  }
}
