import TrajpackFormat

extension Rule {
  static let valuesSaturated = Rule(
    "values.saturated", .warning, "values stand at the end of their range",
    reason:
      "The sensor or the type could not go further: what was there is cut off, and peaks are flat.",
    example: """
      An int16 signal that is 32767 for several rows at its peaks. Reported where the largest or smallest number of the \
      stored integer type comes in three neighbouring rows or more. Integers of 32 and 64 bits are looked at for the ends of 16 and 32 bits, too, if none of their values lies beyond. There, and in labels \
      (which arrays of integers are unless something else is said) and types of 8 bits, ends are often meant (an id of none, a trigger that is pressed): reported where at most three quarters of the rows are at an \
      end, other values come within a quarter of the range of it, and at least half of the other steps change something; of 8 bits three quarters of them, between 32 values or more, and of uint8 at most half as many rows again at 0 as at 255.
      """,
    remedy: "Record with a larger range, or mark these rows as missing.",
    concerns: { !LimitCheck.ends($0.channel.type).isEmpty },
    check: .track { LimitCheck($0) })
}

/// Ends of the range of an integer type at which values stand.
final class LimitCheck: TrackCheck {
  private struct Item {
    var quantity: Quantity
    /// Ends that values may have, the widest first.
    var ends: [ClosedRange<Double>]
    /// Whether ends may be meant: see the rule.
    var isDoubtful: Bool
    /// Whether it went beyond an end at which it stood.
    var wentOn = false
    var spots = Spots()
    var columns: [Column]
  }
  /// What is known of a column.
  private struct Column {
    var length = 0
    /// The ends at which it stands, as far as it has been seen.
    var ends: ClosedRange<Double>?
    /// Rows at an end, those of them at the lower one, and those that follow one at the same end.
    var rows = 0
    var lowRows = 0
    var still = 0
    /// The extremes of all other values.
    var low = Double.infinity
    var high = -Double.infinity
    /// Values of 8 bits that came, a bit each.
    var seen = SIMD4<UInt64>()
  }
  private let track: TrackContext
  private var items: [Item]

  init?(_ track: TrackContext) {
    guard track.rows >= 8 else { return nil }
    items = track.numbers.compactMap { item in
      let ends = Self.ends(item.channel.type)
      guard !ends.isEmpty, !item.columns.isField, item.columns.count <= 64,
        item.isCount || item.channel.kind == .scalar || item.channel.kind == .position
      else { return nil }
      return Item(
        quantity: item, ends: ends, isDoubtful: item.isCount || item.columns.size == 1,
        columns: Array(repeating: Column(), count: item.columns.count))
    }
    guard !items.isEmpty else { return nil }
    self.track = track
  }

  /// The ends of a type, and those of narrower types whose values it may hold.
  static func ends(_ type: ElementType) -> [ClosedRange<Double>] { known[type] ?? [] }

  private static let known: [ElementType: [ClosedRange<Double>]] = {
    func ends(_ types: ElementType...) -> [ClosedRange<Double>] {
      types.compactMap { $0.range.map { Double($0.lowerBound)...Double($0.upperBound) } }
    }
    // No signal reaches the ends of 64 bits, and a float64 does not hold them.
    let wide = ends(.uint32, .int32, .uint16, .int16)
    return [
      .int8: ends(.int8), .uint8: ends(.uint8), .int16: ends(.int16), .uint16: ends(.uint16),
      .int32: ends(.int32, .uint16, .int16), .uint32: ends(.uint32, .uint16, .int16),
      .int64: wide, .uint64: wide,
    ]
  }()

  func add(_ run: TrackRun) {
    for i in items.indices where !items[i].wentOn {
      let columns = items[i].quantity.columns
      for element in 0..<columns.count {
        let facts = run.facts[columns.first + element]
        if let ends = items[i].columns[element].ends,
          facts.minimum < ends.lowerBound || facts.maximum > ends.upperBound
        {
          items[i].wentOn = true
          break
        }
        // Zero is no end of a count that begins there.
        let ends = items[i].ends.first {
          facts.maximum == $0.upperBound || $0.lowerBound < 0 && facts.minimum == $0.lowerBound
        }
        guard let ends, facts.minimum >= ends.lowerBound, facts.maximum <= ends.upperBound else {
          items[i].columns[element].length = 0
          items[i].columns[element].low = min(items[i].columns[element].low, facts.minimum)
          items[i].columns[element].high = max(items[i].columns[element].high, facts.maximum)
          continue
        }
        items[i].columns[element].ends = ends
        look(run.column(columns, element), run, ends, &items[i], element)
      }
    }
  }

