import TrajpackFormat
import TrajpackStore

/// What the first picture of an array of picture files says.
struct FirstPicture: Sendable {
  var head: PictureHead
  /// Bytes of the file.
  var bytes: Int
}

/// Pictures in an array of a tree, a PNG or JPEG file a row, padded with zeros or of any length: a video of which each packet
/// is such a file.
struct TreePictures: MappedVideo {
  /// The rows.
  var part: TreePart
  var bytes: Int
  /// Whether what a decoder calls red is blue, because the encoder was told so.
  var isSwapped: Bool

  func open(
    _ stream: MappedStream, _ recording: MappedRecording, _ mode: VideoMode
  ) throws(TrajpackError) -> PlacedVideo {
    let keeping = "--kind '\(stream.name)=packet' keeps them as bytes"
    guard mode == .embed else {
      throw TrajpackError(
        .usage,
        "--video link: the pictures of '\(stream.name)' lie in an array, where they are no file to link to; use embed; "
          + keeping)
    }
    guard case .regular(.regular(_, let rate), _) = stream.time else {
      throw TrajpackError(.data, "the pictures of '\(stream.name)' have no clock; \(keeping)")
    }
    let made = try within(
      "'\(stream.name)' of '\(recording.id)'",
      at: ErrorPlace(file: part.tree.path, episode: recording.id, channel: stream.name)
    ) { () throws(TrajpackError) in
      try PictureMovie.file(rate: rate, name: stream.name, remedy: keeping) {
        (add) throws(TrajpackError) in try part.texts(add)
      }
    }
    let video = try SourceVideo(stream: stream.name, made, ReadWatch())
    guard video.frames == part.count else {
      throw TrajpackError(
        .data,
        "of the \(part.count) pictures of '\(stream.name)', \(video.frames) are read; \(keeping)")
    }
    return PlacedVideo(
      video: video, place: "\(stream.name).mov", metadata: isSwapped ? [ChannelOrder.swapped] : [])
  }

  /// Makes streams that are pictures in all recordings, and that no option wants as they are, videos.
  ///
  /// - Returns: Whether there is one.
  static func take(
    _ recordings: inout [MappedRecording], _ options: MappingOptions, isSwapped: Bool
  ) -> Bool {
    var kept: Set<String> = []
    for stream in recordings.flatMap(\.streams) where stream.video == nil {
      guard stream.channels.count == 1, let channel = stream.channels.first,
        channel.picture != nil, case .tree = channel.source,
        options.kinds[stream.name] == nil, options.kinds[channel.channel.name] == nil
      else {
        kept.insert(stream.name)
        continue
      }
    }
    var isOne = false
    for i in recordings.indices {
      for s in recordings[i].streams.indices {
        let stream = recordings[i].streams[s]
        guard !kept.contains(stream.name), let channel = stream.channels.first,
          case .tree(let part) = channel.source, let first = channel.picture
        else { continue }
        recordings[i].streams[s].channels = []
        recordings[i].streams[s].video = TreePictures(
          part: part, bytes: first.bytes * part.count, isSwapped: isSwapped && part.isPadded)
        isOne = true
      }
    }
    return isOne
  }
}
