import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// Packets of H.264 and H.265 as messages have them: with start codes, the parameter sets before each keyframe.
struct MCAPVideo {
  private let lengthBytes: Int?
  private let parameters: [UInt8]

  /// - Throws: A data error where the track does not say what its stream's parameters are.
  init(_ metadata: JSONReader) throws(TrajpackError) {
    let extradata = Self.bytes(try metadata.optionalText("extradata") ?? "")
    let isPrefixed = extradata.first == 1
    guard
      let sets = extradata.withUnsafeBytes({
        AnnexBVideo.parameterSets($0, isHEVC: (try? metadata.text("codec")) == "hevc")
      })
    else { throw metadata.wrong("parameter sets in 'extradata'") }
    (lengthBytes, parameters) = (isPrefixed ? sets.lengthBytes : nil, sets.bytes)
  }

  /// A packet as a message has it.
  func packet(_ packet: [UInt8], isKeyframe: Bool) -> [UInt8] {
    guard let lengthBytes else { return packet }
    return packet.withUnsafeBytes {
      AnnexBVideo.startCoded($0, lengthBytes: lengthBytes, before: isKeyframe ? parameters : [])
    }
  }

  /// Why the packets of a track cannot be messages that are decoded one after the other; `nil` where they can.
  static func reason(
    _ track: TrackReader, _ metadata: JSONReader
  ) throws(TrajpackError) -> String? {
    if metadata.value["hidden_packets"] != nil {
      return "has packets that are decoded and not shown"
    }
    if metadata.value["needs_container"]?.bool == true {
      return "has packets that need their container"
    }
    guard let dts = track.stream.channel(named: "dts"), let pts = track.stream.channel(named: "pts")
    else { return "does not say in which order its packets are decoded" }
    var last = Int64.min
    var isOrdered = true
    try track.forEachRun { (rows) throws(TrajpackError) in
      let values = try track.read(channels: [dts, pts], rows: rows)
      for row in 0..<rows.count {
        guard case .int(let time) = values[0].value(row, 0) else { continue }
        if time < last { isOrdered = false }
        last = time
      }
    }
    return isOrdered ? nil : "has frames that refer to later ones (B frames)"
  }

  private static func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map {
      UInt8(digits[$0] << 4 | digits[$0 + 1])
    }
  }
}
