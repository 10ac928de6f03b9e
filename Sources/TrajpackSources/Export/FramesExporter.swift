import Glibc
import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

/// Writes the videos of an episode as mp4, bit for bit, or each frame as a PNG.
///
/// `rgb.mp4` is the file that was converted where it was an mp4 and all of it is wanted; else its packets in a container of
/// their own. Frames that are stored as samples become lossless HEVC, encoded by the machine's program `ffmpeg`. PNGs,
/// `rgb-000040.png`, are gray of 8 or 16 bits, the stored samples, or RGB of 8 bits as ``TrackFrames`` gives it.
public struct FramesExporter: Exporter {
  /// What is written.
  public enum Form: String, Sendable, CaseIterable { case mp4, png }

  /// What `trajpack formats` says of mp4.
  public static let format = FormatDescription(
    name: "mp4", summary: "videos, a file each",
    carries: "packets bit for bit, or frames without loss",
    reads: false, writes: true)
  /// What `trajpack formats` says of PNG.
  public static let pictures = FormatDescription(
    name: "png", summary: "frames of videos, a picture each",
    carries: "stored samples of 8 and 16 bits; colours as RGB of 8 bits", reads: false, writes: true
  )

  private let form: Form
  private let streams: [String]
  private let frames: Range<Int>?
  private let media: String?
  private let decoded: EpisodeFrames

  /// An exporter of the videos of a dataset.
  ///
  /// - Throws: A usage error where no episode has such a video.
  init(_ request: ExportRequest, _ form: Form) throws(TrajpackError) {
    let (path, streams, media) = (request.dataset.path, request.streams, request.media)
    let data = try OpenDataset(path)
    (self.form, self.streams, self.media) = (form, streams, media)
    frames = request.frames
    var names: [String] = []
    for stream in data.shards.flatMap(\.schema.streams)
    where stream.isVideo && !names.contains(stream.name) {
      names.append(stream.name)
    }
    guard !names.isEmpty else {
      throw TrajpackError(
        .usage, file: path, "has no video that could be written as \(form.rawValue)")
    }
    for name in streams where !names.contains(name) {
      throw TrajpackError(
        .usage, file: path, "has no video '\(name)'" + Suggestion.text(for: name, among: names))
    }
    decoded = EpisodeFrames(path, media: media)
  }

