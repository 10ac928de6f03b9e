import TrajpackFormat

extension Rule {
  static let valuesTooNarrow = Rule(
    "values.too-narrow", .warning, "float32 is too coarse for what is stored in it",
    reason: """
      A float32 has 24 bits. Where values are large and change little, its own steps are what changes: velocities are 0 or one step, and \
      numbers above 16,777,216 are no longer told apart.
      """,
    example: """
      Eastings near 4,500,000 m as float32, whose steps are 0.5 m. Reported where the mean step between rows that differ is at most 3 of the \
      type's steps at the largest value, over 64 such rows or more; and of whole numbers above 16,777,216 (ids, nanoseconds).
      """,
    remedy:
      "Store float64, or take an origin off before storing: a float32 near zero is fine enough.",
    needs: .narrow, concerns: { $0.channel.type == .float32 },
    check: .track { TypeCheck($0, isNarrow: true) })

  static let valuesTooWide = Rule(
    "values.too-wide", .suggestion, "float64 that holds float32 only",
    reason:
      "Every value is a float32: the other half of the bytes says nothing, and is read, moved and kept in memory.",
    example: """
      A channel of float64 whose 5,000 values all are float32 exactly, as after a cast. Reported where at least half of the values are no whole numbers, and there are 200 or more \
      in a track that use the last bits of a float32: whole numbers, quarters and short decimals are not reported.
      """,
    remedy: "Convert the channel to float32 in the source.",
    concerns: { $0.channel.type == .float64 },
    check: .track { TypeCheck($0, isNarrow: false) })
}

private final class TypeCheck: TrackCheck {
  private let track: TrackContext
  private let items: [Quantity]
  private let isNarrow: Bool
  /// Whether all values so far are float32.
  private var fits: [Bool]
  /// Values among them that use the last 12 bits of a float32.
  private var fine: [Int]

  init?(_ track: TrackContext, isNarrow: Bool) {
    let wanted: ElementType = isNarrow ? .float32 : .float64
    items = track.quantities.filter {
      $0.channel.type == wanted && $0.columns.reading.isPlain
        && ($0.channel.kind == .scalar || $0.channel.kind == .position)
    }
    guard !items.isEmpty, track.rows >= 64 else { return nil }
    self.track = track
    self.isNarrow = isNarrow
    fits = Array(repeating: true, count: items.count)
    fine = Array(repeating: 0, count: items.count)
  }

  func add(_ run: TrackRun) {
    guard !isNarrow else { return }
    for (i, item) in items.enumerated() where fits[i] {
      for element in 0..<item.columns.count where fits[i] {
        let column = run.column(item.columns, element)
        for at in 0..<run.length(item.columns) {
          let value = column[at]
          let single = Float(value)
          if Double(single) != value, !value.isNaN {
            fits[i] = false
            break
          }
          if single.bitPattern & 0xFFF != 0, single.isFinite { fine[i] += 1 }
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      let known = facts.facts(item.columns)
      if !isNarrow {
        guard fits[i], fine[i] >= 200, fine[i] * 2 > known.finite,
          known.fractions * 2 > known.finite, known.infinite == 0
        else { continue }
        hits.add(
          "every value is a float32, and stored as float64", track, channel: item.columns.channel,
          count: known.finite)
        continue
      }
      narrow(item.columns, facts, &hits)
    }
  }

  private func narrow(
    _ columns: TrackContext.Columns, _ facts: TrackFacts, _ hits: inout Hits
  ) {
    guard !columns.isField else { return }
    for element in 0..<columns.count {
      let known = facts.columns[columns.first + element]
      let largest = max(known.maximum, -known.minimum)
      guard known.finite > 0, known.infinite == 0, largest > 0 else { continue }
      let unit = Double(Float(largest).ulp)
      let changes = known.moves - known.same
      if known.fractions == 0, largest > 16_777_216, known.step > 0 {
        hits.add(
          "whole numbers that float32 does not tell apart", track, channel: columns.channel,
          count: known.finite, values: [known.minimum, known.maximum],
          note: "near \(largest) a float32 has steps of \(unit)")
      } else if changes >= 64, known.stepSum <= 3 * unit * Double(changes) {
        hits.add(
          "changes by the steps of float32 itself", track, channel: columns.channel,
          count: changes, values: [known.stepSum / Double(changes)],
          note: "the mean step, where a float32 near \(largest) has steps of \(unit)")
      } else {
        continue
      }
      return
    }
  }
}
