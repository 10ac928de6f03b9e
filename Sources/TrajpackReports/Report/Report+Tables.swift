import TrajpackFormat

/// A report or a comparison as rows of text, from which every format is written.
public struct ReportTable: Sendable {
  /// The heads of the columns.
  public var head: [String]
  /// The rows.
  public var rows: [[String]]
  /// Which columns are numbers.
  public var numbers: Set<Int>

  /// As a table of Markdown.
  public var markdown: String {
    func line(_ cells: [String]) -> String {
      "| " + cells.map(\.markdownText).joined(separator: " | ") + " |\n"
    }
    return line(head) + line(head.indices.map { numbers.contains($0) ? "---:" : "---" })
      + rows.map(line).joined()
  }

  /// As CSV (RFC 4180); see ``Swift/String/csvCell(escapingFormulas:)``. Columns of numbers are as they are.
  public func csv(escapingFormulas: Bool) -> String {
    func line(_ cells: [String], isHead: Bool = false) -> String {
      cells.enumerated().map { place, text in
        text.csvCell(escapingFormulas: escapingFormulas && (isHead || !numbers.contains(place)))
      }.joined(separator: ",") + "\n"
    }
    return line(head, isHead: true) + rows.map { line($0) }.joined()
  }
}

extension Report {
  /// A number as tables show it: four significant digits.
  static func short(_ value: Double?) -> String { value.map(Evaluation.short) ?? "–" }

  /// The figures, one a row.
  public var table: ReportTable {
    let hasTruth = metrics.contains { $0.truth != nil }
    let hasShare = metrics.contains { share($0) != nil }
    return ReportTable(
      head: ["metric", "figure", "unit", "better", "values"] + (hasTruth ? ["truth's own"] : [])
        + (hasShare ? ["of"] : []),
      rows: metrics.map { metric in
        [
          metric.name, Self.short(metric.value), metric.unit ?? "", metric.better ?? "",
          "\(metric.count)",
        ] + (hasTruth ? [metric.truth.map(Evaluation.short) ?? ""] : [])
          + (hasShare ? [share(metric) ?? ""] : [])
      }, numbers: hasTruth ? [1, 4, 5] : [1, 4])
  }

