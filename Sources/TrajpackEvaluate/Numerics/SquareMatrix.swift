/// A small square matrix, by rows, for tangent maps of any dimension.
struct SquareMatrix {
  let size: Int
  var values: [Double]

  init(_ size: Int, _ values: [Double]) {
    self.size = size
    self.values = values
  }

  static func identity(_ size: Int) -> SquareMatrix {
    var matrix = SquareMatrix(size, [Double](repeating: 0, count: size * size))
    for index in 0..<size { matrix.values[index * size + index] = 1 }
    return matrix
  }

  static func * (a: SquareMatrix, b: SquareMatrix) -> SquareMatrix {
    let n = a.size
    var product = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for k in 0..<n {
        let factor = a.values[i * n + k]
        for j in 0..<n { product[i * n + j] += factor * b.values[k * n + j] }
      }
    }
    return SquareMatrix(n, product)
  }

  /// `self + scale · other`.
  func adding(_ other: SquareMatrix, times scale: Double) -> SquareMatrix {
    SquareMatrix(size, zip(values, other.values).map { $0 + scale * $1 })
  }

  /// Makes the columns orthonormal and returns the diagonal of R (positive): modified
  /// Gram–Schmidt, each column twice, which is enough for full orthogonality (Björck 1994).
  /// A column that vanishes gives 0 and becomes a unit vector orthogonal to those before it.
  mutating func orthonormalise() -> [Double] {
    let n = size
    var diagonal: [Double] = []
    for column in 0..<n {
      var vector = (0..<n).map { values[$0 * n + column] }
      let size = norm(vector)
      project(&vector, columns: column)
      var rest = norm(vector)
      diagonal.append(rest)
      var next = 0
      while !(rest > size * 1e-300), next < n {
        vector = [Double](repeating: 0, count: n)
        vector[next] = 1
        project(&vector, columns: column)
        rest = norm(vector) > 0.5 / Double(n) ? norm(vector) : 0
        next += 1
      }
      for row in 0..<n { values[row * n + column] = rest > 0 ? vector[row] / rest : 0 }
    }
    return diagonal
  }

  private func project(_ vector: inout [Double], columns: Int) {
    for _ in 0..<2 {
      for other in 0..<columns {
        var product = 0.0
        for row in 0..<size { product += vector[row] * values[row * size + other] }
        for row in 0..<size { vector[row] -= product * values[row * size + other] }
      }
    }
  }

  private func norm(_ vector: [Double]) -> Double {
    vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }
}
