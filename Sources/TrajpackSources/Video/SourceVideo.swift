import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// What becomes of the videos of a recording.
public enum VideoMode: String, Sendable, CaseIterable {
  /// The files are taken into the archive, byte for byte.
  case embed
  /// The files stay where they are; the archive keeps their packet index and digest.
  case link
  /// The files are left out.
  case drop
}

/// Bytes of a video that lie in no file of their own.
typealias MadeVideo = MadeBytes & VideoByteSource

/// A video of a recording as a first pass has seen it.
struct SourceVideo: Sendable {
  private enum Origin: Sendable {
    case file(String)
    case made(any MadeVideo)
  }

  /// The stream that it becomes.
  var stream: String
  /// Its packets and what its container says of them.
  var index: VideoIndex
  /// Its frames in the order of presentation.
  var order: VideoOrder
  private let origin: Origin
  private let watch: ReadWatch

  /// Demuxes a file once, in flat memory.
  init(stream: String, path: String, _ watch: ReadWatch) throws(TrajpackError) {
    try self.init(
      stream: stream, path: path, VideoFile.index(WatchedVideo(path, watch)), watch)
  }

  /// A file whose packets are known.
  init(
    stream: String, path: String, _ index: VideoIndex, _ watch: ReadWatch
  ) throws(TrajpackError) {
    self.stream = stream
    self.watch = watch
    self.index = index
    order = try VideoOrder(index.packets)
    origin = .file(path)
  }

  /// Demuxes bytes that were put together.
  init(stream: String, _ bytes: any MadeVideo, _ watch: ReadWatch) throws(TrajpackError) {
    self.stream = stream
    self.watch = watch
    index = try VideoFile.index(bytes)
    order = try VideoOrder(index.packets)
    origin = .made(bytes)
  }

  /// Bytes that were put together, whose packets are known.
  init(
    stream: String, _ index: VideoIndex, _ bytes: any MadeVideo, _ watch: ReadWatch
  ) throws(TrajpackError) {
    self.stream = stream
    self.watch = watch
    self.index = index
    order = try VideoOrder(index.packets)
    origin = .made(bytes)
  }

  /// What its bytes are called in errors.
  var name: String {
    switch origin {
    case .file(let path): FileSystem.name(of: path)
    case .made(let bytes): bytes.name
    }
  }

  /// Frames, in the count of which the files of a sample must agree.
  var frames: Int { order.frameCount }

  /// How far apart its frames are; `nil` where their times are not known.
  var spacing: FrameSpacing? { spacing(0..<frames) }

  private func spacing(_ frames: Range<Int>) -> FrameSpacing? {
    FrameSpacing(
      order.packetOfFrame[frames].map { index.packets.pts[Int($0)] },
      tick: Double(index.stream.timeBase.num) / Double(index.stream.timeBase.den))
  }

  /// The channel of checksums of decoded frames.
  static let hashName = "frame_crc32c"

