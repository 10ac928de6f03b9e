import Testing
import TrajpackTestSupport

@testable import TrajpackCodecs

@Suite struct ShuffleTests {
  /// The definition of HDF5's filter 2.
  func shuffled(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
    let count = bytes.count / size
    return (0..<bytes.count).map { i in bytes[(i % count) * size + i / count] }
  }

  @Test(arguments: [1, 2, 3, 4, 7, 8, 12, 15, 16, 17, 24, 31, 32, 44, 100, 372])
  func matchesTheDefinitionAndComesBack(size: Int) {
    var random = SeededGenerator(seed: UInt64(size))
    for count in [1, 2, 5, 15, 16, 17, 31, 32, 33, 64, 100] {
      let bytes = random.bytes(size * count)
      var planes = [UInt8](repeating: 0, count: bytes.count)
      bytes.withUnsafeBytes { from in
        planes.withUnsafeMutableBytes { Shuffle.apply(from, elementSize: size, into: $0) }
      }
      #expect(planes == shuffled(bytes, size), "size \(size), count \(count)")
      for _ in 0..<20 {
        let first = Int.random(in: 0...count, using: &random)
        let end = Int.random(in: first...count, using: &random)
        let from = Int.random(in: 0..<size, using: &random)
        let to = Int.random(in: from + 1...size, using: &random)
        let stride = to - from + Int.random(in: 0...9, using: &random)
        // A canary around and between the rows shows a write outside them.
        var out = [UInt8](repeating: 0xEE, count: (end - first) * stride + 32)
        planes.withUnsafeBytes { planes in
          out.withUnsafeMutableBytes { out in
            Shuffle.undo(
              planes, elementSize: size, elements: first..<end, columns: from..<to,
              into: out.baseAddress.unsafelyUnwrapped + 16, stride: stride)
          }
        }
        var expected = [UInt8](repeating: 0xEE, count: out.count)
        for e in first..<end {
          for b in from..<to {
            expected[16 + (e - first) * stride + b - from] = bytes[e * size + b]
          }
        }
        #expect(
          out == expected,
          "size \(size) count \(count) rows \(first)..<\(end) bytes \(from)..<\(to)")
      }
    }
  }
}
