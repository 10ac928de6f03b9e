import TrajpackFormat
import TrajpackStore

/// The packets of a video track in decode order, from its rows and from what its metadata add.
struct VideoPacketTable {
  var offset: [Int64] = []
  var size: [Int32] = []
  var pts: [Int64] = []
  var frame: [Int32] = []
  var keyframe: [UInt8] = []

  private struct Packet {
    var offset: Int64
    var size: Int64
    var pts: Int64
    var dts: Int64
    var frame: Int32
    var isKey: Bool
  }

  /// Reads the rows of a track.
  ///
  /// Row n is frame n in the order of presentation. The order of decoding is that of the file in Matroska, which must
  /// store packets so (RFC 9559, 10.2), else that of dts, else that of the file.
  ///
  /// - Throws: A data error where a row cannot be, or where nothing says in which order frames are decoded.
  init(_ reader: TrackReader, _ facts: VideoFacts, place: String) throws(TrajpackError) {
    var packets = try Self.rows(reader, place: place)
    for (number, hidden) in facts.hidden.enumerated() {
      guard let size = Int32(exactly: hidden[1]), size >= 0 else {
        throw TrajpackError(
          .data, "\(place): metadata is damaged: hidden packet \(number) has \(hidden[1]) bytes")
      }
      packets.append(
        Packet(
          offset: Int64(hidden[0]), size: Int64(size), pts: Int64(hidden[2]), dts: Int64(hidden[3]),
          frame: -1, isKey: hidden[4] != 0))
    }
    let isWhole = packets.allSatisfy { $0.offset >= 0 }
    let isTimed = packets.allSatisfy { $0.dts != .min }
    if isWhole, facts.container.hasPrefix("matroska") || !isTimed {
      packets.sort { ($0.offset, $0.frame) < ($1.offset, $1.frame) }
    } else if isTimed {
      packets.sort { ($0.dts, $0.offset, $0.frame) < ($1.dts, $1.offset, $1.frame) }
    } else {
      throw TrajpackError(
        .data,
        "\(place): neither times nor places say in which order its frames are decoded: put the video into another "
          + "container (ffmpeg -i IN -c copy OUT.mp4) and convert again")
    }
    for packet in packets {
      offset.append(packet.offset)
      size.append(Int32(packet.size))
      pts.append(packet.pts)
      frame.append(packet.frame)
      keyframe.append(packet.isKey ? 1 : 0)
    }
  }

  /// Bytes of memory that it takes, decoders aside: in here and as much again with the decoder.
  var bytes: Int { offset.count * 80 + 4096 }

  private static func rows(
    _ reader: TrackReader, place: String
  ) throws(TrajpackError) -> [Packet] {
    func column(_ name: String) throws(TrajpackError) -> ChannelValues {
      guard let channel = reader.stream.channel(named: name) else {
        throw TrajpackError(.data, "\(place): the stream of a video has no channel '\(name)'")
      }
      return try reader.read(channel: channel, rows: 0..<reader.count)
    }
    guard reader.count < Int32.max else {
      throw TrajpackError(.data, "\(place): \(reader.count) frames are more than a video may have")
    }
    let (payload, pts, dts) = (try column("packet"), try column("pts"), try column("dts"))
    let keyframe = try column("keyframe")
    var packets: [Packet] = []
    packets.reserveCapacity(reader.count)
    func number(_ values: ChannelValues, _ row: Int, _ element: Int = 0) -> Int64 {
      if case .int(let n) = values.value(row, element) { return n }
      return .min
    }
    for row in 0..<reader.count {
      let size = number(payload, row, 1)
      guard (0...Int64(Int32.max)).contains(size) else {
        throw TrajpackError(.data, "\(place), frame \(row): its packet claims \(size) bytes")
      }
      packets.append(
        Packet(
          offset: max(number(payload, row), -1), size: size, pts: number(pts, row),
          dts: number(dts, row), frame: Int32(row), isKey: number(keyframe, row) == 1))
    }
    return packets
  }
}
