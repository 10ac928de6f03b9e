import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// A video that a writer is given: a file, whose bytes are taken over, or frames that come one by one.
public struct RecordedVideo: WholeTrack {
  private let video: SourceVideo
  private let place: String
  private let times: [Int64]?
  private let rate: Rational

  /// A file, which is read again when the episode is written.
  ///
  /// - Parameters:
  ///   - times: Of each row, eight bytes: whole ticks or the bits of a float64; `nil` on a regular clock.
  ///   - rate: Frames a second of the clock; 1 where it has none.
  /// - Throws: A data error where it is no video, or has no frames.
  public init(
    stream: String, path: String, times: [Int64]?, rate: Rational
  ) throws(TrajpackError) {
    guard FileSystem.item(at: path) == .file else {
      throw TrajpackError(.usage, file: path, "is no file; name a video")
    }
    let video = try within(path) { () throws(TrajpackError) in
      try SourceVideo(stream: stream, path: path, ReadWatch())
    }
    try self.init(video, FileSystem.name(of: path), times, rate)
  }

  /// Frames in the order of presentation, each a PNG or JPEG file, all of one kind and size, or an access unit of H.264
  /// or H.265 with start codes, of which the first is a keyframe and none is shown before one that comes earlier.
  ///
  /// - Throws: A data error that names the frame that is something else.
  public init(
    stream: String, packets: [[UInt8]], times: [Int64]?, rate: Rational
  ) throws(TrajpackError) {
    guard let first = packets.first else { throw TrajpackError(.usage, "has no frames") }
    if PictureHead(first) != nil {
      let movie = try PictureMovie.file(
        packets, rate: rate, name: stream, remedy: "give pictures of one kind and size")
      let video = try SourceVideo(stream: stream, movie, ReadWatch())
      try self.init(video, "\(stream.pathComponents.last ?? "video").mov", times, rate)
      return
    }
    for (codec, ending) in [("h264", "h264"), ("hevc", "h265")] {
      let isKey = first.withUnsafeBytes { AnnexBVideo.isKeyframe($0, codec: codec) }
      guard isKey, let head = try? AnnexBVideo.stream(of: first, codec: codec) else { continue }
      let index = try Self.index(packets, head, rate)
      let bytes = PacketBytes(packets, name: stream)
      let video = try SourceVideo(stream: stream, index, bytes, ReadWatch())
      try self.init(
        video, "\(stream.pathComponents.last ?? "video").\(ending)", times, rate)
      return
    }
    throw TrajpackError(
      .data,
      "frame 0 is no PNG and no JPEG file, and no keyframe of H.264 or H.265 with start codes and parameter sets",
      at: ErrorPlace(stream: stream, row: 0))
  }

  private init(
    _ video: SourceVideo, _ place: String, _ times: [Int64]?, _ rate: Rational
  ) throws(TrajpackError) {
    (self.video, self.place, self.times, self.rate) = (video, place, times, rate)
    guard video.frames > 0 else { throw TrajpackError(.data, file: place, "has no frames") }
    guard times.map({ $0.count == video.frames }) ?? true else {
      throw TrajpackError(
        .usage, file: place,
        "has \(counted(video.frames, "frame")) and \(counted(times?.count ?? 0, "time")); give the time of each frame"
      )
    }
  }

  /// Packets as they are stored one after the other.
  private static func index(
    _ packets: [[UInt8]], _ head: VideoStream, _ rate: Rational
  ) throws(TrajpackError) -> VideoIndex {
    guard let num = Int32(exactly: rate.denominator), let den = Int32(exactly: rate.numerator)
    else { throw TrajpackError(.usage, "\(rate) frames a second are no rate of a video") }
    var index = VideoIndex()
    index.container = head.codec
    index.stream = head
    index.stream.timeBase = VideoRational(num, den)
    for (number, packet) in packets.enumerated() {
      guard !packet.isEmpty else {
        throw TrajpackError(.data, "frame \(number) is empty", at: ErrorPlace(row: number))
      }
      let isKey = packet.withUnsafeBytes { AnnexBVideo.isKeyframe($0, codec: head.codec) }
      index.packets.pts.append(Int64(number))
      index.packets.dts.append(Int64(number))
      index.packets.duration.append(VideoPackets.absent)
      index.packets.size.append(Int32(clamping: packet.count))
      index.packets.offset.append(index.byteCount)
      index.packets.flags.append(isKey ? .keyframe : [])
      index.byteCount += Int64(packet.count)
    }
    return index
  }

  /// Frames.
  public var count: Int { video.frames }
  /// Bytes of the file, or of the one that was made around the frames.
  public var bytes: Int { Int(video.index.byteCount) }

  /// See ``WholeTrack``.
  public func draft(
    stream: Int, in layout: Schema, clock: Clock
  ) throws(TrajpackError) -> TrackDraft {
    var track = try video.draft(
      stream: stream, schema: layout, rate: rate, mode: .embed, limit: count, place: place,
      times: times)
    track.clock = clock
    return track
  }
}

/// Packets one after the other.
private final class PacketBytes: MadeBytes, VideoByteSource {
  let name: String
  private let bytes: [UInt8]

  init(_ packets: [[UInt8]], name: String) {
    self.name = name
    bytes = Array(packets.joined())
  }

  var count: Int { bytes.count }
  var byteCount: Int64 { Int64(bytes.count) }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    bytes.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + buffer.count]))
    }
  }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    guard offset >= 0, offset < byteCount else { return 0 }
    let count = min(buffer.count, bytes.count - Int(offset))
    try read(at: Int(offset), into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
    return count
  }
}
