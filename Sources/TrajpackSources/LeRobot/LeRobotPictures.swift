import TrajpackFormat
import TrajpackStore

/// Pictures that lie in the table, a PNG or JPEG file a row: a video of which each packet is such a file.
struct LeRobotPictures: MappedVideo {
  /// The feature.
  var key: String
  /// The leaf that has the bytes.
  var leaf: String
  var bytes: Int
  var episode: LeRobotEpisode
  var tables: LeRobotFiles
  var fps: Rational

  func open(
    _ stream: MappedStream, _ recording: MappedRecording, _ mode: VideoMode
  ) throws(TrajpackError) -> PlacedVideo {
    guard mode == .embed else {
      throw TrajpackError(
        .usage,
        "--video link: the pictures of '\(key)' lie in a table, where they are no file to link to; use embed, or leave "
          + "them out by --exclude-members '\(key)'")
    }
    let (table, range) = try tables.rows(episode)
    guard let column = table.file.column(leaf) else {
      throw TrajpackError(.data, file: table.file.path, "has no column '\(leaf)'")
    }
    let texts = try table.texts(column)
    var pictures: [[UInt8]?] = []
    for row in range { pictures.append(try texts.text(row)) }
    let made = try within(
      "\(table.file.path): '\(key)' of '\(recording.id)'",
      at: ErrorPlace(file: table.file.path, episode: recording.id, channel: key)
    ) { () throws(TrajpackError) in
      try PictureMovie.file(
        pictures, rate: fps, name: key, remedy: "--kind '\(key)=packet' keeps them as bytes")
    }
    let video = try SourceVideo(stream: stream.name, made, ReadWatch())
    guard video.frames == pictures.count else {
      throw TrajpackError(
        .data, file: table.file.path,
        "of the \(pictures.count) pictures of '\(key)', \(video.frames) are read; --kind "
          + "'\(key)=packet' keeps them as bytes")
    }
    return PlacedVideo(video: video, place: "\(key).mov")
  }
}
