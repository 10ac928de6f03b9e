import Testing

@testable import TrajpackFormat

/// Times of rows, exact for rational rates.
@Suite struct ClockTests {
  private func rational(_ n: Int64, _ d: Int64 = 1) throws -> Rational {
    try #require(Rational(n, d))
  }

  @Test func decimalsAreExact() throws {
    #expect(Rational(decimal: "0.05") == Rational(1, 20))
    #expect(Rational(decimal: "29.97") == Rational(2997, 100))
    #expect(Rational(decimal: "30000/1001") == Rational(30000, 1001))
    #expect(Rational(decimal: "-0.5") == Rational(-1, 2))
    for bad in ["", "x", "1/0", "1.2.3", "1e5", "1.٣", "--1", "/"] {
      #expect(Rational(decimal: bad) == nil, "\(bad)")
    }
  }

  @Test func thirtyFramesDoNotDriftInTenHours() throws {
    let rate = try #require(Rational(30000, 1001))
    let clock = Clock.regular(start: .zero, rate: rate)
    for row in stride(from: 0, to: 1_080_000, by: 997) {
      #expect(clock.time(ofRow: row) == Double(row * 1001) / 30000)
    }
  }

  /// A day of video at 30000/1001 frames a second: no frame's time has strayed from `1001 i / 30000`.
  @Test func rationalRatesStayExact() throws {
    let (start, rate) = (try rational(1, 3), try rational(30000, 1001))
    let clock = try RegularClock(start: start, rate: rate)
    for row in [0, 1, 29, 30, 2_589_408] {
      let exact = try rational(10000 + 1001 * Int64(row), 30000)
      #expect(try clock.time(ofRow: row) == exact)
      let stored = Clock.regular(start: start, rate: rate)
      #expect(Rational(stored.instant(ofRow: row)) == exact)
      #expect(stored.time(ofRow: row) == exact.value)
      #expect(try stored.from(row: row) == .regular(start: exact, rate: rate))
      #expect(try stored.from(row: row, since: exact) == .regular(start: .zero, rate: rate))
      #expect(try clock.starting(atRow: row) == RegularClock(start: exact, rate: rate))
    }
    #expect(clock.ticksPerUnit == 30000)
  }

  @Test func rowsAreTheNearestOnes() throws {
    let clock = Clock.regular(start: try rational(2), rate: try rational(10))
    #expect(clock.row(nearest: 2.26, of: 4) == 3)
    #expect(clock.row(nearest: 2.36, of: 4) == nil)
    #expect(clock.row(nearest: 1.96, of: 4) == 0)
    #expect(clock.row(nearest: 1.94, of: 4) == nil)
    #expect(Clock.float64.row(nearest: 2, of: 4) == nil)
    #expect(clock.place(ofStart: .regular(start: try rational(5, 2), rate: try rational(10))) == 5)
    #expect(clock.place(ofStart: .regular(start: try rational(5, 2), rate: .one)) == nil)
    #expect(clock.place(ofStart: .float64) == nil)
  }

  @Test func rangesHoldTheirBeginningAndNotTheirEnd() throws {
    let (one, two) = (Instant(.one), Instant(try rational(2)))
    let range = TimeRange(from: one, to: two)
    #expect(range.contains(one) && range.contains(.exact(5, 3)) && range.contains(.real(1.5)))
    #expect(!range.contains(two) && !range.contains(.exact(999, 1000)))
    #expect(TimeRange(from: nil, to: two).contains(.exact(-1 << 100, 1)))
    #expect(TimeRange(from: one, to: nil).contains(.exact(1 << 100, 1)))
  }

  @Test func whatDoesNotFitIsNoFraction() throws {
    #expect(Rational(wide: Int128(1) << 100, Int128(1) << 98) == Rational(4))
    #expect(Rational(wide: Int128(1) << 100, 3) == nil)
    #expect(Rational(Instant.real(0.5)) == nil)
    #expect(try rational(30000, 1001).divided(by: rational(15)) == rational(2000, 1001))
    #expect(try rational(-1, 2).divided(by: rational(-3)) == rational(1, 6))
    #expect(Rational.one.divided(by: .zero) == nil)
    let late = Clock.regular(start: try rational(.max), rate: try rational(1, .max))
    #expect(throws: TrajpackError.self) { try late.from(row: 2) }
    #expect(try Clock.float64.from(row: 2) == .float64)
  }
}
