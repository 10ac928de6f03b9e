import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

/// Writes a video that was taken over as the file that it was.
enum VideoExport {
  /// Writes the video of a track under the name that its file had.
  static func write(
    _ track: TrackReader, mediaFolder: String?, in folder: ExportFolder
  ) throws(TrajpackError) {
    let metadata = JSONReader(
      try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata),
      at: "metadata of '\(track.stream.name)'")
    var name = try Export.fileName(FileSystem.name(of: try metadata.text("file")))
    if try StoredFrames(metadata: metadata) != nil, !name.hasSuffix(".mkv") { name += ".mkv" }
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
    if let frames = try StoredFrames(metadata: metadata) {
      return try write(stored: track, frames, metadata, as: name, in: folder)
    }
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

  /// Frames that are stored as samples become a lossless video, FFV1 in Matroska, which needs no other program.
  private static func write(
    stored track: TrackReader, _ frames: StoredFrames, _ metadata: JSONReader, as name: String,
    in folder: ExportFolder
  ) throws(TrajpackError) {
    let times = try FrameTimes(
      try pts(track), base: try metadata.timeBase(), clock: track.track.clock,
      name: "stream '\(track.stream.name)'")
    var stream = VideoStream()
    stream.pixelFormat = try metadata.text("pixel_format")
    (stream.width, stream.height) = (Int32(frames.width), Int32(frames.height))
    stream.colorRange = try metadata.optionalText("color_range") ?? "unknown"
    stream.colorSpace = try metadata.optionalText("color_space") ?? "unknown"
    let encoding = VideoEncoding(
      codec: .lossless(.ffv1), gop: 1, stream: stream, times: times, isMP4: false)
    let (stored, samples) = (ByteBuffer(frames.bytes), ByteBuffer(frames.bytes))
    guard let from = stored.bytes.baseAddress, let to = samples.bytes.baseAddress else { return }
    let encoded = try encoding.encode("stream '\(track.stream.name)'") {
      (write) throws(TrajpackError) in
      for frame in 0..<track.count {
        let first = frame * frames.bytes
        guard first + frames.bytes <= track.track.blob.count else {
          throw TrajpackError(
            .data, "stream '\(track.stream.name)': frame \(frame) lies outside the track's bytes")
        }
        try track.read(bytes: first..<first + frames.bytes, into: from)
        frames.restore(from, into: to)
        try write(UnsafeRawBufferPointer(samples.bytes))
      }
    }
    let file = try OutputFile(name, in: folder)
    let room = ByteBuffer(1 << 20)
    var at = 0
    while at < encoded.count {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: room.bytes[..<min(1 << 20, encoded.count - at)])
      try encoded.read(at: at, into: part)
      try file.write(Array(part))
      at += part.count
    }
    try file.finish()
  }

  /// The times of presentation of a track's frames.
  private static func pts(_ track: TrackReader) throws(TrajpackError) -> [Int64] {
    guard let channel = track.stream.channel(named: "pts") else {
      throw TrajpackError(
        .data, "the stream '\(track.stream.name)' of a video has no channel 'pts'")
    }
    let values = try track.read(channel: channel, rows: 0..<track.count)
    return (0..<track.count).map {
      if case .int(let time) = values.value($0, 0) { return time }
      return PacketColumns.absent
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
