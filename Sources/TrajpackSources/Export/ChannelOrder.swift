import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// The order of colours in the packets of a video. ALOHA's pictures are compressed with red and blue swapped; frames have
/// them in their places, and whoever takes packets over has to say or mend it.
enum ChannelOrder {
  /// What the metadata of a track say where red and blue are swapped in its packets.
  static let swapped = JSONValue.Member("channel_order", "bgr")

  static func isSwapped(_ metadata: JSONValue) -> Bool {
    metadata[swapped.name] == swapped.value
  }

  /// Says of a file that is given the packets of a track, that red and blue are swapped in them.
  static func note(_ metadata: JSONReader, _ name: String, _ folder: ExportFolder) {
    guard isSwapped(metadata.value) else { return }
    folder.note(
      "\(name) has its packets as they were, in which red and blue are swapped; --to png writes frames with the colours in "
        + "their places")
  }
}

extension TrackFrames {
  /// Frames that are decoded together: as many as the codec's threads pay off for.
  private static let run = 16

  /// Hands each of these frames over as a PNG file.
  ///
  /// - Throws: A usage error of frames that are neither gray nor colours; else what `body` throws, and a data error of frames
  ///   that cannot be decoded.
  func forEachPNG(
    _ rows: [Int], of stream: String,
    _ body: (_ row: Int, _ file: [UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard format != "native" else {
      throw TrajpackError(.usage, "'\(stream)': its frames are no pictures of gray or colours")
    }
    var pixels = [UInt8](repeating: 0, count: bytes * min(rows.count, Self.run))
    for first in stride(from: 0, to: rows.count, by: Self.run) {
      let part = rows[first..<min(first + Self.run, rows.count)]
      try pixels.withMutableBytes { (room) throws(TrajpackError) in try read(part, into: room) }
      for (n, row) in part.enumerated() {
        try body(
          row,
          try PNG.file(
            Array(pixels[n * bytes..<(n + 1) * bytes]), width: shape[1], height: shape[0],
            samples: shape.count == 3 ? 3 : 1, bits: type.size * 8))
      }
    }
  }
}
