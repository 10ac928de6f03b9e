import TrajpackFormat

@testable import TrajpackEvaluate

/// Runs an evaluator over Swift arrays; the scores by name.
func scores(
  _ evaluator: String, _ options: [String: String] = [:],
  _ arrays: [(name: String, shape: [Int], values: [Double])]
) throws(TrajpackError) -> [String: Score] {
  let storage = arrays.map { array -> UnsafeMutableBufferPointer<Double> in
    let buffer = UnsafeMutableBufferPointer<Double>.allocate(capacity: max(array.values.count, 1))
    _ = buffer.initialize(from: array.values)
    return buffer
  }
  defer { for buffer in storage { buffer.deallocate() } }
  var views: [ArrayView] = []
  for (array, buffer) in zip(arrays, storage) {
    views.append(
      try ArrayView(
        name: array.name, shape: array.shape,
        elements: .double(UnsafeBufferPointer(rebasing: buffer[0..<array.values.count]))))
  }
  let settings = options.map { (name: $0.key, value: $0.value) }
  let found = try Evaluator.named(evaluator).scores(of: views, settings)
  return Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0) })
}

extension Random {
  mutating func normals(_ count: Int) -> [Double] { (0..<count).map { _ in normal() } }

  mutating func vector() -> SIMD3<Double> { SIMD3(normal(), normal(), normal()) }

  mutating func matrix() -> Matrix3 { Matrix3(vector(), vector(), vector()) }

  mutating func rotation() -> Matrix3 {
    let q = SIMD4(normal(), normal(), normal(), normal())
    return Matrix3(quaternion: q) ?? .identity
  }
}

/// The largest difference of two matrices' entries.
func distance(_ a: Matrix3, _ b: Matrix3) -> Double {
  let rows = [a.rows.0 - b.rows.0, a.rows.1 - b.rows.1, a.rows.2 - b.rows.2]
  return rows.map { max(abs($0.x), abs($0.y), abs($0.z)) }.max() ?? 0
}
