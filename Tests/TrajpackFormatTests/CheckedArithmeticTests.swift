import Testing
import TrajpackTestSupport

@testable import TrajpackFormat

@Suite struct CheckedArithmeticTests {
  private static let ends: [Int64] = [
    .min, .min + 1, -1 << 62, -3, -1, 0, 1, 2, 1 << 31, 1 << 62, .max - 1, .max,
  ]

  /// The same numbers as wider ones, which hold every result.
  @Test func resultsAreThoseOfWiderNumbers() {
    var random = SeededGenerator(seed: 3)
    let some = Self.ends + (0..<50).map { _ in Int64.random(in: .min ... .max, using: &random) }
    for a in some {
      for b in some {
        let (x, y) = (Int128(a), Int128(b))
        #expect(a.adding(b) == Int64(exactly: x + y))
        #expect(a.subtracting(b) == Int64(exactly: x - y))
        #expect(a.multiplied(by: b) == Int64(exactly: x * y))
      }
    }
  }

  @Test func floatingPointNumbersAreCutAndClamped() {
    for (number, whole) in [
      (.nan, 0), (.infinity, .max), (-.infinity, .min), (1e300, .max), (-1e300, .min),
      (0x1p63, .max),
      (-0x1p63, .min), (2.9, 2), (-2.9, -2), (-0.0, 0), (0x1p53, 1 << 53),
    ] as [(Double, Int)] {
      #expect(Int(clamping: number) == whole)
    }
    #expect(Int32(clamping: 3e9) == .max && UInt8(clamping: -1.0) == 0)
  }
}
