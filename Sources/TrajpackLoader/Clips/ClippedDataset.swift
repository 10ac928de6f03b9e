import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// The clips of a dataset, and which rows of every track each of them has.
package final class ClippedDataset: Sendable {
  /// What a clip takes of a track.
  package enum Part: Sendable {
    /// These rows, at their own times.
    case rows(Range<Int>)
    /// The nearest row of each instant of the clip; −1 where the track has none.
    case instants([Int])
  }

  package let data: OpenDataset
  package let list: ClipList
  /// The clips, in the order of the list.
  package let clips: [PlacedClip]
  /// The stream whose rows count.
  package let reference: String
  private let views: [ShardView]
  private let rounding = StampRounding(nil)

  /// Finds the clips.
  ///
  /// - Parameter reference: The stream whose rows count; the first without entities where `nil`.
  /// - Throws: A usage error for a stream that is not there, or with a sentence for each of the first clips that do
  ///   not fit.
  package init(
    _ data: OpenDataset, _ list: ClipList, reference: String? = nil
  ) throws(TrajpackError) {
    self.data = data
    self.list = list
    views = data.shards.map { ShardView($0) }
    let stream = try data.clipReference(reference)
    self.reference = stream
    let placer = ClipPlacer(list: list, reference: stream, rounding: rounding)
    clips = try placer.place([data], [views]) { _, _, _ in true }[0]
  }

  /// The clip's own entry.
  package func clip(_ placed: PlacedClip) -> Clip { list.clips[placed.number] }

  /// The id of its episode, and everything else that the shard says of it.
  package func episode(_ placed: PlacedClip) -> ShardIndex.Episode {
    data.shards[placed.shard].index.episode(placed.episode)
  }

  /// The clock of the clip's rows: the reference track's own, or that of its instants.
  private func clock(_ clip: PlacedClip, _ reader: BlockReader) throws(TrajpackError) -> TrackClock
  {
    if let grid = clip.grid { return grid }
    return try views[clip.shard].trackClock(clip.track, reader: reader)
  }

  /// The times of the clip's first row and of the end of its last one; the end is `nil` where the recording says
  /// none.
  package func span(
    _ clip: PlacedClip, _ reader: BlockReader
  ) throws(TrajpackError) -> (start: Double, end: Double?) {
    let clock = try clock(clip, reader)
    return (
      clock.instant(clip.anchor)?.value ?? .nan, clock.instant(clip.anchor + clip.rows)?.value
    )
  }

  /// Whether every track of the clip's episode has a regular clock.
  package func isRegular(_ clip: PlacedClip) -> Bool {
    let view = views[clip.shard]
    return view.index.tracks(ofEpisode: clip.episode).allSatisfy { track in
      view.clocks[view.numbers(ofTrack: track).clock].isRegular
    }
  }

  /// What a clip takes of one of its episode's tracks.
  ///
  /// At the recording's own rate it takes of every track the rows that lie within its time; at another rate the
  /// nearest row of each instant. Tracks with explicit times keep them: of these it takes the rows within its time,
  /// and of labels, categories and text the last row before as well, which still holds.
  ///
  /// - Throws: A data error where times are damaged.
  package func part(
    _ clip: PlacedClip, track: Int, _ reader: BlockReader
  ) throws(TrajpackError) -> Part {
    let view = views[clip.shard]
    let numbers = view.numbers(ofTrack: track)
    if clip.grid == nil, track == clip.track { return .rows(clip.row..<clip.row + clip.rows) }
    let own = try view.trackClock(track, reader: reader)
    let clock = try clock(clip, reader)
    if clip.grid != nil, !own.isExplicit {
      return .instants(
        (0..<clip.rows).map { k in
          clock.instant(clip.anchor + k).flatMap { own.nearest(to: $0, rounding) } ?? -1
        })
    }
    guard let start = clock.instant(clip.anchor) else { return .rows(0..<0) }
    var first = own.first(near: start, rounding)
    let end =
      clock.instant(clip.anchor + clip.rows).map { own.first(near: $0, rounding) } ?? own.rows
    let holds = view.schema.streams[numbers.stream].channels.contains {
      [.label, .categorical, .text].contains($0.kind) && $0.name != "time"
    }
    if own.isExplicit, holds, first > 0, own.instant(first).map({ start < $0 }) ?? true {
      first -= 1
    }
    return .rows(first..<max(first, end))
  }

  /// The clock of row `row` on of a track that was cut, or of instant `row` of a clip at another rate.
  ///
  /// - Parameter fromZero: Whether times count from the clip's first row.
  /// - Throws: A usage error where the new start is no fraction of 64 bits.
  package func clock(
    _ clip: PlacedClip, track: Int, from row: Int, atInstants: Bool, fromZero: Bool,
    _ reader: BlockReader
  ) throws(TrajpackError) -> Clock {
    let view = views[clip.shard]
    var own = view.clocks[view.numbers(ofTrack: track).clock]
    var moment: Instant?
    if atInstants, let rate = clip.rate {
      moment = try clock(clip, reader).instant(clip.anchor + row)
      own = .regular(start: .zero, rate: rate)
    } else {
      moment = own.instant(ofRow: row)
    }
    guard let rate = own.rate else { return own }
    if fromZero, let start = try clock(clip, reader).instant(clip.anchor) {
      moment = moment.map { $0 - start }
    }
    guard let start = Rational(moment) else {
      throw TrajpackError(
        .usage,
        "clip '\(self.clip(clip).id)' begins at a time that is no fraction of 64 bits; round its start"
      )
    }
    return .regular(start: start, rate: rate)
  }
}

