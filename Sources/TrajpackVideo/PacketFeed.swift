#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// Gives the payload of any packet of a table: straight from the file where the table has its
  /// offset, through the demuxer where it has not.
  final class PacketFeed {
    private let index: VideoIndex
    private let source: any VideoByteSource
    private let isDirect: Bool
    private var demuxer: Demuxer?
    /// The packet that the demuxer gives next.
    private var next = 0

    init(_ index: VideoIndex, _ source: any VideoByteSource) {
      self.index = index
      self.source = source
      isDirect = index.packets.isSelfSufficient
    }

    /// Puts packet `number` into `packet`.
    func load(_ number: Int, into packet: UnsafeMutablePointer<AVPacket>) throws(TrajpackError) {
      av_packet_unref(packet)
      try isDirect ? read(number, packet) : demux(number, packet)
    }

    private func read(_ number: Int, _ packet: UnsafeMutablePointer<AVPacket>)
      throws(TrajpackError)
    {
      let (offset, size) = (index.packets.offset[number], index.packets.size[number])
      guard size > 0, offset >= 0, offset <= source.byteCount - Int64(size) else {
        throw TrajpackError(
          .data, "\(size) bytes do not lie inside the file of \(source.byteCount) bytes")
      }
      guard av_new_packet(packet, size) >= 0, let data = packet.pointee.data else {
        throw .noMemory
      }
      let room = UnsafeMutableRawBufferPointer(start: data, count: Int(size))
      guard try source.fill(room, at: offset) == Int(size) else {
        throw TrajpackError(.data, "the file ends inside it")
      }
    }

    private func demux(_ number: Int, _ packet: UnsafeMutablePointer<AVPacket>)
      throws(TrajpackError)
    {
      var demuxer = try opened()
      if number < next || skipsKeyframe(to: number) {
        if let landed = try land(demuxer, number) {
          next = landed
        } else {
          self.demuxer = nil
          demuxer = try opened()
          guard try demuxer.next() else { throw changed(number) }
        }
      } else {
        guard try demuxer.next() else { throw changed(number) }
      }
      while next < number {
        guard try demuxer.next() else { throw changed(number) }
        next += 1
      }
      next += 1
      guard let read = demuxer.packet, matches(read.pointee, number) else {
        self.demuxer = nil
        throw changed(number)
      }
      guard av_packet_ref(packet, read) >= 0 else { throw .noMemory }
    }

    /// Seeks to packet `number` or before, reads one packet and says which it is; nil where that
    /// did not succeed.
    private func land(_ demuxer: Demuxer, _ number: Int) throws(TrajpackError) -> Int? {
      let times = [index.packets.pts[number], index.packets.dts[number]]
      guard let time = times.filter({ $0 != VideoPackets.absent }).min(),
        try demuxer.seek(to: time), try demuxer.next(), let read = demuxer.packet?.pointee
      else { return nil }
      return (0...number).last { matches(read, $0) }
    }

    private func matches(_ packet: AVPacket, _ number: Int) -> Bool {
      packet.pts == index.packets.pts[number] && packet.size == index.packets.size[number]
    }

    private func skipsKeyframe(to number: Int) -> Bool {
      number > next && index.packets.flags[(next + 1)...number].contains { $0.contains(.keyframe) }
    }

    private func opened() throws(TrajpackError) -> Demuxer {
      if let demuxer { return demuxer }
      let fresh = try Demuxer(source)
      guard index.streamNumber < 0 || Int(fresh.streamNumber) == index.streamNumber else {
        throw changed(0)
      }
      demuxer = fresh
      next = 0
      return fresh
    }

    private func changed(_ number: Int) -> TrajpackError {
      TrajpackError(.data, "is not in the file as the index says: index the file again")
    }
  }
#endif
