import CPlatform
import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackCodecs

/// The kernels of the writing path against the plain loops that define them.
@Suite struct KernelTests {
  /// Bytes of several sorts: noise, few values, runs, repeats after a stride.
  private func bytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
    let stride = Int.random(in: 1...80, using: &random)
    let sort = Int.random(in: 0..<5, using: &random)
    var out = [UInt8](repeating: 0, count: count)
    for i in out.indices {
      switch sort {
      case 0: out[i] = UInt8.random(in: 0...255, using: &random)
      case 1: out[i] = UInt8.random(in: 0...2, using: &random)
      case 2:
        out[i] = i > 0 && Int.random(in: 0..<30, using: &random) > 0 ? out[i - 1] : UInt8(i & 255)
      case 3:
        out[i] =
          i >= stride && Int.random(in: 0..<9, using: &random) > 0
          ? out[i - stride] : UInt8.random(in: 0...255, using: &random)
      default: break
      }
    }
    return out
  }

  @Test func aQuickSearchComesBack() throws {
    var random = SeededGenerator(seed: 5)
    let compressor = try Compressor(.lz4, search: .quick)
    for round in 0..<400 {
      let planes = [1, 2, 4, 8].randomElement(using: &random) ?? 1
      let most = round % 40 == 0 ? 30_000 : 500
      let source = bytes(planes * Int.random(in: 1...most, using: &random), &random)
      let stride =
        [0, 1, 40, 100_000, Int.random(in: 1...80, using: &random)]
        .randomElement(using: &random) ?? 0
      var packed = [UInt8](repeating: 0, count: Compressor.bound(source.count))
      var count: Int?
      try source.withUnsafeBytes { from in
        try packed.withUnsafeMutableBytes {
          count = try compressor.compress(from, into: $0, planes: planes, stride: stride)
        }
      }
      guard let count else { continue }
      #expect(count < source.count)
      var out = [UInt8](repeating: 1, count: source.count)
      try packed[..<count].withUnsafeBytes { from in
        try out.withUnsafeMutableBytes { try Decompressor().decompress(from, .lz4, into: $0) }
      }
      #expect(out == source)
    }
  }

  @Test func aQuickSearchFindsTheRowBefore() throws {
    // Rows of 500 bytes that change in few places: nothing repeats nearer than a row.
    var random = SeededGenerator(seed: 6)
    var source = (0..<500).map { _ in UInt8.random(in: 0...255, using: &random) }
    for i in 500..<16_000 {
      source.append(
        Int.random(in: 0..<100, using: &random) > 0
          ? source[i - 500] : UInt8.random(in: 0...255, using: &random))
    }
    func packed(_ compressor: Compressor, stride: Int) throws -> Int {
      var out = [UInt8](repeating: 0, count: Compressor.bound(source.count))
      var count: Int?
      try source.withUnsafeBytes { from in
        try out.withUnsafeMutableBytes {
          count = try compressor.compress(from, into: $0, stride: stride)
        }
      }
      return count ?? source.count
    }
    let thorough = try packed(try Compressor(.lz4), stride: 0)
    let quick = try packed(try Compressor(.lz4, search: .quick), stride: 500)
    #expect(thorough < 4000 && Double(quick) < 1.1 * Double(thorough))
    // A level that was asked for is liblz4's, whatever the search.
    #expect(
      try packed(try Compressor(.lz4, level: 6, search: .quick), stride: 500) == thorough)
  }

  @Test func fletcherIsHDF5s() {
    func plain(_ bytes: [UInt8]) -> UInt32 {
      var (one, two) = (UInt64(0), UInt64(0))
      for i in stride(from: 0, to: bytes.count, by: 2) {
        one += UInt64(bytes[i]) << 8 | (i + 1 < bytes.count ? UInt64(bytes[i + 1]) : 0)
        two += one
        // As libhdf5 folds: 65535 stays 65535, only 0 is 0.
        while one > 65535 { one = (one & 65535) + one >> 16 }
        while two > 65535 { two = (two & 65535) + two >> 16 }
      }
      return UInt32(two) << 16 | UInt32(one)
    }
    var random = SeededGenerator(seed: 7)
    for round in 0..<300 {
      var some = bytes(
        Int.random(in: 0...(round % 50 == 0 ? 40_000 : 900), using: &random), &random)
      if round % 7 == 0 { some = some.map { _ in 255 } }
      #expect(some.withUnsafeBytes { tp_fletcher32($0.baseAddress, $0.count) } == plain(some))
    }
  }

  @Test func aShuffleMovesEachByteToItsPlane() {
    var random = SeededGenerator(seed: 8)
    for size in [1, 2, 3, 4, 8, 12, 16, 33] {
      for count in [0, 1, 15, 16, 17, 64, 100] {
        let from = bytes(size * count, &random)
        var to = [UInt8](repeating: 0, count: from.count)
        from.withUnsafeBytes { a in
          to.withUnsafeMutableBytes { Shuffle.apply(a, elementSize: size, into: $0) }
        }
        for e in 0..<count {
          for p in 0..<size { #expect(to[p * count + e] == from[e * size + p]) }
        }
      }
    }
  }

  /// The moments of numbers as they are defined, one after the other.
  private func plain(_ numbers: [Double]) -> tp_moments {
    var m = tp_moments(
      count: 0, missing: 0, infinite: 0, minimum: .infinity, maximum: -.infinity, mean: 0, m2: 0)
    var sum = 0.0
    for x in numbers {
      if x.isFinite {
        sum += x
        m.count += 1
        if x < m.minimum { m.minimum = x }
        if x > m.maximum { m.maximum = x }
      } else if x.isNaN {
        m.missing += 1
      } else {
        m.infinite += 1
      }
    }
    guard m.count > 0 else { return m }
    m.mean = sum / Double(m.count)
    for x in numbers where x.isFinite { m.m2 += (x - m.mean) * (x - m.mean) }
    return m
  }

  private func equal(_ a: tp_moments, _ b: tp_moments) -> Bool {
    (a.count, a.missing, a.infinite) == (b.count, b.missing, b.infinite)
      && [a.minimum, a.maximum, a.mean, a.m2].map(\.bitPattern)
        == [b.minimum, b.maximum, b.mean, b.m2].map(\.bitPattern)
  }

  @Test func momentsAreThoseOfPlainLoopsBitForBit() {
    var random = SeededGenerator(seed: 9)
    for columns in [1, 3, 7, 8, 9, 16, 21] {
      for rows in [1, 2, 31, 64] {
        let values = (0..<rows * columns).map { _ -> Double in
          switch Int.random(in: 0..<20, using: &random) {
          case 0: return .nan
          case 1: return Bool.random(using: &random) ? .infinity : -.infinity
          case 2: return -0.0
          default: return Double.random(in: -3...3, using: &random) * 1e5
          }
        }
        let singles = values.map { Float($0) }
        let none = plain([])
        var wide = [tp_moments](repeating: none, count: columns)
        var narrow = wide
        tp_moments_f64(values, rows, columns * 8, columns, &wide)
        tp_moments_f32(singles, rows, columns * 4, columns, &narrow)
        for c in 0..<columns {
          #expect(equal(wide[c], plain((0..<rows).map { values[$0 * columns + c] })))
          #expect(equal(narrow[c], plain((0..<rows).map { Double(singles[$0 * columns + c]) })))
        }
        var sum = none
        tp_moments_add(&sum, wide, columns, 1)
        let all = plain(values)
        #expect((sum.count, sum.missing, sum.infinite) == (all.count, all.missing, all.infinite))
        #expect((sum.minimum, sum.maximum) == (all.minimum, all.maximum))
        #expect(abs(sum.mean - all.mean) <= 1e-9 && abs(sum.m2 - all.m2) <= 1e-9 * (all.m2 + 1))
      }
    }
  }

  @Test func lanesAreSortedEachByItself() {
    var random = SeededGenerator(seed: 10)
    for count in [0, 1, 2, 3, 8, 100, 1024] {
      let values = (0..<8 * count).map { _ in
        Int.random(in: 0..<5, using: &random) == 0
          ? .infinity : Double(Int.random(in: -50...50, using: &random))
      }
      var sorted = values
      tp_sort_lanes(&sorted, count)
      for lane in 0..<8 {
        #expect(
          (0..<count).map { sorted[8 * $0 + lane] }
            == (0..<count).map { values[8 * $0 + lane] }.sorted())
      }
    }
  }
}
