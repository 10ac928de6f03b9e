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
      ("codec_tag", isByTag && video.codecTag != 0 ? .int(Int64(video.codecTag)) : nil),
      (
        "bits_per_coded_sample",
        isByTag && video.bitsPerCodedSample != 0 ? .int(Int64(video.bitsPerCodedSample)) : nil
      ),
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

  /// Whether its decoder may choose by what the container says beside the parameters: raw video swaps planes for some tags, MPEG-4
  /// takes Xvid's transform, others their number of bits.
  private var isByTag: Bool {
    !["h264", "hevc", "av1", "vp8", "vp9", "ffv1", "mjpeg", "png"].contains(index.stream.codec)
  }

  /// The packets that are no rows and that decoding the rows may need: those that are never shown, and those of frames
  /// before the first row or after the last one, from the keyframe at which decoding begins up to the last packet that is a
  /// row. Offset, size, pts, dts and keyframe of each.
  private func hidden(rows: Range<Int>) -> JSONValue? {
    let hidden = order.decoded(index.packets, for: rows).filter {
      !rows.contains(Int(order.frameOfPacket[$0]))
    }
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
  /// The packets that are decoded to give frames, in order: from the last keyframe that lies before the first frame in decode
  /// and in presentation order, without those of frames shown before it, which need what lies before.
  func decoded(_ packets: VideoPackets, for frames: Range<Int>) -> [Int] {
    let own = packetOfFrame[frames]
    guard let last = own.max(), let first = own.min() else { return [] }
    if frames.lowerBound == 0 { return Array(0...Int(last)) }
    let start = stride(from: Int(first), through: 0, by: -1).first {
      packets.flags[$0].isExactKeyframe && frameOfPacket[$0] >= 0
        && frameOfPacket[$0] <= Int32(frames.lowerBound)
    }
    guard let start else { return Array(0...Int(last)) }
    return (start...Int(last)).filter {
      frameOfPacket[$0] < 0 || frameOfPacket[$0] >= frameOfPacket[start]
    }
  }
}

extension VideoPacketFlags {
  /// Whether decoding that begins here gives exact pictures.
  var isExactKeyframe: Bool { intersection([.keyframe, .gradual]) == .keyframe }
}
