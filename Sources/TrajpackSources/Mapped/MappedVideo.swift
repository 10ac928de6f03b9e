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
    let placed = try source.open(stream, recording, settings.video)
    let there = placed.video.frames - placed.first
    let count = stream.count == MappedStream.asTimes ? there : stream.count
    guard there >= count else {
      throw TrajpackError(
        .data,
        "the video '\(stream.name)' has \(counted(there, "frame")) where the recording has "
          + "\(counted(count, "row"))")
    }
    var times: [Int64]?
    var clock: Clock
    let rate: Rational
    switch stream.time {
    case .regular(let known, _):
      clock = known
      guard case .regular(_, let own) = known else {
        throw TrajpackError(.data, "the video '\(stream.name)' has no clock")
      }
      rate = own
    case .array(let source, let type, let tick, _):
      let axis = try self.axis(of: stream, recording)
      clock = axis.regularClock ?? (type.isFloat ? .float64 : .ticks(tick))
      rate = clock.rate ?? .one
      times = try ownTimes(source, type, tick, stream, schema.streams[number])
      if times != nil { clock = type.isFloat ? .float64 : .ticks(tick) }
    }
    var track = try placed.video.draft(
      stream: number, schema: schema, rate: rate, mode: settings.video, limit: count,
      place: placed.place, from: placed.first, times: times, more: placed.metadata)
    track.clock = clock
    return (track, placed.remarks)
  }

  /// The times of a video's rows, as the channel `time` of its stream has them: eight bytes each; `nil` where the stream
  /// has none, because a clock gives them.
  private static func ownTimes(
    _ source: RowSource, _ type: ElementType, _ tick: Rational, _ stream: MappedStream,
    _ laid: Stream
  ) throws(TrajpackError) -> [Int64]? {
    guard let place = laid.channel(named: "time") else { return nil }
    let channel = laid.channels[place]
    guard channel.type == type || (channel.type == .float64 && tick == .one) else {
      throw TrajpackError(
        .data, "the times of '\(stream.name)' are of another type than those of other recordings")
    }
    let rows = try packed(source).converted(from: type, to: channel.type)
    var times: [Int64] = []
    try rows.forEachPiece(of: .int64) { (bytes, count) throws(TrajpackError) in
      for i in 0..<count {
        times.append(bytes.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self))
      }
    }
    return times
  }
}
