import Glibc
import Testing
import TrajpackSignal

@testable import TrajpackEvaluate

@Suite("Small linear algebra") struct LinearAlgebraTests {
  @Test("A singular value decomposition is one", arguments: 0..<40)
  func singularValues(seed: Int) {
    var random = Random(seed: seed)
    var matrix = random.matrix()
    // Some of rank two, some of rank one, some badly scaled, one zero.
    switch seed % 5 {
    case 1: matrix.rows.2 = 2 * matrix.rows.0 - matrix.rows.1
    case 2: matrix = Matrix3(matrix.rows.0, 3 * matrix.rows.0, -1 * matrix.rows.0)
    case 3: matrix.rows.0 *= 1e-9
    default: break
    }
    if seed == 0 { matrix = .zero }
    let svd = SVD3(matrix)
    let s = svd.values
    let middle = Matrix3(SIMD3(s.x, 0, 0), SIMD3(0, s.y, 0), SIMD3(0, 0, s.z))
    #expect(distance(svd.u * middle * svd.v.transposed, matrix) < 1e-14 * max(s.x, 1))
    #expect(distance(svd.u * svd.u.transposed, .identity) < 1e-12)
    #expect(distance(svd.v * svd.v.transposed, .identity) < 1e-12)
    #expect(s.x >= s.y && s.y >= s.z && s.z >= 0)
    #expect(abs(abs(matrix.determinant) - s.x * s.y * s.z) < 1e-13 * max(1, s.x * s.x * s.x))
  }

  @Test("Umeyama finds the similarity that was applied", arguments: 0..<30)
  func umeyama(seed: Int) throws {
    var random = Random(seed: seed)
    var points = (0..<10).map { _ in random.vector() }
    if seed % 3 == 0 { points = points.map { SIMD3($0.x, $0.y, 0) } }
    let made = Similarity(
      rotation: random.rotation(), scale: 0.1 + 3 * random.unit(), translation: random.vector())
    let fit = try #require(Similarity.fit(from: points, to: points.map(made.apply), scaled: true))
    #expect(distance(fit.rotation, made.rotation) < 1e-12)
    #expect(abs(fit.scale - made.scale) < 1e-12)
    #expect(length(fit.translation - made.translation) < 1e-12)
    #expect(abs(fit.rotation.determinant - 1) < 1e-12)
  }

  @Test("Points on a line have no rotation")
  func degenerate() {
    let line = (0..<9).map { SIMD3<Double>(1, 2, 3) * Double($0) }
    #expect(Similarity.fit(from: line, to: line, scaled: true) == nil)
    #expect(Similarity.fit(from: [], to: [], scaled: false) == nil)
  }

  @Test("A mirrored set is fitted by a rotation, not by the mirror", arguments: 0..<10)
  func mirror(seed: Int) throws {
    var random = Random(seed: seed)
    let points = (0..<12).map { _ in random.vector() }
    let fit = try #require(
      Similarity.fit(
        from: points, to: points.map { $0 * SIMD3(-1, 1, 1) }, scaled: false))
    #expect(abs(fit.rotation.determinant - 1) < 1e-12)
  }

  @Test("Angles are exact, the smallest and those near π", arguments: [0, 1e-9, 0.1, 3, 3.141592])
  func angles(angle: Double) throws {
    let half = SIMD4(0, sin(angle / 2), 0, cos(angle / 2))
    let rotation = try #require(Matrix3(quaternion: half * 7))
    #expect(abs(rotation.angle - angle) < 1e-15 * 10)
  }

  @Test("Orthonormalised columns are, and R has the sizes", arguments: 0..<20)
  func orthonormalise(seed: Int) {
    var random = Random(seed: seed)
    let size = 1 + seed % 6
    var matrix = SquareMatrix(size, random.normals(size * size))
    if seed % 4 == 3, size > 1 {
      for row in 0..<size { matrix.values[row * size + 1] = 2 * matrix.values[row * size] }
    }
    let before = matrix
    let diagonal = matrix.orthonormalise()
    for a in 0..<size {
      for b in 0..<size {
        let product = (0..<size).reduce(0.0) {
          $0 + matrix.values[$1 * size + a] * matrix.values[$1 * size + b]
        }
        #expect(abs(product - (a == b ? 1 : 0)) < 1e-12)
      }
    }
    let first = (0..<size).reduce(0.0) { $0 + before.values[$1 * size] * before.values[$1 * size] }
    #expect(abs(diagonal[0] - first.squareRoot()) < 1e-12)
  }

  @Test("The Fourier transform of any length is the sum it stands for", arguments: 1...70)
  func fourier(length: Int) {
    var random = Random(seed: length)
    let series = random.normals(length)
    let power = FourierTransform.power(series)
    for k in power.indices {
      var re = 0.0
      var im = 0.0
      for n in 0..<length {
        let angle = -2 * Double.pi * Double(k * n % length) / Double(length)
        re += series[n] * cos(angle)
        im += series[n] * sin(angle)
      }
      #expect(abs(power[k] - re * re - im * im) < 1e-9)
    }
  }

  @Test("The tree finds the neighbour that a search of all finds", arguments: 0..<12)
  func neighbours(seed: Int) {
    var random = Random(seed: seed)
    let (rows, columns) = (200, 1 + seed % 4)
    var values = random.normals(rows * columns)
    if seed % 3 == 0 { values = values.map { ($0 * 2).rounded() } }
    values.withUnsafeBufferPointer { buffer in
      let series = Series(values: buffer, rows: rows, columns: columns)
      let nearest = nearestRows(buffer, rows: rows, columns: columns, window: seed)
      for row in 0..<rows {
        let best = (0..<rows).filter { abs($0 - row) > seed }
          .map { series.squaredDistance($0, row) }.filter { $0 > 0 }.min()
        let found = Int(nearest[row])
        #expect((found < 0 ? nil : series.squaredDistance(found, row)) == best)
      }
    }
  }
}
