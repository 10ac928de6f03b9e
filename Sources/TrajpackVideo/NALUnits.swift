/// Walks the NAL units of a packet: length-prefixed (ISO/IEC 14496-15) or with start codes (H.264 and H.265, annex B).
enum NALUnits {
  /// Calls `visit` with the bytes of each unit. `lengthBytes` is nil for start codes.
  static func visit(
    _ payload: UnsafeRawBufferPointer, lengthBytes: Int?,
    _ visit: (Slice<UnsafeRawBufferPointer>) -> Void
  ) {
    if let lengthBytes {
      prefixed(payload, lengthBytes: lengthBytes, visit)
    } else {
      startCoded(payload, visit)
    }
  }

  private static func prefixed(
    _ payload: UnsafeRawBufferPointer, lengthBytes: Int,
    _ visit: (Slice<UnsafeRawBufferPointer>) -> Void
  ) {
    var at = 0
    while payload.count - at > lengthBytes {
      let length = payload[at..<at + lengthBytes].reduce(0) { $0 << 8 | Int($1) }
      at += lengthBytes
      guard length > 0, length <= payload.count - at else { return }
      visit(payload[at..<at + length])
      at += length
    }
  }

  private static func startCoded(
    _ payload: UnsafeRawBufferPointer, _ visit: (Slice<UnsafeRawBufferPointer>) -> Void
  ) {
    var begin: Int?
    var at = 0
    while at + 3 <= payload.count {
      guard payload[at] == 0, payload[at + 1] == 0, payload[at + 2] == 1 else {
        at += 1
        continue
      }
      if let begin { visit(payload[begin..<at]) }
      begin = at + 3
      at += 3
    }
    if let begin { visit(payload[begin...]) }
  }
}

/// Which packets of a stream no other picture refers to, so that a decoder that nobody asks for them may never see them.
///
/// H.264: every slice has `nal_ref_idc` 0 (7.4.1). H.265: every slice is of a sub-layer non-reference picture (table 7-1),
/// and the stream has a single temporal layer, so that no higher one refers to it. Other codecs: none.
struct DisposablePackets {
  private enum Codec { case h264, hevc }
  private let codec: Codec?
  private let lengthBytes: Int?

  init(_ stream: VideoStream) {
    let extradata = stream.extradata
    switch stream.codec {
    case "h264":
      codec = .h264
      lengthBytes = extradata.count > 4 && extradata[0] == 1 ? Int(extradata[4] & 3) + 1 : nil
    case "hevc":
      // hvcC (ISO/IEC 14496-15, 8.3.3.1.2): numTemporalLayers and lengthSizeMinusOne stand in byte 21.
      let isSingle = extradata.count > 22 && extradata[0] == 1 && extradata[21] >> 3 & 7 == 1
      codec = isSingle ? .hevc : nil
      lengthBytes = isSingle ? Int(extradata[21] & 3) + 1 : nil
    default:
      codec = nil
      lengthBytes = nil
    }
  }

  /// Whether any packet can be one.
  var isPossible: Bool { codec != nil }

  /// Whether nothing refers to the picture of this packet.
  func contains(_ payload: UnsafeRawBufferPointer) -> Bool {
    guard let codec else { return false }
    var slices = 0
    var isReferred = false
    NALUnits.visit(payload, lengthBytes: lengthBytes) { unit in
      guard let head = unit.first else { return }
      switch codec {
      case .h264:
        guard (1...5).contains(head & 0x1F) else { return }
        slices += 1
        if head & 0x60 != 0 { isReferred = true }
      case .hevc:
        let type = head >> 1 & 0x3F
        guard type < 32 else { return }
        slices += 1
        if type > 14 || type % 2 == 1 { isReferred = true }
      }
    }
    return slices > 0 && !isReferred
  }
}