  /// Writes an episode; see ``Exporter``.
  public func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError) {
    var names: Set<String> = []
    for number in episode.tracks {
      let track = TrackReader(shard, track: number, reader: reader)
      guard track.isVideo, streams.isEmpty || streams.contains(track.stream.name) else { continue }
      let metadata = JSONReader(
        try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata),
        at: "metadata of '\(track.stream.name)'")
      var name = try Export.fileName(track.stream.name)
      var copy = 1
      while !names.insert(name).inserted {
        copy += 1
        name = try Export.fileName("\(track.stream.name)-\(copy)")
      }
      guard try metadata.text("stored") != VideoMode.link.rawValue || media != nil else {
        folder.note(
          "'\(track.stream.name)' is linked and left out; --media names the folder in which it lies"
        )
        continue
      }
      let rows = try rows(track, metadata)
      switch form {
      case .png:
        try writePictures(
          try decoded.frames(of: track, episode: episode.id), rows, name, track.stream.name, folder)
      case .mp4: try writeMP4(track, metadata, rows, name, folder)
      }
    }
    if names.isEmpty { folder.note("has no such video, so its folder is empty") }
  }

  /// The frames that are wanted, in order.
  private func rows(_ track: TrackReader, _ metadata: JSONReader) throws(TrajpackError) -> [Int] {
    let all = 0..<track.count
    guard let frames else {
      // Of a clip, or of a part of a split: the video is whole, and its frames are said.
      guard let clip = metadata.value["clip"] else { return Array(all) }
      if let rows = clip["rows"]?.array { return rows.compactMap(\.int).filter(all.contains) }
      if let first = clip["first"]?.int, let count = clip["frames"]?.int {
        return Array(all.clamped(to: first..<max(first, first + count)))
      }
      return Array(all)
    }
    guard frames.upperBound <= track.count else {
      throw TrajpackError(
        .usage,
        "'\(track.stream.name)' has \(track.count) frames, counted from 0, so there are no frames "
          + "\(frames.lowerBound):\(frames.upperBound)")
    }
    return Array(frames)
  }

  private func writePictures(
    _ frames: TrackFrames, _ rows: [Int], _ name: String, _ stream: String,
    _ folder: ExportFolder
  ) throws(TrajpackError) {
    try frames.forEachPNG(rows, of: stream) { (row, png) throws(TrajpackError) in
      let digits = String(row)
      let number = String(repeating: "0", count: max(6 - digits.utf8.count, 0)) + digits
      let file = try OutputFile("\(name)-\(number).png", in: folder)
      try file.write(png)
      try file.finish()
    }
  }

  private func writeMP4(
    _ track: TrackReader, _ metadata: JSONReader, _ rows: [Int], _ name: String,
    _ folder: ExportFolder
  ) throws(TrajpackError) {
    guard let first = rows.first, let last = rows.last else {
      return folder.note("'\(track.stream.name)' has no frame that is wanted")
    }
    guard rows.count == last - first + 1 else {
      throw TrajpackError(
        .usage,
        "'\(track.stream.name)': the frames that are wanted do not follow each other, so they are no video without encoding "
          + "them anew; take --to png")
    }
    let wanted = first..<last + 1
    if let stored = try StoredFrames(metadata: metadata) {
      return try VideoExport.write(
        stored: track, stored, metadata, frames: wanted, codec: .hevc, as: "\(name).mp4", in: folder
      )
    }
    let frames = try metadata.optionalInteger("file_frames") ?? track.count
    let isMP4 = (try metadata.optionalText("container") ?? "").hasPrefix("mov")
    if isMP4, wanted == 0..<frames {
      return try VideoExport.write(track, mediaFolder: media, as: "\(name).mp4", in: folder)
    }
    ChannelOrder.note(metadata, "\(name).mp4", folder)
    let source = try TrackVideo(track, metadata, media: media)
    let path = "\(folder.path)/\(name).mp4"
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be made", path) }
    defer { close(descriptor) }
    try folder.goOn()
    try VideoRemuxer.writeMP4(source, frames: wanted, to: descriptor) { () throws(TrajpackError) in
      try VideoFileBytes(path: path)
    }
    try FileSystem.sync(descriptor, path)
  }
}

/// The bytes of a video of an archive, embedded or linked. One thread at a time.
private final class TrackVideo: VideoByteSource, @unchecked Sendable {
  let name: String
  let byteCount: Int64
  private let track: TrackReader
  private let file: LocalFile?

  /// - Throws: A data error where a linked file is not the one that was converted.
  init(_ track: TrackReader, _ metadata: JSONReader, media: String?) throws(TrajpackError) {
    name = "stream '\(track.stream.name)'"
    self.track = track
    guard try metadata.text("stored") == VideoMode.link.rawValue else {
      (file, byteCount) = (nil, Int64(track.track.blob.count))
      return
    }
    let path = try metadata.text("file")
    guard let media, path.isRelativeDescendant else {
      throw metadata.wrong("a path below the media folder, not '\(path)'")
    }
    let file = try LocalFile("\(media)/\(path)")
    guard try file.sha256() == (try metadata.text("sha256")) else {
      throw TrajpackError(
        .data, file: "\(media)/\(path)", "is not the video that was converted (its SHA-256 differs)"
      )
    }
    (self.file, byteCount) = (file, Int64(file.length))
  }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    let count = min(Int64(buffer.count), byteCount - offset)
    guard offset >= 0, count > 0, let start = buffer.baseAddress else { return 0 }
    let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)])
    if let file {
      try file.read(at: Int(offset), into: room)
    } else {
      try track.read(bytes: Int(offset)..<Int(offset) + room.count, into: start)
    }
    return room.count
  }
}
