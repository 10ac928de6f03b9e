import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// What becomes of the videos of a sample.
public enum VideoMode: String, Sendable, CaseIterable {
  /// The files are taken into the archive, byte for byte.
  case embed
  /// The files stay where they are; the archive keeps their packet index and digest.
  case link
  /// The files are left out.
  case drop
}

/// A video of a sample as a first pass has seen it.
struct WildWorldVideo: Sendable {
  /// The stream: `rgb` or `depth`.
  var stream: String
  /// The file.
  var path: String
  /// Its packets and what its container says of them.
  var index: VideoIndex
  /// Its frames in the order of presentation.
  var order: VideoOrder

  /// The files of a sample and the streams that they become.
  static let files = [("rgb", "rgb.mp4"), ("depth", "depth.mkv")]

  /// Demuxes a file once, in flat memory.
  init(stream: String, path: String) throws(TrajpackError) {
    self.stream = stream
    self.path = path
    index = try VideoFile.index(path: path)
    order = try VideoOrder(index.packets)
  }

  /// Frames, in the count of which the files of a sample must agree.
  var frames: Int { order.frameCount }

  /// The stream that packets of a video make.
  static func plan(_ name: String, bytes: Int) -> StreamPlan {
    func column(_ name: String, _ kind: Kind, _ type: ElementType, _ description: String)
      -> ChannelPlan
    {
      ChannelPlan(
        Channel(
          name: name, kind: kind, type: type, description: description,
          missing: type == .int64 ? .sentinel : .never))
    }
    let what = name == "depth" ? "depth, 8-bit, as its video codec keeps it" : "colour pictures"
    return StreamPlan(
      Stream(
        name: name, description: "\(what); one row a frame, in the order of presentation",
        attributes: .record(["video": true])),
      channels: [
        ChannelPlan(
          Channel(
            name: "packet", kind: .packet, type: .bytes,
            description: "the compressed frame; offset -1 where its bytes do not lie in one piece")),
        column("pts", .label, .int64, "time of presentation, in ticks of the track's time base"),
        column(
          "dts", .label, .int64, "time of decoding, in ticks; the order of dts is that of decoding"),
        column("duration", .label, .int64, "ticks"),
        column("keyframe", .label, .uint8, "1 where decoding may begin"),
      ], blobBytes: bytes, blobIsText: false)
  }

  /// The track of a video: a row for each of its first `limit` frames. `place` is what the file is called
  /// below the source; `mode` says whether its bytes come along.
  func draft(
    stream: Int, schema: Schema, rate: Rational, mode: VideoMode, limit: Int, place: String
  ) throws(TrajpackError) -> TrackDraft {
    let count = min(limit, order.frameCount)
    let numbers = schema.blocks.indices.filter {
      schema.blocks[$0].stream == stream && schema.streams[stream].blob != $0
    }
    var spools: [TrackDraft.Rows] = []
    for number in numbers {
      let block = schema.blocks[number]
      var rows = [UInt8](repeating: 0, count: count * block.rowBytes)
      for channel in schema.streams[stream].channels where channel.storage.block == number {
        for frame in 0..<count {
          let packet = Int(order.packetOfFrame[frame])
          let at = frame * block.rowBytes + channel.storage.column * block.type.size
          func put(_ value: Int64, _ offset: Int = 0) {
            withUnsafeBytes(of: value.littleEndian) {
              rows.replaceSubrange(
                at + offset..<at + offset + block.type.size, with: $0.prefix(block.type.size))
            }
          }
          switch channel.name {
          case "packet":
            put(index.packets.offset[packet])
            put(Int64(index.packets.size[packet]), 8)
          case "pts": put(index.packets.pts[packet])
          case "dts": put(index.packets.dts[packet])
          case "duration": put(index.packets.duration[packet])
          default:
            let flags = index.packets.flags[packet]
            put(flags.isExactKeyframe ? 1 : 0)
          }
        }
      }
      let spool = RowSpool()
      try spool.append(rows)
      spools.append(.init(spool))
    }
    let file = try LocalFile(path)
    return TrackDraft(
      stream: stream, clock: .regular(start: .zero, rate: rate), count: count,
      metadata: try metadata(file, mode, place, rows: count), rows: spools,
      bytes: mode == .embed ? .file(file) : nil)
  }

  private func metadata(
    _ file: LocalFile, _ mode: VideoMode, _ place: String, rows: Int
  ) throws(TrajpackError) -> JSONValue {
    let digest = try file.sha256()
    let members = VideoRecord(index: index, order: order).members(
      rows: rows, bytes: file.length, sha256: digest)
    var metadata = JSONValue.record(["file": .string(place)])
    for (name, value) in members {
      metadata.set(name, value)
      if name == "sha256" { metadata.set("stored", .string(mode.rawValue)) }
    }
    return metadata
  }
}
