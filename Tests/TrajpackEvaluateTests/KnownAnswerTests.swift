import Glibc
import Testing
import TrajpackFormat

@testable import TrajpackEvaluate

@Suite("Copies of the truth have closed-form scores") struct KnownAnswerTests {
  private func series(_ seed: Int, _ rows: Int, _ columns: Int) -> [Double] {
    var random = Random(seed: seed)
    var state = [Double](repeating: 0, count: columns)
    return (0..<rows).flatMap { _ -> [Double] in
      for column in 0..<columns { state[column] = 0.9 * state[column] + random.normal() }
      return state
    }
  }

  @Test("Truth against itself is perfect in every forecast figure", arguments: 0..<5)
  func perfectForecast(seed: Int) throws {
    let truth = series(seed, 80, 3)
    let found = try scores(
      "forecast.errors", [:], [("truth", [80, 3], truth), ("prediction", [80, 3], truth)])
    for name in ["mse", "mae", "rmse", "nrmse", "marre", "rmsle", "smape", "mape", "wape", "ope"] {
      #expect(found["forecast.\(name)"]?.value == 0, "\(name)")
    }
    for name in ["r2", "pearson", "spearman", "kendall"] {
      let value = try #require(found["forecast.\(name)"]?.value)
      #expect(abs(value - 1) < 1e-12, "\(name)")
    }
    #expect(found["forecast.kl_divergence"]?.value == 0)
    #expect(abs(found["forecast.hellinger"]?.value ?? 1) < 1e-7)
  }

  @Test("A shifted, scaled copy gives the shift", arguments: 0..<5)
  func shifted(seed: Int) throws {
    let truth = series(seed, 50, 2)
    let found = try scores(
      "forecast.errors", [:],
      [("truth", [50, 2], truth), ("prediction", [50, 2], truth.map { $0 + 3 })])
    #expect(abs((found["forecast.mae"]?.value ?? 0) - 3) < 1e-12)
    #expect(abs((found["forecast.mse"]?.value ?? 0) - 9) < 1e-11)
    #expect(abs((found["forecast.pearson"]?.value ?? 0) - 1) < 1e-12)
    let reversed = try scores(
      "forecast.errors", [:],
      [("truth", [50, 2], truth), ("prediction", [50, 2], truth.map { -2 * $0 })])
    #expect(abs((reversed["forecast.kendall"]?.value ?? 0) + 1) < 1e-12)
    #expect(abs((reversed["forecast.wape"]?.value ?? 0) - 300) < 1e-6)
  }

  @Test("A moved camera path: each alignment undoes what it may", arguments: 0..<8)
  func moved(seed: Int) throws {
    var random = Random(seed: seed)
    let centres = (0..<40).map { _ in random.vector() }
    let move = Similarity(rotation: random.rotation(), scale: 1.7, translation: random.vector())
    func flat(_ points: [SIMD3<Double>]) -> [Double] { points.flatMap { [$0.x, $0.y, $0.z] } }
    func error(_ alignment: String, _ points: [SIMD3<Double>]) throws -> Double {
      try scores(
        "camera.path", ["alignment": alignment],
        [
          ("truth_position", [40, 3], flat(centres)),
          ("estimate_position", [40, 3], flat(points)),
        ])["camera.ate.rmse"]?.value ?? .nan
    }
    #expect(try error("none", centres) == 0)
    #expect(try error("sim3", centres.map(move.apply)) < 1e-12)
    #expect(try error("se3", centres.map(move.apply)) > 0.1)
    #expect(try error("scale", centres.map { 1.7 * $0 }) < 1e-12)
    #expect(try error("scale_l1", centres.map { 1.7 * $0 }) < 1e-12)
    let step = SIMD3<Double>(3, 0, 4)
    #expect(abs(try error("none", centres.map { $0 + step }) - 5) < 1e-12)
    var rigid = move
    rigid.scale = 1
    #expect(try error("se3", centres.map(rigid.apply)) < 1e-12)
  }

  @Test("A time-reversed copy: D_stsp and D_H are 0, the arrow of time is not", arguments: 0..<4)
  func reversed(seed: Int) throws {
    // A relaxation: slow rise, sudden fall.
    var random = Random(seed: seed)
    let forward = (0..<600).map { Double($0 % 20) + 0.01 * random.normal() }
    let backward = Array(forward.reversed())
    let arrays = [("truth", [600, 1], forward), ("generated", [600, 1], backward)]
    #expect(try scores("attractor.d_stsp", [:], arrays)["attractor.d_stsp"]?.value == 0)
    let spectrum = try scores("attractor.spectrum", [:], arrays)
    #expect((spectrum["attractor.d_h"]?.value ?? 1) < 1e-10)
    let arrow = try scores("attractor.arrow_of_time", [:], arrays)
    // 8 of 20 steps change the cell, and none of them has its reverse: 0.4 ln 2.
    let divergence = arrow["attractor.transition_divergence"]?.value ?? 0
    #expect(abs(divergence - 0.4 * log(2)) < 0.005)
    #expect((arrow["attractor.asymmetry_distance"]?.value ?? 0) > 1)
  }

  @Test("Nothing to compute is a reason, not a number")
  func nothing() throws {
    let empty = [("truth", [0, 2], [Double]()), ("prediction", [0, 2], [Double]())]
    for score in try scores("forecast.errors", [:], empty).values {
      #expect(score.value == nil && score.reason != nil && score.count == 0)
    }
    let masked = try scores(
      "camera.path", [:],
      [
        ("truth_position", [2, 3], [0, 0, 0, 1, 1, 1]),
        ("estimate_position", [2, 3], [0, 0, 0, 1, 1, 1]), ("truth_mask", [2], [0, 0]),
      ])
    #expect(masked.values.allSatisfy { $0.value == nil && $0.reason != nil })
    let constant = try scores(
      "forecast.errors", [:],
      [("truth", [3, 1], [1, 1, 1]), ("prediction", [3, 1], [1, 2, 3])])
    #expect(constant["forecast.pearson"]?.value == nil)
    #expect(constant["forecast.mse"]?.value == 5.0 / 3)
  }

  @Test("No evaluator traps on hostile numbers", arguments: 0..<60)
  func hostile(seed: Int) {
    var random = Random(seed: seed)
    let odd = [
      0, -0.0, .nan, .infinity, -.infinity, 1e308, -1e308, .leastNonzeroMagnitude, 1, -1, 1e20, 3,
    ]
    for evaluator in Evaluator.all {
      let arrays = evaluator.inputs.filter { _ in random.below(5) > 0 }.map { input in
        // Shapes that fit often enough to get inside, and often do not.
        let axes = input.shape.split(separator: "×").map { part -> Int in
          let name = part.trimmed
          return Int(name) ?? (name.contains("K") || name.contains("J") ? 2 : 3)
        }
        let shape = axes.isEmpty ? [3] : axes
        let values = (0..<shape.reduce(1, *)).map { _ in
          random.below(3) == 0 ? odd[random.below(odd.count)] : Double(random.below(3))
        }
        return (input.name, shape, values)
      }
      do throws(TrajpackError) {
        for score in try scores(evaluator.name, [:], arrays).values {
          #expect(score.value?.isFinite ?? true)
          #expect((score.value == nil) == (score.reason != nil))
        }
      } catch {
        #expect(!error.message.isEmpty)
      }
    }
  }
}

extension Substring {
  /// Without spaces and brackets around it.
  fileprivate var trimmed: String { String(filter { !" []".contains($0) }) }
}
