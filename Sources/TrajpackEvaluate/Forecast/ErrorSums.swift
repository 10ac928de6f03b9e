import CPlatform
import TrajpackFormat

/// Σe² and Σ|e| of a series in one pass over the caller's arrays as they lie: what MSE, MAE and RMSE need.
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
      let start = number * length
      var (square, absolute) = (0.0, 0.0)
      switch (truth.elements, prediction.elements) {
      case (.double(let a), .double(let b)):
        guard let a = a.baseAddress, let b = b.baseAddress else { return nil }
        tp_error_sums_f64(a + start, b + start, length, &square, &absolute)
      case (.float(let a), .float(let b)):
        guard let a = a.baseAddress, let b = b.baseAddress else { return nil }
        tp_error_sums_f32(a + start, b + start, length, &square, &absolute)
      default: return nil
      }
      guard square.isFinite, absolute.isFinite else { return nil }
      out.append(ErrorSums(square: square, absolute: absolute, count: length))
    }
    return out
  }
}
