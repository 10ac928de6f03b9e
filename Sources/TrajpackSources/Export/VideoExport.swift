import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Writes a video that was taken over as the file that it was.
enum VideoExport {
  /// Writes the video of a track under the name that its file had.
  static func write(
    _ track: TrackReader, mediaFolder: String?, in folder: ExportFolder
  ) throws(TrajpackError) {
    let metadata = JSONReader(
      try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata),
      at: "metadata of '\(track.stream.name)'")
    let name = try Export.fileName(FileSystem.name(of: try metadata.text("file")))
    try write(track, mediaFolder: mediaFolder, as: name, in: folder)
  }

  /// Writes the video of a track as a file.
  /// - Parameter mediaFolder: Where a video that was linked is looked for; it is left out where `nil`.
  static func write(
    _ track: TrackReader, mediaFolder: String?, as name: String, in folder: ExportFolder
  ) throws(TrajpackError) {
    let metadata = JSONReader(
      try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata),
      at: "metadata of '\(track.stream.name)'")
    let wanted = try metadata.text("sha256")
    var hash = SHA256()
    if try metadata.text("stored") == VideoMode.embed.rawValue {
      let file = try OutputFile(name, in: folder)
      let length = track.track.blob.count
      var at = 0
      while at < length {
        let part = try track.bytes(at..<min(at + 1 << 20, length))
        part.withUnsafeBytes { hash.add($0) }
        try file.write(part)
        at += part.count
      }
      try file.finish()
    } else {
      guard let mediaFolder else { return }
      try copy(linked: metadata, from: mediaFolder, as: name, in: folder, &hash)
    }
    if let frames = try metadata.optionalInteger("file_frames"), frames > track.count {
      folder.note(
        "\(name) is given back whole, with \(frames) frames where the recording has \(track.count) rows; "
          + "'trajpack convert --on-mismatch truncate' cuts it again")
    }
    guard hash.hexadecimal() == wanted else {
      throw TrajpackError(
        .data,
        "stream '\(track.stream.name)': the video is not the one that was converted (its SHA-256 "
          + "differs); find the original file")
    }
  }

  /// Copies a linked file from below the folder that the user named. The name comes from the archive, so
  /// it may not lead out of that folder.
  private static func copy(
    linked metadata: JSONReader, from media: String, as own: String, in folder: ExportFolder,
    _ hash: inout SHA256
  ) throws(TrajpackError) {
    let name = try metadata.text("file")
    guard name.isRelativeDescendant else {
      throw metadata.wrong("a path below the media folder, not '\(name)'")
    }
    let source = try LocalFile("\(media)/\(name)")
    let file = try OutputFile(own, in: folder)
    var at = 0
    while at < source.length {
      let part = try source.bytes(at..<min(at + 1 << 20, source.length))
      part.withUnsafeBytes { hash.add($0) }
      try file.write(part)
      at += part.count
    }
    try file.finish()
  }
}
