#if Video
  import CFFmpegShims
  import Glibc
  import TrajpackFormat

  /// Fills a ``VideoIndex`` from a demuxer, and proves what it says against the bytes.
  enum VideoIndexer {
    /// How far behind `AVPacket.pos` the payload is looked for: a block's or chunk's header.
    private static let headerBytes = 64

    static func run(
      _ source: any VideoByteSource, onPacket: (VideoPacket) throws(TrajpackError) -> Void
    ) throws(TrajpackError) -> VideoIndex {
      guard source.byteCount > 0 else { throw TrajpackError(.data, "is empty (0 bytes)") }
      // First the structure, in our own reading: its sentences name the byte.
      let structure = try ContainerStructure.check(source)
      let demuxer = try Demuxer(source)
      var index = VideoIndex()
      index.byteCount = source.byteCount
      index.streamNumber = Int(demuxer.streamNumber)
      index.notes = structure.notes
      try describe(demuxer, into: &index)
      var prover = PayloadProver(source, headerBytes: headerBytes)
      tpv_log_clear()
      let watch = tpv_log_watch()
      while try demuxer.next() {
        guard let packet = demuxer.packet?.pointee else { break }
        let entry = try entry(packet, number: index.packets.count, index.stream, &prover)
        try checkOrder(entry, after: index.packets.dts.last)
        index.packets.append(entry)
        try onPacket(entry)
      }
      try checkEnd(demuxer, structure, index)
      guard tpv_log_is_complete(watch) else {
        throw TrajpackError(
          .data,
          "another library of this process took FFmpeg's log meanwhile, which says whether the container is damaged: "
            + "try again")
      }
      return index
    }

    private static func entry(
      _ packet: AVPacket, number: Int, _ stream: VideoStream, _ prover: inout PayloadProver
    ) throws(TrajpackError) -> VideoPacket {
      guard packet.flags & tpv_flag_corrupt() == 0 else {
        throw TrajpackError(
          .data,
          "packet \(number) at byte \(packet.pos) is damaged or cut"
            + logged(": ") + "; get the file again")
      }
      let payload = UnsafeRawBufferPointer(start: packet.data, count: Int(max(packet.size, 0)))
      var flags: VideoPacketFlags = []
      if packet.flags & tpv_flag_key() != 0 { flags.insert(.keyframe) }
      if packet.flags & tpv_flag_discard() != 0 { flags.insert(.hidden) }
      // RFC 6386, 9.1: bit 4 of a VP8 frame tag is show_frame; altref frames have none.
      if stream.codec == "vp8", let tag = payload.first, tag & 0x10 == 0 { flags.insert(.hidden) }
      if flags.contains(.keyframe), stream.codec == "h264",
        H264Packet(payload, extradata: stream.extradata).isGradual
      {
        flags.insert(.gradual)
      }
      for side in 0..<Int(max(packet.side_data_elems, 0)) {
        let kind = packet.side_data[side].type
        if kind == AV_PKT_DATA_NEW_EXTRADATA || kind == AV_PKT_DATA_PALETTE
          || kind == AV_PKT_DATA_PARAM_CHANGE
        {
          flags.insert(.sideData)
        }
      }
      return VideoPacket(
        number: number, pts: packet.pts, dts: packet.dts,
        duration: packet.duration > 0 ? packet.duration : VideoPackets.absent,
        size: packet.size, offset: try prover.offset(of: payload, near: packet.pos),
        flags: flags, payload: payload)
    }

    /// Packets are decoded in the order of their decoding times: where the container's is another, pictures would be made
    /// of packets of different parts.
    private static func checkOrder(
      _ packet: VideoPacket, after last: Int64?
    ) throws(TrajpackError) {
      guard let last, last != VideoPackets.absent, packet.dts != VideoPackets.absent,
        packet.dts < last
      else { return }
      throw TrajpackError(
        .data,
        "packet \(packet.number) is to be decoded before the one in front of it, as in films that are put together of parts; "
          + ContainerStructure.asOneFilm)
    }

    /// Compares what was demuxed with what the container says it holds.
    private static func checkEnd(
      _ demuxer: Demuxer, _ structure: ContainerStructure, _ index: VideoIndex
    ) throws(TrajpackError) {
      let count = index.packets.count
      guard count > 0 else {
        throw TrajpackError(.data, "the video stream has no packets" + logged(": "))
      }
      if tpv_log_demuxer_errors() > 0 {
        throw TrajpackError(
          .data, "the container is damaged near packet \(count)" + logged(": "))
      }
      if let format = demuxer.format, let io = format.pointee.pb, io.pointee.error < 0 {
        throw TrajpackError(
          .data, "reading ended early, after packet \(count): \(Demuxer.text(io.pointee.error))")
      }
      if index.container.hasPrefix("mov") {
        let entries = Int(avformat_index_get_entries_count(try demuxer.stream))
        guard entries <= count else {
          throw TrajpackError(
            .data,
            "the sample table lists \(entries) frames but only \(count) can be read: "
              + "the file is cut")
        }
      }
      if let blocks = structure.videoFrames, blocks != count,
        ContainerStructure.oneFrameABlock.contains(index.stream.codec)
      {
        throw TrajpackError(
          .data, "holds \(blocks) video frames but libavformat read \(count): it is damaged")
      }
    }

    private static func logged(_ separator: String) -> String {
      let line = String(cString: tpv_log_line())
      return line.isEmpty ? "" : separator + line
    }
  }

  /// Finds where a payload lies in the file, and proves it by comparing every byte.
  struct PayloadProver {
    private let source: any VideoByteSource
    private let headerBytes: Int
    private var bytes: [UInt8] = []

    init(_ source: any VideoByteSource, headerBytes: Int) {
      self.source = source
      self.headerBytes = headerBytes
    }

    /// The first offset from `position` on, less than a header away, where `payload` stands;
    /// `VideoPackets.noOffset` where it does not.
    mutating func offset(of payload: UnsafeRawBufferPointer, near position: Int64)
      throws(TrajpackError) -> Int64
    {
      guard position >= 0, payload.count > 0, position < source.byteCount,
        let wanted = payload.baseAddress
      else { return VideoPackets.noOffset }
      let room = payload.count + headerBytes
      if bytes.count < room { bytes = [UInt8](repeating: 0, count: room) }
      let read = try source.fill(&bytes, count: room, at: position)
      let found: Int? = bytes.withUnsafeBytes { all in
        guard read >= payload.count, let start = all.baseAddress else { return nil }
        return (0...(read - payload.count)).first {
          memcmp(start + $0, wanted, payload.count) == 0
        }
      }
      return found.map { position + Int64($0) } ?? VideoPackets.noOffset
    }
  }
#endif
