import TrajpackFormat

/// What times are compared in: 64-bit ticks, 128-bit ticks where those overflow, or floats.
protocol AxisScalar: Comparable, SignedNumeric, BitwiseCopyable {
  associatedtype Stored: BitwiseCopyable
  static func load(_ stored: Stored, scale: Self) -> Self
  static func times(_ row: Int, _ step: Self) -> Self
  var asDouble: Double { get }
  /// `value` modulo `span`, never negative.
  static func remainder(_ value: Self, _ span: Self) -> Self
}

extension Int64: AxisScalar {
  @inline(__always) static func load(_ stored: Int64, scale: Int64) -> Int64 { stored &* scale }
  @inline(__always) static func times(_ row: Int, _ step: Int64) -> Int64 { Int64(row) &* step }
  @inline(__always) var asDouble: Double { Double(self) }
  static func remainder(_ value: Int64, _ span: Int64) -> Int64 {
    let rest = value % span
    return rest < 0 ? rest + span : rest
  }
}

extension Int128: AxisScalar {
  @inline(__always) static func load(_ stored: Int64, scale: Int128) -> Int128 {
    Int128(stored) &* scale
  }
  @inline(__always) static func times(_ row: Int, _ step: Int128) -> Int128 {
    Int128(row) &* step
  }
  /// Exact in two halves, then rounded once.
  @inline(__always) var asDouble: Double {
    if let narrow = Int64(exactly: self) { return Double(narrow) }
    return Double(Int64(self >> 64)) * 0x1p64 + Double(UInt64(truncatingIfNeeded: self))
  }
  static func remainder(_ value: Int128, _ span: Int128) -> Int128 {
    let rest = value % span
    return rest < 0 ? rest + span : rest
  }
}

extension Double: AxisScalar {
  @inline(__always) static func load(_ stored: Double, scale: Double) -> Double { stored }
  @inline(__always) static func times(_ row: Int, _ step: Double) -> Double { Double(row) * step }
  @inline(__always) var asDouble: Double { self }
  static func remainder(_ value: Double, _ span: Double) -> Double {
    let rest = value.truncatingRemainder(dividingBy: span)
    return rest < 0 ? rest + span : rest
  }
}

/// The times of one stream in the unit that a pair of streams shares.
struct Axis<I: AxisScalar> {
  let count: Int
  let base: I
  let step: I
  let stored: UnsafePointer<I.Stored>?
  let scale: I

  @inline(__always) func time(_ row: Int) -> I {
    if let stored { return I.load(stored[row], scale: scale) }
    return base + I.times(row, step)
  }
}

/// Two streams on one time line. Ticks are of `1 / unit` seconds.
enum AxisPair {
  case narrow(Axis<Int64>, Axis<Int64>, unit: Int64)
  case wide(Axis<Int128>, Axis<Int128>, unit: Int64)
  case floating(Axis<Double>, Axis<Double>)

  /// Calls `body` with both axes; keeps alive whatever had to be converted.
  static func with<Result>(
    _ a: Times, _ b: Times, _ body: (AxisPair) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    if let unit = try commonUnit(a, b) {
      let (wideA, wideB) = (exact(a, unit), exact(b, unit))
      guard fits128(wideA), fits128(wideB) else {
        throw TrajpackError(
          .usage, "a time is beyond 2^120 ticks of 1/\(unit) s: convert the clocks to floats")
      }
      let narrow = fits64(wideA) && fits64(wideB)
      if narrow { return try body(.narrow(narrowed(wideA), narrowed(wideB), unit: unit)) }
      return try body(.wide(wideA, wideB, unit: unit))
    }
    // The usual case: both are floats already.
    if case .floats(let x) = a, case .floats(let y) = b {
      return try body(
        .floating(
          Axis(count: x.count, base: 0, step: 0, stored: x.base, scale: 1),
          Axis(count: y.count, base: 0, step: 0, stored: y.base, scale: 1)))
    }
    let first = Scratch<Double>(a.count)
    let second = Scratch<Double>(b.count)
    first.pointer.initialize(from: a.rounded(), count: a.count)
    second.pointer.initialize(from: b.rounded(), count: b.count)
    func axis(_ values: UnsafePointer<Double>, _ count: Int) -> Axis<Double> {
      Axis(count: count, base: 0, step: 0, stored: values, scale: 1)
    }
    return try body(
      .floating(axis(first.pointer, a.count), axis(second.pointer, b.count)))
  }

