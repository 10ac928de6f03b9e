/// Errors of the frames of one or more paths, and the usual figures of them.
struct ErrorTally {
  /// The figures, in the order in which they are reported.
  static let figures = ["mean", "rmse", "median", "max"]

  /// One list of errors a path that could be computed.
  private(set) var paths: [[Double]] = []

  mutating func add(_ errors: [Double]) { paths.append(errors) }

  /// The scores `name.mean`, `.rmse`, `.median`, `.max`.
  func scores(
    _ name: String, _ reduction: PathReduction, reason: String, details: [Field]
  ) -> [Score] {
    let full = paths.filter { !$0.isEmpty }
    let count = full.reduce(0) { $0 + $1.count }
    guard count > 0 else {
      return Self.figures.map { Score("\(name).\($0)", missing: reason, details: details) }
    }
    return Self.figures.map { figure in
      let each = full.map { Self.figure(figure, $0) }
      let value =
        reduction == .pooled
        ? Self.figure(figure, Array(full.joined())) : Statistics.mean(each)
      var fields = details
      if full.count > 1 { fields.append(Field("per_path", .numbers(each))) }
      return Score("\(name).\(figure)", value, count: count, details: fields)
    }
  }

  private static func figure(_ name: String, _ errors: [Double]) -> Double {
    switch name {
    case "rmse":
      return (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
    case "median": return Statistics.median(errors) ?? .nan
    case "max": return errors.max() ?? .nan
    default: return Statistics.mean(errors)
    }
  }
}
