import Synchronization
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Decodes the frames of a dataset's videos, for formats that hold pictures. The dataset is opened for that with the first
/// frame that is wanted.
final class EpisodeFrames: Sendable {
  private let path: String
  private let media: String?

  private struct Opened: Sendable {
    let data: OpenDataset
    /// The first track of each episode's shard.
    var firstTracks: [String: Int] = [:]

    init(_ path: String, media: String?) throws(TrajpackError) {
      data = try OpenDataset(path)
      if let media { try data.media.set(media, allowsOutside: false) }
      for (number, shard) in data.shards.enumerated() {
        for episode in 0..<shard.index.episodeCount {
          firstTracks[shard.index.episode(episode).id] = data.firstTracks[number]
        }
      }
    }
  }
  private let opened = Mutex<Opened?>(nil)

  /// - Parameter media: Where linked videos lie; they have no frames where `nil`.
  init(_ path: String, media: String?) { (self.path, self.media) = (path, media) }

  /// The frames of a track of an episode.
  func frames(
    of track: TrackReader, episode: String
  ) throws(TrajpackError) -> TrackFrames {
    let opened = try self.opened.withLock { (held) throws(TrajpackError) -> Opened in
      if let held { return held }
      let made = try Opened(path, media: media)
      held = made
      return made
    }
    return try TrackFrames(opened.data, track: track.number + (opened.firstTracks[episode] ?? 0))
  }
}
