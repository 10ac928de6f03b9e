import Glibc

/// How a filter takes the clock of its source.
public enum ClockReading: String, Sendable, CaseIterable {
  /// Regular where ``ClockLine`` finds it to be.
  case auto
  /// Rows one period apart, whatever their times say.
  case regular
  /// Times as they are, never a regular clock.
  case explicit
}

/// The straight line that the stamps of a regular clock lie on, for choosing a filter; times
/// themselves are never moved.
public struct ClockLine: Sendable, Hashable {
  /// Time of period 0.
  public let start: Double
  /// Time from one period to the next.
  public let period: Double
  /// The furthest that a stamp lies from the line.
  public let deviation: Double
  /// Periods without a row.
  public let skipped: Int
  /// The period of each row; nil where none is skipped.
  let places: [Int32]?

  /// The period of a row.
  func place(of row: Int) -> Int { places.map { Int($0[row]) } ?? row }

  /// Periods from the first row to the last.
  func count(rows: Int) -> Int { rows + skipped }

  /// The line of times; nil where they are not regular. Every stamp must lie within half the
  /// stamps' resolution, or 1 % of the period if that is more, of one straight line.
  public init?(_ times: Times, _ reading: ClockReading = .auto) {
    let rows = times.count
    if case .regular(let clock, _) = times {
      guard reading != .explicit, rows > 0 else { return nil }
      start = clock.start.value
      period = 1 / clock.rate.value
      (deviation, skipped, places) = (0, 0, nil)
      return
    }
    guard reading != .explicit, rows > 2 else { return nil }
    let stamps = (0..<rows).map { times.seconds($0) }
    let origin = stamps[0]
    let steps = zip(stamps.dropFirst(), stamps).map { $0 - $1 }
    let middle = steps.sorted()[steps.count / 2]
    let usual = steps.filter { $0 < 1.5 * middle }
    guard !usual.isEmpty else { return nil }
    let rough = usual.reduce(0, +) / Double(usual.count)
    var places = [Int32](repeating: 0, count: rows)
    for row in 1..<rows {
      let step = reading == .regular ? 1 : max((steps[row - 1] / rough).rounded(), 1)
      guard step + Double(places[row - 1]) < Double(Int32.max) / 2 else { return nil }
      places[row] = places[row - 1] + Int32(step)
    }
    let (offset, slope, deviation) = Self.fit(stamps, origin, places)
    guard slope > 0, slope.isFinite else { return nil }
    if reading == .auto {
      let bound = max(times.resolution(stamps) / 2, 0.01 * slope)
      // The stamps themselves are only as good as their last bit.
      guard deviation <= bound * (1 + 1e-9) + abs(stamps[rows - 1]) * 0x1p-52 else { return nil }
    }
    start = origin + offset
    period = slope
    self.deviation = deviation
    skipped = Int(places[rows - 1]) + 1 - rows
    self.places = skipped > 0 ? places : nil
  }

  /// The line nearest to all points, of least largest distance: by the exchange of three points at
  /// which the distance alternates (de la Vallée Poussin).
  private static func fit(
    _ stamps: [Double], _ origin: Double, _ places: [Int32]
  ) -> (offset: Double, slope: Double, deviation: Double) {
    let last = stamps.count - 1
    var corners = [0, last / 2, last]
    var line = (offset: 0.0, slope: 0.0, deviation: Double.infinity)
    for _ in 0..<60 {
      let (i, j, k) = (corners[0], corners[1], corners[2])
      func x(_ row: Int) -> Double { Double(places[row]) }
      func y(_ row: Int) -> Double { stamps[row] - origin }
      let slope = (y(k) - y(i)) / (x(k) - x(i))
      let half = (y(j) - (y(i) + slope * (x(j) - x(i)))) / 2
      let offset = y(i) - slope * x(i) + half
      var (worst, at) = (0.0, j)
      for row in stamps.indices {
        let distance = y(row) - offset - slope * x(row)
        if abs(distance) > abs(worst) { (worst, at) = (distance, row) }
      }
      if abs(worst) < line.deviation { line = (offset, slope, abs(worst)) }
      guard abs(worst) > abs(half) * (1 + 1e-9) + 1e-18, !corners.contains(at) else { break }
      // The new point takes the place of its neighbour on the same side of the line.
      let isAbove = worst > 0
      let signs = [half > 0 ? false : true, half > 0, half > 0 ? false : true]
      if at < i {
        corners = signs[0] == isAbove ? [at, j, k] : [at, i, j]
      } else if at < j {
        corners = signs[0] == isAbove ? [at, j, k] : [i, at, k]
      } else if at < k {
        corners = signs[1] == isAbove ? [i, at, k] : [i, j, at]
      } else {
        corners = signs[2] == isAbove ? [i, j, at] : [j, k, at]
      }
    }
    return line
  }
}

extension Times {
  /// The time of a row as float64.
  func seconds(_ row: Int) -> Double {
    switch self {
    case .regular(let clock, _): clock.start.value + Double(row) / clock.rate.value
    case .ticks(let ticks, let unit):
      // Counted from the first tick, so that large ones keep their last digits.
      Double(ticks[row] - ticks[0]) * unit.value
    case .floats(let values): values[row]
    }
  }

  /// The coarsest step that all stamps are whole multiples of: of ticks their common divisor, of
  /// floats the last decimal that any of them has, to nine digits.
  func resolution(_ stamps: [Double]) -> Double {
    switch self {
    case .regular: return 0
    case .ticks(let ticks, let unit):
      var divisor: UInt64 = 0
      for tick in ticks {
        var (a, b) = (divisor, (tick - ticks[0]).magnitude)
        while b != 0 { (a, b) = (b, a % b) }
        divisor = a
        if divisor == 1 { break }
      }
      return Double(divisor) * unit.value
    case .floats:
      var scale = 1.0
      for _ in 0...9 {
        let isWhole = stamps.allSatisfy { stamp in
          let value = stamp * scale
          return abs(value - value.rounded()) <= max(abs(value), 1) * 0x1p-51
        }
        if isWhole { return 1 / scale }
        scale *= 10
      }
      return 0
    }
  }
}
