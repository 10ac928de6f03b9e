import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Decodes the frames of a dataset's videos, for formats that hold pictures.
final class EpisodeFrames: Sendable {
  private let data: OpenDataset
  private let firstTracks: [String: Int]

  /// - Parameter media: Where linked videos lie; they have no frames where `nil`.
  init(_ path: String, media: String?) throws(TrajpackError) {
    data = try OpenDataset(path)
    if let media { try data.media.set(media, allowsOutside: false) }
    var first: [String: Int] = [:]
    for (number, shard) in data.shards.enumerated() {
      for episode in 0..<shard.index.episodeCount {
        first[shard.index.episode(episode).id] = data.firstTracks[number]
      }
    }
    firstTracks = first
  }

  /// The frames of a track of an episode.
  func frames(
    of track: TrackReader, episode: String
  ) throws(TrajpackError) -> TrackFrames {
    try TrackFrames(data, track: track.number + (firstTracks[episode] ?? 0))
  }
}
