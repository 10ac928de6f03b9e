import CPlatform
import TrajpackFormat

extension Rule {
  static let valuesWraparound = Rule(
    "values.wraparound", .error, "an integer ran over and began again at the other end",
    reason:
      "A sum grew past what its type holds. Differences over that row are wrong by the whole range.",
    example: """
      An int16 channel that goes 32760, 32766, -32764. Reported where neighbouring rows differ by more than nine tenths \
      of the range of the stored type, both near its ends, and the step through the end is no larger than a hundredth of \
      the range, or than three times the mean of the other steps and a twentieth of the range, where all other steps together have a mean of at most a twentieth of the range. Angles, by their kind or a word of their name \
      (heading, encoder, angle, phase, ticks, yaw, azimuth, bearing and the like), begin again on purpose, as does an unsigned channel that does so in more than half of ten episodes and more; both are not reported, nor are types of 8 and 64 bits, nor labels that are at an end itself beside the step, as a number of none is, nor what goes one way and mostly by one: a counter of messages or rows, which begins again at its end, and of which messages may be lost; an encoder that moves by one at a time looks the same.
      """,
    remedy: "Unwrap it in the source, and store it in a larger type.",
    concerns: { LimitCheck.range($0.channel.type) != nil && !WrapCheck.goesRound($0.channel) },
    peers: { ShareOfTracks(0.5) { $0.what.hasPrefix("uint") } },
    check: .track { WrapCheck($0) })
}

/// Steps from one end of the range of an integer type to the other.
private final class WrapCheck: TrackCheck {
  private struct Item {
    var quantity: Quantity
    var ends: ClosedRange<Double>
    var spots = Spots()
    /// The sizes of these steps, and of those of labels that are at an end itself.
    var sum = 0.0
    var columns: [(counting: CountingSteps, runsOver: Bool)]
    var range: Double { ends.upperBound - ends.lowerBound }
  }
  private let track: TrackContext
  private var items: [Item]
  /// Words of names of what goes round.
  private static let round: Set<String> = [
    "heading", "encoder", "enc", "angle", "phase", "tick", "ticks", "yaw", "azimuth", "bearing",
    "theta", "phi", "course", "hall",
    "rotor", "hdg", "resolver",
  ]

  /// Whether a channel is an angle by a word of its name.
  static func goesRound(_ channel: Channel) -> Bool {
    channel.name.lowercased().split { !$0.isLetter }.contains { word in
      round.contains(String(word))
        || round.contains { $0.count > 4 && (word.hasSuffix($0) || word.hasPrefix($0)) }
    }
  }

  init?(_ track: TrackContext) {
    guard track.rows >= 8 else { return nil }
    items = track.numbers.compactMap { item in
      guard let ends = LimitCheck.range(item.channel.type), !item.columns.isField,
        item.columns.count <= 64, !Self.goesRound(item.channel),
        item.isCount || item.channel.kind == .scalar || item.channel.kind == .position
      else { return nil }
      return Item(
        quantity: item, ends: ends,
        columns: Array(repeating: (CountingSteps(), false), count: item.columns.count))
    }
    guard !items.isEmpty else { return nil }
    self.track = track
  }

  func add(_ run: TrackRun) {
    for i in items.indices {
      let columns = items[i].quantity.columns
      for element in 0..<columns.count {
        let facts = run.facts[columns.first + element]
        let isWide = facts.step > 0.9 * items[i].range
        let mayCount = items[i].columns[element].counting.isPossible && facts.moves > facts.same
        guard isWide || mayCount else { continue }
        let column = run.column(columns, element)
        let rows = 1 - min(run.carry, 1)..<max(run.count, 1)
        if mayCount {
          items[i].columns[element].counting.add(column, rows, values: items[i].range + 1)
        }
        if isWide {
          let limit = limit(column, rows, facts, items[i].range)
          look(column, rows, run.first, limit, &items[i], element)
        }
      }
    }
  }

  /// How long a step through the end may be: a hundredth of the range, or what the other steps of a fast signal are.
  private func limit(
    _ column: UnsafePointer<Double>, _ rows: Range<Int>, _ facts: tp_column_facts, _ range: Double
  ) -> Double {
    var (wide, count) = (0.0, Int64(0))
    for row in rows {
      let step = (column[row] - column[row - 1]).magnitude
      guard step > 0.9 * range else { continue }
      (wide, count) = (wide + step, count + 1)
    }
    guard facts.moves > count else { return 0.01 * range }
    let usual = (facts.step_sum - wide) / Double(facts.moves - count)
    return max(0.01 * range, min(3 * usual, 0.05 * range))
  }

  private func look(
    _ column: UnsafePointer<Double>, _ rows: Range<Int>, _ first: Int, _ limit: Double,
    _ item: inout Item, _ element: Int
  ) {
    for row in rows {
      let (before, here) = (column[row - 1], column[row])
      let step = (here - before).magnitude
      guard step > 0.9 * item.range, item.range + 1 - step < limit else { continue }
      item.sum += step
      let isEnd = [before, here].contains {
        $0 == item.ends.lowerBound || $0 == item.ends.upperBound
      }
      if item.quantity.isCount && isEnd { continue }
      item.columns[element].runsOver = true
      item.spots.add(first + row, here)
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for item in items
    where item.columns.contains(where: { $0.runsOver && !$0.counting.isCounting }) {
      let found = facts.facts(item.quantity.columns)
      // What jumps anyhow runs over nowhere.
      guard found.stepSum - item.sum <= 0.05 * item.range * Double(found.moves) else { continue }
      hits.add(
        "\(item.quantity.channel.type.rawValue) runs over and begins again at the other end", track,
        channel: item.quantity.columns.channel, item.spots)
    }
  }
}

/// Whether a column counts messages or rows: it goes one way, and mostly by one, around the end of its type, too.
private struct CountingSteps {
  /// Steps that are not 0, those of them that go up, and those of exactly one.
  private var all = 0
  private var up = 0
  private var oneUp = 0
  private var oneDown = 0
  /// Whether it may count, as far as it has been seen: of a signal that is known after a few rows.
  private(set) var isPossible = true

  var isCounting: Bool { isPossible && all > 0 && isEven }

  private var isEven: Bool {
    let (one, way) = oneUp >= oneDown ? (oneUp, up) : (oneDown, all - up)
    return one * 2 >= all && (all - way) * 16 <= all
  }

  /// - Parameter values: How many values the type has.
  mutating func add(_ column: UnsafePointer<Double>, _ rows: Range<Int>, values: Double) {
    for row in rows {
      var step = column[row] - column[row - 1]
      guard step != 0, step.isFinite else { continue }
      if step.magnitude > values / 2 { step += step > 0 ? -values : values }
      all += 1
      if step > 0 { up += 1 }
      if step == 1 { oneUp += 1 }
      if step == -1 { oneDown += 1 }
      if all % 64 == 0, !isEven {
        isPossible = false
        return
      }
    }
  }
}

extension LimitCheck {
  /// The ends of a type of 16 or 32 bits: those of 8 bits are gone through by many counters on purpose.
  fileprivate static func range(_ type: ElementType) -> ClosedRange<Double>? {
    switch type {
    case .int16, .uint16, .int32, .uint32: return ends(type).first
    default: return nil
    }
  }
}