  /// Whether neither a time nor twice a span overflows.
  private static func fits128(_ axis: Axis<Int128>) -> Bool {
    let limit: UInt128 = 1 << 120
    if axis.stored != nil { return axis.scale.magnitude < 1 << 56 }
    let (span, overflow) = axis.step.multipliedReportingOverflow(by: Int128(axis.count))
    return !overflow && span.magnitude < limit && axis.base.magnitude < limit
  }

  private static func fits64(_ axis: Axis<Int128>) -> Bool {
    let limit: UInt128 = 1 << 60
    if axis.step.magnitude >= limit || axis.scale.magnitude >= limit { return false }
    if axis.count == 0 { return axis.base.magnitude < limit }
    return axis.time(0).magnitude < limit && axis.time(axis.count - 1).magnitude < limit
  }

  /// Ticks a second that make both clocks whole; `nil` where a clock is a float.
  private static func commonUnit(_ a: Times, _ b: Times) throws(TrajpackError) -> Int64? {
    if case .floats = a { return nil }
    if case .floats = b { return nil }
    guard let unit = leastCommonMultiple([a.tickDenominator, b.tickDenominator]) else {
      throw TrajpackError(
        .usage,
        "the two clocks have no common tick below 2^62 a second: convert one of them to "
          + "floating-point times")
    }
    return unit
  }

  private static func exact(_ times: Times, _ unit: Int64) -> Axis<Int128> {
    switch times {
    case .regular(let clock, let count):
      let start = Int128(clock.start.numerator) * Int128(unit / clock.start.denominator)
      let step = Int128(clock.rate.denominator) * Int128(unit / clock.rate.numerator)
      return Axis(count: count, base: start, step: step, stored: nil, scale: 1)
    case .ticks(let ticks, let tick):
      let scale = Int128(tick.numerator) * Int128(unit / tick.denominator)
      return Axis(count: ticks.count, base: 0, step: 0, stored: ticks.base, scale: scale)
    case .floats:
      return Axis(count: 0, base: 0, step: 0, stored: nil, scale: 1)
    }
  }

  private static func narrowed(_ axis: Axis<Int128>) -> Axis<Int64> {
    Axis(
      count: axis.count, base: Int64(truncatingIfNeeded: axis.base),
      step: Int64(truncatingIfNeeded: axis.step), stored: axis.stored,
      scale: Int64(truncatingIfNeeded: axis.scale))
  }
}

extension Times {
  /// Each time rounded once to the nearest float.
  func rounded() -> [Double] {
    switch self {
    case .regular(let clock, let count):
      let top = Int128(clock.start.numerator) * Int128(clock.rate.numerator)
      let step = Int128(clock.rate.denominator) * Int128(clock.start.denominator)
      let bottom = Double(clock.start.denominator) * Double(clock.rate.numerator)
      return (0..<count).map { row in
        // Beyond 128 bits, in floating point.
        let exact = step.multiplied(by: Int128(row)).flatMap { top.adding($0)?.asDouble }
        return (exact ?? top.asDouble + Double(row) * step.asDouble) / bottom
      }
    case .ticks(let ticks, let tick):
      return ticks.map { (Int128($0) * Int128(tick.numerator)).asDouble / Double(tick.denominator) }
    case .floats(let values): return Array(values)
    }
  }
}