  /// Of how many episodes or windows a figure is, where that is not all of them: `1 of 4 episodes`.
  public func share(_ metric: Metric) -> String? {
    if let failed = metric.failed, failed.rule != "skip" || metric.value == nil {
      let what = "\(failed.count) of \(failed.of) \(failed.unit) failed"
      return metric.value == nil ? what : what + ", counted as the worst"
    }
    guard metric.value != nil else { return nil }
    var parts: [String] = []
    if let failed = metric.failed, !["episodes", "windows"].contains(failed.unit) {
      parts.append("\(failed.of - failed.count) of \(failed.of) \(failed.unit)")
    }
    if let series = metric.details["series"]?.int,
      let lacking = metric.details["series_undefined"]?.int, lacking > 0
    {
      parts.append("\(series - lacking) of \(series) series")
    }
    if let segments = metric.details["segments"]?.int,
      let judged = metric.details["segments_with_verdict"]?.int, judged < segments
    {
      parts.append("\(judged) of \(segments) segments")
    }
    // Where each path is an episode, the episodes say it.
    if let paths = metric.details["paths"]?.int,
      let short = metric.details["paths_too_short"]?.int, short > 0,
      paths != metric.episodes.count
    {
      parts.append("\(paths - short) of \(paths) paths")
    }
    let count = metric.episodes.count { $0.value != nil }
    let all = metric.episodes.count + episodes.missing.count
    if !metric.episodes.isEmpty, count < all { parts.append("\(count) of \(all) episodes") }
    if let windows = metric.details["windows"]?.int,
      let lacking = metric.details["windows_without_figure"]?.int, lacking > 0
    {
      parts.append("\(windows - lacking) of \(windows) windows")
    }
    if let channels = metric.details["unlike_channels"]?.int {
      parts.append("\(channels) unlike channels together")
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  /// Of how many episodes or windows a figure of the first rows is, where that is not all of them: those that are
  /// shorter have none.
  public func horizonShare(_ horizon: HorizonFigure, of metric: Metric) -> String? {
    var parts: [String] = []
    let count = horizon.episodes ?? metric.episodes.count
    let all = metric.episodes.count + episodes.missing.count
    if count < all { parts.append("\(count) of \(all) episodes") }
    if let windows = horizon.windows { parts.append("\(windows.count) of \(windows.of) windows") }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  /// The figures of the first rows, one a row; nil where none were asked for.
  public var horizonTable: ReportTable? {
    let own = metrics.filter { !$0.horizons.isEmpty }
    guard !own.isEmpty else { return nil }
    let hasShare = own.contains { metric in
      metric.horizons.contains { horizonShare($0, of: metric) != nil }
    }
    return ReportTable(
      head: ["metric", "first rows", "figure", "unit", "values"] + (hasShare ? ["of"] : []),
      rows: own.flatMap { metric in
        metric.horizons.map { horizon in
          [
            metric.name, "\(horizon.rows)", Self.short(horizon.value), metric.unit ?? "",
            "\(horizon.count)",
          ] + (hasShare ? [horizonShare(horizon, of: metric) ?? ""] : [])
        }
      }, numbers: [1, 2, 4])
  }

  /// What could not be computed, and why; metrics of one reason together.
  public var reasons: [(metrics: String, reason: String)] {
    var out: [(metrics: [String], reason: String)] = []
    for metric in metrics {
      guard let reason = metric.reason else { continue }
      if let at = out.firstIndex(where: { $0.reason == reason }) {
        out[at].metrics.append(metric.name)
      } else {
        out.append(([metric.name], reason))
      }
    }
    return out.map { ($0.metrics.joined(separator: ", "), $0.reason) }
  }

  /// Every figure of every episode and horizon with all digits, for programs: a row each.
  public var longTable: ReportTable {
    func full(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    var rows: [[String]] = []
    for metric in metrics {
      func add(
        _ episode: String, _ horizon: String, _ value: Double?, _ count: Int, _ reason: String?,
        of share: String? = nil
      ) {
        rows.append([
          metric.name, episode, horizon, full(value), "\(count)", metric.unit ?? "",
          metric.better ?? "", reason ?? "", share ?? "",
        ])
      }
      add("", "", metric.value, metric.count, metric.reason, of: share(metric))
      for figure in metric.episodes {
        add(figure.episode, "", figure.value, figure.count, figure.reason)
      }
      for figure in metric.horizons {
        add(
          "", "\(figure.rows)", figure.value, figure.count, nil,
          of: horizonShare(figure, of: metric))
      }
    }
    return ReportTable(
      head: ["metric", "episode", "horizon", "value", "count", "unit", "better", "reason", "of"],
      rows: rows, numbers: [2, 3, 4])
  }

  /// Sentences on which episodes are in it.
  public var summary: [String] {
    var out = [
      "truth \(truth.path), predictions \(predictions.path) (\(predictions.form)), "
        + "\(episodes.evaluated.count) of \(episodes.selected) episodes"
    ]
    if let name = request.preset, let preset = try? Preset.named(name) {
      out.append("preset \(name): \(preset.citation)")
    }
    if !episodes.missing.isEmpty {
      out.append(
        "without predictions: \(episodes.missing.count) episodes (\(Evaluation.some(episodes.missing)))"
      )
    }
    if !episodes.extra.isEmpty {
      out.append(
        "predictions left out: \(episodes.extra.count) episodes (\(Evaluation.some(episodes.extra)))"
      )
    }
    if !episodes.cut.isEmpty {
      let frames = episodes.cut.reduce(0) { $0 + $1.frames }
      out.append("frames without predictions: \(frames), in \(episodes.cut.count) episodes")
    }
    if !episodes.surplus.isEmpty {
      let frames = episodes.surplus.reduce(0) { $0 + $1.frames }
      out.append(
        "predicted frames after an episode's last: \(frames), in \(episodes.surplus.count) episodes"
      )
    }
    if let window = request.window {
      let past = window.past == 0 ? "" : " after \(window.past) that are given"
      out.append("windows of \(window.length) rows\(past), one every \(window.stride)")
    }
    return out
  }

  /// As Markdown.
  public var markdown: String {
    var out =
      "# Evaluation\n\n" + summary.map { "- \($0.markdownText)\n" }.joined() + "\n" + table.markdown
    if let horizonTable { out += "\n" + horizonTable.markdown }
    if !reasons.isEmpty {
      out +=
        "\nNot computed:\n\n"
        + reasons.map { "- \($0.metrics.markdownText): \($0.reason.markdownText)\n" }
        .joined()
    }
    out += "\nOptions of each metric, digests \(truth.digest.prefix(12))… and "
    return out
      + "\(predictions.digest.prefix(12))…: in the JSON report. WildBench-style, see its `style`.\n"
  }
}

extension Comparison {
  /// The models side by side, a metric a row.
  public var table: ReportTable {
    var head = ["metric", "better"] + models
    for model in models.dropFirst() {
      head += ["\(model) − \(models[0])", "interval", "episodes", ""]
    }
    let rows = self.rows.map { row -> [String] in
      var cells = [row.name + (row.unit.map { " (\($0))" } ?? ""), row.better ?? ""]
      for (value, share) in zip(row.values, row.shares) {
        cells.append(Report.short(value) + (share.map { " (\($0))" } ?? ""))
      }
      for d in row.differences {
        let interval =
          d.low.flatMap { low in d.high.map { "\(Evaluation.short(low)) … \(Evaluation.short($0))" }
          } ?? ""
        let verdict = d.isBetter.map { $0 ? "better" : "worse" } ?? d.reason ?? ""
        let pairs =
          (d.count == d.total ? "\(d.count)" : "\(d.count) of \(d.total)")
          + (d.failed > 0 ? ", \(d.failed) failed" : "")
          + (d.uneven > 0 ? ", \(d.uneven) of other frames" : "")
        cells += [Report.short(d.value), interval, pairs, verdict]
      }
      return cells
    }
    var numbers = Set(2..<2 + models.count)
    for at in models.indices.dropFirst() {
      let start = 2 + models.count + 4 * (at - 1)
      numbers.formUnion([start, start + 1, start + 2])
    }
    return ReportTable(head: head, rows: rows, numbers: numbers)
  }

  /// As Markdown.
  public var markdown: String { "# Comparison\n\n" + table.markdown + "\n" + note + "\n" }

  /// What the intervals are.
  public var note: String {
    let confidence = options["confidence"]?.double ?? 0.95
    let failed = rows.contains { $0.differences.contains { $0.failed > 0 } }
    var leftOut = ""
    for (model, cut) in zip(models, cut) where cut.frames > 0 {
      leftOut +=
        " \(model) has no prediction of \(cut.frames) frames in \(cut.episodes) episodes, which its figures leave out."
    }
    let uneven = rows.contains { $0.differences.contains { $0.uneven > 0 } }
    return "Differences are means over episodes that both have"
      + (failed ? " and on which neither failed" : "")
      + (uneven ? " and of which both predict as many frames" : "")
      + ", with paired bootstrap intervals of "
      + "\(Evaluation.short(100 * confidence)) % (\(options["bootstrap"]?.int ?? 0) samples, seed "
      + "\(options["seed"]?.int ?? 0)); figures of all episodes together can differ from such means."
      + leftOut
  }

  /// The figures of all models, then the differences of each from the first: tables that fit a screen.
  var tables: [(title: String, table: ReportTable)] {
    let whole = table
    let count = 2 + models.count
    func part(_ columns: [Int]) -> ReportTable {
      ReportTable(
        head: columns.map { whole.head[$0] },
        rows: whole.rows.map { row in columns.map { row[$0] } },
        numbers: Set(columns.indices.filter { whole.numbers.contains(columns[$0]) }))
    }
    let fits = Page.width(whole.head, whole.rows) <= Page.screen
    guard models.count > 2 || !fits else { return [("Figures", whole)] }
    return [("Figures", part(Array(0..<count)))]
      + models.indices.dropFirst().map { at in
        let start = count + 4 * (at - 1)
        var table = part([0, 1] + Array(start..<start + 4))
        // The title has the names of the models, which may be long.
        table.head[2] = "difference"
        return (whole.head[start], table)
      }
  }

  /// As a page.
  public var html: String {
    var page = Page(title: "Comparison of \(models.joined(separator: ", "))")
    // A table a model: one for all would be wider than a screen.
    for table in tables {
      page.heading(table.title)
      page.table(table.table.head, table.table.rows, numbers: table.table.numbers)
    }
    page.paragraph(note)
    page.heading("By episode")
    page.figures(figures)
    page.folded("Options of the bootstrap") { $0.verbatim(options.text(indent: 2)) }
    return page.html
  }
}
