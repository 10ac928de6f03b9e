import Testing
import TrajpackTestSupport

@testable import TrajpackFormat
@testable import TrajpackLoader

/// Times of clocks whose numbers a file may choose as it likes.
@Suite struct TrackClockTests {
  private static let ends: [Int64] = [
    .min + 1, -1 << 62, -30000, -7, -1, 0, 1, 3, 1001, 1 << 40, 1 << 62, .max - 1, .max,
  ]

  private func rationals() -> [Rational] {
    Self.ends.flatMap { n in
      [1, 3, 1001, 1 << 32, 1 << 62, .max].compactMap { Rational(n, $0) }
    }
  }

  /// No sum, difference or product traps, and each is as near as floating point says.
  @Test func arithmeticIsExactOrNear() {
    var random = SeededGenerator(seed: 7)
    let all = rationals()
    func isNear(_ a: Double, _ b: Double, of size: Double) -> Bool {
      (a - b).magnitude <= 1e-12 * size
    }
    for _ in 0..<20_000 {
      let (p, q, r) = (
        all.randomElement(using: &random) ?? .one, all.randomElement(using: &random) ?? .one,
        all.randomElement(using: &random) ?? .one
      )
      let (a, b, c) = (Instant(p), Instant(q), Instant(r))
      let size = p.value.magnitude + q.value.magnitude
      #expect(isNear((a + b).value, p.value + q.value, of: size))
      #expect(isNear((a - b).value, p.value - q.value, of: size))
      let product = p.value * q.value
      #expect(isNear((a * b).value, product, of: product.magnitude))
      // Chains of them reach numbers that no fraction of 128 bits has.
      let chain = (a * b * c - a) * b + c
      #expect(chain.value.isFinite)
      let (whole, rest) = chain.split
      #expect((0...1).contains(rest))
      if whole != .max, whole != .min { #expect(Double(whole) <= chain.value.rounded(.up).nextUp) }
      _ = chain < a
    }
  }

  /// Rows of a clock are found at their own times, and what lies outside is outside, whatever the clock.
  @Test func rowsLieWhereTheirTimesSay() {
    for start in rationals() {
      for rate in rationals() where rate.numerator > 0 {
        let clock = TrackClock(start: start, rate: rate, rows: 1000)
        for row in [0, 1, 500, 999] {
          guard let moment = clock.instant(row) else { continue }
          if case .exact = (moment - Instant(start)) * Instant(rate) {
            #expect(clock.first(notBefore: moment) == row)
            switch clock.position(moment) {
            case .inside(let found, let rest, _): #expect(found == row && rest == 0)
            case .after(let time, _): #expect(row == 999 && time == 0)
            default: Issue.record("row \(row) of \(rate) from \(start) on is not found")
            }
          }
          #expect((0...1000).contains(clock.first(notBefore: moment + .exact(1 << 62, 1))))
        }
        for row in [Int.min + 1, -1 << 48, 1 << 48, .max] { _ = clock.instant(row) }
      }
    }
  }

  @Test func gridsAreBounded() throws {
    for start in rationals() {
      for own in rationals() where own.numerator > 0 {
        for rate in rationals() where rate.numerator > 0 {
          let clock = TrackClock(start: start, rate: own, rows: 50)
          do {
            let rows = try #require(try clock.grid(rate)).rows
            #expect((1...TrackClock.maximumGrid).contains(rows))
            let wanted = 49 / own.value * rate.value
            if wanted < 1e12 { #expect((Double(rows - 1) - wanted).magnitude <= 1 + wanted * 1e-9) }
          } catch let error as TrajpackError {
            #expect(error.fault == .usage && 49 / own.value * rate.value > 0x1p47)
          }
        }
      }
    }
    #expect(try TrackClock(start: .zero, rate: .one, rows: 0).grid(.one) == nil)
    #expect(throws: TrajpackError.self) {
      try TrackClock.real([-.greatestFiniteMagnitude, .greatestFiniteMagnitude]).grid(.one)
    }
  }
}
