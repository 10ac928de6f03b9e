import Glibc
import TrajpackFormat

extension Rule {
  static let valuesSpeed = Rule(
    "values.speed", .warning, "something moves faster than it can",
    reason:
      "A wrong unit, a wrong rate or a jump: speeds, losses of motion and normalised steps are off by as much.",
    example: """
      A position in metres that moves by 40 m in a row of 20 ms. Reported where a coordinate of a position whose units are a length moves by more than 1,000 m in a second, or an angle or \
      quaternion turns faster than the configuration allows: "speed": {"position": 10, "angle": 720} gives metres and degrees in a second. Without it, a smooth course far away is not reported either (a satellite: the speed is within a fifth of that of the rows before and after, and the largest coordinate is as far as it goes in 100 s). Angles have no limit \
      without it, as positions without units have none.
      """,
    remedy:
      "Correct the unit or the rate in the source, or mark the rows around a jump as missing.",
    implies: ["values.teleport", "values.spike", "values.units", "geometry.bone-length"],
    concerns: { [.position, .angle, .quaternion].contains($0.channel.kind) },
    check: .track { SpeedCheck($0) })
}

/// Steps of positions and angles against limits of their kinds.
private final class SpeedCheck: TrackCheck {
  private struct Item {
    var quantity: Quantity
    /// The largest step in a second, in the unit of the channel.
    var limit: Double
    /// A whole turn, for angles; 0 otherwise.
    var turn: Double
    /// Whether the user has said the limit: a smooth course beyond it counts, too.
    var isGiven: Bool
  }
  private let track: TrackContext
  private let items: [Item]
  /// Seconds of a row, or the column of times and the seconds of its unit.
  private let step: Double?
  private let times: (columns: TrackContext.Columns, scale: Double)?
  private var spots: [Spots]
  /// The mean time of a row of the run: stamps that lie nearly on each other make no speed.
  private var usual = 0.0

  init?(_ track: TrackContext) {
    let limits = track.speeds
    let items: [Item] = track.quantities.compactMap { item in
      guard !item.columns.isField else { return nil }
      switch item.channel.kind {
      case .position:
        guard let units = item.channel.units, let metre = DepthEncoding.metres(units) else {
          return nil
        }
        return Item(
          quantity: item, limit: (limits.position ?? 1000) / metre, turn: 0,
          isGiven: limits.position != nil)
      case .angle:
        guard let limit = limits.angle, let units = item.channel.units else { return nil }
        switch units {
        case "deg": return Item(quantity: item, limit: limit, turn: 360, isGiven: true)
        case "rad":
          return Item(quantity: item, limit: limit * .pi / 180, turn: 2 * .pi, isGiven: true)
        default: return nil
        }
      case .quaternion:
        guard let limit = limits.angle, item.channel.shape.last == 4 else { return nil }
        return Item(quantity: item, limit: limit, turn: 0, isGiven: true)
      default: return nil
      }
    }
    guard !items.isEmpty, track.rows >= 2, track.stream.timeUnit == "s" else { return nil }
    if let rate = track.rate {
      (step, times) = (1 / rate.value, nil)
    } else {
      guard let channel = track.timeChannel, track.columnsOfChannel[channel] >= 0 else {
        return nil
      }
      (step, times) = (nil, (track.columns[track.columnsOfChannel[channel]], track.clock.timeScale))
    }
    self.track = track
    self.items = items
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    if let times {
      let column = run.column(times.columns)
      let first = -min(run.carry, 1)
      usual =
        max((column[run.count - 1] - column[first]) * times.scale, 0)
        / Double(max(run.count - 1 - first, 1))
    }
    for (i, item) in items.enumerated() {
      if item.quantity.channel.kind == .quaternion {
        turn(run, i)
        continue
      }
      for element in 0..<item.quantity.columns.count {
        // With a regular clock the largest step tells that there is nothing to see; it is as exact as a float32.
        let largest = run.facts[item.quantity.columns.first + element].step * (1 + 0x1p-22)
        if let step, largest <= item.limit * step { continue }
        look(run, i, run.column(item.quantity.columns, element))
      }
    }
  }

  private func seconds(_ run: TrackRun, _ row: Int) -> Double {
    if let step { return step }
    guard let times else { return .nan }
    let column = run.column(times.columns)
    return max((column[row] - column[row - 1]) * times.scale, usual)
  }

  private func look(_ run: TrackRun, _ i: Int, _ column: UnsafePointer<Double>) {
    let item = items[i]
    let far = item.isGiven ? .infinity : distance(run, item.quantity.columns)
    for row in 1 - min(run.carry, 1)..<max(run.count, 1) {
      if far.isFinite, isSmooth(column, run, row),
        100 * (column[row] - column[row - 1]).magnitude <= far * seconds(run, row)
      {
        continue
      }
      var size = (column[row] - column[row - 1]).magnitude
      if item.turn > 0 {
        size = size.truncatingRemainder(dividingBy: item.turn)
        size = min(size, item.turn - size)
      }
      take(size / seconds(run, row), run, i, row)
    }
  }

  /// The largest coordinate.
  private func distance(_ run: TrackRun, _ columns: TrackContext.Columns) -> Double {
    (0..<columns.count).reduce(0) {
      let facts = run.facts[columns.first + $1]
      return max($0, max(facts.maximum, -facts.minimum))
    }
  }

  /// Whether the speed at a row is about that of the row before and of the next one, as far as the run has these.
  private func isSmooth(_ column: UnsafePointer<Double>, _ run: TrackRun, _ row: Int) -> Bool {
    let speed = (column[row] - column[row - 1]) / seconds(run, row)
    return [row - 1, row + 1].allSatisfy {
      guard $0 - 1 >= -run.carry, $0 < run.count else { return true }
      let other = (column[$0] - column[$0 - 1]) / seconds(run, $0)
      return (other - speed).magnitude <= 0.2 * speed.magnitude
    }
  }

  /// The angle between neighbouring quaternions, in degrees.
  private func turn(_ run: TrackRun, _ i: Int) {
    let columns = items[i].quantity.columns
    for first in stride(from: 0, to: columns.count - 3, by: 4) {
      let q = (0..<4).map { run.column(columns, first + $0) }
      for row in 1 - min(run.carry, 1)..<max(run.count, 1) {
        let (dot, a, b) = q.reduce((0.0, 0.0, 0.0)) {
          ($0.0 + $1[row] * $1[row - 1], $0.1 + $1[row] * $1[row], $0.2 + $1[row - 1] * $1[row - 1])
        }
        guard a > 0.25, b > 0.25 else { continue }
        let cosine = min(dot.magnitude / (a * b).squareRoot(), 1)
        take(2 * acos(cosine) * 180 / .pi / seconds(run, row), run, i, row)
      }
    }
  }

  private func take(_ speed: Double, _ run: TrackRun, _ i: Int, _ row: Int) {
    guard speed > items[i].limit, speed.isFinite else { return }
    spots[i].add(run.first + row, speed)
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() where !spots[i].isEmpty {
      let isTurn = item.quantity.channel.kind == .quaternion
      let units = isTurn ? "deg" : item.quantity.channel.units ?? ""
      hits.add(
        "moves by more than \(item.limit) \(units) in a second", track,
        channel: item.quantity.columns.channel, spots[i])
    }
  }
}
