import TrajpackFormat

/// Σe² and Σ|e| of a series in one pass over the caller's arrays as they lie, in the types that they have: what MSE,
/// MAE and RMSE need.
struct ErrorSums {
  static let names = ["mse", "mae", "rmse"]

  let square: Double
  let absolute: Double
  let count: Int

  func figure(_ name: String) -> Double {
    switch name {
    case "mse": return square / Double(count)
    case "mae": return absolute / Double(count)
    default: return (square / Double(count)).squareRoot()
    }
  }

  /// The sums of each series; nil where a mask is given, where there is nothing, and where a value is not finite or
  /// too large to be squared: then it has to be seen which.
  static func all(_ arrays: Arrays) throws(TrajpackError) -> [ErrorSums]? {
    let truth = try arrays.required("truth")
    let prediction = try arrays.required("prediction")
    guard arrays.view("truth_mask") == nil, (1...3).contains(truth.shape.count),
      truth.shape == prediction.shape
    else { return nil }
    let series = truth.shape.count == 3 ? truth.shape[0] : 1
    let length = truth.shape.reduce(1, *) / max(series, 1)
    guard series > 0, length > 0 else { return nil }
    var out: [ErrorSums] = []
    for number in 0..<series {
      let range = number * length..<(number + 1) * length
      let sums: ErrorSums
      switch (truth.elements, prediction.elements) {
      case (.double(let a), .double(let b)): sums = ErrorSums(a, b, range, { $0 }, { $0 })
      case (.float(let a), .float(let b)):
        sums = ErrorSums(a, b, range, { Double($0) }, { Double($0) })
      case (.double(let a), .float(let b)): sums = ErrorSums(a, b, range, { $0 }, { Double($0) })
      case (.float(let a), .double(let b)): sums = ErrorSums(a, b, range, { Double($0) }, { $0 })
      default: return nil
      }
      guard sums.square.isFinite, sums.absolute.isFinite else { return nil }
      out.append(sums)
    }
    return out
  }

  @inline(__always)
  private init<A, B>(
    _ a: UnsafeBufferPointer<A>, _ b: UnsafeBufferPointer<B>, _ range: Range<Int>,
    _ first: (A) -> Double, _ second: (B) -> Double
  ) {
    var squares = SIMD8<Double>.zero
    var sizes = SIMD8<Double>.zero
    let whole = range.lowerBound + range.count / 8 * 8
    var start = range.lowerBound
    while start < whole {
      var lane = SIMD8<Double>()
      for at in 0..<8 { lane[at] = first(a[start + at]) - second(b[start + at]) }
      squares += lane * lane
      sizes += lane.replacing(with: -lane, where: lane .< 0)
      start += 8
    }
    var (square, absolute) = (squares.sum(), sizes.sum())
    for index in whole..<range.upperBound {
      let error = first(a[index]) - second(b[index])
      square += error * error
      absolute += abs(error)
    }
    self.square = square
    self.absolute = absolute
    count = range.count
  }
}
