import TrajpackEvaluate
import TrajpackFormat

extension Evaluation {
  /// How single episodes are scored: errors of state variables are divided by the ranges of all episodes
  /// together, so that the episodes' figures are parts of the whole. A variable that never changes has no
  /// range, and does not count.
  struct Alone {
    var scorer: Scorer
    var ranges: Numbers?
    var columns: [Int] = []

    func scores(
      _ clips: [MetricClip], _ constants: [String: Numbers]
    ) throws(TrajpackError) -> [Score] {
      guard let ranges else { return try scorer.scores(clips, constants) }
      let narrow = clips.map { clip in
        MetricClip(
          arrays: clip.arrays.mapValues { $0.columns(columns) }, rows: clip.rows,
          settings: clip.settings)
      }
      return try scorer.scores(narrow, constants.merging(["ranges": ranges]) { a, _ in a })
    }
  }

  static func alone(_ scorer: Scorer, _ gathered: [MetricInputs]) -> Alone {
    let normaliser = scorer.plan.setting("normaliser") ?? "range"
    guard scorer.plan.binding.evaluator == "state.alignment", gathered.count > 1,
      normaliser == "range"
    else { return Alone(scorer: scorer) }
    let clips = gathered.flatMap(\.clips).compactMap { $0.arrays["truth"] }
    let width = clips.first?.width ?? 0
    let ranges = (0..<width).map { column -> Double in
      var (low, high) = (Double.infinity, -Double.infinity)
      for clip in clips {
        for row in 0..<clip.rows {
          let value = clip.values[row * width + column]
          if value.isFinite { (low, high) = (min(low, value), max(high, value)) }
        }
      }
      return high - low
    }
    let columns = ranges.indices.filter { ranges[$0] > 0 && ranges[$0].isFinite }
    guard !columns.isEmpty else { return Alone(scorer: scorer) }
    var copy = scorer
    copy.settings.append(("normaliser", "given"))
    return Alone(
      scorer: copy, ranges: Numbers(shape: [columns.count], columns.map { ranges[$0] }),
      columns: columns)
  }
}
