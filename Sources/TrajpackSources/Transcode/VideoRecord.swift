import TrajpackFormat
import TrajpackVideo

/// What the metadata of a track say of a video file.
struct VideoRecord {
  var index: VideoIndex
  var order: VideoOrder

  /// The members, in order; `nil` for one that the metadata do not have.
  func members(rows: Range<Int>, bytes: Int, sha256: String) -> [(String, JSONValue?)] {
    let video = index.stream
    return [
      ("bytes", .int(Int64(bytes))), ("sha256", .string(sha256)),
      ("container", .string(index.container)), ("codec", .string(video.codec)),
      ("width", .int(Int64(video.width))), ("height", .int(Int64(video.height))),
      ("pixel_format", .string(video.pixelFormat)), ("color_range", .string(video.colorRange)),
      ("color_space", .string(video.colorSpace)),
      ("time_base", .array([.int(Int64(video.timeBase.num)), .int(Int64(video.timeBase.den))])),
      ("extradata", video.extradata.isEmpty ? nil : .string(Self.hexadecimal(video.extradata))),
      ("rotation", video.rotation.map { .double($0) }),
      (
        "needs_container",
        index.packets.flags.contains { $0.contains(.sideData) } ? true : nil
      ),
      ("hidden_packets", hidden(rows: rows)),
      (
        "other_streams",
        index.others.isEmpty
          ? nil
          : .array(
            index.others.map { .record(["kind": .string($0.kind), "codec": .string($0.codec)]) })
      ),
    ]
  }

  /// The packets that are no rows and that decoding the rows may need: those that are never shown, and those of frames
  /// before the first row or after the last one, from the keyframe at which decoding begins up to the last packet that is a
  /// row. Offset, size, pts, dts and keyframe of each.
  private func hidden(rows: Range<Int>) -> JSONValue? {
    let packets = order.packetOfFrame[rows]
    guard let last = packets.max(), let first = packets.min() else { return nil }
    let start = order.decodingStart(index.packets, packet: Int(first), frame: rows.lowerBound)
    let hidden = (start..<Int(last)).filter { !rows.contains(Int(order.frameOfPacket[$0])) }
    guard !hidden.isEmpty else { return nil }
    return .array(
      hidden.map { packet in
        let isKey = index.packets.flags[packet].isExactKeyframe
        return .array([
          .int(index.packets.offset[packet]), .int(Int64(index.packets.size[packet])),
          .int(index.packets.pts[packet]), .int(index.packets.dts[packet]), .int(isKey ? 1 : 0),
        ])
      })
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}

extension VideoOrder {
  /// The packet at which decoding begins that is to give a frame: the last keyframe that lies before it in decode and in
  /// presentation order; 0 for the first frame, and where there is none.
  func decodingStart(_ packets: VideoPackets, packet: Int, frame: Int) -> Int {
    if frame == 0 { return 0 }
    for number in stride(from: packet, through: 0, by: -1)
    where packets.flags[number].isExactKeyframe && frameOfPacket[number] >= 0
      && frameOfPacket[number] <= Int32(frame)
    {
      return number
    }
    return 0
  }
}

extension VideoPacketFlags {
  /// Whether decoding that begins here gives exact pictures.
  var isExactKeyframe: Bool { intersection([.keyframe, .gradual]) == .keyframe }
}
