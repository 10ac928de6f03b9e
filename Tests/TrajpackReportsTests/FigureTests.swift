import Glibc
import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackReports

@Suite struct FigureTests {
  /// A figure of any kind, with holes, infinities, ones of no extent, and names that HTML could trip over.
  static func figure(_ random: inout SeededGenerator) -> Figure {
    let names = ["a", "<b>&\"c\"", "Ω – 3", "", "a very long name of an episode 000123"]
    func number() -> Double {
      switch Int.random(in: 0..<12, using: &random) {
      case 0: .nan
      case 1: 0
      case 2: Double.random(in: -1e300...1e300, using: &random)
      case 3: Double.random(in: -1e-300...1e-300, using: &random)
      default: Double.random(in: -10...10, using: &random)
      }
    }
    func numbers(_ count: Int) -> [Double] { (0..<count).map { _ in number() } }
    func series() -> [Figure.Series] {
      (0..<Int.random(in: 0...8, using: &random)).map { n in
        let count = Int.random(in: 0...40, using: &random)
        let banded = Bool.random(using: &random)
        return Figure.Series(
          names[n % names.count], Figure.Role.allCases[n % 3], x: numbers(count), y: numbers(count),
          low: banded ? numbers(count) : [], high: banded ? numbers(count) : [])
      }
    }
    let body: Figure.Body
    switch Int.random(in: 0..<5, using: &random) {
    case 0: body = .lines(series())
    case 1: body = .paths(series())
    case 2: body = .dots(labels: names, series())
    case 3:
      let (rows, columns) = (
        Int.random(in: 0...60, using: &random), Int.random(in: 0...5, using: &random)
      )
      body = .heat(
        rows: (0..<rows).map { "row \($0)" }, columns: names.prefix(columns) + [],
        values: (0..<rows).map { _ in numbers(columns) })
    default:
      body = .poses(
        (0..<3).map { n in
          Figure.Pose(
            title: names[n], bones: [[0, 1], [1, 2]], truth: (0..<3).map { _ in numbers(2) },
            prediction: (0..<3).map { _ in numbers(2) })
        })
    }
    return Figure(
      names[Int.random(in: 0..<5, using: &random)],
      x: .init("x", isLogarithmic: Bool.random(using: &random)),
      y: .init("y", isLogarithmic: Bool.random(using: &random)), body,
      note: Bool.random(using: &random) ? "some points were left out" : "")
  }

  @Test(arguments: 0..<200) func readsWhatItWrites(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let json = Self.figure(&random).json
    let again = try Figure(json: JSONValue(parsing: json.text()))
    #expect(again.json == json)
  }

  /// Whatever is drawn, every tag is closed in its turn, and no coordinate is anything but a number.
  @Test(arguments: 0..<200) func drawsWellFormedPages(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var page = Page(title: "<&>")
    page.figures((0..<3).map { _ in Self.figure(&random) })
    let html = page.html
    #expect(!html.contains("nan") && !html.contains("inf"))
    var open: [Substring] = []
    for part in html.split(separator: "<").dropFirst() {
      guard let end = part.firstIndex(of: ">"), !part.hasPrefix("!") else { continue }
      let tag = part[..<end]
      let name = tag.prefix { $0 != " " && $0 != "/" }
      if tag.hasPrefix("/") {
        #expect(open.popLast() == tag.dropFirst())
      } else if !tag.hasSuffix("/"), name != "meta" {
        open.append(name)
      }
    }
    #expect(open.isEmpty)
  }

  @Test func ticksAreRoundNumbersInsideTheAxis() {
    var random = SeededGenerator(seed: 5)
    for _ in 0..<500 {
      let power = Double.random(in: -8...8, using: &random)
      let values = (0..<5).map { _ in Double.random(in: -1...1, using: &random) * pow(10, power) }
      let scale = Scale(values, isLogarithmic: false, pixels: 0...100, isFlipped: false)
      #expect((3...11).contains(scale.ticks.count), "\(values): \(scale.ticks)")
      for tick in scale.ticks {
        #expect((-0.01...100.01).contains(scale.place(tick.value)))
        let written = Double(tick.text) ?? .infinity
        #expect(abs(written - tick.value) <= (scale.high - scale.low) * 1e-3, "\(tick)")
      }
    }
  }

  @Test(arguments: [
    (0.0, "0"), (1, "1"), (-2.5, "-2.5"), (0.12345678, "0.1235"), (1234.5678, "1235"),
    (1e-9, "1e-9"), (123_456_789, "1.235e8"), (.nan, "–"), (99.99999, "100"),
  ]) func numbersAreShort(value: Double, text: String) {
    #expect(Number.text(value) == text)
  }

  @Test func refusesWhatItDidNotWrite() {
    for text in [
      "{}", #"{"kind":"lines","title":"t","x":{"label":"x"},"y":{"label":"y"}}"#,
      #"{"kind":"pie","title":"t","x":{"label":"x"},"y":{"label":"y"}}"#,
      #"{"kind":"lines","title":"t","x":{"label":"x"},"y":{"label":"y"},"series":[{"name":"a","role":"truth","x":[1],"y":[]}]}"#,
      #"{"kind":"heat","title":"t","x":{"label":"x"},"y":{"label":"y"},"rows":["a"],"columns":["b"],"values":[[]]}"#,
    ] {
      #expect(throws: TrajpackError.self) { try Figure(json: JSONValue(parsing: text)) }
    }
  }
}
