import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackStore

/// The recordings of a dataset as they are: what `trajpack transcode` converts from.
public struct DatasetImporter: VideoImporter {
  /// What a dataset that was transcoded says of its source.
  public static let format = FormatDescription(
    name: "transcode", summary: "a dataset whose videos were stored in another way",
    carries: "every stream as it is", reads: false, writes: false)

  private let source: PlanImporter
  private let media: MediaFolder
  /// The source dataset's digest.
  public let digest: String
  /// See ``Importer``.
  public var recordings: [Recording] { source.recordings }

  /// - Parameter media: Where linked videos are.
  /// - Throws: `.usage` for a dataset whose conversion has not finished.
  public init(_ dataset: OpenDataset, version: String) throws(TrajpackError) {
    source = try PlanImporter(
      dataset.dataset, Plan(steps: []), version: version, foldsValues: false)
    media = dataset.media
    digest = source.source.digest
    options = .record([
      "source_digest": .string(digest), "source": dataset.dataset.manifest?.source,
      "trajpack": .string(version),
    ])
  }

  /// What identifies the work: the source's digest and own origin, and the version of trajpack.
  public let options: JSONValue

  /// Where the layout changes; see ``Importer``.
  public func beginsShard(_ number: Int) -> Bool { source.beginsShard(number) }

  /// See ``Importer``.
  public func examine(_ recording: Recording) -> PlanImporter.EpisodeNumber? {
    source.examine(recording)
  }

  /// The schema of the source's layout; see ``Importer``.
  public func schema(
    for examined: [(Recording, PlanImporter.EpisodeNumber)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    try source.schema(for: examined, layout)
  }

  /// An episode as it is; see ``Importer``.
  public func draft(
    _ recording: Recording, _ examination: PlanImporter.EpisodeNumber, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    try source.draft(recording, examination, schema)
  }

  /// What is known of the videos of an episode.
  public func videos(
    _ recording: Recording, _ examination: PlanImporter.EpisodeNumber
  ) throws(TrajpackError) -> [VideoSummary] {
    let place = source.source.places[examination.value]
    let shard = try source.source.shard(place.shard)
    var found: [VideoSummary] = []
    for number in shard.index.tracks(ofEpisode: place.number) {
      let track = shard.index.track(number)
      let stream = shard.schema.streams[track.stream]
      guard stream.isVideo, track.rows.count > 0 else { continue }
      let metadata = JSONReader(
        try JSONValue(parsing: track.metadata.isEmpty ? "{}" : track.metadata),
        at: "\(shard.name): metadata of '\(stream.name)', episode '\(recording.id)'")
      found.append(
        VideoSummary(
          stream: stream.name, width: try metadata.integer("width"),
          height: try metadata.integer("height"),
          pixelFormat: try metadata.optionalText("pixel_format") ?? "",
          frames: track.rows.count, bytes: try metadata.integer("bytes")))
    }
    return found
  }

  /// The bytes of a linked video, from below the folder that the user named.
  public func linked(
    _ metadata: JSONValue, name: String
  ) throws(TrajpackError) -> TrackDraft.Bytes {
    .file(try media.file(metadata, place: name))
  }
}
