import Glibc
import TrajpackFormat

extension PlanColumn {
  /// What a step does to elements of one type: rows times `width` in, rows times `width` and a mask out.
  typealias Body<S> = (
    _ x: UnsafeBufferPointer<S>, _ width: Int, _ out: UnsafeMutableBufferPointer<S>,
    _ mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) -> Void

  /// Runs a body over all elements of a row at once, or vector by vector where `vectors` is their size.
  func mapped(
    vectors: Int, float: Body<Float>, double: Body<Double>, rows: () -> Int
  ) throws(TrajpackError) -> PlanColumn {
    var result = self
    switch values {
    case .float32(let x):
      result.values = .float32(try Self.mapped(x, channel.elements, vectors, rows(), float))
    case .float64(let x):
      result.values = .float64(try Self.mapped(x, channel.elements, vectors, rows(), double))
    case .opaque:
      throw TrajpackError(
        .usage, "values of type \(channel.type.rawValue) cannot be computed with: take whole rows")
    }
    return result
  }

  private static func mapped<S: SignalScalar>(
    _ x: [S], _ width: Int, _ vectors: Int, _ rows: Int, _ body: Body<S>
  ) throws(TrajpackError) -> [S] {
    var out = [S](repeating: .nan, count: rows * width)
    if vectors == 0 || vectors == width {
      var mask = [MaskByte](repeating: 0, count: rows * width)
      try run(x, width, &out, &mask, body)
      return out
    }
    let sourceRows = x.count / max(width, 1)
    var part = [S](repeating: 0, count: sourceRows * vectors)
    var made = [S](repeating: 0, count: rows * vectors)
    var mask = [MaskByte](repeating: 0, count: rows * vectors)
    for start in stride(from: 0, to: width, by: vectors) {
      for row in 0..<sourceRows {
        for k in 0..<vectors { part[row * vectors + k] = x[row * width + start + k] }
      }
      try run(part, vectors, &made, &mask, body)
      for row in 0..<rows {
        for k in 0..<vectors { out[row * width + start + k] = made[row * vectors + k] }
      }
    }
    return out
  }

  private static func run<S: SignalScalar>(
    _ x: [S], _ width: Int, _ out: inout [S], _ mask: inout [MaskByte], _ body: Body<S>
  ) throws(TrajpackError) {
    try x.withUnsafeBufferPointer { (x) throws(TrajpackError) in
      try out.withUnsafeMutableBufferPointer { (out) throws(TrajpackError) in
        try mask.withUnsafeMutableBufferPointer { (mask) throws(TrajpackError) in
          try body(x, width, out, mask)
        }
      }
    }
  }

  /// The column with rows of another of the same floats in the place of some: -1 leaves a row as it is, and what was
  /// not observed there leaves a number as it is.
  func taking(_ rows: [Int], of other: PlanColumn) -> PlanColumn {
    let width = channel.elements
    func taken<S: SignalScalar>(_ x: [S], _ y: [S]) -> [S] {
      var out = x
      for (i, row) in rows.enumerated() where row >= 0 {
        for k in 0..<width where !y[row * width + k].isNaN {
          out[i * width + k] = y[row * width + k]
        }
      }
      return out
    }
    var made = self
    switch (values, other.values) {
    case (.float32(let x), .float32(let y)): made.values = .float32(taken(x, y))
    case (.float64(let x), .float64(let y)): made.values = .float64(taken(x, y))
    default: break
    }
    return made
  }

  /// Whole floating-point numbers as int32.
  func counts() -> PlanColumn {
    var bytes: [UInt8] = []
    for x in doubles() {
      let count = Int32(clamping: x)
      for k in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: count >> (8 * Int32(k)))) }
    }
    var made = self
    made.channel.type = .int32
    made.observed = nil
    made.values = .opaque(bytes, rowBytes: 4 * channel.elements)
    return made
  }
}
