import TrajpackFormat
import TrajpackStore

/// Decides what is kept of each episode.
struct SalvageSurvey {
  private let shards: [Shard]
  private let damages: [ShardDamage]
  private let mode: SalvageImporter.Mode
  private(set) var items: [SalvageImporter.Item] = []
  private(set) var fates: [SalvageImporter.Fate] = []
  private(set) var masked: Set<String> = []
  private(set) var schemas: [Schema] = []

  init(_ shards: [Shard], _ damages: [ShardDamage], _ mode: SalvageImporter.Mode) {
    (self.shards, self.damages, self.mode) = (shards, damages, mode)
  }

  mutating func run() throws(TrajpackError) {
    // Of episodes that are in several shards, because a writer joined some, the one that keeps most; the first of equals.
    var best: [String: (place: Int, item: SalvageImporter.Item, fate: SalvageImporter.Fate)] = [:]
    var order: [String] = []
    for (s, shard) in shards.enumerated() {
      let layout = layout(of: shard.schema)
      let reader = BlockReader(shard)
      for episode in 0..<shard.index.episodeCount {
        let (item, fate) = try look(s, episode, layout, reader)
        if let known = best[fate.id] {
          if fate.kept > known.fate.kept { best[fate.id] = (known.place, item, fate) }
          continue
        }
        best[fate.id] = (order.count, item, fate)
        order.append(fate.id)
      }
    }
    for id in order {
      guard let found = best[id] else { continue }
      fates.append(found.fate)
      if found.fate.kept > 0 || found.fate.rows == 0 { items.append(found.item) }
    }
    // A shard has one layout.
    items = items.enumerated().sorted {
      ($0.element.layout, $0.offset) < ($1.element.layout, $1.offset)
    }
    .map(\.element)
  }

  private mutating func layout(of schema: Schema) -> Int {
    if let known = schemas.firstIndex(where: { EpisodeSource.areAlike($0, schema) }) {
      return known
    }
    schemas.append(schema)
    return schemas.count - 1
  }

  private mutating func look(
    _ s: Int, _ episode: Int, _ layout: Int, _ reader: BlockReader
  ) throws(TrajpackError) -> (SalvageImporter.Item, SalvageImporter.Fate) {
    let shard = shards[s]
    let numbers = Array(shard.index.tracks(ofEpisode: episode))
    let tracks = try numbers.map { (number) throws(TrajpackError) in
      try SalvagedTrack(TrackReader(shard, track: number, reader: reader), damages[s])
    }
    var fate = SalvageImporter.Fate(
      id: shard.index.id(ofEpisode: episode), shard: shard.name, kept: 0,
      rows: tracks.reduce(0) { $0 + $1.reader.count })
    var item = SalvageImporter.Item(
      shard: s, episode: episode, rows: [], layout: layout, isWhole: false)
    guard tracks.contains(where: { !$0.anyDamaged.isEmpty }) else {
      item.rows = tracks.map { $0.reader.count > 0 ? [0..<$0.reader.count] : [] }
      (item.isWhole, fate.kept) = (true, fate.rows)
      return (item, fate)
    }
    for track in tracks where track.isLost {
      fate.losses.append("the video \(Self.name(track)) is left out: its packets are damaged")
    }
    if mode == .mask {
      for track in tracks {
        item.rows.append(track.isLost ? [] : keep(track, &fate))
      }
    } else {
      item.rows = try cut(tracks, &fate)
    }
    fate.kept = item.rows.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count } }
    return (item, fate)
  }

  /// `stream`, or `stream (npc 0)`.
  private static func name(_ track: SalvagedTrack) -> String {
    "'\(track.reader.stream.name)'"
      + (track.reader.track.entity.map { " (\($0.kind) \($0.index))" } ?? "")
  }

  /// All rows whose time is known.
  private mutating func keep(
    _ track: SalvagedTrack, _ fate: inout SalvageImporter.Fate
  ) -> [Range<Int>] {
    let gone = track.withoutTime
    if !gone.isEmpty {
      fate.losses.append("\(gone.count) rows of \(Self.name(track)): their times cannot be read")
    }
    let kept = gone.parts(of: 0..<track.reader.count).filter { !$0.isInside }.map(\.rows)
    for (number, damaged) in track.damaged.enumerated() where number != track.timeChannel {
      let lost =
        damaged.count
        - RowRanges(
          damaged.ranges.flatMap { range in gone.ranges.map { $0.clamped(to: range) } }
        ).count
      guard lost > 0 else { continue }
      let channel = track.reader.stream.channels[number]
      masked.insert("\(track.reader.stream.name)/\(channel.name)")
      fate.masked += lost * (channel.type == .bytes ? 1 : channel.elements)
    }
    return kept
  }

  /// The rows of each track in the longest stretch of time in which no stream has a damaged row.
  private func cut(
    _ tracks: [SalvagedTrack], _ fate: inout SalvageImporter.Fate
  ) throws(TrajpackError) -> [[Range<Int>]] {
    var times: [[Double]] = []
    var bad: [(from: Double, to: Double)] = []
    for track in tracks {
      let own = try track.times()
      times.append(own)
      let damaged = track.anyDamaged
      // Of a track without a whole row nothing is asked of the others.
      guard !track.isLost, damaged.count < track.reader.count else { continue }
      for range in damaged.ranges {
        let first = own[range.lowerBound]
        let before = range.lowerBound > 0 ? own[range.lowerBound - 1] : -.infinity
        let after = range.upperBound < own.count ? own[range.upperBound] : .infinity
        bad.append((first.isNaN ? before.nextUp : first, after.isNaN ? .infinity : after))
      }
    }
    bad.sort { ($0.from, $0.to) < ($1.from, $1.to) }
    var gaps: [(from: Double, to: Double)] = []
    var next = -Double.infinity
    for item in bad {
      if item.from > next { gaps.append((next, item.from)) }
      next = max(next, item.to)
    }
    if next < .infinity { gaps.append((next, .infinity)) }
    func rows(_ gap: (from: Double, to: Double)) -> [[Range<Int>]] {
      zip(tracks, times).map { track, times in
        guard !track.isLost, track.anyDamaged.count < track.reader.count else { return [] }
        // Times do not fall: a binary search would do, and rows are few.
        guard let first = times.firstIndex(where: { $0 >= gap.from }) else { return [] }
        var end = first
        while end < times.count, times[end] < gap.to { end += 1 }
        return first < end ? [first..<end] : []
      }
    }
    let candidates = gaps.map { rows($0) }
    func count(_ rows: [[Range<Int>]]) -> Int {
      rows.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count } }
    }
    guard
      let best = candidates.indices.max(by: {
        (count(candidates[$0]), -$0) < (count(candidates[$1]), -$1)
      })
    else { return tracks.map { _ in [] } }
    for (track, kept) in zip(tracks, candidates[best]) where !track.isLost && track.reader.count > 0
    {
      let rows = kept.first
      guard rows?.count != track.reader.count else { continue }
      fate.losses.append(
        rows.map {
          "rows \($0.lowerBound) to \($0.upperBound - 1) of \(track.reader.count) of \(Self.name(track)) are kept"
        } ?? "no row of \(Self.name(track)) is kept")
    }
    return candidates[best]
  }
}