  /// The stream that packets of a video make.
  ///
  /// - Parameters:
  ///   - hashes: Whether each row has the checksum of its decoded frame.
  ///   - times: Whether some recording counts frames by time, so that rows have one.
  ///   - own: The type of the times that the recordings themselves have, where no clock gives them.
  ///   - what: What the pictures are; `nil` for colours, or depth by the name.
  static func plan(
    _ name: String, bytes: Int, hashes: Bool, times: Bool, own: ElementType? = nil,
    what: String? = nil
  ) -> StreamPlan {
    func column(_ name: String, _ kind: Kind, _ type: ElementType, _ description: String)
      -> ChannelPlan
    {
      ChannelPlan(
        Channel(
          name: name, kind: kind, type: type, description: description,
          missing: type == .int64 ? .sentinel : .never))
    }
    let what =
      what ?? (name == "depth" ? "depth, 8-bit, as its video codec keeps it" : "colour pictures")
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
          : [])
        + (own.map {
          [
            ChannelPlan(
              Channel(name: "time", kind: .scalar, type: $0, description: "when the frame is"))
          ]
        } ?? []),
      blobBytes: bytes, blobIsText: false)
  }

  /// The track of a video: a row for each of `limit` frames from frame `first` on, or for all of them where rows belong
  /// together by time (`nil`). `times` are the rows' own, eight bytes each, of a stream that has such. `place` is what the file is called below the source; `mode` says whether its bytes come along.
  func draft(
    stream: Int, schema: Schema, rate: Rational, mode: VideoMode, limit: Int?, place: String,
    from firstFrame: Int = 0, times: [Int64]? = nil, more: [JSONValue.Member] = []
  ) throws(TrajpackError) -> TrackDraft {
    let count = min(limit ?? order.frameCount, order.frameCount - firstFrame)
    let rows = firstFrame..<firstFrame + count
    let isHashed = schema.streams[stream].channel(named: Self.hashName) != nil
    let hashes = isHashed ? try self.hashes(rows) : []
    let first = count > 0 ? index.packets.pts[Int(order.packetOfFrame[firstFrame])] : 0
    let numbers = schema.blocks.indices.filter {
      schema.blocks[$0].stream == stream && schema.streams[stream].blob != $0
    }
    var spools: [TrackDraft.Rows] = []
    for number in numbers {
      let block = schema.blocks[number]
      var rows = [UInt8](repeating: 0, count: count * block.rowBytes)
      for channel in schema.streams[stream].channels where channel.storage.block == number {
        for frame in 0..<count {
          let packet = Int(order.packetOfFrame[firstFrame + frame])
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
          case "time": put(times?[frame] ?? index.packets.pts[packet] &- first)
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
    return TrackDraft(
      stream: stream, clock: limit == nil ? try clock() : .regular(start: .zero, rate: rate),
      count: count,
      metadata: try metadata(
        mode, place, rows: rows, isHashed: isHashed, rate: rate, byTime: limit == nil, more),
      rows: spools,
      bytes: mode == .embed ? try bytes() : nil)
  }

  private func bytes() throws(TrajpackError) -> TrackDraft.Bytes {
    switch origin {
    case .file(let path): .file(try LocalFile(path))
    case .made(let bytes): .made(bytes)
    }
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

  /// The checksums of frames: decoded planes without padding, before rotation, range and colours.
  private func hashes(_ frames: Range<Int>) throws(TrajpackError) -> [UInt32] {
    let source: any VideoByteSource
    switch origin {
    case .file(let path):
      source = try VideoFileBytes(path: BucketFolder.wholeFile(path))
    case .made(let bytes): source = bytes
    }
    let decoder = try VideoDecoder(
      index: index, source: source,
      threads: min(WorkerPool.processors, 4))
    let output = VideoOutput(.native)
    var room = [UInt8](repeating: 0, count: try decoder.frameBytes(output))
    var hashes: [UInt32] = []
    hashes.reserveCapacity(frames.count)
    for frame in frames {
      try room.withMutableBytes { (bytes) throws(TrajpackError) in
        try decoder.decode(frames: [frame], as: output, into: bytes)
        hashes.append(CRC32C.of(UnsafeRawBufferPointer(bytes)))
      }
    }
    return hashes
  }

  /// The clock of rows whose times are ticks of the container.
  private func clock() throws(TrajpackError) -> Clock {
    let base = index.stream.timeBase
    guard base.isPositive, let tick = Rational(Int64(base.num), Int64(base.den)) else {
      throw TrajpackError(
        .data,
        "\(name): the file states no time base, so its frames have no times: use "
          + "--on-mismatch truncate or skip")
    }
    return .ticks(tick)
  }

  /// How many bytes, and their SHA-256.
  private func digest() throws(TrajpackError) -> (bytes: Int, sha256: String) {
    switch origin {
    case .file(let path):
      let file = try watch.file(path)
      return (file.length, try file.sha256())
    case .made(let bytes): return (bytes.count, try bytes.sha256())
    }
  }

  private func metadata(
    _ mode: VideoMode, _ place: String, rows: Range<Int>, isHashed: Bool,
    rate: Rational, byTime: Bool, _ more: [JSONValue.Member]
  ) throws(TrajpackError) -> JSONValue {
    let (bytes, digest) = try digest()
    let members = VideoRecord(index: index, order: order).members(
      rows: rows, bytes: bytes, sha256: digest)
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
        metadata.set(
          FrameSpacing.member, byTime ? nil : spacing(rows).flatMap { $0.json(at: rate) })
        metadata.set(
          "file_frames", order.frameCount > rows.count ? .int(Int64(order.frameCount)) : nil)
      default: break
      }
    }
    for member in more { metadata.set(member.name, member.value) }
    return metadata
  }
}
