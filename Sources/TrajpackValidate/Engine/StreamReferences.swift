import TrajpackFormat

/// Streams that are alike in most episodes: a trajectory that all recordings follow says nothing of where their rows come from.
struct StreamReferences {
  private struct Candidate {
    /// Hashes of windows of tracks that are alike, exact and rounded.
    var hashes: Set<UInt64> = []
    var near: Set<UInt64> = []
    /// Tracks that are like it, less those that are not, in the order in which they came: what most are like is left with votes
    /// (Boyer and Moore 1991, MJRTY).
    var votes = 0
    var tracks = 0

    /// Whether a track has half of its windows in common with those that came.
    func isLike(_ track: TrackFacts) -> Bool {
      func share(_ own: [UInt64], _ known: Set<UInt64>) -> Bool {
        !own.isEmpty && own.count(where: known.contains) * 2 >= own.count
      }
      return share(track.windows, hashes) || share(track.nearWindows, near)
    }

    mutating func take(_ track: TrackFacts) {
      if hashes.count < StreamReferences.mostHashes { hashes.formUnion(track.windows) }
      if near.count < StreamReferences.mostHashes { near.formUnion(track.nearWindows) }
    }
  }
  private static let mostStreams = 256
  fileprivate static let mostHashes = 256
  private var candidates: [String: Candidate] = [:]

  /// Adds the streams of an episode.
  mutating func add(_ episode: EpisodeFacts) {
    for track in episode.tracks where !track.windows.isEmpty || !track.nearWindows.isEmpty {
      let name = track.track.stream.name
      guard candidates[name] != nil || candidates.count < Self.mostStreams else { continue }
      var candidate = candidates.removeValue(forKey: name) ?? Candidate()
      candidate.tracks += 1
      if candidate.votes == 0 {
        candidate = Candidate(votes: 1, tracks: candidate.tracks)
        candidate.take(track)
      } else if candidate.isLike(track) {
        candidate.votes += 1
        candidate.take(track)
      } else {
        candidate.votes -= 1
      }
      candidates[name] = candidate
    }
  }

  /// The stream of each hash of windows of references; none where all streams are alike, as in episodes that were cut from one
  /// recording.
  func streams(near: Bool) -> [UInt64: String] {
    let alike = candidates.filter { $1.votes >= 3 && $1.votes * 3 >= $1.tracks }
    guard alike.count < candidates.count else { return [:] }
    return alike.sorted { $0.key < $1.key }.reduce(into: [:]) { streams, item in
      for hash in near ? item.value.near : item.value.hashes { streams[hash] = item.key }
    }
  }
}
