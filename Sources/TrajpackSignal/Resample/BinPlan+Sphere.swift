import Glibc
import TrajpackFormat

extension BinPlan {
  /// The circular mean of the angles of each bin: the direction of the sum of their unit vectors. NaN
  /// where a bin has no observed value, or where they cancel out.
  public func applyMean<S: SignalScalar>(
    of range: AngleRange, _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    let x = try values.require(sourceRows, components, "values")
    let seen = try observed?.require(sourceRows, components, "observed")
    let out = try output.require(bins, components, "output")
    let outMask = try mask.require(bins, components, "mask")
    let turn = 2 * Double.pi / range.period
    var sums = [(sine: Double, cosine: Double, count: Int)](
      repeating: (0, 0, 0), count: bins * components)
    for row in 0..<sourceRows where index[row] >= 0 {
      for c in 0..<components {
        let value = x[row * components + c]
        guard value == value, seen?[row * components + c] != 0 else { continue }
        let place = Int(index[row]) * components + c
        sums[place].sine += sin(Double(value) * turn)
        sums[place].cosine += cos(Double(value) * turn)
        sums[place].count += 1
      }
    }
    for (place, sum) in sums.enumerated() {
      let size = (sum.sine * sum.sine + sum.cosine * sum.cosine).squareRoot()
      let isKnown = sum.count > 0 && size > 1e-12 * Double(sum.count)
      out[place] = isKnown ? range.wrap(S(atan2(sum.sine, sum.cosine) / turn)) : .nan
      outMask[place] = isKnown ? 1 : 0
    }
  }

  /// The mean of the unit vectors of each bin, `components` numbers each: of directions the unit
  /// vector along their sum; of quaternions, whose sign means nothing, the eigenvector of Σ q qᵀ
  /// with the largest eigenvalue (Markley et al. 2007), with the sign of the bin's first.
  public func applySphereMean<S: SignalScalar>(
    areQuaternions: Bool, _ values: UnsafeBufferPointer<S>, components: Int,
    observed: UnsafeBufferPointer<MaskByte>? = nil, into output: UnsafeMutableBufferPointer<S>,
    mask: UnsafeMutableBufferPointer<MaskByte>
  ) throws(TrajpackError) {
    let x = try values.require(sourceRows, components, "values")
    let seen = try observed?.require(sourceRows, components, "observed")
    let out = try output.require(bins, components, "output")
    let outMask = try mask.require(bins, components, "mask")
    for place in 0..<bins * components { (out[place], outMask[place]) = (.nan, 0) }
    var members = [[[Double]]](repeating: [], count: bins)
    for row in 0..<sourceRows where index[row] >= 0 {
      let place = row * components
      guard seen.map({ s in (0..<components).allSatisfy { s[place + $0] != 0 } }) ?? true
      else { continue }
      let vector = (0..<components).map { Double(x[place + $0]) }
      let size = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard size > 1e-12, size.isFinite else { continue }
      members[Int(index[row])].append(vector.map { $0 / size })
    }
    for (bin, vectors) in members.enumerated() where !vectors.isEmpty {
      guard let mean = areQuaternions ? Self.axis(vectors) : Self.direction(vectors) else {
        continue
      }
      for c in 0..<components {
        out[bin * components + c] = S(mean[c])
        outMask[bin * components + c] = 1
      }
    }
  }

  private static func direction(_ vectors: [[Double]]) -> [Double]? {
    let sum = vectors.dropFirst().reduce(vectors[0]) { zip($0, $1).map { $0 + $1 } }
    let size = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return size > 1e-12 * Double(vectors.count) ? sum.map { $0 / size } : nil
  }

  /// The axis nearest to all: power iteration of Σ q qᵀ, squared until it settles.
  private static func axis(_ vectors: [[Double]]) -> [Double]? {
    let n = vectors[0].count
    var matrix = [Double](repeating: 0, count: n * n)
    for q in vectors {
      for i in 0..<n { for j in 0..<n { matrix[i * n + j] += q[i] * q[j] } }
    }
    for _ in 0..<40 {
      var square = [Double](repeating: 0, count: n * n)
      for i in 0..<n {
        for k in 0..<n {
          for j in 0..<n { square[i * n + j] += matrix[i * n + k] * matrix[k * n + j] }
        }
      }
      let trace = (0..<n).reduce(0) { $0 + square[$1 * n + $1] }
      guard trace > 0 else { return nil }
      matrix = square.map { $0 / trace }
    }
    let column = (0..<n).max { matrix[$0 * n + $0] < matrix[$1 * n + $1] } ?? 0
    var axis = (0..<n).map { matrix[$0 * n + column] }
    let size = axis.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard size > 0 else { return nil }
    let sign = zip(axis, vectors[0]).reduce(0) { $0 + $1.0 * $1.1 } < 0 ? -1.0 : 1
    axis = axis.map { sign * $0 / size }
    return axis
  }
}