extension OpenDataset {
  /// The stream whose rows clips begin at: the one that is named, or the first without entities.
  ///
  /// - Throws: A usage error for a stream that is not there.
  package func clipReference(_ name: String?) throws(TrajpackError) -> String {
    let facts = StreamProfile([shards.map { ShardView($0) }])
    var names: [String] = []
    for shard in shards {
      for stream in shard.schema.streams where !names.contains(stream.name) {
        names.append(stream.name)
      }
    }
    if let name {
      guard names.contains(name) else {
        throw TrajpackError(
          .usage, "there is no stream '\(name)'\(Suggestion.text(for: name, among: names))")
      }
      return name
    }
    guard let first = names.first(where: { facts.entities[$0] == 0 }) ?? names.first else {
      throw TrajpackError(.usage, file: dataset.path, "the dataset has no stream")
    }
    return first
  }

  /// The row of a track that is nearest to each row of a regular clock; −1 where it has none.
  package func nearestRows(
    _ shard: Shard, track: Int, start: Rational, rate: Rational, count: Int, _ reader: BlockReader
  ) throws(TrajpackError) -> [Int] {
    let view = ShardView(shard)
    let own = try view.trackClock(track, reader: reader)
    let line = TrackClock(start: start, rate: rate, rows: count)
    let rounding = StampRounding(nil)
    if view.clocks[view.numbers(ofTrack: track).clock].rate == rate,
      let first = line.instant(0), let begin = own.instant(0)
    {
      // Rows of one rate lie apart by as much everywhere.
      let (whole, rest) = ((first - begin) * Instant(rate)).split
      if rest == 0, whole.magnitude < 1 << 48 {
        return (0..<count).map { row in
          let at = row + whole
          return at >= 0 && at < own.rows ? at : -1
        }
      }
    }
    return (0..<count).map { row in
      line.instant(row).flatMap { own.nearest(to: $0, rounding) } ?? -1
    }
  }
}

extension ClippedDataset {
  /// The rows of a stream that are nearest to the instants of a clip, of two equally near ones the earlier; −1
  /// where the stream has none. They count from the first row that the stream has in the episode.
  ///
  /// - Throws: A usage error for a stream that is not there, or is one of entities.
  package func rows(_ clip: PlacedClip, stream name: String) throws(TrajpackError) -> [Int] {
    let shard = data.shards[clip.shard]
    guard let stream = shard.schema.stream(named: name) else {
      throw TrajpackError(
        .usage,
        "there is no stream '\(name)'"
          + Suggestion.text(for: name, among: shard.schema.streams.map(\.name)))
    }
    let view = ShardView(shard)
    let reader = BlockReader(shard)
    let recorded = try view.trackClock(clip.track, reader: reader)
    let clock = clip.grid ?? recorded
    var out = [Int](repeating: -1, count: clip.rows)
    var first = 0
    for track in shard.index.tracks(ofEpisode: clip.episode) {
      let numbers = view.numbers(ofTrack: track)
      guard numbers.stream == stream, numbers.count > 0 else { continue }
      guard numbers.entity < 0 else {
        throw TrajpackError(
          .usage,
          "stream '\(name)' has rows of several entities, so a clip has no one row of it at an instant"
        )
      }
      let own = try view.trackClock(track, reader: reader)
      for k in 0..<clip.rows {
        guard let moment = clock.instant(clip.anchor + k) else { continue }
        if let row = own.nearest(to: moment, StampRounding(nil)) { out[k] = first + row }
      }
      first += numbers.count
    }
    return out
  }
}
