import Testing
import TrajpackEvaluate
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackReports

@Suite struct ReportTests {
  static func request(_ random: inout SeededGenerator) -> EvaluationRequest {
    var request = EvaluationRequest()
    func texts() -> [String] {
      (0..<Int.random(in: 0...3, using: &random)).map { "a\"\($0)\n=*ü" }
    }
    func maybe<T>(_ value: T) -> T? { Bool.random(using: &random) ? value : nil }
    (request.metrics, request.suites, request.settings) = (texts(), texts(), texts())
    (request.maps, request.episodes, request.splits) = (texts(), texts(), texts())
    request.trainSplit = maybe("train")
    request.reference = maybe("camera")
    request.window = maybe(
      .init(length: Int.random(in: 1...100, using: &random), past: 3, stride: 2))
    request.horizons = maybe([1, 5, 100]) ?? []
    request.isPartial = Bool.random(using: &random)
    request.failed = maybe("skip")
    request.preset = maybe("gtf")
    request.seed = maybe(Int.random(in: 0...Int.max, using: &random))
    (request.verdicts, request.labels, request.classes) = (maybe("v"), maybe("l"), maybe("c"))
    return request
  }

  static func report(_ random: inout SeededGenerator) -> Report {
    func number() -> Double? {
      switch Int.random(in: 0..<6, using: &random) {
      case 0: nil
      case 1: 0
      case 2: Double(Int.random(in: -9...9, using: &random))
      case 3: Double.random(in: -1e-300...1e-300, using: &random)
      default: Double.random(in: -1e17...1e17, using: &random)
      }
    }
    func metric(_ n: Int) -> Report.Metric {
      let value = number()
      return Report.Metric(
        name: "family\(n % 3).score\(n)", evaluator: "family", value: value, count: n,
        reason: value == nil ? "no \"value\" | counts" : nil, unit: n % 2 == 0 ? "m, s" : nil,
        better: ["higher", "lower", nil][n % 3], truth: number(), pooling: "mean",
        options: .object([.init("alignment", "sim3"), .init("delta", 1)]),
        details: .object([.init("list", .array([.null, 2.5, "x"]))]),
        episodes: (0..<n % 4).map {
          .init(episode: "e\($0)", value: number(), count: $0, reason: $0 == 1 ? "why" : nil)
        },
        horizons: (0..<n % 3).map { .init(rows: $0 + 1, value: number(), count: $0) })
    }
    return Report(
      version: "0.1.0", request: request(&random),
      truth: .init(path: "t", form: "archive", digest: String(repeating: "a", count: 64)),
      predictions: .init(path: "p \"q\"", form: "files", digest: String(repeating: "b", count: 64)),
      others: [.init(path: "v", form: "files", digest: String(repeating: "c", count: 64))],
      episodes: .init(
        selected: 3, evaluated: ["a", "b"], missing: ["c"], extra: ["<x>"], cut: [("b", 4)],
        surplus: [("a", 2)]),
      inputs: [("family", "truth", "camera/pos")],
      metrics: (0..<Int.random(in: 0...9, using: &random)).map(metric),
      figures: (0..<3).map { _ in FigureTests.figure(&random) })
  }

  @Test(arguments: 0..<40)
  func jsonGivesTheReportBack(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let report = Self.report(&random)
    let again = try Report(json: JSONValue(parsing: report.text))
    #expect(again.text == report.text)
    #expect(again.metrics == report.metrics && again.request == report.request)
  }

  @Test(arguments: 0..<20)
  func everyFormatHoldsEveryMetric(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let report = Self.report(&random)
    for metric in report.metrics {
      #expect(report.html.contains(metric.name) && report.markdown.contains(metric.name))
      #expect(report.longTable.rows.contains { $0[0] == metric.name })
    }
    #expect(report.longTable.rows.allSatisfy { $0.count == report.longTable.head.count })
    #expect(!report.html.contains("<x>") && !report.html.contains("p \"q\""))
  }

  @Test func jsonThatIsNoReportIsRefused() throws {
    var random = SeededGenerator(seed: 1)
    let good = Self.report(&random).json
    for member in good.members ?? [] where !["style"].contains(member.name) {
      let less = JSONValue.object((good.members ?? []).filter { $0.name != member.name })
      #expect(throws: TrajpackError.self, "\(member.name)") { try Report(json: less) }
      let other = JSONValue.object(
        (good.members ?? []).map { $0.name == member.name ? .init($0.name, .bool(true)) : $0 })
      #expect(throws: TrajpackError.self, "\(member.name)") { try Report(json: other) }
    }
  }

  @Test func tablesAreQuoted() {
    let table = ReportTable(
      head: ["a", "b"], rows: [["x,y", "say \"z\""], ["p|q", "1\n2"]], numbers: [1])
    #expect(table.csv(escapingFormulas: false) == "a,b\n\"x,y\",\"say \"\"z\"\"\"\np|q,\"1\n2\"\n")
    #expect(
      table.markdown == "| a | b |\n| --- | ---: |\n| x,y | say \"z\" |\n| p\\|q | 1\\\\n2 |\n")
  }

  @Test func everyRecipeFitsItsEvaluator() throws {
    let all = Set(MetricBinding.all.map(\.evaluator))
    #expect(all.count == MetricBinding.all.count)
    for binding in MetricBinding.all {
      let entry = try EvaluationRequest.entry(binding.evaluator)
      let known = Set(entry.evaluator.inputs.map(\.name))
      for input in binding.inputs {
        #expect(known.contains(input.name), "\(binding.evaluator): \(input.name)")
      }
      #expect(MetricBinding.suites.contains(binding.suite))
    }
    // Everything in the catalogue can be asked for; what compares reports has a command of its own.
    #expect(Evaluator.all.contains { $0.name == "compare.paired" })
    let wanted = Evaluator.all.map(\.name).filter { $0 != "compare.paired" }
    #expect(
      Set(EvaluationRequest.entries.map(\.evaluator.name)) == Set(wanted),
      "an evaluator of Catalogue.swift has a binding in MetricBinding+All.swift, of one of its suites"
    )
    for evaluator in Evaluator.all {
      #expect(!evaluator.scores.isEmpty, "\(evaluator.name) says which scores it 'makes'")
      for score in evaluator.scores where wanted.contains(evaluator.name) {
        #expect(try Evaluator.named(MetricPlan.find(score).binding.evaluator).makes(score))
      }
    }
  }

  @Test func numbersAreShort() {
    let cases: [(Double, String)] = [
      (0, "0"), (1, "1"), (-2.5, "-2.5"), (1234.567, "1235"), (0.000123456, "0.0001235"),
      (1.2345e-9, "1.235e-9"),
      (9.9999e-5, "1e-4"), (123_456_789, "123456789"), (1.5e12, "1.5e12"), (99.99999, "100"),
      (.infinity, "inf"),
    ]
    for (value, text) in cases { #expect(Evaluation.short(value) == text) }
  }
}
