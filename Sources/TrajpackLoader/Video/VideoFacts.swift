import CVideoTable
import TrajpackFormat
import TrajpackStore

/// What a video track's metadata say, as far as decoding needs it.
struct VideoFacts: Sendable, Equatable {
  var codec: String
  var pixelFormat: String
  var colorRange: String
  var colorSpace: String
  var width: Int
  var height: Int
  var extradata: [UInt8] = []
  /// What the container calls the codec, and the bits of a sample, by which some decoders choose.
  var codecTag: UInt32 = 0
  var bitsPerCodedSample: Int32 = 0
  var container: String
  /// Whether the bytes lie in a file of their own, which is `file` below a folder that the user names.
  var isLinked: Bool
  var file: String
  var bytes: Int
  var sha256: String
  /// Whether payloads alone are not enough: parameters change inside the container.
  var needsContainer: Bool
  /// Packets that are no rows but that the decoder needs: offset, size, pts, dts, keyframe.
  var hidden: [[Int]] = []
  /// How frames lie in the archive that are stored as samples; `nil` where they are packets of a video codec.
  var stored: StoredFrames?
  /// What has decoded the frames whose checksums are kept, where that matters.
  var hashDecoder: String?
  /// Whether what the decoder calls red is blue.
  var isSwapped = false
  /// Degrees clockwise that a player turns the pictures; frames are as they are stored.
  var rotation: Double?

  /// The most bytes of parameter sets.
  private static let maximumExtradata = 1 << 24

  /// Reads the metadata of a track; `place` names it in errors.
  init(_ metadata: String, at place: String) throws(TrajpackError) {
    let reader = JSONReader(
      try within(place) { () throws(TrajpackError) in
        try JSONValue(parsing: metadata.isEmpty ? "{}" : metadata)
      }, at: "\(place): metadata")
    codec = try reader.text("codec")
    pixelFormat = try reader.optionalText("pixel_format") ?? ""
    colorRange = try reader.optionalText("color_range") ?? ""
    colorSpace = try reader.optionalText("color_space") ?? ""
    width = try reader.integer("width")
    height = try reader.integer("height")
    let limit = 1...1 << 15
    guard limit.contains(width), limit.contains(height) else {
      throw TrajpackError(
        .data, "\(place): \(width) × \(height) pixels is no size of a picture that can be decoded")
    }
    container = try reader.optionalText("container") ?? ""
    codecTag = UInt32(clamping: reader.value["codec_tag"]?.int ?? 0)
    bitsPerCodedSample = Int32(clamping: reader.value["bits_per_coded_sample"]?.int ?? 0)
    stored = try StoredFrames(reader, codec: codec, width: width, height: height)
    isLinked = try reader.text("stored") == "link"
    file = try reader.text("file")
    bytes = try reader.integer("bytes")
    sha256 = try reader.text("sha256")
    needsContainer = reader.value["needs_container"]?.bool ?? false
    rotation = reader.value["rotation"]?.double
    if let order = try reader.optionalText("channel_order"), order != "rgb" {
      guard order == "bgr" else {
        throw try reader.member("channel_order").wrong("'rgb' or 'bgr', not '\(order)'")
      }
      isSwapped = true
    }
    hashDecoder = reader.value["frame_hash"]?["decoder"]?.string
    if let digits = try reader.optionalText("extradata") {
      guard let bytes = Self.bytes(digits), bytes.count <= Self.maximumExtradata else {
        throw try reader.member("extradata").wrong("hexadecimal digits")
      }
      extradata = bytes
    }
    if reader.value["hidden_packets"] != nil {
      hidden = try reader.list("hidden_packets") { (packet) throws(TrajpackError) in
        let numbers = try packet.integers()
        guard numbers.count == 5 else { throw packet.wrong("five integers") }
        return numbers
      }
    }
  }

  private static func bytes(_ digits: String) -> [UInt8]? {
    let all = Array(digits.utf8)
    guard all.count % 2 == 0 else { return nil }
    func value(_ digit: UInt8) -> UInt8? {
      switch digit {
      case 0x30...0x39: digit - 0x30
      case 0x61...0x66: digit - 0x61 + 10
      case 0x41...0x46: digit - 0x41 + 10
      default: nil
      }
    }
    var out: [UInt8] = []
    out.reserveCapacity(all.count / 2)
    for i in stride(from: 0, to: all.count, by: 2) {
      guard let high = value(all[i]), let low = value(all[i + 1]) else { return nil }
      out.append(high << 4 | low)
    }
    return out
  }

  /// Calls `body` with the facts as C has them.
  func withStream<Result>(
    name: String, _ body: (UnsafePointer<tpv_stream>) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    let texts = [name, codec, pixelFormat, colorRange, colorSpace].map { Array($0.utf8CString) }
    return try texts[0].withUnsafeBufferPointer { (name) throws(TrajpackError) in
      try texts[1].withUnsafeBufferPointer { (codec) throws(TrajpackError) in
        try texts[2].withUnsafeBufferPointer { (pixels) throws(TrajpackError) in
          try texts[3].withUnsafeBufferPointer { (range) throws(TrajpackError) in
            try texts[4].withUnsafeBufferPointer { (matrix) throws(TrajpackError) in
              try extradata.withUnsafeBufferPointer { (extradata) throws(TrajpackError) in
                var stream = tpv_stream(
                  name: name.baseAddress, codec: codec.baseAddress,
                  pixel_format: pixels.baseAddress, color_range: range.baseAddress,
                  color_space: matrix.baseAddress, width: Int32(width), height: Int32(height),
                  extradata: extradata.baseAddress, extradata_bytes: extradata.count,
                  codec_tag: codecTag, bits_per_coded_sample: bitsPerCodedSample)
                return try body(&stream)
              }
            }
          }
        }
      }
    }
  }
}

extension VideoFacts {
  /// What frames of a video are, with what `output` leaves open settled.
  func layout(_ output: tpv_output, name: String) throws(TrajpackError) -> tpv_layout {
    if let stored { return try stored.layout(output, name: name) }
    let functions = try VideoLibrary.functions()
    var output = output
    var layout = tpv_layout()
    try withStream(name: name) { (stream) throws(TrajpackError) in
      try VideoLibrary.call { functions.layout(stream, &output, &layout, $0) }
    }
    return layout
  }
}
