import TrajpackFormat

/// D_stsp: KL divergence of the visits to state space, truth ‖ generated (Koppe et al. 2019;
/// constants of GTF, Hess et al., ICML 2023, and of AL-RNN, Brenner et al., NeurIPS 2024).
enum StateSpaceDivergence {
  static let evaluator = Evaluator(
    "attractor.d_stsp", makes: ["attractor.d_stsp"],
    "D_stsp: KL divergence of visits to state space, truth ‖ generated, by cells or Gaussians; "
      + "with the share that left the grid.",
    [
      .needed("truth", "T × D", "true trajectory"),
      .needed("generated", "T' × D", "generated trajectory"),
    ],
    StateSpaceOptions.self, partners: ["generated": "truth"], generated: "generated", scores)

  static func scores(
    _ arrays: Arrays, _ options: StateSpaceOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.required("truth")
    let generated = try arrays.required("generated")
    guard truth.shape.count == 2, generated.shape.count == 2, truth.shape[1] == generated.shape[1],
      truth.shape[1] > 0
    else {
      throw TrajpackError(.usage, "'truth' and 'generated' must be T × D with the same D above 0")
    }
    let binned =
      options.method == .binned
      || (options.method == .automatic && truth.shape[1] <= options.maximumBinned)
    return [
      binned
        ? try Self.binned(arrays, truth, generated, options)
        : gaussians(arrays, truth, generated, options)
    ]
  }

  static let name = "attractor.d_stsp"

  private static func binned(
    _ arrays: Arrays, _ truth: ArrayView, _ generated: ArrayView, _ options: StateSpaceOptions
  ) throws(TrajpackError) -> Score {
    var stream = StateSpaceStream(columns: truth.shape[1], options)
    func pass(
      _ view: ArrayView, _ float: (UnsafeBufferPointer<Float>) throws(TrajpackError) -> Void,
      _ double: (UnsafeBufferPointer<Double>) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      if case .float(let rows) = view.elements {
        try float(rows)
      } else {
        try double(arrays.doubles(view))
      }
    }
    try pass(
      truth, { rows throws(TrajpackError) in try stream.measure(rows) },
      { rows throws(TrajpackError) in try stream.measure(rows) })
    try pass(
      truth, { rows throws(TrajpackError) in try stream.count(truth: rows) },
      { rows throws(TrajpackError) in try stream.count(truth: rows) })
    try pass(
      generated, { rows throws(TrajpackError) in try stream.count(generated: rows) },
      { rows throws(TrajpackError) in try stream.count(generated: rows) })
    return stream.unsettled()
  }

  private static func gaussians(
    _ arrays: Arrays, _ truth: ArrayView, _ generated: ArrayView, _ options: StateSpaceOptions
  ) -> Score {
    let columns = truth.shape[1]
    // GTF: as many points of both as the truth has, at most `points`.
    let own = Self.points(arrays.doubles(truth), columns, options.points)
    let other = Self.points(arrays.doubles(generated), columns, min(options.points, own.rows))
    var details = [
      Field("method", .text("gaussians")), Field("truth_rows", .count(own.rows)),
      Field("generated_rows", .count(other.rows)), Field("nan_predictions", .count(other.broken)),
    ]
    let result = MixtureDivergence(variance: options.variance, samples: options.samples)
      .estimate(own.values, other.values, columns: columns, seed: options.seed)
    details.append(Field("samples_dropped", .count(result.dropped)))
    guard let value = result.value else {
      return Score(
        name, missing: "no sample has a density under both series", details: details)
    }
    return Score(name, value, count: own.rows + other.rows, details: details)
  }

  /// The first rows that are numbers.
  static func points(
    _ values: UnsafeBufferPointer<Double>, _ columns: Int, _ most: Int
  ) -> (values: [Double], rows: Int, broken: Int) {
    var kept: [Double] = []
    var broken = 0
    let rows = min(values.count / columns, most)
    kept.reserveCapacity(rows * columns)
    for row in 0..<rows {
      let slice = values[row * columns..<(row + 1) * columns]
      if slice.allSatisfy(\.isFinite) { kept.append(contentsOf: slice) } else { broken += 1 }
    }
    return (kept, kept.count / columns, broken)
  }
}
