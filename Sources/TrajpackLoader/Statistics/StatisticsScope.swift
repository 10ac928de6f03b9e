import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// The rows whose statistics are wanted: of which episodes, and which of each.
struct StatisticsScope {
  /// Rows of every episode, counted on one stream: from row `first` on, before row `end`.
  struct Rows: Sendable, Equatable {
    var first: Int
    var end: Int?
    var stream: String
  }

  /// An episode, and the rows of its tracks.
  struct Episode {
    /// The dataset's place among those that are measured.
    var dataset: Int
    /// The episode's number in the dataset.
    var number: Int
    /// The shard's place among all, and the episode's number in it.
    var shard: Int
    var local: Int
    var parts: [TrackPart]
  }

  let datasets: [OpenDataset]
  /// The shards of all datasets.
  let shards: [Shard]
  private(set) var episodes: [Episode] = []

  /// The rows of the episodes that `keeps` is true for, in the order of the datasets.
  ///
  /// - Parameters:
  ///   - rows: Only these rows of each episode.
  ///   - streams: Those that are measured, whose times have to be good where `rows` are given.
  ///   - splits: Of each dataset, the part whose target rows count; `nil` for all rows.
  /// - Throws: A data error where times that are needed are damaged.
  init(
    _ datasets: [OpenDataset], rows: Rows? = nil, of streams: Set<String> = [],
    splits: [SplitSelection?],
    keeping keeps: (_ dataset: Int, _ shard: Shard, _ episode: Int) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) {
    self.datasets = datasets
    shards = datasets.flatMap(\.shards)
    var place = 0
    for (d, dataset) in datasets.enumerated() {
      for (s, shard) in dataset.shards.enumerated() {
        let cut = try rows.map { (rows) throws(TrajpackError) in try RowCut(rows, shard) }
        let reader = BlockReader(shard)
        for local in 0..<shard.index.episodeCount {
          guard splits[d]?.keeps(local, shard: s) ?? true, try keeps(d, shard, local) else {
            continue
          }
          let span = try cut?.span(ofEpisode: local)
          if cut != nil, span == nil { continue }
          var parts: [TrackPart] = []
          for track in shard.index.tracks(ofEpisode: local) {
            var own = 0..<shard.index.numbers(ofTrack: track).count
            if let cut, let span {
              do throws(TrajpackError) {
                own = try cut.rows(ofTrack: track, in: span)
              } catch {
                let stream = shard.index.numbers(ofTrack: track).stream
                guard !streams.contains(shard.schema.streams[stream].name) else { throw error }
                continue
              }
            }
            let targets =
              try splits[d]?.targetRows(ofTrack: track, shard: s, of: dataset, reader) ?? [own]
            for rows in targets.map({ $0.clamped(to: own) }) where !rows.isEmpty {
              parts.append(TrackPart(shard: place, track: track, rows: rows))
            }
          }
          guard !parts.isEmpty || (rows == nil && splits[d]?.cutsEpisodes != true) else { continue }
          episodes.append(
            Episode(
              dataset: d, number: dataset.firstEpisodes[s] + local, shard: place, local: local,
              parts: parts))
        }
        place += 1
      }
    }
  }

  /// Rows of each stream in some of the episodes, by their places.
  func rowCounts(of members: [Int]) -> [(stream: String, rows: Int)] {
    var names: [String] = []
    var counts: [String: Int] = [:]
    for member in members {
      for part in episodes[member].parts {
        let name = stream(of: part)
        if counts[name] == nil { names.append(name) }
        counts[name, default: 0] += part.rows.count
      }
    }
    return names.map { ($0, counts[$0] ?? 0) }
  }

  private func stream(of part: TrackPart) -> String {
    let shard = shards[part.shard]
    return shard.schema.streams[shard.index.numbers(ofTrack: part.track).stream].name
  }

  /// The episode's id.
  func id(_ episode: Episode) -> String {
    shards[episode.shard].index.episode(episode.local).id
  }

  /// What identifies the rows in the data, however they were chosen and whatever the shards: SHA-256 of the
  /// episodes' ids and the rows of each track.
  var digest: String {
    var hash = SHA256()
    for episode in episodes {
      var text = "\(episode.dataset) \(id(episode))\n"
      for part in episode.parts {
        text += "\(stream(of: part)) \(part.rows.lowerBound) \(part.rows.upperBound)\n"
      }
      var bytes = Array(text.utf8)
      bytes.withUnsafeMutableBytes { hash.add(UnsafeRawBufferPointer($0)) }
    }
    return hash.hexadecimal()
  }
}

/// Rows of every stream of an episode that lie in the time of some rows of one stream.
private struct RowCut {
  private let rows: StatisticsScope.Rows
  private let shard: Shard
  private let view: ShardView
  private let reader: BlockReader
  private let stream: Int?

  init(_ rows: StatisticsScope.Rows, _ shard: Shard) throws(TrajpackError) {
    self.rows = rows
    self.shard = shard
    reader = BlockReader(shard)
    view = ShardView(shard)
    stream = shard.schema.streams.firstIndex { $0.name == rows.stream }
  }

  /// The time from the first of the rows up to the one after the last; `nil` where the episode has none of them.
  func span(ofEpisode episode: Int) throws(TrajpackError) -> TimeRange? {
    let tracks = shard.index.tracks(ofEpisode: episode).filter {
      let numbers = shard.index.numbers(ofTrack: $0)
      return numbers.stream == stream && numbers.count > 0
    }
    // A stream with gaps has a track for each run of rows. One of entities counts rows by the one that is there the longest, as
    // windows do.
    var counted = tracks.filter { shard.index.numbers(ofTrack: $0).entity < 0 }
    if counted.isEmpty {
      func length(_ track: Int) -> Int { shard.index.numbers(ofTrack: track).count }
      let longest = tracks.map(length).max()
      counted = tracks.first { length($0) == longest }.map { [$0] } ?? []
    }
    var clocks: [TrackClock] = []
    for track in counted { clocks.append(try view.trackClock(track, reader: reader)) }
    let line = SplitResolver.Line(clocks)
    guard let first = line.instant(rows.first) else { return nil }
    return TimeRange(from: first, to: rows.end.flatMap { line.instant($0) })
  }

  func rows(ofTrack track: Int, in span: TimeRange) throws(TrajpackError) -> Range<Int> {
    try view.trackClock(track, reader: reader).rows(in: span)
  }
}
