import TrajpackFormat
import TrajpackStore

/// Where the frames of a stream come from: a row is a frame.
protocol MappedVideo: Sendable {
  /// The bytes of it that a recording takes up, for planning; no more than about right.
  var bytes: Int { get }

  /// Looks at its packets.
  ///
  /// - Parameter mode: Whether its bytes come along; never ``VideoMode/drop``.
  func open(
    _ stream: MappedStream, _ recording: MappedRecording, _ mode: VideoMode
  ) throws(TrajpackError) -> PlacedVideo
}

/// A video, and which of its frames are rows.
struct PlacedVideo: Sendable {
  var video: SourceVideo
  /// The frame that is the first row.
  var first = 0
  /// What its file is called.
  var place: String
  /// What is said of it besides.
  var metadata: [JSONValue.Member] = []
  /// What a user should know.
  var remarks: [String] = []
}

extension MappedRows {
  /// A video's packets as rows of a schema.
  static func frames(
    of stream: MappedStream, _ source: any MappedVideo, _ schema: Schema, _ number: Int,
    _ recording: MappedRecording, _ settings: MappingOptions
  ) throws(TrajpackError) -> (TrackDraft, [String]) {
    guard case .regular(.regular(let start, let rate), _) = stream.time else {
      throw TrajpackError(.data, "the video '\(stream.name)' has no clock")
    }
    let placed = try source.open(stream, recording, settings.video)
    var stream = stream
    if stream.count == MappedStream.asTimes { stream.count = placed.video.frames - placed.first }
    guard placed.video.frames - placed.first >= stream.count else {
      throw TrajpackError(
        .data,
        "the video '\(stream.name)' has \(counted(placed.video.frames - placed.first, "frame")) where the recording has "
          + "\(counted(stream.count, "row"))")
    }
    var track = try placed.video.draft(
      stream: number, schema: schema, rate: rate, mode: settings.video, limit: stream.count,
      place: placed.place, from: placed.first, more: placed.metadata)
    track.clock = .regular(start: start, rate: rate)
    return (track, placed.remarks)
  }
}
