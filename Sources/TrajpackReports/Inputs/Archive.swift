import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// A dataset as evaluations read it: by episode id, entity and channel.
final class Archive {
  let data: OpenDataset
  let ids: [String]
  private let numbers: [String: Int]
  /// Reads the shard of the episode that was asked for last: its neighbours share chunks with it.
  private var reader: (shard: Shard, blocks: BlockReader)?
  /// Where several metrics are computed: what one has read, for the next.
  var cache: ReadCache?

  /// - Parameter media: The folder in which linked videos lie.
  init(_ path: String, media: String? = nil) throws(TrajpackError) {
    data = try OpenDataset(path)
    if let media { try data.media.set(media, allowsOutside: false) }
    var ids: [String] = []
    for shard in data.shards {
      for number in 0..<shard.index.episodeCount { ids.append(shard.index.episode(number).id) }
    }
    self.ids = ids
    numbers = Dictionary(ids.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func holds(_ id: String) -> Bool { numbers[id] != nil }

  /// The most rows that an episode has in a stream, counted from the start of the first of its tracks.
  func rows(of id: String) throws(TrajpackError) -> Int {
    let tracks = try recording(id).tracks.map(\.track.track)
    func start(_ clock: Clock) -> Double? {
      if case .regular(let start, _) = clock {
        return Double(start.numerator) / Double(start.denominator)
      }
      return nil
    }
    let first = tracks.compactMap { start($0.clock) }.min() ?? 0
    return tracks.reduce(0) { most, track in
      var late = 0.0
      if case .regular(_, let rate) = track.clock, let start = start(track.clock) {
        late = (start - first) * Double(rate.numerator) / Double(rate.denominator)
      }
      return max(most, Int(clamping: Int64(min(late.rounded(.up), 1e15))) + track.rows.count)
    }
  }

  /// An episode that is there.
  func recording(_ id: String) throws(TrajpackError) -> ArchiveEpisode {
    guard let number = numbers[id] else {
      throw TrajpackError(.usage, file: data.dataset.path, "there is no episode '\(id)'")
    }
    let recording = try ArchiveEpisode(data, number) { [self] shard in
      if let reader, reader.shard === shard { return reader.blocks }
      let blocks = BlockReader(shard)
      reader = (shard, blocks)
      return blocks
    }
    recording.cache = cache
    return recording
  }
}

/// A channel of the episode, or of one of its entities over all of its tracks.
struct Entry: Hashable {
  /// `camera`, `npc[0]`, `skeleton/em_37[monster 0]`: what `trajpack export` calls it.
  var label: String
  var stream: String
  var channel: String

  /// Whether it is the frames of a video of depth, as distances.
  var isFrames = false

  var path: String { isFrames ? label : "\(label)/\(channel)" }

  func matches(_ pattern: Pattern) -> Bool {
    pattern.matches(label) || pattern.matches(path)
      || pattern.matches(stream: stream, channel: channel)
  }
}

extension Entry {
  /// The frames of a video.
  init(framesOf stream: String, label: String) {
    self.init(label: label, stream: stream, channel: "frame", isFrames: true)
  }
}

/// The rows that an evaluation of an episode counts by: those of one track.
struct ReferenceFrames: Equatable {
  var count: Int
  var clock: Clock
  /// The times of all rows, where the clock does not give them.
  var times: [Double]
  var stream: String

  /// The rows of a track, by its number in the dataset; reads its times where the clock does not give them.
  init(
    _ track: TrackReader, _ number: Int, of data: OpenDataset
  ) throws(TrajpackError) {
    (count, clock, stream) = (track.count, track.track.clock, track.stream.name)
    times = []
    if clock.isRegular { return }
    times = try TrackRows.times(data, track: number, count: count)
  }

  func time(_ row: Int) -> Double { times.isEmpty ? clock.time(ofRow: row) ?? .nan : times[row] }

  /// When a row after the last would be.
  var end: Double {
    guard count > 0 else { return 0 }
    if times.isEmpty { return time(count) }
    return count > 1 ? time(count - 1) + (time(count - 1) - time(0)) / Double(count - 1) : time(0)
  }

  /// Rows a second; nil for explicit times.
  var rate: Double? { clock.rate?.value }
}
