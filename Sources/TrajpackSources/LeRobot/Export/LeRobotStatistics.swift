import TrajpackFormat
import TrajpackStore

/// Minimum, maximum, mean, deviation and quantiles of the components of a column, over the values that are finite. Quantiles
/// are those of all values (numpy's `linear`), up to 100,000 of a component; beyond, their rank is off by less than 0.1 %.
struct LeRobotStatistics {
  private var count: [Int]
  private var least: [Double]
  private var most: [Double]
  private var mean: [Double]
  private var squares: [Double]
  private var sketches: [QuantileSketch]

  init(components: Int) {
    count = [Int](repeating: 0, count: components)
    least = [Double](repeating: .infinity, count: components)
    most = [Double](repeating: -.infinity, count: components)
    mean = [Double](repeating: 0, count: components)
    squares = mean
    sketches = [QuantileSketch](repeating: QuantileSketch(), count: components)
  }

  /// Adds rows, one after another, by Welford's method.
  mutating func add(_ values: [Double]) {
    for component in sketches.indices {
      let own = stride(from: component, to: values.count, by: sketches.count).lazy.map {
        values[$0]
      }
      .filter(\.isFinite)
      Array(own).withUnsafeBufferPointer { sketches[component].append($0) }
      sketches[component].settle(
        sketches[component].takeUnsorted().map { QuantileSketch.sorted($0) })
    }
    var component = 0
    for value in values {
      if value.isFinite {
        count[component] += 1
        least[component] = min(least[component], value)
        most[component] = max(most[component], value)
        let delta = value - mean[component]
        mean[component] += delta / Double(count[component])
        squares[component] += delta * (value - mean[component])
      }
      component += 1
      if component == count.count { component = 0 }
    }
  }

  /// As LeRobot has it; `nil` where some component has no finite value.
  func json(_ shape: [Int]) -> JSONValue? {
    guard !count.contains(0), let rows = count.min() else { return nil }
    func nested(_ values: [Double]) -> JSONValue {
      var level = values.map { JSONValue.double($0) }
      for length in shape.dropFirst().reversed() {
        level = stride(from: 0, to: level.count, by: length).map {
          .array(Array(level[$0..<$0 + length]))
        }
      }
      return .array(level)
    }
    var members =
      JSONValue.record([
        "min": nested(least), "max": nested(most), "mean": nested(mean),
        "std": nested(zip(squares, count).map { ($0 / Double($1)).squareRoot() }),
        "count": .array([.int(Int64(rows))]),
      ]).members ?? []
    let quantiles = sketches.map { $0.quantiles(LeRobotPictureStatistics.quantiles) }
    for (place, q) in LeRobotPictureStatistics.quantiles.enumerated() {
      members.append(.init(Self.name(q), nested(quantiles.map { $0[place] })))
    }
    return .object(members)
  }

  /// What LeRobot calls a quantile: `q01`, `q50`.
  static func name(_ quantile: Double) -> String {
    let percent = Int((quantile * 100).rounded())
    return percent < 10 ? "q0\(percent)" : "q\(percent)"
  }
}
