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

  /// The parameter sets that the configuration of a stream holds, with start codes, and how many bytes the lengths of its
  /// units have: `avcC` and `hvcC` (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1); sets that have start codes already are given as
  /// they are. `nil` where it is neither.
  public static func parameterSets(
    _ extradata: UnsafeRawBufferPointer, isHEVC: Bool
  ) -> (bytes: [UInt8], lengthBytes: Int)? {
    guard extradata.count > 6 else { return nil }
    guard extradata[0] == 1 else {
      return extradata.starts(with: [0, 0, 1]) || extradata.starts(with: [0, 0, 0, 1])
        ? (Array(extradata), 4) : nil
    }
    var bytes: [UInt8] = []
    var at = isHEVC ? 22 : 5
    func number(_ count: Int) -> Int? {
      guard at + count <= extradata.count else { return nil }
      defer { at += count }
      return extradata[at..<at + count].reduce(0) { $0 << 8 | Int($1) }
    }
    func units(_ count: Int) -> Bool {
      for _ in 0..<count {
        guard let length = number(2), at + length <= extradata.count else { return false }
        bytes += [0, 0, 0, 1] + extradata[at..<at + length]
        at += length
      }
      return true
    }
    if isHEVC {
      guard extradata.count > 22, let arrays = number(1) else { return nil }
      for _ in 0..<arrays {
        guard number(1) != nil, let count = number(2), units(count) else { return nil }
      }
      return (bytes, Int(extradata[21] & 3) + 1)
    }
    for mask in [0x1F, 0xFF] {
      guard let count = number(1), units(count & mask) else { return nil }
    }
    return (bytes, Int(extradata[4] & 3) + 1)
  }

  /// A packet whose units follow their lengths, as one whose units follow start codes, behind the parameter sets.
  public static func startCoded(
    _ packet: UnsafeRawBufferPointer, lengthBytes: Int, before parameters: [UInt8]
  ) -> [UInt8] {
    var out = parameters
    out.reserveCapacity(parameters.count + packet.count + 16)
    NALUnits.visit(packet, lengthBytes: lengthBytes) { unit in
      out += [0, 0, 0, 1]
      out += unit
    }
    return out
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
