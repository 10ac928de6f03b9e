import TrajpackFormat
import TrajpackStore

extension Rule {
  static let learningSharedRecording = Rule(
    "learning.shared-recording", .warning, "clips of one recording are in two splits",
    reason: """
      Clips of a recording share its place, its light and its person: a test on them says how well a model knows this recording.
      """,
    example: """
      Clips 3 and 4 that 'trajpack cut' made of one episode, in 'train' and 'test'; episodes whose value 'recording', 'source_recording', 'source_episode', 'source_file', 'source_video' or \
      'video_id' is the same, in two splits. Parts of an episode that a split scheme made are not reported: it was asked for.
      """,
    remedy: "Split by recordings before they are cut ('trajpack split --by').",
    implies: ["learning.leakage"],
    check: .dataset { RecordingCheck() })
}

private final class RecordingCheck: DatasetCheck {
  private static let names = [
    "recording", "source_recording", "source_episode", "source_file", "source_video", "video_id",
  ]
  private let comparison = EpisodeComparison(most: 1 << 16)

  func add(_ episode: EpisodeFacts) throws(TrajpackError) {
    guard !episode.about.split.isEmpty else { return }
    try comparison.add(
      episode.place(), split: episode.about.split,
      digest: Self.recording(of: episode.about.metadata).map(Self.hash))
  }

  /// What an episode says of the recording that it is of.
  private static func recording(of metadata: String) -> String? {
    guard metadata.utf8.count < 1 << 20, !metadata.isEmpty,
      let json = try? JSONValue(parsing: metadata)
    else { return nil }
    if let clip = json["clip"], let episode = clip["episode"]?.string {
      return "\(clip["source_digest"]?.string ?? "") \(episode)"
    }
    for group in [json[ValueTable.member], json["constants"], json] {
      for name in names {
        if let text = group?[name]?.string, !text.isEmpty { return "\(name) \(text)" }
        if let number = group?[name]?.int { return "\(name) \(number)" }
      }
    }
    return nil
  }

  private static func hash(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
    return hash ^ hash >> 33
  }

  func finish(_ hits: inout DatasetHits) throws(TrajpackError) {
    let found = try comparison.equal(leakage: true).found
    guard found.count > 0 else { return }
    hits.add(
      "episodes of one recording are in two splits", count: found.count, tracks: found.count,
      found.first.map { match in
        var place = match.place
        place.note =
          "of the same recording as \(match.other.episode ?? "") of split '\(match.split)'"
        return place
      })
  }
}
