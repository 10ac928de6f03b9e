import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// What a page shows of one episode.
struct EpisodeSketch: Sendable {
  let id: String
  let split: String
  /// Rows of the longest track.
  private(set) var rows = 0
  /// The unit of time of the longest track, its first time and its last.
  private(set) var unit = "s"
  private(set) var from = 0.0
  private(set) var to = 0.0
  /// The document that the page draws.
  private(set) var json = JSONValue.null
  /// Sentences on what is odd.
  var odd: [String] = []
  /// Mean, smallest and largest value of each plot's first component; NaN where there is none.
  private(set) var measures: [SIMD3<Double>] = []
  /// Pictures that are to lie beside the page.
  private(set) var pictures: [(name: String, bytes: [UInt8])] = []
  /// Why a video has no pictures.
  private(set) var blind: String?

  /// An open track, and when its rows are.
  struct Track {
    let reader: TrackReader
    let number: Int
    let frames: ReferenceFrames
    var label: String { reader.stream.name }
    /// Of each row, where the clock is not regular.
    var times: [Double] { frames.times }
    var end: Double { frames.end }

    func time(_ row: Int) -> Double { frames.time(row) }
  }

  /// Sketches episode `number` of the dataset.
  ///
  /// - Parameter folder: Where pictures lie, as the page calls it; in the page itself where `nil`.
  init(
    _ data: OpenDataset, _ number: Int, _ plan: PagePlan, colours: EntityColours, folder: String?
  ) throws(TrajpackError) {
    let (shard, local, first) = try data.episode(number)
    let episode = shard.index.episode(local)
    (id, split) = (episode.id, episode.split)
    let reader = BlockReader(shard)
    var tracks: [Track] = []
    for n in episode.tracks {
      let opened = TrackReader(shard, track: n, reader: reader)
      tracks.append(
        Track(
          reader: opened, number: first + n,
          frames: try ReferenceFrames(opened, first + n, of: data)))
    }
    measureTime(tracks)
    var members: [JSONValue.Member] = [
      .init("id", .string(id.printable)), .init("split", .string(split.printable)),
      .init("rows", .int(Int64(rows))), .init("unit", .string(unit.printable)),
      .init("from", .double(from)), .init("to", .double(to)),
      .init("dates", .bool(try areDates(tracks))),
      .init("tracks", .int(Int64(tracks.count))),
      .init("all", .int(Int64(tracks.reduce(0) { $0 + $1.reader.count }))),
    ]
    members.append(.init("plots", .array(try plots(tracks, plan))))
    members.append(.init("lanes", .array(try lanes(tracks, plan, colours))))
    members.append(.init("paths", try paths(tracks, plan, colours)))
    let scene = try Scene(
      shard, episode: local, firstTrack: first, reader: reader,
      skeletons: plan.budget.frames > 0)
    members.append(
      .init(
        "strips",
        .array(try strips(data, scene, plan.budget, colours, folder, number, tracks))))
    checkTimes(tracks)
    json = .object(members)
  }

  /// The span of the tracks that count in the unit of the longest.
  private mutating func measureTime(_ tracks: [Track]) {
    guard let longest = tracks.max(by: { $0.reader.count < $1.reader.count }) else { return }
    rows = longest.reader.count
    unit = longest.reader.stream.timeUnit
    let own = tracks.filter { $0.reader.stream.timeUnit == unit && $0.reader.count > 0 }
    from = own.map { $0.time(0) }.filter(\.isFinite).min() ?? 0
    to = own.map(\.end).filter(\.isFinite).max() ?? from
  }

  /// Whether the longest track's times were dates, so that they count from 1970.
  private func areDates(_ tracks: [Track]) throws(TrajpackError) -> Bool {
    guard let longest = tracks.max(by: { $0.reader.count < $1.reader.count }),
      longest.reader.count > 0
    else { return false }
    return try TrackTimes(longest.reader).dates(0..<1) != nil
  }

  /// Stretches that a curve is cut into: no more than there are rows.
  private func bins(_ plan: PagePlan) -> Int { max(min(plan.budget.bins, rows), 1) }

  // MARK: Curves

