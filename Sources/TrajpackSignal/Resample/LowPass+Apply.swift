import TrajpackFormat

/// What the filter sees beyond the ends of a run.
public enum FilterEdges: Sendable, Hashable {
  /// Zeros: scipy's default, by which a constant does not stay a constant.
  case zero
  /// The end value goes on.
  case hold
  /// The mirror image about the end value.
  case reflect
  /// The line through the first and last value is taken off, and put back: scipy's `line`.
  case line
  /// The mean is taken off, and put back: scipy's `mean`.
  case mean
}

extension LowPass {
  /// Filters every component and changes its rate: output row `j` is at source row `j·down/up`.
  ///
  /// With every edge but `zero` a constant stays exactly that constant. A component with missing
  /// entries (mask 0 or NaN) is filtered run by run, each with its own edges, after bridging at
  /// most `bridge` missing rows by lines; outputs outside the runs are missing.
  ///
  /// - Parameters:
  ///   - values: `rows` times `components`.
  ///   - output: `outputRows(rows)` times `components`.
  ///   - breaks: rows before which a new run begins.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, rows: Int, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, edges: FilterEdges = .hold, bridge: Int = 0,
    breaks: [Int] = [], into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    let x = try values.require(rows, components, "values")
    let seen = try observed?.require(rows, components, "observed")
    let count = outputRows(rows)
    let out = try output.require(count, components, "output")
    let outMask = try mask.require(count, components, "mask")
    let taps = phases.map { S($0) }
    if breaks.isEmpty, ResamplePlan.isComplete(x, seen, rows * components) {
      guard rows > 0 else { return }
      var c = 0
      while c < components {
        let lanes = components - c >= 5 ? 8 : (components - c > 1 ? 4 : 1)
        let used = min(lanes, components - c)
        let run = FilterRun(self, x + c, components, used, 0..<rows, edges)
        switch lanes {
        case 8: run.filter(SIMD8<S>.self, taps, out + c, 0..<count)
        case 4: run.filter(SIMD4<S>.self, taps, out + c, 0..<count)
        default: run.filterOne(taps, out + c, 0..<count)
        }
        c += used
      }
      for i in 0..<count * components { outMask[i] = out[i] == out[i] ? 1 : 0 }
      return
    }
    for i in 0..<count * components {
      out[i] = .nan
      outMask[i] = 0
    }
    let column = Scratch<S>(rows)
    for c in 0..<components {
      for run in Self.bridged(x + c, seen.map { $0 + c }, components, rows, bridge, breaks, column)
      {
        // Output rows whose time lies in the run.
        let first = (run.lowerBound * up + down - 1) / down
        let last = min((run.upperBound - 1) * up / down + 1, count)
        if first >= last { continue }
        FilterRun(self, column.pointer, 1, 1, run, edges)
          .filterOne(taps, out + c, first..<last, stride: components)
        for j in first..<last { outMask[j * components + c] = 1 }
      }
    }
  }

  /// Copies a component, bridges short gaps by lines, and names the runs that are left.
  static func bridged<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ seen: UnsafePointer<MaskByte>?, _ stride: Int, _ rows: Int,
    _ bridge: Int, _ breaks: [Int], _ column: borrowing Scratch<S>
  ) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    var start = -1
    var last = -1
    var nextBreak = 0
    for k in 0..<rows {
      if nextBreak < breaks.count, breaks[nextBreak] <= k {
        nextBreak += 1
        if start >= 0 { runs.append(start..<last + 1) }
        start = -1
      }
      let value = x[k * stride]
      guard value == value, seen?[k * stride] != 0 else { continue }
      column[k] = value
      if start >= 0, k - last - 1 <= bridge {
        for i in last + 1..<k {
          column[i] = column[last] + S(i - last) / S(k - last) * (value - column[last])
        }
      } else {
        if start >= 0 { runs.append(start..<last + 1) }
        start = k
      }
      last = k
    }
    if start >= 0 { runs.append(start..<last + 1) }
    return runs
  }
}
