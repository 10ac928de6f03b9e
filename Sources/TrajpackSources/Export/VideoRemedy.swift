import TrajpackFormat

/// What to do about a video that a format has no room for.
enum VideoRemedy {
  /// A command that works on a video of that kind, and what it does: 'transcode' makes an mp4 of an mp4 only, and nothing lossy
  /// of depth and gray pictures.
  static func sentence(_ stream: Stream, _ metadata: JSONValue) -> String {
    let isMovie = metadata["container"]?.string?.hasPrefix("mov") == true
    let isGray = metadata["pixel_format"]?.string?.hasPrefix("gray") == true
    return isMovie && !stream.isDepth && !isGray
      ? "'trajpack transcode --stream \(stream.name) --to h264:gop=8,crf=20' makes one of it"
      : "'trajpack export --to png' writes its frames"
  }
}