  private mutating func plots(
    _ tracks: [Track], _ plan: PagePlan
  ) throws(TrajpackError) -> [JSONValue] {
    var out: [JSONValue] = []
    for plot in plan.plots {
      let own = tracks.filter {
        $0.label == plot.stream && $0.reader.track.entity == nil
          && $0.reader.stream.timeUnit == unit
      }
      var curves = plot.components.map { _ in Envelope(from: from, to: to, bins: bins(plan)) }
      var strip = Strip()
      var (sum, count, missing, infinite, all) = (0.0, 0, 0, 0, 0)
      for (n, track) in own.enumerated() {
        guard let channel = track.reader.stream.channel(named: plot.channel) else { continue }
        if n > 0 {
          for c in curves.indices { curves[c].cut(after: own[n - 1].end, before: track.time(0)) }
        }
        try track.reader.forEachRun { (run) throws(TrajpackError) in
          let values = try track.reader.read(channel: channel, rows: run).doubles()
          let width = run.count > 0 ? values.count / run.count : 0
          for row in run {
            let at = (row - run.lowerBound) * width
            let bin = curves[0].bin(track.time(row))
            for (c, component) in plot.components.enumerated() where component < width {
              let value = values[at + component]
              curves[c].add(value, at: bin)
              all += 1
              if value.isNaN { missing += 1 } else if value.isInfinite { infinite += 1 }
            }
            let value = plot.components[0] < width ? values[at + plot.components[0]] : .nan
            if value.isFinite { (sum, count) = (sum + value, count + 1) }
            if plot.isStrip { strip.add(value.isFinite ? [value] : nil, at: track.time(row)) }
          }
        }
        strip.end(at: track.end)
      }
      let range = curves.compactMap(\.range).reduce(nil) { (all: ClosedRange<Double>?, one) in
        min(
          all?.lowerBound ?? one.lowerBound, one.lowerBound)...max(
            all?.upperBound ?? one.upperBound, one.upperBound)
      }
      let firstRange = curves.first?.range
      measures.append(
        SIMD3(
          count > 0 ? sum / Double(count) : .nan, firstRange?.lowerBound ?? .nan,
          firstRange?.upperBound ?? .nan))
      note(plot, missing, infinite, all, range)
      // What was never observed is said above, and a strip that cannot change shows nothing.
      guard !own.isEmpty, range != nil else { continue }
      if plot.isStrip, let runs = strip.json(plot.categories) {
        out.append(.record(["n": .int(Int64(measures.count - 1)), "runs": runs]))
      } else {
        let range = range ?? 0...0
        out.append(
          .record([
            "n": .int(Int64(measures.count - 1)), "low": .double(range.lowerBound),
            "high": .double(range.upperBound),
            "c": .array(curves.map { .string(Base64.text($0.bytes(range))) }),
          ]))
      }
    }
    return out
  }

  private mutating func note(
    _ plot: PagePlan.Plot, _ missing: Int, _ infinite: Int, _ all: Int,
    _ range: ClosedRange<Double>?
  ) {
    guard all > 0 else { return }
    if missing == all {
      odd.append("\(plot.label): never observed")
    } else if missing > 0 {
      let share = (Double(missing) / Double(all) * 1000).rounded() / 10
      odd.append("\(plot.label): \(share < 0.1 ? "below 0.1" : "\(share)") % not observed")
    }
    if infinite > 0 { odd.append("\(plot.label): \(counted(infinite, "infinite value"))") }
    if let range, range.lowerBound == range.upperBound, !plot.isStrip, rows > 1 {
      odd.append("\(plot.label): stands still at \(Number.text(range.lowerBound))")
    }
  }

  // MARK: Entities

