/// Numbers for action ids: a frame's id is a tuple of channels, and equal tuples are one action, in the truth
/// and in the predictions alike.
struct ActionCodes {
  private var known: [[Double]: Double] = [:]

  /// The code of each row; nil where a number of it is missing.
  mutating func codes(_ numbers: Numbers) -> [Double?] {
    (0..<numbers.rows).map { row in
      let id = Array(numbers.values[row * numbers.width..<(row + 1) * numbers.width])
      guard id.allSatisfy(\.isFinite) else { return nil }
      if let code = known[id] { return code }
      let code = Double(known.count)
      known[id] = code
      return code
    }
  }
}

extension Evaluation {
  /// Brings arrays into the form that an evaluator takes.
  func prepare(_ gathered: inout MetricInputs, _ plan: MetricPlan, _ codes: inout ActionCodes) {
    func column(_ values: [Double]) -> Numbers { Numbers(shape: [values.count], values) }
    for at in gathered.clips.indices {
      var arrays = gathered.clips[at].arrays
      switch plan.binding.evaluator {
      case "action.segments":
        guard let actions = arrays["actions"] else { continue }
        let known = (0..<actions.rows).map { row in
          actions.values[row * actions.width..<(row + 1) * actions.width].allSatisfy(\.isFinite)
        }
        let filled = actions.reshaped(actions.shape)
        for index in 0..<filled.values.count where !filled.values[index].isFinite {
          filled.values[index] = 0
        }
        arrays["actions"] = filled
        arrays["mask"] = column(known.map { $0 ? 1 : 0 })
      case "action.segmentation":
        guard let truth = arrays["truth"], let prediction = arrays["prediction"] else { continue }
        let own = codes.codes(truth)
        arrays["truth"] = column(own.map { $0 ?? -2 })
        arrays["prediction"] = column(codes.codes(prediction).map { $0 ?? -1 })
        arrays["mask"] = column(own.map { $0 == nil ? 0 : 1 })
      case "action.recogniser":
        guard let truth = arrays["truth"], let joints = arrays["joints"] else { continue }
        let own = codes.codes(truth)
        let rows = own.indices.filter { own[$0] != nil }
        arrays["truth"] = column(rows.compactMap { own[$0] })
        arrays["joints"] = .joined(rows.map { joints.rows($0..<$0 + 1) })
        gathered.clips[at].rows = rows.count
      case "forecast.ensemble":
        if let truth = arrays["truth"], truth.width == 1 {
          arrays["truth"] = truth.reshaped([truth.rows])
        }
      default: break
      }
      gathered.clips[at].arrays = arrays
    }
  }
}
