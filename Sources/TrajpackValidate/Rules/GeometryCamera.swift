import TrajpackFormat

extension Rule {
  static let geometryAngleUnits = Rule(
    "geometry.angle-units", .error, "angles in radians have values of degrees",
    reason: "Sine and cosine of degrees taken as radians are noise.",
    example: """
      A channel in 'rad' with values between -180 and 180, or one in 'deg' that goes round within -3.1416 to 3.1416 or 0 to 6.2832 (it begins anew at the other end, and mostly moves in between): a flap of a few degrees does not. \
      Radians are reported where values pass 30 and lie within 360, some rows are more than a turn apart, and the values also turn back: \
      the unwrapped angle of a wheel goes on in one direction. The unwrapped angle of a motor that turns back does so without jumps: beyond 180 the speed must change by more than a turn from one row to the next, too.
      """,
    remedy: "Correct the units of the channel, or the values.",
    implies: ["values.units"],
    concerns: { $0.channel.kind == .angle }, check: .track { AngleCheck($0) })

  static let geometryIntrinsics = Rule(
    "geometry.intrinsics", .error, "camera intrinsics that no camera has",
    reason: "Points are projected to the wrong place, or behind the picture.",
    example: """
      A focal length of zero or less, or a principal point outside the picture (where the episode has one video whose size is \
      known). Intrinsics of another size of the picture are found so, too.
      """,
    remedy: "Write the intrinsics of the pictures that are stored, in pixels.",
    concerns: { $0.channel.kind == .intrinsics }, check: .track { IntrinsicsCheck($0) })
}

private final class AngleCheck: TrackCheck {
  private let track: TrackContext
  private let items: [Quantity]
  /// Of each channel in radians the largest change of a step from row to row, by column.
  private var bends: [[Double]]

  init?(_ track: TrackContext) {
    items = track.quantities.filter {
      $0.channel.kind == .angle && !$0.columns.isField && $0.channel.units != nil
    }
    guard !items.isEmpty, track.rows >= 8 else { return nil }
    self.track = track
    bends = items.map { Array(repeating: 0, count: $0.columns.count) }
  }

  private static let radians: Set<String> = ["rad", "radian", "radians"]

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() where Self.radians.contains(item.channel.units ?? "") {
      for element in 0..<item.columns.count
      where run.facts[item.columns.first + element].step > Self.turn {
        let column = run.column(item.columns, element)
        for row in 2 - run.carry..<max(run.count, 2 - run.carry) {
          let bend = (column[row] - 2 * column[row - 1] + column[row - 2]).magnitude
          if bend.isFinite { bends[i][element] = max(bends[i][element], bend) }
        }
      }
    }
  }

  private static let turn = 6.2832 * 1.01

  /// Whether radians would move by more than a turn between two rows, and go back as well: only a wheel that turns fast does
  /// the first, and it does not go back; or a motor, whose speed does not change by a turn from row to row.
  private static func jumpsAndTurns(_ column: ColumnFacts, bend: Double) -> Bool {
    column.step > turn && column.stepSum > 1.5 * (column.maximum - column.minimum)
      && (bend > turn || max(column.maximum, -column.minimum) <= 180.001)
  }

  /// Whether values are those of a heading in radians: they fill the turn, jump from one end to the other, and mostly
  /// move by little. What only goes between two positions rests in most rows.
  private static func goesRound(_ column: ColumnFacts) -> Bool {
    (column.minimum >= 0 && column.maximum <= 6.2832
      || column.minimum >= -3.1416 && column.maximum <= 3.1416) && column.step > 6.1
      && column.same * 2 < column.moves && column.meanStep < 0.6
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      let found = facts.facts(item.columns)
      let size = max(found.maximum, -found.minimum)
      let what: String
      switch item.channel.units ?? "" {
      case let units where Self.radians.contains(units):
        guard size > 30, size <= 360.001,
          (0..<item.columns.count).contains(where: {
            Self.jumpsAndTurns(facts.columns[item.columns.first + $0], bend: bends[i][$0])
          })
        else { continue }
        what = "angles in radians that look like degrees (extremes)"
      case "deg", "degree", "degrees", "°":
        guard
          size <= 6.2832,
          (0..<item.columns.count).contains(where: {
            Self.goesRound(facts.columns[item.columns.first + $0])
          })
        else { continue }
        what = "angles in degrees that look like radians (extremes)"
      default: continue
      }
      hits.add(
        what, track, channel: item.columns.channel, count: found.finite, rows: 0..<track.rows,
        values: [found.minimum, found.maximum])
    }
  }
}

final class IntrinsicsCheck: TrackCheck {
  private let track: TrackContext
  private let items: [(channel: Channel, columns: TrackContext.Columns, at: [Int])]
  private let size: (width: Double, height: Double)?
  private var focal: [Spots]
  private var outside: [Spots]

  init?(_ track: TrackContext) {
    items = track.quantities.compactMap { item in
      let (channel, columns) = (item.channel, item.columns)
      guard channel.kind == .intrinsics, !columns.isField else { return nil }
      if channel.convention("order") == "fx fy cx cy", columns.count == 4 {
        return (channel, columns, [0, 1, 2, 3])
      }
      return channel.shape == [3, 3] ? (channel, columns, [0, 4, 2, 5]) : nil
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    size = Self.pictureSize(track.about)
    focal = Array(repeating: Spots(), count: items.count)
    outside = focal
  }

  /// The size of the only video; `nil` where there are none or several of different sizes.
  static func pictureSize(_ about: EpisodeAbout) -> (width: Double, height: Double)? {
    var found: [(Double, Double)] = []
    for track in about.tracks {
      guard about.schema.streams[track.stream].channels.contains(where: { $0.kind == .packet }),
        let json = try? JSONValue(parsing: track.metadata),
        let width = json["width"]?.double ?? json["video"]?["width"]?.double,
        let height = json["height"]?.double ?? json["video"]?["height"]?.double
      else { continue }
      found.append((width, height))
    }
    guard let first = found.first, found.allSatisfy({ $0 == first }) else { return nil }
    return (first.0, first.1)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      let columns = item.at.map { run.column(item.columns, $0) }
      for row in 0..<run.count {
        let (fx, fy, cx, cy) = (columns[0][row], columns[1][row], columns[2][row], columns[3][row])
        if fx <= 0 || fy <= 0 { focal[i].add(run.first + row, min(fx, fy)) }
        guard let size else { continue }
        if cx < 0 || cx > size.width || cy < 0 || cy > size.height {
          outside[i].add(run.first + row, cx < 0 || cx > size.width ? cx : cy)
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      hits.add("focal lengths of zero or less", track, channel: item.columns.channel, focal[i])
      hits.add(
        "the principal point lies outside the picture", track, channel: item.columns.channel,
        outside[i])
    }
  }
}
