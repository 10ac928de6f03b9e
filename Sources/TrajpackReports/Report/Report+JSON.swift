import TrajpackFormat

extension Report {
  /// The report as JSON; `schemas/report.schema.json` describes it.
  public var json: JSONValue {
    .record([
      "format": "trajpack report", "version": "1.0", "trajpack": .string(version),
      "style":
        "WildBench-style where a metric follows WildWorld's paper, whose code is not released: every choice that it leaves open is an option, printed with the figure",
      "request": request.json, "truth": Self.json(truth), "predictions": Self.json(predictions),
      "others": .array(others.map(Self.json)),
      "episodes": .record([
        "selected": .int(Int64(episodes.selected)),
        "evaluated": .array(episodes.evaluated.map { .string($0) }),
        "missing": .array(episodes.missing.map { .string($0) }),
        "extra": .array(episodes.extra.map { .string($0) }),
        "cut": Self.json(episodes.cut),
        "surplus": episodes.surplus.isEmpty ? nil : Self.json(episodes.surplus),
      ]),
      "inputs": .array(
        inputs.map { evaluator, input, source in
          .record([
            "evaluator": .string(evaluator), "input": .string(input), "source": .string(source),
          ])
        }),
      "metrics": .array(metrics.map(\.json)), "figures": .array(figures.map(\.json)),
    ])
  }

  /// The text of the file: indented, with a line's end.
  public var text: String { json.text(indent: 1).printableJSON + "\n" }

  private static func json(_ frames: [(episode: String, frames: Int)]) -> JSONValue {
    .array(
      frames.map { episode, frames in
        .record(["episode": .string(episode), "frames": .int(Int64(frames))])
      })
  }

  private static func json(_ input: Input) -> JSONValue {
    .record([
      "path": .string(input.path), "form": .string(input.form), "digest": .string(input.digest),
    ])
  }

  /// Reads what ``json`` wrote.
  ///
  /// - Throws: A data error that names the member that is wrong.
  public init(json: JSONValue) throws(TrajpackError) {
    let reader = JSONReader(json, at: "the report")
    guard json["format"]?.string == "trajpack report" else {
      throw TrajpackError(.data, "it is no report of 'trajpack evaluate --format json'")
    }
    guard try reader.text("version").hasPrefix("1.") else {
      throw TrajpackError(
        .data,
        "the report has version \(try reader.text("version")), which this trajpack cannot read")
    }
    func input(_ reader: JSONReader) throws(TrajpackError) -> Input {
      Input(
        path: try reader.text("path"), form: try reader.text("form"),
        digest: try reader.text("digest"))
    }
    version = try reader.text("trajpack")
    request = try EvaluationRequest(json: try reader.object("request"))
    truth = try input(try reader.member("truth"))
    predictions = try input(try reader.member("predictions"))
    others = try reader.list("others") { (r) throws(TrajpackError) in try input(r) }
    let places = try reader.member("episodes")
    func ids(_ name: String) throws(TrajpackError) -> [String] {
      try places.list(name) { (r) throws(TrajpackError) in try r.text() }
    }
    func frames(_ name: String) throws(TrajpackError) -> [(episode: String, frames: Int)] {
      try places.list(name) { (r) throws(TrajpackError) in
        (try r.text("episode"), try r.integer("frames"))
      }
    }
    episodes = Episodes(
      selected: try places.integer("selected"), evaluated: try ids("evaluated"),
      missing: try ids("missing"), extra: try ids("extra"),
      cut: try frames("cut"),
      surplus: places.value["surplus"] == nil ? [] : try frames("surplus"))
    inputs = try reader.list("inputs") { (r) throws(TrajpackError) in
      (try r.text("evaluator"), try r.text("input"), try r.text("source"))
    }
    metrics = try reader.list("metrics") { (r) throws(TrajpackError) in try Metric(r) }
    figures = try reader.list("figures") { (r) throws(TrajpackError) in try Figure(json: r.value) }
  }
}

extension Report.Metric {
  var json: JSONValue {
    func number(_ value: Double?) -> JSONValue { value.map { .double($0) } ?? .null }
    return .record([
      "name": .string(name), "evaluator": .string(evaluator), "value": number(value),
      "count": .int(Int64(count)), "reason": reason.map { .string($0) } ?? .null,
      "unit": unit.map { .string($0) } ?? .null, "better": better.map { .string($0) } ?? .null,
      "truth": truth.map { .double($0) }, "pooling": .string(pooling), "options": options,
      "details": details,
      "failed": failed.map { failed in
        .record([
          "count": .int(Int64(failed.count)), "of": .int(Int64(failed.of)),
          "unit": .string(failed.unit),
          "episodes": .array(failed.episodes.map { .string($0) }), "cause": .string(failed.cause),
          "rule": .string(failed.rule),
        ])
      },
      "episodes": .array(
        episodes.map { figure in
          .record([
            "episode": .string(figure.episode), "value": number(figure.value),
            "count": .int(Int64(figure.count)), "reason": figure.reason.map { .string($0) },
            "failed": figure.failed > 0 ? .int(Int64(figure.failed)) : nil,
          ])
        }),
      "horizons": horizons.isEmpty
        ? nil
        : .array(
          horizons.map { figure in
            .record([
              "rows": .int(Int64(figure.rows)), "value": number(figure.value),
              "count": .int(Int64(figure.count)),
              "episodes": figure.episodes.map { .int(Int64($0)) },
              "windows": figure.windows.map { .int(Int64($0.count)) },
              "of_windows": figure.windows.map { .int(Int64($0.of)) },
            ])
          }),
    ])
  }

  init(_ reader: JSONReader) throws(TrajpackError) {
    func number(_ reader: JSONReader, _ name: String) throws(TrajpackError) -> Double? {
      guard let value = reader.value[name] else { return nil }
      if case .null = value { return nil }
      guard let number = value.double else {
        throw try reader.member(name).wrong("a number or null")
      }
      return number
    }
    func text(_ reader: JSONReader, _ name: String) throws(TrajpackError) -> String? {
      if case .null? = reader.value[name] { return nil }
      return try reader.optionalText(name)
    }
    name = try reader.text("name")
    evaluator = try reader.text("evaluator")
    value = try number(reader, "value")
    count = try reader.integer("count")
    reason = try text(reader, "reason")
    unit = try text(reader, "unit")
    better = try text(reader, "better")
    truth = try number(reader, "truth")
    pooling = try reader.text("pooling")
    options = try reader.object("options")
    details = try reader.object("details")
    episodes = try reader.list("episodes") { (r) throws(TrajpackError) in
      Report.EpisodeFigure(
        episode: try r.text("episode"), value: try number(r, "value"),
        count: try r.integer("count"), reason: try text(r, "reason"),
        failed: r.value["failed"] == nil ? 0 : try r.integer("failed"))
    }
    if reader.value["failed"] != nil {
      let own = try reader.member("failed")
      failed = .init(
        count: try own.integer("count"), of: try own.integer("of"), unit: try own.text("unit"),
        episodes: try own.list("episodes") { (r) throws(TrajpackError) in try r.text() },
        cause: try own.text("cause"), rule: try own.text("rule"))
    }
    horizons =
      reader.value["horizons"] == nil
      ? []
      : try reader.list("horizons") { (r) throws(TrajpackError) in
        Report.HorizonFigure(
          rows: try r.integer("rows"), value: try number(r, "value"),
          count: try r.integer("count"),
          episodes: r.value["episodes"] == nil ? nil : try r.integer("episodes"),
          windows: r.value["windows"] == nil
            ? nil : (count: try r.integer("windows"), of: try r.integer("of_windows")))
      }
  }
}
