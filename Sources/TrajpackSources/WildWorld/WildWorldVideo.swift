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
  private let watch: ReadWatch

  /// The files of a sample and the streams that they become.
  static let files = [("rgb", "rgb.mp4"), ("depth", "depth.mkv")]

  /// Demuxes a file once, in flat memory.
  init(stream: String, path: String, _ watch: ReadWatch) throws(TrajpackError) {
    self.stream = stream
    self.path = path
    self.watch = watch
    index = try VideoFile.index(WatchedVideo(path, watch))
    order = try VideoOrder(index.packets)
  }

  /// Frames, in the count of which the files of a sample must agree.
  var frames: Int { order.frameCount }

  /// How far apart its frames are; `nil` where their times are not known.
  var spacing: FrameSpacing? {
    FrameSpacing(
      order.packetOfFrame.map { index.packets.pts[Int($0)] },
      tick: Double(index.stream.timeBase.num) / Double(index.stream.timeBase.den))
  }

  /// The channel of checksums of decoded frames.
  static let hashName = "frame_crc32c"

  /// The stream that packets of a video make.
  ///
  /// - Parameters:
  ///   - hashes: Whether each row has the checksum of its decoded frame.
  ///   - times: Whether some recording counts frames by time, so that rows have one.
  static func plan(_ name: String, bytes: Int, hashes: Bool, times: Bool) -> StreamPlan {
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
      ]
        + (hashes
          ? [
            column(
              hashName, .label, .uint32, "CRC-32C of the decoded frame: its planes without padding")
          ] : [])
        + (times
          ? [column("time", .label, .int64, "ticks since the first frame; the clock of the track")]
          : []),
      blobBytes: bytes, blobIsText: false)
  }

  /// The track of a video: a row for each of its first `limit` frames, or for all of them where rows belong together by time
  /// (`nil`). `place` is what the file is called below the source; `mode` says whether its bytes come along.
  func draft(
    stream: Int, schema: Schema, rate: Rational, mode: VideoMode, limit: Int?, place: String
  ) throws(TrajpackError) -> TrackDraft {
    let count = min(limit ?? order.frameCount, order.frameCount)
    let isHashed = schema.streams[stream].channel(named: Self.hashName) != nil
    let hashes = isHashed ? try self.hashes(count) : []
    let first = count > 0 ? index.packets.pts[Int(order.packetOfFrame[0])] : 0
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
          case Self.hashName: put(Int64(hashes[frame]))
          case "time": put(index.packets.pts[packet] &- first)
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
      stream: stream, clock: limit == nil ? try clock() : .regular(start: .zero, rate: rate),
      count: count,
      metadata: try metadata(
        file, mode, place, rows: count, isHashed: isHashed, rate: rate, byTime: limit == nil),
      rows: spools,
      bytes: mode == .embed ? .file(file) : nil)
  }

  /// What the checksums are of; where decoders may differ, which one has decoded.
  private static func hashFacts(_ codec: String) -> JSONValue {
    let isExact = !["mjpeg", "mjpegb", "jpeg2000", "jpegls", "mpeg4", "mpeg2video", "mpeg1video"]
      .contains(codec)
    return .record([
      "algorithm": "CRC-32C", "of": "native planes",
      "decoder": isExact ? nil : .string("\(VideoFile.decoderVersion) \(codec)"),
    ])
  }

  /// The checksums of the first frames: decoded planes without padding, before rotation, range and colours.
  private func hashes(_ count: Int) throws(TrajpackError) -> [UInt32] {
    let decoder = try VideoDecoder(
      index: index, source: try VideoFileBytes(path: path),
      threads: min(WorkerPool.processors, 4))
    let output = VideoOutput(.native)
    var room = [UInt8](repeating: 0, count: try decoder.frameBytes(output))
    var hashes: [UInt32] = []
    hashes.reserveCapacity(count)
    for frame in 0..<count {
      var failure: TrajpackError?
      room.withUnsafeMutableBytes { bytes in
        do throws(TrajpackError) {
          try decoder.decode(frames: [frame], as: output, into: bytes)
          hashes.append(CRC32C.of(UnsafeRawBufferPointer(bytes)))
        } catch { failure = error }
      }
      if let failure { throw failure }
    }
    return hashes
  }

  /// The clock of rows whose times are ticks of the container.
  private func clock() throws(TrajpackError) -> Clock {
    let base = index.stream.timeBase
    guard base.isPositive, let tick = Rational(Int64(base.num), Int64(base.den)) else {
      throw TrajpackError(
        .data,
        "\(FileSystem.name(of: path)): the file states no time base, so its frames have no times: use "
          + "--on-mismatch truncate or skip")
    }
    return .ticks(tick)
  }

  private func metadata(
    _ file: LocalFile, _ mode: VideoMode, _ place: String, rows: Int, isHashed: Bool,
    rate: Rational, byTime: Bool
  ) throws(TrajpackError) -> JSONValue {
    let digest = try watch.file(path).sha256()
    let members = VideoRecord(index: index, order: order).members(
      rows: rows, bytes: file.length, sha256: digest)
    var metadata = JSONValue.record(["file": .string(place)])
    for (name, value) in members {
      metadata.set(name, value)
      switch name {
      case "sha256": metadata.set("stored", .string(mode.rawValue))
      case "rotation":
        metadata.set("frames_by", byTime ? "time" : nil)
        metadata.set("frame_hash", isHashed ? Self.hashFacts(index.stream.codec) : nil)
      case "hidden_packets":
        // Only where they are not what the clock and the rows say.
        metadata.set(FrameSpacing.member, byTime ? nil : spacing.flatMap { $0.json(at: rate) })
        metadata.set(
          "file_frames", order.frameCount > rows ? .int(Int64(order.frameCount)) : nil)
      default: break
      }
    }
    return metadata
  }
}
