import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// A topic whose messages are packets of a video, or pictures of one kind and size, a file a message.
struct MessageVideo: Sendable {
  /// What its first keyframe says.
  var stream: VideoStream
  /// What its first picture says, where its messages are files of pictures.
  var picture: PictureHead?

  /// The channel of packets, and those beside it that a video has.
  static let packet = "packet"
  /// The field that holds the packets.
  static let field = "data"
  /// The file ending of its packets one after the other.
  var ending: String {
    switch stream.codec {
    case "hevc": "h265"
    case "png", "mjpeg": stream.codec
    default: "h264"
    }
  }

  /// Whether decoding can begin at a packet.
  func isKeyframe(_ packet: UnsafeRawBufferPointer) -> Bool {
    picture != nil || AnnexBVideo.isKeyframe(packet, codec: stream.codec)
  }

  /// The channels of a video but the clock.
  static let channels: [Channel] = [
    Channel(name: packet, kind: .packet, type: .bytes, description: "the compressed frame"),
    Channel(
      name: "pts", kind: .label, type: .int64,
      description: "time of presentation, in ticks of the track's time base", missing: .sentinel),
    Channel(
      name: "dts", kind: .label, type: .int64,
      description: "time of decoding, in ticks; the order of dts is that of decoding",
      missing: .sentinel),
    Channel(
      name: "duration", kind: .label, type: .int64, description: "ticks", missing: .sentinel),
    Channel(
      name: "keyframe", kind: .label, type: .uint8, description: "1 where decoding may begin"),
  ]
}

/// The packets of a video as they are stored, for what a track says of it.
struct MessageVideoPackets {
  private var packets = VideoPackets()
  private var hash = SHA256()
  private var bytes = 0

  /// Adds a packet that was stored at a byte of the blob.
  mutating func add(_ packet: UnsafeRawBufferPointer, at offset: Int64, time: Int64, isKey: Bool) {
    packets.pts.append(time)
    packets.dts.append(time)
    packets.duration.append(VideoPackets.absent)
    packets.size.append(Int32(clamping: packet.count))
    packets.offset.append(offset)
    packets.flags.append(isKey ? .keyframe : [])
    hash.add(packet)
    bytes += packet.count
  }

  /// The members of the track's metadata.
  mutating func members(_ video: MessageVideo, file: String) throws(TrajpackError)
    -> [JSONValue.Member]
  {
    var index = VideoIndex()
    index.container = video.stream.codec
    index.byteCount = Int64(bytes)
    index.stream = video.stream
    index.stream.timeBase = VideoRational(1, 1_000_000_000)
    index.packets = packets
    let order = try VideoOrder(packets)
    let record = VideoRecord(index: index, order: order)
    var out: [JSONValue.Member] = [.init("file", .string(file))]
    for (name, value) in record.members(
      rows: 0..<packets.count, bytes: bytes, sha256: hash.hexadecimal())
    {
      if let value { out.append(.init(name, value)) }
      if name == "sha256" { out.append(.init("stored", "embed")) }
    }
    return out
  }
}
