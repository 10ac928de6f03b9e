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
