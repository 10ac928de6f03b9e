import TrajpackFormat

/// D_stsp by cells of trajectories that are read piece by piece: measure the truth, then count the
/// truth and the generated trajectory, in pieces of any size, then ask for the score. Memory grows
/// with the cells visited, not with the points.
public struct StateSpaceStream {
  private let columns: Int
  private let options: StateSpaceOptions
  private var extent: Extent
  private var histograms: (truth: StateSpaceHistogram, generated: StateSpaceHistogram)?
  private var refusal: String?
  private var counting = false

  init(columns: Int, _ options: StateSpaceOptions) {
    self.columns = columns
    self.options = options
    extent = Extent(columns)
  }

  /// A stream of rows of `columns` values, with the options of `attractor.d_stsp` (`method` and
  /// those of Gaussians change nothing here). Throws a usage error for an option or no columns.
  public init(
    columns: Int, _ settings: [(name: String, value: String)] = []
  ) throws(TrajpackError) {
    guard columns > 0 else { throw TrajpackError(.usage, "a trajectory needs a dimension") }
    self.init(columns: columns, try StateSpaceOptions(settings))
  }

  /// Rows of the truth, for the grid's place; all of them come before the first that is counted.
  public mutating func measure(_ rows: UnsafeBufferPointer<Float>) throws(TrajpackError) {
    try requireRows(rows.count, measuring: true)
    extent.add(rows)
  }

  /// Rows of the truth, for the grid's place; all of them come before the first that is counted.
  public mutating func measure(_ rows: UnsafeBufferPointer<Double>) throws(TrajpackError) {
    try requireRows(rows.count, measuring: true)
    extent.add(rows)
  }

  /// Rows of the truth, counted.
  public mutating func count(truth rows: UnsafeBufferPointer<Float>) throws(TrajpackError) {
    try requireRows(rows.count, measuring: false)
    histograms?.truth.add(rows, columns: columns)
  }

  /// Rows of the truth, counted.
  public mutating func count(truth rows: UnsafeBufferPointer<Double>) throws(TrajpackError) {
    try requireRows(rows.count, measuring: false)
    histograms?.truth.add(rows, columns: columns)
  }

  /// Rows of the generated trajectory, counted.
  public mutating func count(generated rows: UnsafeBufferPointer<Float>) throws(TrajpackError) {
    try requireRows(rows.count, measuring: false)
    histograms?.generated.add(rows, columns: columns)
  }

  /// Rows of the generated trajectory, counted.
  public mutating func count(generated rows: UnsafeBufferPointer<Double>) throws(TrajpackError) {
    try requireRows(rows.count, measuring: false)
    histograms?.generated.add(rows, columns: columns)
  }

  private mutating func requireRows(_ values: Int, measuring: Bool) throws(TrajpackError) {
    guard values % columns == 0 else {
      throw TrajpackError(.usage, "\(values) values are not rows of \(columns)")
    }
    if measuring, counting {
      throw TrajpackError(.usage, "the truth is measured before anything is counted")
    }
    if !measuring, !counting { begin() }
  }

  /// Lays the grid.
  private mutating func begin() {
    counting = true
    guard extent.count > 1 else {
      refusal = "the truth has fewer than two rows that are numbers"
      return
    }
    guard let grid = extent.grid(options) else {
      refusal = "the truth is constant along a dimension"
      return
    }
    guard let truth = StateSpaceHistogram(grid), let generated = StateSpaceHistogram(grid) else {
      refusal = "\(options.bins)^\(columns) cells are too many; use method=gaussians"
      return
    }
    histograms = (truth, generated)
  }

  /// The score, with how many rows left the grid.
  ///
  /// - Throws: A data error for rows that are not finite, under `failed=error`.
  public func score() throws(TrajpackError) -> Score {
    let score = unsettled()
    guard let lost = histograms?.generated.notNumbers, lost > 0 else { return score }
    var failures = Failures("rows", of: (histograms?.generated).map { $0.inside + $0.outside } ?? 0)
    failures.total += lost
    for row in 0..<lost { failures.add(row, "generated rows are not finite") }
    return try score.failing(failures).settled(options.failed).under(options.described)
  }

  /// The same, whatever rows are not finite.
  func unsettled() -> Score {
    let name = StateSpaceDivergence.name
    guard let (own, other) = histograms else {
      return Score(name, missing: refusal ?? "nothing was counted").under(options.described)
    }
    let all = other.inside + other.outside
    let share = all > 0 ? Value.number(Double(other.outside) / Double(all)) : .none
    let details = [
      Field("method", .text("binned")), Field("truth_rows", .count(own.inside + own.outside)),
      Field("generated_rows", .count(all)), Field("truth_outside", .count(own.outside)),
      Field("generated_outside", .count(other.outside)), Field("generated_outside_share", share),
      Field("truth_cells", .count(own.occupied)), Field("generated_cells", .count(other.occupied)),
      Field("truth_nan", .count(own.notNumbers)),
      Field("nan_predictions", .count(other.notNumbers)),
    ]
    return score(own, other, details).under(options.described)
  }

  private func score(
    _ own: StateSpaceHistogram, _ other: StateSpaceHistogram, _ details: [Field]
  ) -> Score {
    let name = StateSpaceDivergence.name
    let wraps = options.counter == .wrapping16
    guard let value = own.divergence(from: other, alpha: options.alpha, wraps: wraps) else {
      let reason =
        other.inside == 0
        ? "no generated point lies on the grid"
        : "without smoothing, a cell visited only by the truth makes it infinite"
      return Score(name, missing: reason, details: details)
    }
    return Score(name, value, count: own.inside + other.inside, details: details)
  }
}
