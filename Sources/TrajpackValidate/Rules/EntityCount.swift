import TrajpackFormat

extension Rule {
  static let entityCount = Rule(
    "geometry.entity-count", .error, "there are fewer entities than the recording counts",
    reason:
      "An entity was lost, or two were taken for one: its rows are missing or of another body from there on.",
    example: """
      'npc.count' says 2, and only one npc has a row at that time. Channels NAME.count of a stream of the episode are compared with the tracks of entities of kind NAME, \
      where both have regular clocks; rows without a count are passed over. An entity that has a track and is not counted may be there without values, and is not reported.
      """,
    remedy: "Find the entity that is missing in the source, or correct the count.",
    check: .track { EntityCountCheck($0) })

  static let negativeCount = Rule(
    "wildworld.negative", .error, "a count or hit points are negative",
    reason:
      "Nothing has less than none: an overflow, a wrong column or a marker of missing values.",
    example:
      "hp of -14, or -1 monsters. Channels hp, sp, max_*, *.count and *_count are looked at.",
    remedy: "Mark these rows as missing in the source, or export the columns again.",
    implies: ["values.sentinel", "values.spike"],
    profile: "wildworld",
    check: .track { NegativeCheck($0) })
}

private final class EntityCountCheck: TrackCheck {
  private struct Item {
    var columns: TrackContext.Columns
    var kind: String
    /// First and last row of the counting stream in which each entity is there.
    var spans: [ClosedRange<Int>]
  }
  private let track: TrackContext
  private let items: [Item]
  private var spots: [Spots]

  init?(_ track: TrackContext) {
    guard track.entity == nil, track.clock.isRegular else { return nil }
    let items = track.columns.compactMap { columns -> Item? in
      let name = track.stream.channels[columns.channel].name
      guard name.hasSuffix(".count"), columns.elements == 1, !columns.isField else { return nil }
      let kind = String(name.dropLast(6))
      var spans: [Int: ClosedRange<Int>] = [:]
      for other in track.about.tracks {
        guard let entity = other.entity, entity.kind == kind, other.count > 0 else { continue }
        // An entity whose clock is not that of rows may be anywhere.
        guard let place = track.clock.place(ofStart: other.clock) else { return nil }
        let first = Int(place.rounded())
        let span = first...first + other.count - 1
        let known = spans[entity.index] ?? span
        spans[entity.index] =
          min(known.lowerBound, span.lowerBound)...max(known.upperBound, span.upperBound)
      }
      // A source that has no tracks of the kind at all counts what it did not record.
      guard !spans.isEmpty else { return nil }
      return Item(columns: columns, kind: kind, spans: Array(spans.values))
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    self.items = items
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      let column = run.column(item.columns)
      for row in 0..<run.count where column[row].isFinite {
        let there = item.spans.count { $0.contains(run.first + row) }
        if column[row] > Double(there) { spots[i].add(run.first + row, column[row]) }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      hits.add(
        "counts more than there are tracks of '\(item.kind)'", track, channel: item.columns.channel,
        spots[i])
    }
  }
}

private final class NegativeCheck: TrackCheck {
  private let track: TrackContext
  private let items: [TrackContext.Columns]
  private var spots: [Spots]

  init?(_ track: TrackContext) {
    items = track.columns.filter {
      let name = track.stream.channels[$0.channel].name
      return !$0.isField
        && (["hp", "sp", "red_hp"].contains(name) || name.hasPrefix("max_")
          || name.hasSuffix(".count") || name.hasSuffix("_count"))
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, columns) in items.enumerated() {
      for element in 0..<columns.count where run.facts[columns.first + element].minimum < 0 {
        let column = run.column(columns, element)
        for row in 0..<run.count where column[row] < 0 {
          spots[i].add(run.first + row, column[row])
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, columns) in items.enumerated() {
      hits.add("negative", track, channel: columns.channel, spots[i])
    }
  }
}
