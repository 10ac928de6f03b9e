import Glibc
import Synchronization
import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

/// How many videos were cut at packets, and how many were kept whole, by stream.
public final class VideoTally: Sendable {
  private let counts = Mutex<[String: (cut: Int, whole: Int)]>([:])

  /// The counts of a stream.
  public func of(_ stream: String) -> (cut: Int, whole: Int) {
    counts.withLock { $0[stream] ?? (0, 0) }
  }

  func count(_ stream: String, isCut: Bool) {
    counts.withLock {
      var own = $0[stream] ?? (0, 0)
      if isCut { own.cut += 1 } else { own.whole += 1 }
      $0[stream] = own
    }
  }
}

extension TrackCopy {
  /// Some frames of a video as a video of their own, without decoding and encoding them: their packets, or stored
  /// samples. Every frame is decoded from it and compared with the source's.
  ///
  /// That is possible where frames are stored samples, where each is a keyframe, or where they are all frames from a
  /// keyframe on that no earlier packet is needed for, up to some other.
  ///
  /// - Parameter rows: The frames, ascending.
  /// - Returns: `nil` where it is not exact, or the bytes are not in the archive.
  func cut(_ rows: [Int], _ clock: Clock) throws(TrajpackError) -> TrackDraft? {
    guard let first = rows.first, rows.allSatisfy({ (0..<track.count).contains($0) }),
      zip(rows, rows.dropFirst()).allSatisfy({ $0 < $1 }), track.track.blob.count > 0,
      schema.streams[stream].blob != nil
    else { return nil }
    let name = "\(track.shard.name), stream '\(track.stream.name)'"
    let facts = try metadata()
    if let frames = try StoredFrames(metadata: JSONReader(facts, at: "\(name): metadata")) {
      return try samples(rows, clock, frames)
    }
    let bytes = TrackDraft.Bytes.made(ArchivedBytes(track.shard, track: track.number))
    let source = DraftVideo(bytes, name: name)
    let index = try VideoFile.index(source)
    let order = try VideoOrder(index.packets)
    guard order.frameCount >= track.count else { return nil }
    guard let packets = Self.packets(of: rows, index, order) else { return nil }
    let start = index.packets.pts[Int(order.packetOfFrame[first])]
    guard let encoded = try remux(index, source, packets, start, name) else { return nil }
    let new = try VideoFile.index(encoded)
    guard try areSame(rows, index, source, new, encoded) else { return nil }
    var draft = try self.rows(rows, clock)
    var columns = try PacketColumns(draft, schema)
    try columns.fill(new)
    try columns.put(into: &draft, schema)
    try draft.describe(new, encoded)
    draft.bytes = .made(encoded)
    return draft
  }

  /// The packets of frames, where they can be decoded without any other.
  private static func packets(
    of rows: [Int], _ index: VideoIndex, _ order: VideoOrder
  ) -> Set<Int>? {
    let packets = rows.map { Int(order.packetOfFrame[$0]) }
    let flags = index.packets.flags
    guard packets.allSatisfy({ !flags[$0].contains(.sideData) }) else { return nil }
    if packets.allSatisfy({ flags[$0].isExactKeyframe }) { return Set(packets) }
    guard let low = packets.min(), let high = packets.max(), high - low == packets.count - 1,
      packets[0] == low, flags[low].isExactKeyframe
    else { return nil }
    return Set(packets)
  }

  private func remux(
    _ index: VideoIndex, _ source: DraftVideo, _ packets: Set<Int>, _ start: Int64, _ name: String
  ) throws(TrajpackError) -> EncodedVideo? {
    let descriptor = try RowSpool.temporaryFile()
    do throws(TrajpackError) {
      guard
        try VideoRemuxer.write(index, of: source, packets: packets, from: start, to: descriptor)
      else {
        close(descriptor)
        return nil
      }
    } catch {
      close(descriptor)
      throw error
    }
    return try EncodedVideo(descriptor, name: name)
  }

  /// Whether the frames of a new file are some of the old one, pixel by pixel, at the same times.
  private func areSame(
    _ rows: [Int], _ index: VideoIndex, _ source: DraftVideo, _ new: VideoIndex,
    _ encoded: EncodedVideo
  ) throws(TrajpackError) -> Bool {
    let (old, made) = (
      try VideoDecoder(index: index, source: source),
      try VideoDecoder(index: new, source: encoded)
    )
    guard made.frameCount == rows.count, new.stream.pixelFormat == index.stream.pixelFormat else {
      return false
    }
    func seconds(_ decoder: VideoDecoder, _ frame: Int, since first: Int) -> Double {
      let index = decoder.index
      let pts = { index.packets.pts[Int(decoder.order.packetOfFrame[$0])] }
      let tick = Double(index.stream.timeBase.num) / Double(max(index.stream.timeBase.den, 1))
      return Double(pts(frame) - pts(first)) * tick
    }
    for (frame, row) in rows.enumerated()
    where abs(seconds(old, row, since: rows[0]) - seconds(made, frame, since: 0)) > 1e-9 {
      return false
    }
    let bytes = try old.frameBytes(VideoOutput(.native))
    guard try made.frameBytes(VideoOutput(.native)) == bytes else { return false }
    let piece = min(max((16 << 20) / max(bytes, 1), 1), 32)
    let (mine, theirs) = (ByteBuffer(piece * bytes), ByteBuffer(piece * bytes))
    for first in stride(from: 0, to: rows.count, by: piece) {
      let frames = first..<min(first + piece, rows.count)
      let size = frames.count * bytes
      let left = UnsafeMutableRawBufferPointer(rebasing: mine.bytes[..<size])
      let right = UnsafeMutableRawBufferPointer(rebasing: theirs.bytes[..<size])
      try old.decode(frames: Array(rows[frames]), as: VideoOutput(.native), into: left)
      do throws(TrajpackError) {
        try made.decode(frames: Array(frames), as: VideoOutput(.native), into: right)
      } catch {
        // A group that needs what was cut off cannot be decoded alone.
        guard error.fault == .data else { throw error }
        return false
      }
      guard let one = left.baseAddress, let other = right.baseAddress,
        memcmp(one, other, size) == 0
      else { return false }
    }
    return true
  }

  /// Frames that are stored as samples.
  private func samples(
    _ rows: [Int], _ clock: Clock, _ frames: StoredFrames
  ) throws(TrajpackError) -> TrackDraft {
    // Packets are bytes, which are laid one after the other anew.
    var draft = try self.rows(rows, clock)
    draft.metadata.set("bytes", .int(Int64(rows.count * frames.bytes)))
    return draft
  }
}
