import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Clips of a dataset as recordings of their own: what `trajpack cut` converts from.
public struct ClipImporter: Importer {
  /// What a dataset of clips says of its source.
  public static let format = FormatDescription(
    name: "clips", summary: "clips cut out of a dataset",
    carries: "every stream within the clip's time, video cut at packets or whole", reads: false,
    writes: false)

  /// How videos are taken.
  public enum VideoRule: String, Sendable, CaseIterable {
    /// The frames of the clip where their packets give exactly them, else as ``whole``.
    case cut
    /// As the whole file, with the frames of the clip in the track's metadata.
    case whole
    /// Not at all.
    case none
    /// Frames of depth as samples, decoded; other videos not at all.
    case samples
  }

  let clipped: ClippedDataset
  /// The dataset that the clips are of.
  public var dataset: Dataset { clipped.data.dataset }
  /// What became of videos.
  public let tally = VideoTally()
  let video: VideoRule
  /// A clip for each recording, and the layout of its shard.
  let layouts: [Int]
  let schemas: [Schema]
  private let numbers: [String: Int]
  /// What was set of the recordings after they were written.
  let values: CarriedValues
  /// The recordings, one a clip.
  public let recordings: [Recording]
  /// What identifies the cutting: the list, the source's digest, and the version of trajpack.
  public let options: JSONValue

  /// Changes when the values do that were set of the recordings later; `nil` where there are none.
  public var valuesDigest: String? { values.digest }

  /// Finds the clips of a list in a dataset.
  ///
  /// - Parameter media: The folder in which linked videos lie, where frames are decoded.
  /// - Throws: A usage error for a dataset that has not finished, or clips that do not fit it.
  public init(
    _ path: String, _ list: ClipList, reference: String? = nil, video: VideoRule = .whole,
    media: String? = nil, version: String
  ) throws(TrajpackError) {
    let data = try OpenDataset(path)
    if let media { try data.media.set(media, allowsOutside: false) }
    guard data.dataset.isComplete else {
      throw TrajpackError(
        .usage, file: path, "its conversion has not finished; go on with it by --resume first")
    }
    let clipped = try ClippedDataset(data, list, reference: reference)
    var schemas: [Schema] = []
    let ofShards = data.shards.map { shard in
      if let known = schemas.firstIndex(where: { EpisodeSource.areAlike($0, shard.schema) }) {
        return known
      }
      schemas.append(shard.schema)
      return schemas.count - 1
    }
    let values = try CarriedValues(data.dataset)
    self.values = values
    self.clipped = clipped
    self.video = video
    self.schemas = schemas
    layouts = clipped.clips.map { ofShards[$0.shard] }
    recordings = clipped.clips.map { placed in
      let clip = clipped.clip(placed)
      let schema = data.shards[placed.shard].schema
      let row = schema.blocks.reduce(0) { $0 + $1.rowBytes }
      return Recording(
        id: clip.id, path: path, bytes: placed.rows * row,
        fingerprint: "\(data.digest) \(clip.json.text())")
    }
    numbers = Dictionary(
      recordings.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    options = .record([
      "clips_digest": .string(list.digest), "source_digest": .string(data.digest),
      "reference": .string(clipped.reference), "video": .string(video.rawValue),
      "source": data.dataset.manifest?.source, "trajpack": .string(version),
      "values": values.digest.map { .string($0) },
    ])
  }

  /// Where the layout changes; see ``Importer``.
  public func beginsShard(_ number: Int) -> Bool {
    number > 0 && layouts[number] != layouts[number - 1]
  }

  /// Which of the clips a recording is.
  public struct ClipNumber: Sendable {
    let value: Int
  }

  /// Nothing is looked at that the index has not said; see ``Importer``.
  public func examine(_ recording: Recording) -> ClipNumber? {
    numbers[recording.id].map { ClipNumber(value: $0) }
  }

  /// The streams of the source's layout, without videos where these are not wanted; see ``Importer``.
  public func schema(
    for examined: [(Recording, ClipNumber)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    guard let first = examined.first?.1.value else { return Schema() }
    let old = schemas[layouts[first]]
    return TrackCopy.schema(
      old, layout, attributes: values.attributes(old.attributes), keeps: keeps)
  }

  func keeps(_ stream: TrajpackFormat.Stream) -> Bool {
    guard stream.isVideo else { return true }
    switch video {
    case .cut, .whole: return true
    case .none: return false
    case .samples: return stream.isDepth
    }
  }
}

extension TrajpackFormat.Stream {
  /// Whether its rows are the frames of a video file.
  var isVideo: Bool { attributes["video"] == .bool(true) }
}

extension ClipImporter {
  /// The streams of videos in the source.
  public var videos: [String] {
    var out: [String] = []
    for stream in schemas.flatMap(\.streams) where stream.isVideo && !out.contains(stream.name) {
      out.append(stream.name)
    }
    return out
  }
}

extension ClipImporter {
  /// The digest of the dataset that clips are cut from.
  public var dataDigest: String { clipped.data.digest }
}
