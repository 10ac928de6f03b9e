import TrajpackFormat

/// The presentation order of a video's pictures: frame numbers count shown pictures by pts.
public struct VideoOrder: Sendable, Equatable {
  /// The packet (decode order) of each frame (presentation order).
  public let packetOfFrame: [Int32]
  /// The frame of each packet, -1 where the packet is never shown.
  public let frameOfPacket: [Int32]
  /// The most pictures that precede another one in decode order and follow it in presentation.
  public let reorderDepth: Int

  /// Orders a packet table by pts; equal pts stay in decode order.
  ///
  /// Throws `.data` for a table with columns of different lengths, `.usage` where a shown packet
  /// has no pts, so that its place is unknown.
  public init(_ packets: VideoPackets) throws(TrajpackError) {
    guard packets.isRectangular, packets.count <= Int(Int32.max) else {
      throw TrajpackError(.data, "the packet table's columns differ in length")
    }
    var shown: [Int32] = []
    shown.reserveCapacity(packets.count)
    for number in 0..<packets.count where !packets.flags[number].contains(.hidden) {
      guard packets.pts[number] != VideoPackets.absent else {
        throw TrajpackError(
          .usage,
          "packet \(number) has no presentation time, so its frame has no number: remux "
            + "the video first (ffmpeg -fflags +genpts -i IN -c copy OUT.mkv)")
      }
      shown.append(Int32(number))
    }
    let pts = packets.pts
    shown.sort { (pts[Int($0)], $0) < (pts[Int($1)], $1) }
    var frames = [Int32](repeating: -1, count: packets.count)
    for (frame, packet) in shown.enumerated() { frames[Int(packet)] = Int32(frame) }
    packetOfFrame = shown
    frameOfPacket = frames
    reorderDepth = Self.depth(frames)
  }

  /// The order of packets whose frames are known: `frames` has the frame of each packet in decode order, -1 where
  /// it is never shown.
  ///
  /// Throws `.data` where the frames are not the numbers from 0 on, each once.
  public init(frames: [Int32]) throws(TrajpackError) {
    var packets = [Int32](repeating: -1, count: frames.count { $0 >= 0 })
    for (packet, frame) in frames.enumerated() where frame >= 0 {
      guard packets.indices.contains(Int(frame)), packets[Int(frame)] < 0 else {
        throw TrajpackError(.data, "the packet table does not say which packet is which frame")
      }
      packets[Int(frame)] = Int32(packet)
    }
    packetOfFrame = packets
    frameOfPacket = frames
    reorderDepth = Self.depth(frames)
  }

  /// How many frames there are.
  public var frameCount: Int { packetOfFrame.count }

  /// Counts, for each packet, the earlier ones that are shown later. libavcodec reorders over 16
  /// pictures at most, so no more are looked back on than twice that.
  private static func depth(_ frames: [Int32]) -> Int {
    var deepest = 0
    for (number, frame) in frames.enumerated() where frame >= 0 {
      let before = frames[max(0, number - 32)..<number]
      deepest = max(deepest, before.reduce(0) { $0 + ($1 > frame ? 1 : 0) })
    }
    return deepest
  }
}
