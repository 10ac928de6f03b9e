import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Decodes frames of a dataset's videos and compares them with the checksums that were kept of them.
public struct FrameVerification: Sendable {
  /// Which frames are decoded.
  public struct Sample: Sendable {
    /// Of each video this share, in (0, 1], and at least one frame.
    public var share = 1.0
    /// Decides which.
    public var seed: UInt64 = 0

    /// All frames.
    public init() {}
    /// A share of them.
    public init(share: Double, seed: UInt64) { (self.share, self.seed) = (share, seed) }

    /// The frames of a track, ascending.
    func frames(of count: Int, track: Int) -> [Int] {
      guard share < 1, count > 0 else { return Array(0..<count) }
      let wanted = max(min(Int((Double(count) * share).rounded(.up)), count), 1)
      let order = Permutation(
        count: UInt64(count), seed: SplitMix64.seed(seed, 0x6672_616D, UInt64(track)))
      return (0..<wanted).map { Int(order[UInt64($0)]) }.sorted()
    }
  }

  /// What was found.
  public struct Result: Sendable {
    /// Videos that frames were decoded of.
    public var videos = 0
    /// Frames that were decoded and equal their checksums.
    public var matching = 0
    /// Frames that were decoded and have no checksum.
    public var unhashed = 0
    /// What is wrong, a sentence each.
    public var damages: [TrajpackError] = []

    /// Nothing yet.
    public init() {}

    /// Adds another's findings.
    public mutating func add(_ other: Result) {
      videos += other.videos
      matching += other.matching
      unhashed += other.unhashed
      damages += other.damages
    }
  }

  /// The channel of checksums.
  static let channel = "frame_crc32c"

  /// The tracks of a dataset that are videos, and how many bytes each has.
  public static func tracks(of dataset: OpenDataset) -> [Int] {
    var tracks: [Int] = []
    for (s, shard) in dataset.shards.enumerated() {
      for track in 0..<shard.index.trackCount {
        let numbers = shard.index.numbers(ofTrack: track)
        guard shard.schema.streams[numbers.stream].isVideo, numbers.count > 0 else { continue }
        tracks.append(dataset.firstTracks[s] + track)
      }
    }
    return tracks
  }

  /// Frames that are decoded in one go hold at most so many bytes.
  private static let pieceBytes = 16 << 20

  /// Decodes frames of a track.
  ///
  /// - Throws: ``VideoLibrary/missing``; a usage error where a linked file is not to be found; a machine error.
  public static func verify(
    _ dataset: OpenDataset, track: Int, _ sample: Sample, isStopped: () -> Bool
  ) throws(TrajpackError) -> Result {
    var result = Result()
    let frames: TrackFrames
    var hashes: [Int64]?
    let (shard, number) = try dataset.track(track)
    do throws(TrajpackError) {
      frames = try TrackFrames(dataset, track: track, options: #"{"format": "native"}"#)
      hashes = try self.hashes(TrackReader(shard, track: number, reader: BlockReader(shard)))
    } catch {
      guard error.fault == .data else { throw error }
      result.damages = [error]
      return result
    }
    result.videos = 1
    let place = frames.name
    let wanted = sample.frames(of: frames.count, track: track)
    let piece = max(1, min(64, Self.pieceBytes / max(frames.bytes, 1)))
    var room = [UInt8](repeating: 0, count: min(piece, wanted.count) * frames.bytes)
    var at = 0
    while at < wanted.count, !isStopped() {
      let some = Array(wanted[at..<min(at + piece, wanted.count)])
      at += some.count
      result.add(compare(some, frames, hashes, place, &room))
      // What is no fault of the frames ends it.
      if let other = result.damages.first(where: { $0.fault != .data }) { throw other }
    }
    return result
  }

  private static func hashes(_ reader: TrackReader) throws(TrajpackError) -> [Int64]? {
    guard let channel = reader.stream.channel(named: Self.channel) else { return nil }
    let values = try reader.read(channel: channel, rows: 0..<reader.count)
    return (0..<reader.count).map {
      if case .int(let hash) = values.value($0, 0) { return hash }
      return -1
    }
  }

  /// Decodes some frames together, or each by itself where one of them fails.
  private static func compare(
    _ some: [Int], _ frames: TrackFrames, _ hashes: [Int64]?, _ place: String, _ room: inout [UInt8]
  ) -> Result {
    var result = Result()
    func decode(_ some: [Int]) -> TrajpackError? {
      room.withUnsafeMutableBytes { bytes in
        do throws(TrajpackError) {
          try frames.read(some, into: bytes)
          return nil
        } catch { return error }
      }
    }
    func compare(_ frame: Int, at number: Int) {
      guard let hashes else {
        result.unhashed += 1
        return
      }
      let found = room.withUnsafeBytes {
        CRC32C.of(
          UnsafeRawBufferPointer(
            rebasing: $0[number * frames.bytes..<(number + 1) * frames.bytes]))
      }
      if Int64(found) == hashes[frame] {
        result.matching += 1
      } else {
        result.damages.append(
          TrajpackError(
            .data,
            "\(place): frame \(frame) decodes to other pixels than when it was converted (CRC-32C \(found), kept "
              + "\(hashes[frame]))\(frames.hashDecoder.map { "; it was decoded by \($0) then" } ?? "")"
          ))
      }
    }
    if let error = decode(some) {
      if some.count == 1 {
        result.damages.append(error)
        return result
      }
      for frame in some {
        if let error = decode([frame]) {
          result.damages.append(error)
        } else {
          compare(frame, at: 0)
        }
      }
      return result
    }
    for (number, frame) in some.enumerated() { compare(frame, at: number) }
    return result
  }
}