  private func look(
    _ values: UnsafePointer<Double>, _ run: TrackRun, _ ends: ClosedRange<Double>,
    _ item: inout Item, _ element: Int
  ) {
    var column = item.columns[element]
    for row in 0..<run.count {
      let value = values[row]
      if item.quantity.columns.size == 1, value.isFinite {
        let bit = Int(value - ends.lowerBound)
        column.seen[bit / 64] |= 1 << UInt64(bit % 64)
      }
      guard value == ends.upperBound || value == ends.lowerBound else {
        column.length = 0
        // Not observed is NaN, which is neither.
        column.low = min(column.low, value.isNaN ? .infinity : value)
        column.high = max(column.high, value.isNaN ? -.infinity : value)
        continue
      }
      if column.length > 0, values[row - 1] != value { column.length = 0 }
      column.rows += 1
      if value == ends.lowerBound { column.lowRows += 1 }
      column.length += 1
      if column.length > 1 { column.still += 1 }
      guard value != 0 else { continue }
      if column.length == 3 {
        for back in [2, 1, 0] { item.spots.add(max(run.first + row - back, 0), value) }
      } else if column.length > 3 {
        item.spots.add(run.first + row, value)
      }
    }
    item.columns[element] = column
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for item in items where !item.wentOn && !item.spots.isEmpty {
      let columns = item.quantity.columns
      if facts.facts(columns).isConstant { continue }
      let isBeyond = item.columns.enumerated().contains { element, column in
        let found = facts.columns[columns.first + element]
        return column.ends.map { found.minimum < $0.lowerBound || found.maximum > $0.upperBound }
          ?? false
      }
      if isBeyond { continue }
      let own = item.quantity.channel.type.range.map { Double($0.upperBound) }
      let sure = item.columns.enumerated().lazy.compactMap { element, column in
        column.ends.flatMap { ends -> ClosedRange<Double>? in
          if !item.isDoubtful, ends.upperBound == own { return ends }
          let found = facts.columns[columns.first + element]
          return self.isMeasured(column, ends, found, columns.size) ? ends : nil
        }
      }.first
      guard let ends = sure else { continue }
      hits.add(
        ends.upperBound == own
          ? "stands at an end of the range of \(item.quantity.channel.type.rawValue)"
          : "stands at an end of the range of \(Self.name(ends)), below which all values lie",
        track, channel: columns.channel, item.spots)
    }
  }

  private static func name(_ ends: ClosedRange<Double>) -> String {
    let types: [ElementType] = [.int16, .uint16, .int32, .uint32]
    return types.first { Double($0.range?.upperBound ?? 0) == ends.upperBound }?.rawValue ?? ""
  }

  /// Whether values come and go at the ends as those of a sensor do, and not as words or states.
  private func isMeasured(
    _ column: Column, _ ends: ClosedRange<Double>, _ found: ColumnFacts, _ bytes: Int
  ) -> Bool {
    let (moves, same) = (found.moves - column.still, found.same - column.still)
    let quarter = (ends.upperBound - ends.lowerBound) / 4
    let isNear =
      found.maximum == ends.upperBound && column.high >= ends.upperBound - quarter
      || ends.lowerBound < 0 && found.minimum == ends.lowerBound
        && column.low <= ends.lowerBound + quarter
    guard column.rows * 4 <= found.finite * 3, moves >= 16, isNear else { return false }
    guard bytes == 1 else { return same * 2 <= moves }
    // A trigger or a gripper rests at 0 and is sometimes pressed to the end; what is cut off has no such preference.
    guard ends.lowerBound < 0 || column.lowRows * 2 <= (column.rows - column.lowRows) * 3 else {
      return false
    }
    let levels = (0..<4).reduce(0) { $0 + column.seen[$1].nonzeroBitCount }
    return same * 4 <= moves && levels >= 32
  }
}
