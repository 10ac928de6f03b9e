import TrajpackFormat
import TrajpackStore

extension Report {
  /// The report as one HTML file: tables with counts, pictures, and at the end the options and digests.
  public var html: String {
    var page = Page(title: "Evaluation of \(FileSystem.name(of: predictions.path))")
    for line in summary { page.paragraph(line) }
    var families: [String] = []
    for metric in metrics {
      let family = Self.family(metric.name)
      if !families.contains(family) { families.append(family) }
    }
    for family in families {
      let own = metrics.filter { Self.family($0.name) == family }
      page.heading(family)
      var part = self
      part.metrics = own
      let table = part.table
      page.table(table.head, table.rows, numbers: table.numbers)
      if let horizons = part.horizonTable {
        page.table(horizons.head, horizons.rows, numbers: horizons.numbers)
      }
      for (names, reason) in part.reasons {
        page.paragraph("Not computed: \(names): \(reason)")
      }
      page.figures(figures.filter { belongs($0, to: family) })
      if own.contains(where: { $0.episodes.count > 1 }) {
        page.folded("Figures of each episode") { Self.episodes(own, &$0) }
      }
    }
    let rest = figures.filter { figure in !families.contains { belongs(figure, to: $0) } }
    if !rest.isEmpty {
      page.heading("More")
      page.figures(rest)
    }
    page.heading("How it was made")
    page.table(
      ["input", "path", "digest"],
      [
        ["truth", truth.path, truth.digest],
        ["predictions (\(predictions.form))", predictions.path, predictions.digest],
      ] + others.map { ["beside them", $0.path, $0.digest] })
    page.table(
      ["evaluator", "input", "from"], inputs.map { [$0.evaluator, $0.input, $0.source] })
    page.folded("What was asked for, and every option that was used") { page in
      page.verbatim(request.json.text(indent: 2))
      var seen: Set<String> = []
      for metric in metrics where seen.insert(metric.evaluator).inserted {
        page.verbatim("\(metric.evaluator) \(metric.options.text(indent: 2))")
      }
    }
    page.paragraph("trajpack \(version). \(json["style"]?.string ?? "").")
    return page.html
  }

  private static func family(_ name: String) -> String {
    name.split(separator: ".").first.map(String.init) ?? name
  }

  /// Figures belong to the family that their title begins with, or that draws them.
  private func belongs(_ figure: Figure, to family: String) -> Bool {
    if figure.title.hasPrefix("\(family).") { return true }
    let drawn = [
      "Camera path": "camera", "Skeletons": "skeleton", "Attractor": "attractor",
      "Power spectrum": "attractor", "Keypoints": "keypoints", "State alignment": "state",
      "Forecast": "forecast",
    ]
    return drawn.contains { figure.title.hasPrefix($0.key) && $0.value == family }
  }

  private static func episodes(_ metrics: [Metric], _ page: inout Page) {
    var ids: [String] = []
    var seen: Set<String> = []
    for figure in metrics.flatMap(\.episodes) where seen.insert(figure.episode).inserted {
      ids.append(figure.episode)
    }
    let shown = metrics.filter { !$0.episodes.isEmpty }
    let columns = shown.map { metric in
      Dictionary(
        metric.episodes.map { ($0.episode, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
    page.table(
      ["episode"] + shown.map(\.name),
      ids.map { id in [id] + columns.map { short($0[id] ?? nil) } },
      numbers: Set(1..<max(shown.count + 1, 2)))
  }
}
