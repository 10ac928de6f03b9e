import TrajpackFormat

/// `(x - shift) * scale` of each element of a row.
struct ElementScaling: Sendable {
  /// Taken off each element.
  let shift: [Double]
  /// Then multiplied by; 1 for an element that does not vary.
  let scale: [Double]

  /// Scales rows in place; NaN stays NaN.
  @specialized(where S == Float)
  @specialized(where S == Double)
  func apply<S: SignalScalar>(
    _ values: UnsafeMutableBufferPointer<S>, rows: Int
  ) throws(TrajpackError) {
    let elements = shift.count
    let x = try values.require(rows, elements, "values")
    for row in 0..<rows {
      for e in 0..<elements {
        let i = row * elements + e
        x[i] = S((Double(x[i]) - shift[e]) * scale[e])
      }
    }
  }
}
