import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// Cuts frames out of a movie file at its packets, which stay as they are.
enum VideoCut {
  /// A movie file of its own that shows some frames of a file. Packets before the first frame that decoding needs, and such
  /// as are decoded before the last one and shown later, are there and hidden.
  ///
  /// - Throws: A data error where the file cannot be cut.
  static func file(
    _ path: String, _ index: VideoIndex, _ order: VideoOrder, frames: Range<Int>
  ) throws(TrajpackError) -> MovieFile {
    let packets = index.packets
    guard let final = order.packetOfFrame[frames].last else {
      throw TrajpackError(.data, "an episode without frames has no video")
    }
    guard packets.isSelfSufficient else {
      throw TrajpackError(
        .data, "its packets do not lie in the file as they are decoded, so that it cannot be cut")
    }
    let decoded = order.decoded(packets, for: frames)
    guard !decoded.contains(where: { packets.dts[$0] == VideoPackets.absent }) else {
      throw TrajpackError(.data, "its packets have no times of decoding, so that it cannot be cut")
    }
    let file = try LocalFile(path)
    let description = try MovieDescription(file, stream: index.streamNumber)
    var samples: [MovieFile.Sample] = []
    var offsets: [Int] = []
    for packet in decoded {
      let (pts, dts) = (packets.pts[packet], packets.dts[packet])
      samples.append(
        .init(
          size: Int(packets.size[packet]), dts: dts, pts: pts == VideoPackets.absent ? dts : pts,
          isKey: packets.flags[packet].isExactKeyframe))
      offsets.append(Int(packets.offset[packet]))
    }
    let start = packets.pts[Int(order.packetOfFrame[frames.lowerBound])]
    let length = packets.duration[Int(final)]
    let end = packets.pts[Int(final)] + (length > 0 ? length : 1)
    return MovieFile(
      description, samples, offsets: offsets, in: .file(file), shown: start..<max(end, start + 1),
      name: FileSystem.name(of: path))
  }
}
