import TrajpackFormat

extension Rule {
  static let valuesSaturated = Rule(
    "values.saturated", .warning, "values stand at the end of their range",
    reason:
      "The sensor or the type could not go further: what was there is cut off, and peaks are flat.",
    example: """
      An int16 signal that is 32767 for several rows at its peaks. Reported where the largest or smallest number of the \
      stored integer type comes in three neighbouring rows or more.
      """,
    remedy: "Record with a larger range, or mark these rows as missing.",
    concerns: { LimitCheck.range($0.channel.type) != nil },
    check: .track { LimitCheck($0, wraps: false) })

  static let valuesWraparound = Rule(
    "values.wraparound", .error, "an integer ran over and began again at the other end",
    reason:
      "A sum or a counter grew past what its type holds. Differences over that row are wrong by the whole range.",
    example: """
      An int16 channel that goes 32760, 32766, -32764. Reported where neighbouring rows differ by more than nine tenths \
      of the range of the stored type, both near its ends, and the step through the end is no larger than a hundredth of \
      the range. Angles are not reported.
      """,
    remedy: "Unwrap it in the source, and store it in a larger type.",
    concerns: { LimitCheck.range($0.channel.type) != nil },
    check: .track { LimitCheck($0, wraps: true) })
}

/// Looks at the ends of the range of an integer type.
private final class LimitCheck: TrackCheck {
  private struct Item {
    var channel: Channel
    var columns: TrackContext.Columns
    var low: Double
    var high: Double
  }
  private let track: TrackContext
  private let items: [Item]
  private let wraps: Bool
  private var spots: [Spots]
  private var lengths: [[Int]]

  init?(_ track: TrackContext, wraps: Bool) {
    let items: [Item] = track.quantities.compactMap { (item) -> Item? in
      guard let range = Self.range(item.channel.type), !item.columns.isField,
        item.columns.count <= 64,
        item.channel.kind == .scalar || item.channel.kind == .position
      else { return nil }
      return Item(channel: item.channel, columns: item.columns, low: range.low, high: range.high)
    }
    guard !items.isEmpty, track.rows >= 8 else { return nil }
    self.track = track
    self.items = items
    self.wraps = wraps
    spots = Array(repeating: Spots(), count: items.count)
    lengths = items.map { Array(repeating: 0, count: $0.columns.count) }
  }

  /// The ends of a type of 16 or 32 bits; those of 8 bits are levels and flags as often as measurements.
  static func range(_ type: ElementType) -> (low: Double, high: Double)? {
    switch type {
    case .int16: return (-32_768, 32_767)
    case .uint16: return (0, 65_535)
    case .int32: return (-2_147_483_648, 2_147_483_647)
    case .uint32: return (0, 4_294_967_295)
    default: return nil
    }
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count {
        let facts = run.facts[item.columns.first + element]
        let column = run.column(item.columns, element)
        if wraps {
          let range = item.high - item.low
          guard facts.step > 0.9 * range else { continue }
          for row in 1 - run.carry..<run.count {
            let step = (column[row] - column[row - 1]).magnitude
            if step > 0.9 * range, range + 1 - step < 0.01 * range {
              spots[i].add(run.first + row, column[row])
            }
          }
        } else {
          // Zero is no end of a count that begins there.
          let isLow = facts.minimum == item.low && item.low < 0
          guard isLow || facts.maximum == item.high else {
            lengths[i][element] = 0
            continue
          }
          for row in 0..<run.count {
            let isEnd = column[row] == item.high || (item.low < 0 && column[row] == item.low)
            lengths[i][element] = isEnd ? lengths[i][element] + 1 : 0
            if lengths[i][element] == 3 {
              for back in [2, 1, 0] { spots[i].add(max(run.first + row - back, 0), column[row]) }
            } else if lengths[i][element] > 3 {
              spots[i].add(run.first + row, column[row])
            }
          }
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      if !wraps, facts.facts(item.columns).isConstant { continue }
      hits.add(
        wraps
          ? "\(item.channel.type.rawValue) runs over and begins again at the other end"
          : "stands at an end of the range of \(item.channel.type.rawValue)", track,
        channel: item.columns.channel, spots[i])
    }
  }
}