  private mutating func lanes(
    _ tracks: [Track], _ plan: PagePlan, _ colours: EntityColours
  ) throws(TrajpackError) -> [JSONValue] {
    var entities: [Entity] = []
    let known = Set(plan.lanes.map(\.stream))
    let hasLanes = tracks.contains { known.contains($0.label) && $0.reader.track.entity != nil }
    for track in tracks where !hasLanes || known.contains(track.label) {
      guard let entity = track.reader.track.entity else { continue }
      if !entities.contains(where: { $0.kind == entity.kind && $0.index == entity.index }) {
        entities.append(entity)
      }
    }
    var out: [JSONValue] = []
    for entity in entities {
      let own = tracks.filter {
        $0.reader.track.entity?.kind == entity.kind && $0.reader.track.entity?.index == entity.index
          && $0.reader.stream.timeUnit == unit && (!hasLanes || known.contains($0.label))
          && $0.reader.count > 0
      }
      guard let stream = own.first?.label else { continue }
      let runs = own.filter { $0.label == stream }.sorted { $0.time(0) < $1.time(0) }
      let lane = plan.lanes.first { $0.stream == stream }
      var curve = Envelope(from: from, to: to, bins: bins(plan))
      var strip = Strip()
      for (n, track) in runs.enumerated() {
        if n > 0 {
          curve.cut(after: runs[n - 1].end, before: track.time(0))
          let away = track.time(0) - runs[n - 1].end
          if away > (track.end - track.time(0)) / Double(track.reader.count) / 2 {
            odd.append(
              "\(entity.kind) \(entity.index) is absent for \(Number.text(away)) \(unit)")
          }
        }
        try read(track, lane, into: &curve, &strip)
        strip.end(at: track.end)
      }
      let range = curve.range
      out.append(
        .record([
          "kind": .string(entity.kind.printable), "index": .int(Int64(entity.index)),
          "type": entity.type >= 0 ? .int(Int64(entity.type)) : nil,
          "colour": .int(Int64(colours[entity])),
          "runs": .array(runs.map { .array([.double($0.time(0)), .double($0.end)]) }),
          "label": lane?.channel.map { .string($0.printable) },
          "low": range.map { .double($0.lowerBound) },
          "high": range.map { .double($0.upperBound) },
          "c": range.map { .string(Base64.text(curve.bytes($0))) },
          "actions": lane.flatMap { $0.actions.isEmpty ? nil : strip.json(nil) },
        ]))
    }
    return out
  }

  private func read(
    _ track: Track, _ lane: PagePlan.Lane?, into curve: inout Envelope, _ strip: inout Strip
  ) throws(TrajpackError) {
    let stream = track.reader.stream
    let channel = lane?.channel.flatMap { stream.channel(named: $0) }
    let actions = lane?.actions.compactMap { stream.channel(named: $0) } ?? []
    let isWhole = actions.count == lane?.actions.count && !actions.isEmpty
    var first = 0
    let size = track.reader.runLength
    while first < track.reader.count {
      let run = first..<min(first + size, track.reader.count)
      let numbers = (channel.map { [$0] } ?? []) + (isWhole ? actions : [])
      let values = try track.reader.read(channels: numbers, rows: run).map { $0.doubles() }
      for row in run {
        let time = track.time(row)
        if channel != nil { curve.add(values[0][row - first], at: curve.bin(time)) }
        guard isWhole else { continue }
        let action = values[(channel == nil ? 0 : 1)...].map { $0[row - first] }
        strip.add(action.allSatisfy(\.isFinite) ? action : nil, at: time)
      }
      first = run.upperBound
    }
  }

  // MARK: Paths

  private func paths(
    _ tracks: [Track], _ plan: PagePlan, _ colours: EntityColours
  ) throws(TrajpackError) -> JSONValue {
    var lines: [(name: String, colour: Int, points: [[Double]])] = []
    for path in plan.paths {
      for track in tracks where track.label == path.stream && track.reader.count > 0 {
        let columns = path.coordinates.map { track.reader.stream.channel(named: $0.channel) }
        guard columns.allSatisfy({ $0 != nil }) else { continue }
        let count = track.reader.count
        let step = max(Double(count) / Double(max(plan.budget.points, 2)), 1)
        var points: [[Double]] = []
        let read = Array(Set(columns.compactMap { $0 })).sorted()
        var next = 0.0
        try track.reader.forEachRun { (run) throws(TrajpackError) in
          let values = try track.reader.read(channels: read, rows: run).map { $0.doubles() }
          while next < Double(run.upperBound) {
            let row = Int(next) - run.lowerBound
            points.append(
              zip(path.coordinates, columns).map { coordinate, column in
                let all = values[read.firstIndex(of: column ?? 0) ?? 0]
                return all[row * (all.count / run.count) + coordinate.component]
              })
            next += step
          }
        }
        let entity = track.reader.track.entity
        lines.append(
          (
            entity.map { "\($0.kind) \($0.index)" } ?? path.stream,
            entity.map { colours[$0] } ?? EntityColours.none, points
          ))
      }
    }
    guard let width = lines.first?.points.first?.count else { return .null }
    let ranges = (0..<width).map { n -> ClosedRange<Double> in
      let all = lines.flatMap {
        $0.points.compactMap { $0.count > n && $0[n].isFinite ? $0[n] : nil }
      }
      return (all.min() ?? 0)...(all.max() ?? 0)
    }
    return .record([
      "ranges": .array(ranges.map { .array([.double($0.lowerBound), .double($0.upperBound)]) }),
      "lines": .array(
        lines.map { name, colour, points in
          var bytes: [UInt8] = []
          for point in points {
            for (n, range) in ranges.enumerated() {
              let length = range.upperBound - range.lowerBound
              let share = length > 0 ? (point[n] - range.lowerBound) / length : 0.5
              // 65535 is a point that was not observed.
              let code = share.isFinite ? UInt16(min(max(share, 0), 1) * 65534) : .max
              bytes += [UInt8(code & 255), UInt8(code >> 8)]
            }
          }
          return .record([
            "name": .string(name.printable), "colour": .int(Int64(colour)),
            "p": .string(Base64.text(bytes)),
          ])
        }),
    ])
  }
}

