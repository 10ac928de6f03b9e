import TrajpackEvaluate
import TrajpackFormat
import TrajpackReports
import TrajpackStore

extension Evaluate {
  /// Writes a report in the format that is asked for.
  func write(_ report: Report, _ console: Console) throws(TrajpackError) {
    switch try chosenFormat() {
    case .json: try put(report.text, console)
    case .html: try put(report.html, console)
    case .markdown: try put(report.markdown, console)
    case .csv: try put(report.longTable.csv(escapingFormulas: escapesFormulas), console)
    case .text:
      var lines = report.summary.map(\.printable) + [""]
      lines += Self.lines(report.table, console, isFile: output != nil)
      if let table = report.horizonTable {
        lines += [""] + Self.lines(table, console, isFile: output != nil)
      }
      if !report.reasons.isEmpty { lines.append("") }
      for (names, reason) in report.reasons {
        lines.append("not computed: \(names.printable): \(reason.printable)")
      }
      try put(lines.joined(separator: "\n") + "\n", console)
    }
  }

  /// `trajpack evaluate compare`.
  mutating func compare(_ paths: [String], _ console: Console) throws(TrajpackError) {
    try complete()
    var others = request
    (others.settings, others.seed) = ([], nil)
    try refuseMore(others, "'compare' reads reports that are made")
    var reports: [Report] = []
    for path in paths { reports.append(try Self.report(path).0) }
    var settings: [(name: String, value: String)] = []
    for text in request.settings {
      guard let equals = text.firstIndex(of: "=") else {
        throw TrajpackError(.usage, "--set takes option=value, not '\(text)'")
      }
      settings.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
    }
    if let seed = request.seed { settings.append(("seed", "\(seed)")) }
    let names = paths.map { path in
      let name = FileSystem.name(of: path)
      return name.hasSuffix(".json") ? String(name.dropLast(5)) : name
    }
    let isPlain = Set(names).count == names.count
    let comparison = try Comparison(reports, names: isPlain ? names : paths, settings: settings)
    switch try chosenFormat() {
    case .json: try put(comparison.json.text(indent: 1).printableJSON + "\n", console)
    case .html: try put(comparison.html, console)
    case .markdown: try put(comparison.markdown, console)
    case .csv: try put(comparison.table.csv(escapingFormulas: escapesFormulas), console)
    case .text:
      let lines = Self.lines(comparison.table, console, isFile: output != nil)
      try put(lines.joined(separator: "\n") + "\n\n\(comparison.note)\n", console)
    }
  }

  private static func lines(_ rows: ReportTable, _ console: Console, isFile: Bool) -> [String] {
    var table = Table()
    table.columns = rows.head.enumerated().map { place, title in
      rows.numbers.contains(place) ? .number(title.printable) : .text(title.printable)
    }
    for row in rows.rows { table.add(row) }
    if isFile { return table.lines() }
    return table.lines(
      console.outputPaint, width: console.isOutputTerminal ? console.outputWidth : nil)
  }

  func chosenFormat() throws(TrajpackError) -> Format {
    let chosen = try formatOfOutput()
    guard !escapesFormulas || chosen == .csv else {
      throw TrajpackError(.usage, "--csv-escape-formulas is for --format csv")
    }
    return chosen
  }

  private func formatOfOutput() throws(TrajpackError) -> Format {
    if let format { return format }
    guard let output else { return .text }
    let endings: [String: Format] = [
      "json": .json, "html": .html, "htm": .html, "md": .markdown, "csv": .csv, "txt": .text,
    ]
    let ending = output.split(separator: ".").last.map { $0.lowercased() } ?? ""
    guard let format = endings[ending] else {
      throw TrajpackError(
        .usage, file: output,
        "say with --format what to write, its name does not (.json, .html, .md, .csv, .txt)"
      )
    }
    return format
  }

  /// Writes to the file that is named, whole or not at all, or to standard output.
  private func put(_ text: String, _ console: Console) throws(TrajpackError) {
    guard let output else { return console.write(text) }
    try FileSystem.deliver(Array(text.utf8), to: output)
    console.note("written to \(output)")
  }

  /// `--list`: the metrics by suite.
  func list(_ console: Console) {
    if format == .json { return console.print(EvaluationRequest.catalogue) }
    var table = Table(.text("metric"), .text("suite"), .text("what it measures"))
    for entry in EvaluationRequest.entries {
      table.add(entry.evaluator.name, entry.suite, entry.evaluator.summary)
    }
    console.print(table)
    console.print("")
    console.print(
      "'trajpack evaluate --describe METRIC' shows its scores, inputs and options")
  }

  /// `--describe`: one metric.
  func show(_ name: String, _ console: Console) throws(TrajpackError) {
    let entry = try EvaluationRequest.entry(name)
    let evaluator = entry.evaluator
    if format == .json { return console.print(entry.json) }
    console.print("\(evaluator.name) (suite \(entry.suite)): \(evaluator.summary)")
    console.print("")
    console.print(
      "scores: \(entry.scores.map { $0.hasSuffix("_") || $0.hasSuffix(".") ? $0 + "…" : $0 }.joined(separator: ", "))"
    )
    console.print("episodes become one figure: \(entry.pooling)")
    console.print("")
    var inputs = Table(
      .text("input"), .text("shape"), .text("what it holds"), .text("by default"))
    for input in evaluator.inputs {
      inputs.add(
        input.name + (input.required ? "" : " (optional)"), input.shape, input.help,
        entry.source(of: input.name))
    }
    console.print(inputs)
    console.print("")
    var options = Table(.text("option"), .text("default"), .text("what it decides"))
    for setting in evaluator.settings {
      let words = setting.choices.isEmpty ? "" : ": " + setting.choices.joined(separator: ", ")
      options.add(setting.name, setting.standard.text, setting.help + words)
    }
    console.print(options)
  }
}
