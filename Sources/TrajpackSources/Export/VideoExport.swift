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
      return try write(
        stored: track, frames, metadata, frames: 0..<track.count, codec: .ffv1, as: name, in: folder
      )
    }
    ChannelOrder.note(metadata, name, folder)
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

  /// Frames that are stored as samples become a lossless video: FFV1 in Matroska, which needs no other program, or HEVC in
  /// mp4, which is decoded again and compared.
  static func write(
    stored track: TrackReader, _ frames: StoredFrames, _ metadata: JSONReader,
    frames wanted: Range<Int>, codec: VideoTarget.Codec, as name: String, in folder: ExportFolder
  ) throws(TrajpackError) {
    let times = try FrameTimes(
      Array(try pts(track)[wanted]), base: try metadata.timeBase(), clock: track.track.clock,
      name: "stream '\(track.stream.name)'")
    var stream = VideoStream()
    stream.pixelFormat = try metadata.text("pixel_format")
    (stream.width, stream.height) = (Int32(frames.width), Int32(frames.height))
    stream.colorRange = try metadata.optionalText("color_range") ?? "unknown"
    stream.colorSpace = try metadata.optionalText("color_space") ?? "unknown"
    let encoding = VideoEncoding(
      codec: .lossless(codec), gop: codec == .ffv1 ? 1 : 8, stream: stream, times: times,
      isMP4: codec != .ffv1)
    if codec != .ffv1, try metadata.integer("bits") > 12 || !times.isConstant {
      throw TrajpackError(
        .usage,
        "'\(track.stream.name)': frames of more than 12 bits, or at uneven times, are not encoded as HEVC: take --to png, or "
          + "--to wildworld for FFV1")
    }
    var checksums: [UInt32] = []
    let (stored, samples) = (ByteBuffer(frames.bytes), ByteBuffer(frames.bytes))
    guard let from = stored.bytes.baseAddress, let to = samples.bytes.baseAddress else { return }
    let encoded = try encoding.encode("stream '\(track.stream.name)'") {
      (write) throws(TrajpackError) in
      for frame in wanted {
        let first = frame * frames.bytes
        guard first + frames.bytes <= track.track.blob.count else {
          throw TrajpackError(
            .data, "stream '\(track.stream.name)': frame \(frame) lies outside the track's bytes")
        }
        try track.read(bytes: first..<first + frames.bytes, into: from)
        frames.restore(from, into: to)
        if codec != .ffv1 { checksums.append(CRC32C.of(UnsafeRawBufferPointer(samples.bytes))) }
        try folder.goOn()
        try write(UnsafeRawBufferPointer(samples.bytes))
      }
    }
    if codec != .ffv1 { try compare(encoded, frames, checksums) }
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

  /// Decodes what was encoded, and compares each frame with what it was made of.
  private static func compare(
    _ encoded: EncodedVideo, _ frames: StoredFrames, _ checksums: [UInt32]
  ) throws(TrajpackError) {
    let decoder = try VideoDecoder(index: try VideoFile.index(encoded), source: encoded)
    let room = ByteBuffer(frames.bytes)
    let output = VideoOutput(frames.sampleBytes == 1 ? .gray8 : .gray16)
    var isEqual = decoder.frameCount == checksums.count
    for (frame, checksum) in checksums.enumerated() where isEqual {
      try decoder.decode(frames: [frame], as: output, into: room.bytes)
      isEqual = CRC32C.of(UnsafeRawBufferPointer(room.bytes)) == checksum
    }
    guard isEqual else {
      throw TrajpackError(
        .machine, "the program ffmpeg did not keep every sample; take --to png, or --to wildworld")
    }
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
