import TrajpackFormat
import TrajpackStore

/// Lists the videos whose frames are to be checked, each with a function that decodes and checks it. The caller gives it,
/// since this module does not use FFmpeg.
public struct FrameLook {
  /// A video.
  public struct Video: Sendable {
    /// The id of its episode.
    public var episode: String
    /// Under which a validation keeps what was found.
    public var key: String
    /// Decodes its frames, on one of the threads; `nil` where the user stopped it before its end.
    public var look: @Sendable () throws(TrajpackError) -> [FrameFinding]?

    /// A video.
    public init(
      episode: String, key: String,
      look: @escaping @Sendable () throws(TrajpackError) -> [FrameFinding]?
    ) {
      (self.episode, self.key, self.look) = (episode, key, look)
    }
  }

  /// The videos of some shards of a dataset, of the episodes whose ids are taken.
  public var videos:
    (_ dataset: Dataset, _ shards: [Shard], _ takes: (String) -> Bool)
      throws(TrajpackError) -> [Video]
  /// Told the id of the episode of each video that has been looked at.
  public var took: (String) -> Void

  /// A way to look at frames.
  public init(
    videos: @escaping (Dataset, [Shard], (String) -> Bool) throws(TrajpackError) -> [Video],
    took: @escaping (String) -> Void
  ) {
    (self.videos, self.took) = (videos, took)
  }
}

/// What a rule of decoded frames found at one place.
public struct FrameFinding: Sendable {
  /// The rule, by its id.
  public var rule: String
  /// What is wrong, without the values.
  public var what: String
  /// The stream of the video.
  public var stream: String
  /// How many frames.
  public var count: Int
  /// The first of them.
  public var place: Place

  /// A finding.
  public init(rule: String, _ what: String, stream: String, count: Int = 1, _ place: Place) {
    (self.rule, self.what, self.stream) = (rule, what, stream)
    (self.count, self.place) = (count, place)
  }
}

extension Place {
  /// A place of a video.
  public init(
    shard: String?, video episode: String, entity: String?, rows: Range<Int>?, values: [Double],
    note: String?
  ) {
    self.init(
      shard: shard, episode: episode, entity: entity, rows: rows, values: values, note: note)
  }
}

extension Validation {
  /// The videos whose frames are to be looked at.
  func videos(
    of dataset: Dataset, _ shards: [Shard], _ frames: FrameLook?
  ) throws(TrajpackError) -> [FrameLook.Video] {
    let rules = [
      "time.frames", "time.video-shift", "geometry.depth-missing", "geometry.depth-range",
    ]
    guard rules.contains(where: { runs($0) }),
      shards.contains(where: { shard in
        shard.schema.streams.contains { $0.attributes["video"]?.bool == true }
      })
    else { return [] }
    guard let frames else {
      unchecked(
        "whether videos decode, follow the motion of their camera, and have plausible depth, which --frames looks at",
        rules: ["time.frames", "time.video-shift"])
      return []
    }
    let config = config
    return try frames.videos(dataset, shards) { config.takes($0) }
  }

  /// Reports what decoded frames tell, in the order of the videos; what was found before is not looked for again.
  func look(
    at videos: [FrameLook.Video], took: (String) -> Void
  ) throws(TrajpackError) {
    var work: [(video: FrameLook.Video, known: [FrameFinding]?, job: Future<[FrameFinding]?>?)] =
      []
    for video in videos {
      if var bytes = try known(video.key) {
        let found = bytes.list { FrameFinding(from: &$0) }
        if bytes.isAtEnd {
          work.append((video, found, nil))
          continue
        }
      }
      let look = video.look
      work.append((video, nil, pool.run { () throws(TrajpackError) in try look() }))
    }
    var failure: TrajpackError?
    for (video, known, job) in work {
      do throws(TrajpackError) {
        var found = known
        if let job { found = try job.value() }
        guard let found else { continue }
        // What does not decode may be whole the next time, as a linked file that was put back.
        if known == nil, !found.contains(where: { $0.rule == "time.frames" }) {
          try log?.append(video.key) { $0.add(found) { $1.encode(to: &$0) } }
        }
        for finding in found {
          report(
            finding.rule, finding.what, stream: finding.stream, count: finding.count, finding.place)
        }
        took(video.episode)
      } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }
}
