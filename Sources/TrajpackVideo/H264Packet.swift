/// What an H.264 access unit says of itself (ITU-T H.264, 7.3.1 and D.1.8), as far as seeking
/// needs it.
struct H264Packet {
  /// Whether it holds a recovery point that is more than zero frames away and no IDR slice.
  private(set) var isGradual = false

  /// Reads the units of a packet, length-prefixed where `extradata` is an avcC record (ISO/IEC
  /// 14496-15, 5.3.3.1), with start codes otherwise.
  init(_ payload: UnsafeRawBufferPointer, extradata: [UInt8]) {
    var isRecovering = false
    var isIDR = false
    let visit = { (unit: Slice<UnsafeRawBufferPointer>) in
      guard let head = unit.first else { return }
      switch head & 0x1F {
      case 5: isIDR = true
      case 6: isRecovering = isRecovering || Self.recoversLater(unit.dropFirst())
      default: break
      }
    }
    let isPrefixed = extradata.count > 4 && extradata[0] == 1
    NALUnits.visit(payload, lengthBytes: isPrefixed ? Int(extradata[4] & 3) + 1 : nil, visit)
    isGradual = isRecovering && !isIDR
  }

  /// Whether an SEI unit holds a recovery point (payload type 6) whose `recovery_frame_cnt`, an
  /// Exp-Golomb number, is not 0: then its first bit is 0.
  private static func recoversLater(_ unit: Slice<UnsafeRawBufferPointer>) -> Bool {
    var rest = unit
    func number() -> Int? {
      var total = 0
      while let byte = rest.popFirst() {
        total += Int(byte)
        if byte != 0xFF { return total }
      }
      return nil
    }
    while rest.count > 2 {
      guard let kind = number(), let length = number(), length <= rest.count else { return false }
      if kind == 6, let first = rest.first { return first & 0x80 == 0 }
      rest = rest.dropFirst(length)
    }
    return false
  }
}

/// What a sequence parameter set of H.264 says of colours (ITU-T H.264, 7.3.2.1.1).
enum H264Parameters {
  /// Profiles whose parameter sets state `chroma_format_idc`; all others are 4:2:0.
  private static let profiles: Set<UInt8> = [
    44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244,
  ]

  /// Whether pictures have nothing but brightness (`chroma_format_idc` 0). libavcodec gives these as 4:2:0, with planes
  /// of chroma that the stream does not hold.
  static func isMonochrome(_ extradata: [UInt8]) -> Bool {
    guard extradata.count > 8 else { return false }
    var found = false
    let visit = { (unit: Slice<UnsafeRawBufferPointer>) in
      guard let head = unit.first, head & 0x1F == 7, unit.count > 5 else { return }
      let bytes = Array(unit.prefix(16))
      guard profiles.contains(bytes[1]) else { return }
      var at = 4 * 8
      func bit() -> UInt8? {
        guard at < bytes.count * 8 else { return nil }
        defer { at += 1 }
        return bytes[at / 8] >> UInt8(7 - at % 8) & 1
      }
      // seq_parameter_set_id, which is skipped, and then chroma_format_idc, both Exp-Golomb numbers; 0 is a single 1.
      var zeros = 0
      while let next = bit(), next == 0 { zeros += 1 }
      at += zeros
      if bit() == 1 { found = true }
    }
    extradata.withUnsafeBytes { all in
      guard all[0] == 1 else { return NALUnits.visit(all, lengthBytes: nil, visit) }
      // avcC (ISO/IEC 14496-15, 5.3.3.1): the parameter sets begin at byte 6, each after its length in two bytes.
      guard all[5] & 0x1F > 0 else { return }
      let length = Int(all[6]) << 8 | Int(all[7])
      guard length <= all.count - 8 else { return }
      visit(all[8..<8 + length])
    }
    return found
  }
}
