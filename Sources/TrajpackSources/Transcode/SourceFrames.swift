import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

/// The bytes of a track that is about to be written, as a video file.
final class DraftVideo: VideoByteSource, @unchecked Sendable {
  // One thread at a time uses it.
  let name: String
  private let bytes: TrackDraft.Bytes

  init(_ bytes: TrackDraft.Bytes, name: String) { (self.bytes, self.name) = (bytes, name) }

  var byteCount: Int64 { Int64(bytes.count) }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    let count = min(buffer.count, max(bytes.count - Int(offset), 0))
    guard offset >= 0, count > 0 else { return 0 }
    try bytes.read(
      at: Int(offset), into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
    return count
  }
}

/// The frames of a track that is about to be written: packets of a video codec, or stored samples. One thread at a time.
final class SourceFrames: @unchecked Sendable {
  /// What is known of its pictures.
  let stream: VideoStream
  /// Whether its own samples have the other byte order than those that ``read(_:into:)`` gives.
  let isSwapped: Bool
  /// Bytes of a frame as ``read(_:into:)`` gives it.
  let frameBytes: Int
  private let output: VideoOutput
  private let decoder: VideoDecoder?
  private let stored: (frames: StoredFrames, bytes: TrackDraft.Bytes, places: [Int64])?

  /// - Parameters:
  ///   - asGray: Samples of brightness, little-endian; else the decoder's planes.
  ///   - threads: Of the decoder.
  init(
    _ bytes: TrackDraft.Bytes, _ metadata: JSONReader, packets: PacketColumns, name: String,
    asGray: Bool, threads: Int
  ) throws(TrajpackError) {
    if let frames = try StoredFrames(metadata: metadata) {
      var facts = VideoStream()
      facts.codec = StoredFrames.codec
      facts.pixelFormat = try metadata.text("pixel_format")
      (facts.width, facts.height) = (Int32(frames.width), Int32(frames.height))
      facts.colorRange = try metadata.optionalText("color_range") ?? "unknown"
      facts.colorSpace = try metadata.optionalText("color_space") ?? "unknown"
      facts.bitsPerComponent = Int32(try metadata.integer("bits"))
      stream = facts
      frameBytes = frames.bytes
      output = VideoOutput(frames.sampleBytes == 1 ? .gray8 : .gray16)
      decoder = nil
      stored = (frames, bytes, packets.offset)
      isSwapped = false
      return
    }
    let source = DraftVideo(bytes, name: name)
    let index = try VideoFile.index(source)
    let decoder = try VideoDecoder(index: index, source: source, threads: threads)
    guard decoder.frameCount >= packets.count else {
      throw TrajpackError(
        .data, "\(name): has \(decoder.frameCount) frames for \(packets.count) rows")
    }
    stream = index.stream
    let format: VideoOutput.Format =
      !asGray ? .native : index.stream.bitsPerComponent > 8 ? .gray16 : .gray8
    output = VideoOutput(format)
    frameBytes = try decoder.frameBytes(output)
    self.decoder = decoder
    stored = nil
    isSwapped = asGray && index.stream.pixelFormat.hasSuffix("be")
  }

  /// Decodes frames one after the other into `room`.
  func read(
    _ frames: Range<Int>, into room: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    if let decoder {
      return try decoder.decode(frames: Array(frames), as: output, into: room)
    }
    guard let stored, let start = room.baseAddress else { return }
    let packed = ByteBuffer(stored.frames.bytes)
    guard let from = packed.bytes.baseAddress else { return }
    for (number, frame) in frames.enumerated() {
      let place = Int(stored.places[frame])
      guard place >= 0, place <= stored.bytes.count - stored.frames.bytes else {
        throw TrajpackError(.data, "frame \(frame) lies outside the track's bytes")
      }
      try stored.bytes.read(at: place, into: packed.bytes)
      stored.frames.restore(from, into: start + number * frameBytes)
    }
  }

  /// Calls `body` with each of the first `count` frames, in order.
  func forEach(
    count: Int, _ body: (Int, UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let piece = min(max((16 << 20) / max(frameBytes, 1), 1), 32)
    let room = ByteBuffer(piece * frameBytes)
    for first in stride(from: 0, to: count, by: piece) {
      let frames = first..<min(first + piece, count)
      try read(
        frames,
        into: UnsafeMutableRawBufferPointer(rebasing: room.bytes[..<(frames.count * frameBytes)]))
      for frame in frames {
        let at = (frame - first) * frameBytes
        try body(frame, UnsafeRawBufferPointer(rebasing: room.bytes[at..<at + frameBytes]))
      }
    }
  }
}
