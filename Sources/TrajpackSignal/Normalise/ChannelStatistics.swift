import TrajpackFormat

/// What was measured of one component, and on which rows.
public struct ChannelStatistics: Sendable, Hashable, Codable {
  /// The rows that were measured.
  public enum Scope: String, Sendable, Codable {
    /// Rows of the training split only.
    case training
    /// Rows that validation or test will see too.
    case everything
  }

  /// Which rows.
  public let scope: Scope
  /// Observed values.
  public let count: Int
  /// Their mean.
  public let mean: Double
  /// Sum of squared differences from the mean.
  public let squares: Double
  /// Smallest value.
  public let minimum: Double
  /// Largest value.
  public let maximum: Double
  /// Quartiles (linear between order statistics, as numpy); `nil` after merging.
  public let quartiles: [Double]?

  /// Population standard deviation.
  public var deviation: Double { count > 0 ? (squares / Double(count)).squareRoot() : .nan }

  /// Measures every component of a buffer.
  ///
  /// - Throws: `.data` for a component without any observed value, or with an infinite one.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public static func measure<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, rows: Int, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, scope: Scope
  ) throws(TrajpackError) -> [ChannelStatistics] {
    let x = try values.require(rows, components, "values")
    let seen = try observed?.require(rows, components, "observed")
    var result: [ChannelStatistics] = []
    for c in 0..<components {
      var column: [Double] = []
      for row in 0..<rows {
        let i = row * components + c
        guard x[i] == x[i], seen?[i] != 0 else { continue }
        guard x[i].isFinite else {
          throw TrajpackError(.data, "component \(c) is infinite in row \(row): mask it first")
        }
        column.append(Double(x[i]))
      }
      guard let first = column.first else {
        throw TrajpackError(.data, "component \(c) has no observed value to measure")
      }
      var sum = 0.0
      for value in column { sum += value - first }
      let mean = first + sum / Double(column.count)
      var squares = 0.0
      for value in column { squares += (value - mean) * (value - mean) }
      column.sort()
      let quartiles = [0.25, 0.5, 0.75].map { share in
        let place = share * Double(column.count - 1)
        let low = Int(place)
        let high = min(low + 1, column.count - 1)
        return column[low] + (place - Double(low)) * (column[high] - column[low])
      }
      result.append(
        ChannelStatistics(
          scope: scope, count: column.count, mean: mean, squares: squares, minimum: column[0],
          maximum: column[column.count - 1], quartiles: quartiles))
    }
    return result
  }

  /// Both together, as if measured at once (Chan, Golub, LeVeque 1979); the wider scope counts.
  public func merged(with other: ChannelStatistics) -> ChannelStatistics {
    let n = Double(count + other.count)
    let difference = other.mean - mean
    let share = n > 0 ? Double(other.count) / n : 0
    return ChannelStatistics(
      scope: scope == .everything || other.scope == .everything ? .everything : .training,
      count: count + other.count, mean: mean + difference * share,
      squares: squares + other.squares + difference * difference * share * Double(count),
      minimum: min(minimum, other.minimum), maximum: max(maximum, other.maximum), quartiles: nil)
  }
}

/// A normalisation `(x − shift) · scale` of each component, and its inverse.
public struct Normalisation: Sendable, Hashable, Codable {
  /// The scale of what.
  public enum Method: String, Sendable, Codable {
    /// Mean 0, standard deviation 1.
    case zScore
    /// 0 to 1.
    case minMax
    /// Median 0, quartile range 1.
    case robust
  }

  /// Taken off each component.
  public let shift: [Double]
  /// Then multiplied by; 1 for a constant component.
  public let scale: [Double]

  /// A map whose numbers are known.
  init(shift: [Double], scale: [Double]) {
    self.shift = shift
    self.scale = scale
  }

  /// - Parameter leaksAllData: must be true to normalise by statistics of more than the training
  ///   split.
  /// - Throws: `.usage` where that is false and the statistics are wider, or quartiles are missing.
  public init(
    _ method: Method, _ statistics: [ChannelStatistics], leaksAllData: Bool = false
  ) throws(TrajpackError) {
    var shift: [Double] = []
    var scale: [Double] = []
    for (c, channel) in statistics.enumerated() {
      guard channel.scope == .training || leaksAllData else {
        throw TrajpackError(
          .usage,
          "statistics of component \(c) come from all data, which leaks test data into training: "
            + "measure the training split, or say leaksAllData")
      }
      let (middle, span): (Double, Double)
      switch method {
      case .zScore: (middle, span) = (channel.mean, channel.deviation)
      case .minMax: (middle, span) = (channel.minimum, channel.maximum - channel.minimum)
      case .robust:
        guard let q = channel.quartiles, q.count == 3 else {
          throw TrajpackError(
            .usage, "component \(c) has no quartiles, merging drops them: measure it at once")
        }
        (middle, span) = (q[1], q[2] - q[0])
      }
      shift.append(middle)
      scale.append(span > 0 ? 1 / span : 1)
    }
    self.shift = shift
    self.scale = scale
  }

  /// Normalises in place; NaN stays NaN.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    _ values: UnsafeMutableBufferPointer<S>, rows: Int, inverse: Bool = false
  ) throws(TrajpackError) {
    let components = shift.count
    let x = try values.require(rows, components, "values")
    for row in 0..<rows {
      for c in 0..<components {
        let i = row * components + c
        let value = Double(x[i])
        x[i] = S(inverse ? value / scale[c] + shift[c] : (value - shift[c]) * scale[c])
      }
    }
  }
}
