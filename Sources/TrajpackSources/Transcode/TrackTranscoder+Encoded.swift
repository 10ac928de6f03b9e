import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

extension TrackTranscoder {
  /// Decodes the new video and compares it with the source, frame by frame; of a lossy one it counts frames and makes their
  /// checksums where the source has some.
  func check(
    _ encoded: EncodedVideo, _ index: VideoIndex, _ source: SourceFrames,
    _ packets: inout PacketColumns, _ name: String
  ) throws(TrajpackError) {
    let decoder = try VideoDecoder(index: index, source: encoded, threads: threads)
    let count = packets.count
    func fail(_ why: String) -> TrajpackError { self.fail(why, name) }
    guard decoder.frameCount == count else {
      throw fail("\(decoder.frameCount) frames for \(count)")
    }
    guard target.isLossless else {
      if !packets.hashes.isEmpty { packets.hashes = try hashes(decoder, count: count) }
      return
    }
    guard
      index.stream.pixelFormat == source.stream.pixelFormat
        || index.stream.formatWithoutRange == source.stream.formatWithoutRange
    else {
      throw fail("the pixel format \(index.stream.pixelFormat) for \(source.stream.pixelFormat)")
    }
    let bytes = try decoder.frameBytes(VideoOutput(.native))
    guard bytes == source.frameBytes else { throw fail("frames of another size") }
    let piece = min(max((16 << 20) / bytes, 1), 32)
    let (mine, theirs) = (ByteBuffer(piece * bytes), ByteBuffer(piece * bytes))
    for first in stride(from: 0, to: count, by: piece) {
      let frames = first..<min(first + piece, count)
      let size = frames.count * bytes
      let left = UnsafeMutableRawBufferPointer(rebasing: mine.bytes[..<size])
      let right = UnsafeMutableRawBufferPointer(rebasing: theirs.bytes[..<size])
      try source.read(frames, into: left)
      try decoder.decode(frames: Array(frames), as: VideoOutput(.native), into: right)
      guard !isStopped() else { throw TrajpackError(.usage, "stopped") }
      for (number, frame) in frames.enumerated() {
        guard let one = left.baseAddress, let other = right.baseAddress,
          memcmp(one + number * bytes, other + number * bytes, bytes) == 0
        else { throw fail("another frame \(frame)") }
      }
    }
  }

  /// CRC-32C of the decoded frames.
  private func hashes(_ decoder: VideoDecoder, count: Int) throws(TrajpackError) -> [Int64] {
    let room = ByteBuffer(try decoder.frameBytes(VideoOutput(.native)))
    var hashes: [Int64] = []
    for frame in 0..<count {
      guard !isStopped() else { throw TrajpackError(.usage, "stopped") }
      try decoder.decode(frames: [frame], as: VideoOutput(.native), into: room.bytes)
      hashes.append(Int64(CRC32C.of(UnsafeRawBufferPointer(room.bytes))))
    }
    return hashes
  }
}

extension TrackDraft {
  /// Says in the metadata what the video file is that the rows are of now.
  mutating func describe(
    _ index: VideoIndex, _ encoded: EncodedVideo
  ) throws(TrajpackError) {
    let order = try VideoOrder(index.packets)
    // A fact of the frames, wherever they lie.
    let rotation = metadata["rotation"]
    for member in VideoRecord(index: index, order: order).members(
      rows: 0..<count, bytes: encoded.count, sha256: try encoded.sha256())
    {
      metadata.set(member.0, member.1)
    }
    metadata.set("rotation", rotation)
    for name in ["prediction", "bits", "file_frames"] { metadata.set(name, nil) }
    metadata.set("stored", "embed")
    if index.container.hasPrefix("matroska"), let file = metadata["file"]?.string,
      let dot = file.lastIndex(of: "."), !file.hasSuffix(".mkv"), !file.hasSuffix(".webm")
    {
      metadata.set("file", .string(file[..<dot] + ".mkv"))
    }
  }
}

extension PacketColumns {
  /// Takes where the packets of the frames lie in a file, and their times.
  mutating func fill(_ index: VideoIndex) throws(TrajpackError) {
    let order = try VideoOrder(index.packets)
    for frame in 0..<count {
      let packet = Int(order.packetOfFrame[frame])
      offset[frame] = index.packets.offset[packet]
      size[frame] = Int64(index.packets.size[packet])
      pts[frame] = index.packets.pts[packet]
      dts[frame] = index.packets.dts[packet]
      duration[frame] = index.packets.duration[packet]
      keyframe[frame] = index.packets.flags[packet].isExactKeyframe ? 1 : 0
    }
  }
}
