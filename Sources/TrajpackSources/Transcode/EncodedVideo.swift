import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// A video file that was encoded into an unnamed temporary file.
final class EncodedVideo: MadeBytes, VideoByteSource {
  let name: String
  let byteCount: Int64
  private let descriptor: Int32

  /// Takes the descriptor over.
  init(_ descriptor: Int32, name: String) throws(TrajpackError) {
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else {
      close(descriptor)
      throw .system("cannot be looked at", "a temporary file")
    }
    (self.descriptor, self.name, byteCount) = (descriptor, name, Int64(facts.st_size))
  }

  deinit { close(descriptor) }

  var count: Int { Int(byteCount) }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    try FileSystem.read(descriptor, at: Int(offset), into: buffer, "a temporary file")
  }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    try FileSystem.readTemporary(descriptor, at: offset, into: buffer)
  }
}

extension MadeBytes {
  /// SHA-256 of all bytes, 64 hexadecimal digits.
  func sha256() throws(TrajpackError) -> String {
    var hash = SHA256()
    let room = ByteBuffer(1 << 20)
    var at = 0
    while at < count {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: room.bytes[..<min(1 << 20, count - at)])
      try read(at: at, into: part)
      hash.add(UnsafeRawBufferPointer(part))
      at += part.count
    }
    return hash.hexadecimal()
  }
}

/// How the frames of a video are encoded.
struct VideoEncoding: Sendable {
  enum Codec: Sendable, Equatable {
    case lossless(VideoTarget.Codec)
    case h264(crf: Int)
  }

  var codec: Codec
  var gop: Int
  var stream: VideoStream
  var times: FrameTimes
  /// Whether the file is an mp4; else it is Matroska.
  var isMP4: Bool

  /// Encodes frames, the decoder's planes of each, which `frames` gives one after the other.
  ///
  /// - Throws: A usage error where the program that encodes is missing; a machine error where it fails.
  func encode(
    _ name: String,
    _ frames: ((UnsafeRawBufferPointer) throws(TrajpackError) -> Void) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> EncodedVideo {
    let descriptor = try RowSpool.temporaryFile()
    do throws(TrajpackError) {
      if codec == .lossless(.ffv1) {
        let writer = try FFV1Writer(
          descriptor, stream, gop: gop, tick: times.tick,
          isConstant: times.isConstant)
        var frame = 0
        try frames { (bytes) throws(TrajpackError) in
          try writer.append(bytes, at: times.ticks(of: frame))
          frame += 1
        }
        try writer.finish()
      } else {
        let program = try FFmpegProgram(for: codec == .lossless(.hevc) ? "HEVC" : "H.264")
        try program.run(arguments, output: descriptor, feed: frames)
      }
    } catch {
      close(descriptor)
      throw error
    }
    return try EncodedVideo(descriptor, name: name)
  }

  /// One count of threads on every machine, and nothing of the day or the machine in the file: the same frames give the
  /// same bytes.
  private var arguments: [String] {
    var words = [
      "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", stream.pixelFormat, "-s",
      "\(stream.width)x\(stream.height)", "-r",
      "\(times.tick.1)/\(times.tick.0)",
    ]
    words += ["-i", "pipe:0", "-an", "-threads", "2", "-pix_fmt", stream.pixelFormat]
    // libavcodec gives gray H.264 with planes of chroma, which other programs stretch to full range on the way to gray unless
    // it is tagged so.
    let isGray = stream.pixelFormat == "gray" && codec == .lossless(.h264)
    let range = isGray ? "pc" : stream.colorRange
    if ["tv", "pc"].contains(range) { words += ["-color_range", range] }
    if !["unknown", "reserved", "gbr", ""].contains(stream.colorSpace) {
      words += ["-colorspace", stream.colorSpace]
    }
    switch codec {
    case .lossless(.hevc):
      words += [
        "-c:v", "libx265", "-x265-params",
        "lossless=1:keyint=\(gop):min-keyint=\(gop):scenecut=0:bframes=0:open-gop=0:pools=none:frame-threads=1"
          + ":log-level=error",
      ]
    case .lossless:
      words += ["-c:v", "libx264", "-qp", "0", "-bf", "0"] + group
      // Without arithmetic coding depth decodes in two thirds of the time, and takes a fifth more bytes.
      if isGray { words += ["-coder", "vlc"] }
    case .h264(let crf):
      words += ["-c:v", "libx264", "-crf", "\(crf)"] + group
    }
    words += ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
    return words + ["-f", isMP4 ? "mp4" : "matroska", "file:/proc/self/fd/3"]
  }

  private var group: [String] {
    ["-g", "\(gop)", "-keyint_min", "\(gop)", "-sc_threshold", "0"]
  }
}
