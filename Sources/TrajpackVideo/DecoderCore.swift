#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// libavcodec fed by a packet table. Owned by one thread.
  ///
  /// Packets go in with their frame number as pts, so that a picture that comes out names its
  /// frame, whatever the container's timestamps are; what is never shown has a negative one.
  ///
  /// The corresponding C functions are `avcodec_send_packet` and `avcodec_receive_frame`.
  final class DecoderCore {
    let name: String
    private let index: VideoIndex
    private let order: VideoOrder
    private let threads: Int
    private let keys: [Int]
    /// Keyframes that turned out to lean on what came before them.
    private var leaning: Set<Int> = []
    private let feed: PacketFeed
    private let writer = FrameWriter()
    private let codec: CodecContext
    /// The next packet to send; nil where the codec must be flushed first.
    private var next: Int?
    /// The packet that decoding began at.
    private var start = 0
    private var isDraining = false
    /// How many packets were given to the codec so far.
    private(set) var packetsSent = 0
    /// The frame that stands in `codec.frame`.
    private var held: Int?

    init(_ index: VideoIndex, _ order: VideoOrder, _ source: any VideoByteSource, threads: Int)
      throws(TrajpackError)
    {
      guard (1...256).contains(threads) else {
        throw TrajpackError(.usage, "\(threads) decoding threads: give 1 to 256")
      }
      name = source.name
      self.index = index
      self.order = order
      self.threads = threads
      keys = index.packets.flags.indices.filter {
        index.packets.flags[$0].intersection([.keyframe, .gradual]) == .keyframe
      }
      feed = PacketFeed(index, source)
      codec = try CodecContext(index.stream, reorderDepth: order.reorderDepth)
      try codec.open(threads: threads)
    }

    func decode(
      _ frames: [Int], _ output: VideoOutput, _ buffer: UnsafeMutableRawBufferPointer,
      frameStride: Int?
    ) throws(TrajpackError) {
      let bytes = try FrameWriter.bytes(output, of: index.stream)
      let stride = frameStride ?? bytes
      let (last, overflow) = max(frames.count - 1, 0).multipliedReportingOverflow(by: stride)
      guard stride >= bytes, !overflow, frames.isEmpty || buffer.count - bytes >= last else {
        throw TrajpackError(
          .usage,
          "\(frames.count) frames of \(bytes) bytes, \(stride) apart, do not fit into "
            + "\(buffer.count) bytes")
      }
      if let wrong = frames.first(where: { $0 < 0 || $0 >= order.frameCount }) {
        throw TrajpackError(
          .usage, "there is no frame \(wrong): the video has frames 0 to \(order.frameCount - 1)")
      }
      for slot in frames.indices.sorted(by: { frames[$0] < frames[$1] }) {
        try advance(to: frames[slot])
        let from = slot * stride
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[from..<from + bytes])
        try writer.write(codec.frame, index.stream, output, into: room)
      }
    }

    // MARK: Going to a frame

    /// The last keyframe from which `frame` can be decoded: one before it in both orders, since
    /// pictures that are shown before a keyframe may need what came before it (open groups).
    private func key(for frame: Int, before limit: Int = .max) -> Int {
      let packet = Int(order.packetOfFrame[frame])
      var (low, high) = (0, keys.count)
      while low < high {
        let middle = (low + high) / 2
        if keys[middle] <= min(packet, limit) { low = middle + 1 } else { high = middle }
      }
      while low > 0 {
        let candidate = keys[low - 1]
        let precedes = candidate == packet || order.frameOfPacket[candidate] < frame
        if precedes, !leaning.contains(candidate) { return candidate }
        low -= 1
      }
      return 0
    }

    /// Decodes until `frame` is held. After a failure once more from the keyframe with a single
    /// thread, which names the packet exactly; then from ever earlier keyframes, since one may
    /// lean on what came before it, until an earlier start no longer changes what is wrong.
    private func advance(to frame: Int) throws(TrajpackError) {
      if held == frame { return }
      var key = key(for: frame)
      let goesOn = next.map { $0 > key && (held ?? -1) < frame } ?? false
      guard var failure = attempt(frame, from: goesOn ? nil : key, threads) else { return }
      if threads > 1 || goesOn {
        guard let single = attempt(frame, from: key, 1) else { return }
        failure = single
      }
      var step = 1
      let nearest = key
      while key > 0 {
        key = self.key(for: frame, before: max(key - step, 0))
        step *= 2
        guard let earlier = attempt(frame, from: key, 1) else {
          leaning.insert(nearest)
          return
        }
        if earlier == failure { break }
        failure = earlier
      }
      throw failure
    }

    /// Decodes until `frame` is held, from a keyframe or on from where the decoder stands; says
    /// what went wrong.
    private func attempt(_ frame: Int, from key: Int?, _ threads: Int) -> TrajpackError? {
      do throws(TrajpackError) {
        if let key { try restart(at: key, threads: threads) }
        try run(to: frame)
        return nil
      } catch {
        next = nil
        held = nil
        return error
      }
    }

    private func restart(at packet: Int, threads: Int) throws(TrajpackError) {
      held = nil
      try codec.open(threads: threads)
      codec.flush()
      isDraining = false
      start = packet
      next = packet
    }

    private func run(to frame: Int) throws(TrajpackError) {
      while let shown = try step() {
        held = shown
        if shown == frame { return }
        if shown > frame { break }
      }
      held = nil
      throw TrajpackError(.data, "\(place(Int(order.packetOfFrame[frame]))) gave no picture")
    }

    // MARK: One picture

    /// The next picture's frame number; nil at the end of the video.
    private func step() throws(TrajpackError) -> Int? {
      while true {
        tpv_log_clear()
        let code = codec.receive()
        if code == tpv_error_eof() {
          next = nil
          return nil
        }
        if code == tpv_error_again() {
          try send()
          continue
        }
        guard code >= 0 else {
          if isLeading { continue }
          throw fault(code)
        }
        let shown = codec.frame.pointee.pts
        guard shown >= 0, shown < Int64(order.frameCount) else { continue }
        if shown < Int64(order.frameOfPacket[start]) { continue }
        let isDamaged =
          codec.frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0
          || codec.frame.pointee.decode_error_flags != 0
        guard !isDamaged else {
          throw TrajpackError(
            .data, "\(place(Int(order.packetOfFrame[Int(shown)]))) decodes to a damaged picture")
        }
        return Int(shown)
      }
    }

    private func send() throws(TrajpackError) {
      guard let packet = next, !isDraining else {
        throw TrajpackError(.data, "the decoder asks for packets after the last one")
      }
      guard packet < index.packets.count else {
        isDraining = true
        _ = codec.send(nil)
        return
      }
      try within(place(packet)) { () throws(TrajpackError) in
        try feed.load(packet, into: codec.packet)
      }
      let frame = order.frameOfPacket[packet]
      codec.packet.pointee.pts = frame >= 0 ? Int64(frame) : -1 - Int64(packet)
      codec.packet.pointee.dts = Int64(packet) - Int64(index.packets.count)
      codec.packet.pointee.duration = 0
      codec.packet.pointee.flags =
        index.packets.flags[packet].contains(.keyframe) ? tpv_flag_key() : 0
      next = packet + 1
      packetsSent += 1
      let code = codec.send(codec.packet)
      guard code >= 0 || isLeading else { throw fault(code) }
    }

    /// Whether the packet sent last is shown before the keyframe that decoding began at: it may lack
    /// what it refers to, and is not wanted.
    private var isLeading: Bool {
      guard start > 0, let next, next - 1 > start, !isDraining else { return false }
      let frame = order.frameOfPacket[next - 1]
      return frame >= 0 && frame < order.frameOfPacket[start]
    }

    private func fault(_ code: Int32) -> TrajpackError {
      let line = String(cString: tpv_log_line())
      let packet = max((next ?? index.packets.count) - 1, 0)
      return TrajpackError(
        .data, "\(place(packet)) cannot be decoded: \(line.isEmpty ? Demuxer.text(code) : line)")
    }

    /// Names a packet with its byte and pts.
    private func place(_ packet: Int) -> String {
      let offset = index.packets.offset[packet]
      return "packet \(packet) (\(offset < 0 ? "no offset" : "byte \(offset)"), pts "
        + "\(index.packets.pts[packet]))"
    }
  }
#endif
