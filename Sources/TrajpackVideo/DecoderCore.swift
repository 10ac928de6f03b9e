#if Video
  import CFFmpegShims
  import TrajpackFormat

  /// How a decoder goes for its frames; the pictures are the same whatever it says.
  struct DecodePolicy {
    /// Whether packets of pictures that nobody wants and nothing refers to are left out.
    var skips = true
    /// Whether the decoder is emptied after the last packet that is needed, instead of being fed what follows
    /// until the picture comes out: cheaper where nobody goes on from there.
    var ends = false
  }

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
    var threads: Int
    private let keys: [Int]
    /// Keyframes that turned out to lean on what came before them.
    private var leaning: Set<Int> = []
    private let feed: PacketFeed
    private let codec: CodecContext
    private let disposable: DisposablePackets
    /// The frames that are gone for, in order, and the last packet that makes one of them.
    private var wanted: ArraySlice<Int> = []
    private var lastPacket = 0
    private var policy = DecodePolicy()
    /// The policy that the caller asked for, and the last packet for all of its frames.
    private var asked = (DecodePolicy(), 0)
    private var passing: ((Int, UnsafeMutablePointer<AVFrame>) -> Void)?
    /// Frames whose packets were left out since decoding began at `start`.
    private var skipped: Set<Int> = []
    /// The next packet to send; nil where the codec must be flushed first.
    private var next: Int?
    /// The packet that decoding began at.
    private var start = 0
    private var isDraining = false
    /// Whether it was emptied before the last packet, so that it cannot go on.
    private var hasEnded = false
    /// How many packets were given to the codec so far.
    private(set) var packetsSent = 0
    /// The frame that stands in `codec.frame`.
    private var held: Int?
    /// Since when the log is watched, where damage is said there alone.
    private var watch: UInt32 = 0

    /// - Parameter lends: Whether pictures are kept beyond the next one.
    init(
      _ index: VideoIndex, _ order: VideoOrder, _ source: any VideoByteSource, threads: Int,
      lends: Bool = false
    ) throws(TrajpackError) {
      guard (1...256).contains(threads) else {
        throw TrajpackError(.usage, "\(threads) decoding threads: give 1 to 256")
      }
      name = source.name
      self.index = index
      self.order = order
      self.threads = threads
      keys = Self.keys(index)
      feed = PacketFeed(index, source)
      disposable = DisposablePackets(index.stream)
      codec = try CodecContext(index.stream, reorderDepth: order.reorderDepth, lends: lends)
      try codec.open(threads: index.stream.codec == "ffv1" ? 1 : threads)
    }

    /// The packets where decoding may begin, by their numbers.
    static func keys(_ index: VideoIndex) -> [Int] {
      index.packets.flags.indices.filter {
        index.packets.flags[$0].intersection([.keyframe, .gradual]) == .keyframe
      }
    }

    /// The frame that a decoder stands at, which it can go on from; nil where it must begin at a keyframe.
    var position: Int? { next == nil || hasEnded ? nil : held }

    /// Decodes `frames`, ascending and each once, and calls `each` with every one of them; `passing` is called
    /// with all pictures that come out, wanted or not.
    ///
    /// - Throws: `.data` naming the packet where a picture cannot be made; what `each` throws. The decoder stays
    ///   usable.
    func decode(
      _ frames: [Int], _ policy: DecodePolicy = DecodePolicy(),
      passing: ((Int, UnsafeMutablePointer<AVFrame>) -> Void)? = nil,
      each: (Int, UnsafeMutablePointer<AVFrame>) throws(TrajpackError) -> Void
    ) throws(TrajpackError) {
      if let wrong = frames.first(where: { $0 < 0 || $0 >= order.frameCount }) {
        throw TrajpackError(
          .usage, "there is no frame \(wrong): the video has \(order.frameCount), counted from 0")
      }
      if hasEnded { next = nil }
      self.policy = policy
      self.passing = passing
      wanted = frames[...]
      asked = (policy, frames.reduce(0) { max($0, Int(order.packetOfFrame[$1])) })
      defer {
        self.passing = nil
        self.policy = DecodePolicy()
      }
      while let frame = wanted.first {
        try within("frame \(frame)") { () throws(TrajpackError) in
          try advance(to: frame)
          try each(frame, codec.frame)
        }
        wanted.removeFirst()
      }
    }

    // MARK: Going to a frame

    /// The last keyframe from which `frame` can be decoded: one before it in both orders, since
    /// pictures that are shown before a keyframe may need what came before it (open groups).
    private func key(for frame: Int, before limit: Int = .max) -> Int {
      Self.key(keys, order, for: frame, before: limit) { leaning.contains($0) } ?? 0
    }

    /// The same among `keys`, but for those that are `left` out; nil where there is none.
    static func key(
      _ keys: [Int], _ order: VideoOrder, for frame: Int, before limit: Int = .max,
      without left: (Int) -> Bool = { _ in false }
    ) -> Int? {
      let packet = Int(order.packetOfFrame[frame])
      var (low, high) = (0, keys.count)
      while low < high {
        let middle = (low + high) / 2
        if keys[middle] <= min(packet, limit) { low = middle + 1 } else { high = middle }
      }
      while low > 0 {
        let candidate = keys[low - 1]
        let precedes = candidate == packet || order.frameOfPacket[candidate] < frame
        if precedes, !left(candidate) { return candidate }
        low -= 1
      }
      return nil
    }

    /// Decodes until `frame` is held. After a failure once more from the keyframe with a single
    /// thread, which names the packet exactly; then from ever earlier keyframes, since one may
    /// lean on what came before it, until an earlier start no longer changes what is wrong.
    private func advance(to frame: Int) throws(TrajpackError) {
      if held == frame { return }
      (policy, lastPacket) = asked
      let packet = Int(order.packetOfFrame[frame])
      var key = key(for: frame)
      let goesOn =
        next.map {
          $0 > key && (held ?? -1) < frame && !skipped.contains(frame)
            && !(hasEnded && packet >= $0)
        } ?? false
      guard var failure = attempt(frame, from: goesOn ? nil : key, threads) else { return }
      // Once more with a single thread, which names the packet that is at fault, with all packets up to the frame's own
      // and none after it, which may be damaged.
      (policy, lastPacket) = (DecodePolicy(skips: false, ends: true), packet)
      guard let single = attempt(frame, from: key, 1) else { return }
      failure = single
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
      try codec.open(threads: isConcealing ? 1 : threads)
      codec.flush()
      isDraining = false
      hasEnded = false
      skipped.removeAll(keepingCapacity: true)
      start = packet
      next = packet
    }

    private func run(to frame: Int) throws(TrajpackError) {
      while let shown = try step() {
        held = shown
        passing?(shown, codec.frame)
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
        if isConcealing { watch = tpv_log_watch() }
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
        try checkLog(code)
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
      guard packet < index.packets.count, !policy.ends || packet <= lastPacket else {
        isDraining = true
        hasEnded = packet < index.packets.count
        _ = codec.send(nil)
        return
      }
      try within(place(packet)) { () throws(TrajpackError) in
        try feed.load(packet, into: codec.packet)
      }
      if packet == start, packet > 0, index.stream.codec == "h264" {
        // A table may not say that decoding from here would not be exact.
        let payload = UnsafeRawBufferPointer(
          start: codec.packet.pointee.data, count: Int(max(codec.packet.pointee.size, 0)))
        guard !H264Packet(payload, extradata: index.stream.extradata).isGradual else {
          throw TrajpackError(.data, "\(place(packet)) only begins a gradual refresh")
        }
      }
      if isDisposable(packet) {
        skipped.insert(Int(order.frameOfPacket[packet]))
        next = packet + 1
        return
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
      try checkLog(code)
    }

    /// FFV1 paints over slices whose checksums are wrong, and says so in its log alone.
    private func checkLog(_ code: Int32) throws(TrajpackError) {
      guard isConcealing else { return }
      if tpv_log_line()[0] != 0 { throw fault(code) }
      guard tpv_log_is_complete(watch) else {
        throw TrajpackError(
          .data,
          "\(place(max((next ?? index.packets.count) - 1, 0))): another library of this process took FFmpeg's log "
            + "meanwhile, which alone says whether a picture is damaged: read again")
      }
    }

    /// Whether the codec shows damaged pictures without a word but in its log, which is each thread's own.
    private var isConcealing: Bool { index.stream.codec == "ffv1" }

    /// Whether the packet that was loaded makes a picture that nobody wants and nothing refers to.
    private func isDisposable(_ packet: Int) -> Bool {
      guard policy.skips, disposable.isPossible, packet != start, let last = wanted.last else {
        return false
      }
      let frame = Int(order.frameOfPacket[packet])
      guard frame >= 0, frame < last else { return false }
      var (low, high) = (wanted.startIndex, wanted.endIndex)
      while low < high {
        let middle = (low + high) / 2
        if wanted[middle] < frame { low = middle + 1 } else { high = middle }
      }
      guard wanted[low] != frame else { return false }
      let payload = UnsafeRawBufferPointer(
        start: codec.packet.pointee.data, count: Int(max(codec.packet.pointee.size, 0)))
      return disposable.contains(payload)
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
