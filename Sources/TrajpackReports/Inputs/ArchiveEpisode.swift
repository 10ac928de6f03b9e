import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackSources

/// One episode of an archive.
final class ArchiveEpisode {
  let id: String
  let schema: Schema
  let data: OpenDataset
  /// Tracks by label; the same entity's tracks come in the order of time.
  private(set) var tracks: [(label: String, number: Int, track: TrackReader)] = []
  /// The first track of each label, by its position in `tracks`.
  private var firstOfLabel: [String: Int] = [:]
  /// The numbers of channels by name, of the streams that were asked for.
  private var channelNumbers: [Int: [String: Int]] = [:]
  /// The frame of each row of the tracks that were asked for, by their numbers in the dataset, on `placedOn`.
  private var placed: [Int: [Int]] = [:]
  private var placedOn: ReferenceFrames?
  /// What was read of it before; `nil` where nothing is kept.
  var cache: ReadCache?

  /// Every channel that holds numbers.
  private(set) lazy var entries: [Entry] = {
    var seen: Set<String> = []
    return tracks.flatMap { label, _, track in
      seen.insert(label).inserted
        ? track.stream.channels.filter { $0.type != .bytes }.map {
          Entry(label: label, stream: track.stream.name, channel: $0.name)
        } + (Self.isDepthVideo(track) ? [Entry(framesOf: track.stream.name, label: label)] : [])
        : []
    }
  }()

  /// Episode `number` of `data`, read with `reader(shard)`.
  init(
    _ data: OpenDataset, _ number: Int, reader: (Shard) -> BlockReader
  ) throws(TrajpackError) {
    let (shard, local, first) = try data.episode(number)
    let reader = reader(shard)
    let episode = shard.index.episode(local)
    self.data = data
    id = episode.id
    schema = shard.schema
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
    for (at, item) in tracks.enumerated() where firstOfLabel[item.label] == nil {
      firstOfLabel[item.label] = at
    }
  }

  func channel(_ entry: Entry) -> Channel? {
    if entry.isFrames { return frameChannel(entry) }
    guard let track = firstTrack(entry.label), let number = channelNumber(entry.channel, of: track)
    else { return nil }
    return track.stream.channels[number]
  }

  /// The number of a channel in the stream of a track.
  func channelNumber(_ name: String, of track: TrackReader) -> Int? {
    let stream = track.track.stream
    if channelNumbers[stream] == nil { channelNumbers[stream] = track.stream.channelNumbers }
    return channelNumbers[stream]?[name]
  }

  func firstTrack(_ label: String) -> TrackReader? {
    firstOfLabel[label].map { tracks[$0].track }
  }

  /// Whose rows those of a label are.
  func entity(_ label: String) -> Entity? { firstTrack(label)?.track.entity }

  /// The frame of each row of a track, made once for all channels of the track.
  func places(
    of number: Int, on frames: ReferenceFrames, make: () throws(TrajpackError) -> [Int]
  ) throws(TrajpackError) -> [Int] {
    if placedOn != frames { (placed, placedOn) = ([:], frames) }
    if let known = placed[number] { return known }
    let made = try make()
    placed[number] = made
    return made
  }

  /// The joint graph of an entry's stream.
  func bones(_ entry: Entry) -> [[Int]] {
    guard let name = firstTrack(entry.label)?.stream.skeleton else { return [] }
    return schema.skeleton(named: name)?.edges ?? []
  }

  /// The frames of channels of `streams`: the rows of `reference`; or else of the first of the streams without
  /// entities; or of the episode's own stream that has the same clock and covers all of the entities' tracks;
  /// or of the longest track.
  func frames(_ streams: [String], reference: String?) throws(TrajpackError) -> ReferenceFrames? {
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
    guard let first = all.track.clock.place(ofStart: part.track.clock) else { return false }
    return abs(first - first.rounded()) < 1e-6 && first > -0.5
      && first + Double(part.count) < Double(all.count) + 0.5
  }

  /// The frames of one track, by its number in the dataset.
  func frames(track number: Int) throws(TrajpackError) -> ReferenceFrames {
    guard let chosen = tracks.first(where: { $0.number == number }) else {
      throw TrajpackError(.usage, "episode '\(id)' has no track \(number)")
    }
    return try ReferenceFrames(chosen.track, number, of: data)
  }

  func times(_ track: Int, _ count: Int) throws(TrajpackError) -> [Double] {
    try TrackRows.times(data, track: track, count: count)
  }
}
