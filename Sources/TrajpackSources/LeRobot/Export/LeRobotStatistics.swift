import TrajpackFormat

/// Minimum, maximum, mean and deviation of the components of a column, over the values that are finite.
struct LeRobotStatistics {
  private var count: [Int]
  private var least: [Double]
  private var most: [Double]
  private var mean: [Double]
  private var squares: [Double]

  init(components: Int) {
    count = [Int](repeating: 0, count: components)
    least = [Double](repeating: .infinity, count: components)
    most = [Double](repeating: -.infinity, count: components)
    mean = [Double](repeating: 0, count: components)
    squares = mean
  }

  /// Adds rows, one after another, by Welford's method.
  mutating func add(_ values: [Double]) {
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
    return .record([
      "min": nested(least), "max": nested(most), "mean": nested(mean),
      "std": nested(zip(squares, count).map { ($0 / Double($1)).squareRoot() }),
      "count": .array([.int(Int64(rows))]),
    ])
  }
}
