import Testing
import TrajpackFormat

@testable import TrajpackEvaluate

@Suite("Scores, options and the catalogue") struct CoreTests {
  @Test("A score never holds what is not a number")
  func finite() {
    #expect(Score("x", .nan, count: 3).value == nil)
    #expect(Score("x", .infinity, count: 3).reason != nil)
    #expect(Score.mean("x", sum: 0, count: 0, of: "frame").reason == "there is no frame to average")
  }

  @Test("JSON escapes text and prints numbers that read back the same")
  func json() {
    let score = Score("a\"\\\n\u{1}é", 0.1 + 0.2, count: 1, details: [Field("n", .number(.nan))])
    #expect(
      Score.json([score])
        == #"[{"name":"a\"\\\n\u0001é","value":0.30000000000000004,"count":1,"reason":null,"#
        + #""options":{},"details":{"n":null}}]"#)
  }

  @Test("Every option's default is within its range and survives being written and read")
  func defaults() throws {
    var checked: Set<String> = []
    func check<Options: EvaluationOptions>(_: Options.Type) throws {
      checked.insert("\(Options.self)")
      let standard = Options()
      try standard.validate()
      let settings = standard.described.map { (name: $0.name, value: text($0.value)) }
      let again = try Options(settings)
      #expect(again.described == standard.described)
      #expect(Set(settings.map(\.name)).count == settings.count)
    }
    try check(CameraPathOptions.self)
    try check(CameraControlOptions.self)
    try check(NormalisedCameraOptions.self)
    try check(StateAlignmentOptions.self)
    try check(TAPVidOptions.self)
    try check(StateValueOptions.self)
    try check(ActionSegmentOptions.self)
    try check(ActionFollowingOptions.self)
    try check(JudgeAgreementOptions.self)
    try check(ActionSegmentationOptions.self)
    try check(ActionRecogniserOptions.self)
    try check(KeyboardMouseOptions.self)
    try check(ForecastOptions.self)
    try check(IntervalOptions.self)
    try check(EnsembleOptions.self)
    try check(TimeWarpingOptions.self)
    try check(ValidTimeOptions.self)
    try check(PoseOptions.self)
    try check(PlausibilityOptions.self)
    try check(DepthOptions.self)
    try check(StateSpaceOptions.self)
    try check(SpectrumOptions.self)
    try check(ArrowOptions.self)
    try check(CorrelationOptions.self)
    try check(LyapunovOptions.self)
    try check(LyapunovSpectrumOptions.self)
    try check(RecurrenceOptions.self)
    try check(GeometryOptions.self)
    try check(DistributionOptions.self)
    try check(PairedOptions.self)
    #expect(
      checked.count == Evaluator.all.count,
      "each evaluator of Catalogue.swift has options of its own, and a line here that checks them")
  }

  private func text(_ value: Value) -> String {
    switch value {
    case .none: "none"
    case .flag(let flag): flag ? "true" : "false"
    case .count(let count): String(count)
    case .number(let number): "\(number)"
    case .text(let text): text
    case .list(let values): values.map(text).joined(separator: ",")
    case .fields: ""
    }
  }

  @Test("An array that is given twice is refused, not chosen from")
  func twice() {
    let one = ("first", [1], [1.0])
    #expect(throws: TrajpackError.self) {
      try scores("compare.paired", [:], [one, one, ("second", [1], [2.0])])
    }
  }

  @Test("Names are unique, and every option and array says what it is")
  func catalogue() {
    #expect(Set(Evaluator.all.map(\.name)).count == Evaluator.all.count)
    for evaluator in Evaluator.all {
      #expect(Set(evaluator.inputs.map(\.name)).count == evaluator.inputs.count)
      #expect(evaluator.inputs.allSatisfy { !$0.help.isEmpty && !$0.shape.isEmpty })
      #expect(evaluator.settings.allSatisfy { !$0.help.isEmpty })
    }
  }

  @Test(
    "Values outside an option's range are refused with the range",
    arguments: [
      ("alpha", "-1"), ("alpha", "nan"), ("alpha", "inf"), ("bins", "0"), ("bins", "1.5"),
      ("span", "wide"), ("nothing", "1"), ("bins", "99999999999999999999"),
    ])
  func refused(name: String, value: String) throws {
    let error = #expect(throws: TrajpackError.self) {
      try StateSpaceOptions([(name: name, value: value)])
    }
    #expect(error?.fault == .usage)
    #expect(error?.message.contains(name) == true)
  }

  @Test("A result carries every option, the default ones too")
  func carried() throws {
    let found = try scores(
      "attractor.geometry", ["revisit_radius": "0.5"],
      [("series", [4, 2], [0, 0, 1, 0, 1, 1, 0, 1])])
    let area = try #require(found["attractor.hull_area"])
    #expect(area.value == 1)
    #expect(area.options.map(\.name) == GeometryOptions.table.map(\.name))
    #expect(area.options.contains(Field("revisit_radius", .number(0.5))))
  }

  @Test("Unknown arrays, missing arrays and shapes that lie are refused")
  func arrays() throws {
    #expect(throws: TrajpackError.self) {
      try scores("attractor.geometry", [:], [("serie", [1, 2], [0, 0])])
    }
    #expect(throws: TrajpackError.self) { try scores("attractor.geometry", [:], []) }
    #expect(throws: TrajpackError.self) {
      try scores("attractor.geometry", [:], [("series", [2, 2], [0, 0])])
    }
    #expect(throws: TrajpackError.self) {
      try scores("attractor.geometry", [:], [("series", [Int.max, 2], [0, 0])])
    }
    #expect(throws: TrajpackError.self) { try scores("nothing", [:], []) }
  }

  @Test("Random numbers are the published ones, in range and even")
  func random() {
    // The first outputs of SplitMix64 for seed 1234567 (Vigna's reference program).
    var known = Random(seed: 1_234_567)
    #expect(known.next() == 6_457_827_717_110_365_317)
    #expect(known.next() == 3_203_168_211_198_807_973)
    var random = Random(seed: 3)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[random.below(7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 400 })
    let normals = random.normals(100_000)
    #expect(abs(Statistics.mean(normals)) < 0.02)
    #expect(abs(Statistics.deviation(normals) - 1) < 0.02)
  }
}