extension EpisodeSketch {
  /// Adds pictures; used by the part that makes them.
  mutating func add(picture name: String, _ bytes: [UInt8]) { pictures.append((name, bytes)) }

  mutating func becomeBlind(_ why: String) { if blind == nil { blind = why } }

  /// Times that go back, gaps between rows, and streams that end early.
  mutating func checkTimes(_ tracks: [Track]) {
    for track in tracks where track.times.count > 2 {
      let steps = (1..<track.times.count).map { track.times[$0] - track.times[$0 - 1] }
      if steps.contains(where: { $0 < 0 }) {
        odd.append("\(track.label): times go back")
      }
      let sorted = steps.sorted()
      let median = sorted[sorted.count / 2]
      if let longest = sorted.last, median > 0, longest > 5 * median {
        odd.append(
          "\(track.label): a gap of \(Number.text(longest)) \(unit), where rows are "
            + "\(Number.text(median)) apart")
      }
    }
    let own = tracks.filter {
      $0.reader.track.entity == nil && $0.reader.stream.timeUnit == unit && $0.reader.count > 0
    }
    for track in own {
      let step = (track.end - track.time(0)) / Double(track.reader.count)
      guard to - from > 0, to - track.end > max(0.02 * (to - from), 2.5 * step) else { continue }
      odd.append("\(track.label) ends \(Number.text(to - track.end)) \(unit) early")
    }
  }
}

/// Stretches of time in which numbers stay the same.
struct Strip {
  private var runs: [(from: Double, to: Double, value: [Double])] = []
  private var isOpen = false
  /// The most stretches that a page draws.
  private static let most = 400

  mutating func add(_ value: [Double]?, at time: Double) {
    if isOpen, runs[runs.count - 1].value == value { return }
    if isOpen {
      runs[runs.count - 1].to = time
      isOpen = false
    }
    guard let value else { return }
    runs.append((time, time, value))
    isOpen = true
  }

  mutating func end(at time: Double) {
    if isOpen { runs[runs.count - 1].to = time }
    isOpen = false
  }

  /// From, to, a number that stands for the value, and its text; nil where there are too many to draw.
  func json(_ categories: [String]?) -> JSONValue? {
    guard runs.count <= Self.most else { return nil }
    return .array(
      runs.map { run in
        var text = run.value.map {
          $0 == $0.rounded() && abs($0) < 1e15 ? "\(Int($0))" : Number.text($0)
        }
        .joined(separator: "/")
        if let categories, let value = run.value.first, value == value.rounded(),
          categories.indices.contains(Int(min(max(value, -1), 1e9)))
        {
          text = categories[Int(value)]
        }
        return .array([.double(run.from), .double(run.to), .string(text.printable)])
      })
  }
}

/// A number for the colour of each entity: the same in every episode.
struct EntityColours: Sendable {
  /// Of what belongs to no entity.
  static let none = -1
  private let kinds: [String]

  /// - Parameter kinds: The kinds of entities, in the order of the schema.
  init(_ kinds: [String]) { self.kinds = kinds.filter { $0 != "weapon" && $0 != "monster" } }

  /// 0 to 3 for those of the first kind, 4 and 5 for monsters, 6 for weapons, 7 and on for others.
  subscript(entity: Entity) -> Int {
    switch entity.kind {
    case "weapon": return 6
    case "monster": return 4 + entity.index % 2
    default:
      let kind = kinds.firstIndex(of: entity.kind) ?? 0
      return kind == 0 ? entity.index % 4 : 7 + (kind - 1 + entity.index) % 3
    }
  }
}
