import TrajpackFormat

/// Video whose packets come one by one, with start codes (H.264 and H.265, annex B), an access unit each, as messages of
/// robots carry it.
public enum AnnexBVideo {
  /// libavcodec's name of the codec that a message calls `format`; `nil` for another one.
  public static func codec(_ format: String) -> String? {
    switch format.lowercased() {
    case "h264", "avc": "h264"
    case "h265", "hevc": "hevc"
    default: nil
    }
  }

  /// Whether decoding can begin at a packet: it holds an IDR picture (H.264), or one at which random access is exact (H.265).
  public static func isKeyframe(_ packet: UnsafeRawBufferPointer, codec: String) -> Bool {
    var isKey = false
    NALUnits.visit(packet, lengthBytes: nil) { unit in
      guard let head = unit.first else { return }
      // ITU-T H.264, table 7-1: 5; H.265, table 7-1: IDR_W_RADL, IDR_N_LP.
      if codec == "h264" ? head & 0x1F == 5 : (19...20).contains(head >> 1 & 0x3F) { isKey = true }
    }
    return isKey
  }

  /// What a packet at which decoding can begin says of its stream; `extradata` has its parameter sets, with start
  /// codes.
  ///
  /// - Throws: A data error where FFmpeg finds no video in it; `.machine` where FFmpeg is missing.
  public static func stream(
    of packet: [UInt8], codec: String
  ) throws(TrajpackError) -> VideoStream {
    #if Video
      let demuxer = try Demuxer(PacketBytes(bytes: packet), containers: codec)
      var index = VideoIndex()
      try VideoIndexer.describe(demuxer, into: &index)
      var stream = index.stream
      guard stream.codec == codec, stream.width > 0, stream.height > 0, !stream.pixelFormat.isEmpty
      else { throw TrajpackError(.data, "its first keyframe does not say what its pictures are") }
      stream.extradata = []
      packet.withUnsafeBytes { bytes in
        NALUnits.visit(bytes, lengthBytes: nil) { unit in
          guard let head = unit.first else { return }
          let kind = codec == "h264" ? head & 0x1F : head >> 1 & 0x3F
          guard codec == "h264" ? (7...8).contains(kind) : (32...34).contains(kind) else { return }
          stream.extradata += [0, 0, 0, 1]
          stream.extradata += unit.reversed().drop { $0 == 0 }.reversed()
        }
      }
      return stream
    #else
      throw .noVideo
    #endif
  }
}

/// The bytes of one packet.
private struct PacketBytes: VideoByteSource {
  let bytes: [UInt8]
  var name: String { "a packet" }
  var byteCount: Int64 { Int64(bytes.count) }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    guard offset >= 0, offset < byteCount else { return 0 }
    let count = min(buffer.count, bytes.count - Int(offset))
    bytes.withUnsafeBytes { all in
      buffer.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: all[Int(offset)..<Int(offset) + count]))
    }
    return count
  }
}
