import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackSources

/// One episode of an archive.
final class Recording {
  let id: String
  let schema: Schema
  private let data: OpenDataset
  private let reader: BlockReader
  private let shard: Shard
  /// Tracks by label; the same entity's tracks come in the order of time.
  private(set) var tracks: [(label: String, number: Int, track: TrackReader)] = []
  private let firstTrack: Int

  init(_ data: OpenDataset, _ number: Int) throws(TrajpackError) {
    let (shard, local, first) = try data.episode(number)
    let episode = shard.index.episode(local)
    self.data = data
    self.shard = shard
    id = episode.id
    schema = shard.schema
    reader = BlockReader(shard)
    firstTrack = first
    for track in episode.tracks {
      let opened = TrackReader(shard, track: track, reader: reader)
      tracks.append((opened.label(run: 0), first + track, opened))
    }
    // Entities of a stream in the order that the loader has them in.
    let order = Dictionary(
      schema.streams.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    tracks = tracks.enumerated().sorted { a, b in
      func key(_ item: (offset: Int, element: (label: String, number: Int, track: TrackReader)))
        -> (Int, String, Int, Int)
      {
        let entity = item.element.track.track.entity
        return (
          order[item.element.track.stream.name] ?? 0, entity?.kind ?? "", entity?.index ?? -1,
          item.offset
        )
      }
      return key(a) < key(b)
    }.map(\.element)
  }

  /// Every channel that holds numbers.
  var entries: [Entry] {
    var seen: Set<Entry> = []
    return tracks.flatMap { label, _, track in
      track.stream.channels.filter { $0.type != .bytes }.map {
        Entry(label: label, stream: track.stream.name, channel: $0.name)
      }
    }.filter { seen.insert($0).inserted }
  }

  func channel(_ entry: Entry) -> Channel? {
    tracks.first { $0.label == entry.label }.flatMap { found in
      found.track.stream.channel(named: entry.channel).map { found.track.stream.channels[$0] }
    }
  }

  /// Whose rows those of a label are.
  func entity(_ label: String) -> Entity? {
    tracks.first { $0.label == label }?.track.track.entity
  }

  /// The joint graph of an entry's stream.
  func bones(_ entry: Entry) -> [[Int]] {
    guard let track = tracks.first(where: { $0.label == entry.label })?.track,
      let name = track.stream.skeleton
    else { return [] }
    return schema.skeleton(named: name)?.edges ?? []
  }

  /// The frames of channels of `streams`: the rows of `reference`; or else of the first of the streams without
  /// entities; or of the episode's own stream that has the same clock and covers all of the entities' tracks;
  /// or of the longest track.
  func frames(_ streams: [String], reference: String?) throws(TrajpackError) -> Frames? {
    let wanted = reference.map { [$0] } ?? streams
    let fitting = tracks.filter { wanted.contains($0.track.stream.name) }
    let alone = fitting.first { $0.track.track.entity == nil }
    if let alone, fitting.count(where: { $0.label == alone.label }) > 1 {
      throw TrajpackError(
        .usage,
        "episode '\(id)' has several tracks of '\(alone.label)', with gaps between, so its rows count no "
          + "frames; name another stream with --reference")
    }
    guard let longest = alone ?? fitting.max(by: { $0.track.count < $1.track.count }) else {
      return nil
    }
    let isGiven = alone != nil || reference != nil
    let own =
      isGiven
      ? nil
      : tracks.first { item in
        item.track.track.entity == nil && tracks.count { $0.label == item.label } == 1
          && fitting.allSatisfy { Self.covers(item.track, $0.track) }
      }
    return try frames(track: (own ?? longest).number)
  }

  /// Whether the rows of a track lie among those of another, by regular clocks of one rate.
  private static func covers(_ all: TrackReader, _ part: TrackReader) -> Bool {
    guard case .regular(let start, let rate) = all.track.clock,
      case .regular(let own, let ownRate) = part.track.clock, rate == ownRate
    else { return false }
    let first = (own.value - start.value) * rate.value
    return abs(first - first.rounded()) < 1e-6 && first > -0.5
      && first + Double(part.count) < Double(all.count) + 0.5
  }

  /// The frames of one track, by its number in the dataset.
  func frames(track number: Int) throws(TrajpackError) -> Frames {
    guard let chosen = tracks.first(where: { $0.number == number }) else {
      throw TrajpackError(.usage, "episode '\(id)' has no track \(number)")
    }
    let track = chosen.track
    var times: [Double] = []
    if case .regular = track.track.clock {} else { times = try self.times(number, track.count) }
    return Frames(
      count: track.count, clock: track.track.clock, times: times, stream: track.stream.name)
  }

  func times(_ track: Int, _ count: Int) throws(TrajpackError) -> [Double] {
    var out = [Double](repeating: 0, count: count)
    var failure: TrajpackError?
    out.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      do throws(TrajpackError) {
        try TrackRows.times(data, track: track, first: 0, count: count, into: start)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return out
  }
}
