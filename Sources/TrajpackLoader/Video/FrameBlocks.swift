import TrajpackFormat
import TrajpackStore

/// How block shuffle goes with frames of videos: a pool of blocks shares what is decoded as long as its pictures are kept.
struct FrameBlocks: Equatable {
  /// Windows of a block, and blocks of a pool.
  var windows: Int
  var count: Int
  /// Bytes of decoded pictures to keep: 0 where a pool has so many that none would be found again.
  var cache: Int

  /// Bytes that are kept where nobody says how many.
  static let usualCache = 512 << 20
}

extension FrameSelection {
  /// Blocks for these videos.
  ///
  /// A random window of a group of g pictures costs g / 2 of them. A block that spans as many
  /// pictures as a group costs 1.5 g for all of its windows, if the cache holds them until the
  /// pool is over: so there are as many blocks in a pool as it holds. Where it holds the usual
  /// pool, or a group is at most four times as long as a window, the usual blocks shuffle better.
  ///
  /// - Parameters:
  ///   - reach: Rows from the first to the last one that a window takes.
  ///   - keeps: Whether windows are cut from an episode, by the numbers of its dataset and shard and its own.
  func blocks(
    _ views: [[ShardView]], _ options: LoaderOptions, reach: Int,
    keeps: (_ dataset: Int, _ shard: Int, _ episode: Int) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) -> FrameBlocks? {
    guard case .block(let windows, let count) = options.shuffle, !streams.isEmpty else {
      return nil
    }
    let profile = try profile(views, keeps)
    guard profile.bytes > 0 else { return nil }
    let cache = options.frameCache ?? FrameBlocks.usualCache
    // A pool that begins while another one ends shares the cache with it; mixed datasets have pools of their own.
    let room = (cache - cache / 8) / profile.bytes / (options.weights == nil ? 1 : views.count)
    let lead = profile.group / 2 + reach
    let (most, overflow) = count.multipliedReportingOverflow(
      by: lead + min(windows, profile.frames) * min(options.stride, profile.frames))
    let pool = min(overflow ? .max : most, profile.frames)
    let isFree =
      options.json["block_windows"] == nil && options.json["block_count"] == nil
      && options.clips == nil && options.windowTest == nil
    if pool > room, isFree, profile.group > 4 * reach {
      let span = min(profile.group, room - lead)
      if span >= profile.group / 4, span >= 2 * options.stride {
        // A block begins anywhere in a group, so that all before it may be decoded, too.
        let most = profile.group + span + reach
        return FrameBlocks(
          windows: span / options.stride, count: max(room / most, 1), cache: cache)
      }
    }
    return FrameBlocks(
      windows: windows, count: count,
      cache: pool <= 2 * room ? cache : options.frameCache ?? 0)
  }

  /// What the chosen videos are like: bytes of a decoded picture of each of them together, the longest usual group of pictures
  /// and how many frames there are of the stream that has most.
  private func profile(
    _ views: [[ShardView]], _ keeps: (Int, Int, Int) throws(TrajpackError) -> Bool
  ) throws(TrajpackError) -> (bytes: Int, group: Int, frames: Int) {
    var bytes: [String: Int] = [:]
    var frames: [String: Int] = [:]
    var looked: [String: Int] = [:]
    var group = 0
    for (d, s, view) in views.enumerated().flatMap({ d, own in
      own.enumerated().map { (d, $0, $1) }
    }) {
      for track in 0..<view.index.trackCount {
        let numbers = view.index.numbers(ofTrack: track)
        let name = view.schema.streams[numbers.stream].name
        guard streams[name] != nil, numbers.count > 0, try keeps(d, s, numbers.episode) else {
          continue
        }
        frames[name, default: 0] += numbers.count
        guard looked[name, default: 0] < Self.tracksLookedAt else { continue }
        looked[name, default: 0] += 1
        // What is damaged is reported when it is read.
        guard let facts = try? VideoFacts(view.index.track(track).metadata, at: view.shard.name),
          facts.stored == nil
        else { continue }
        let reader = TrackReader(
          view.shard, track: track, reader: BlockReader(view.shard, cache: 4 << 20))
        guard let table = try? VideoPacketTable(reader, facts, place: view.shard.name) else {
          continue
        }
        bytes[name] = max(bytes[name] ?? 0, facts.pictureBytes)
        group = max(group, reader.count / max(table.keyframe.count { $0 == 1 }, 1))
      }
    }
    return (bytes.values.reduce(0, +), group, frames.values.max() ?? 0)
  }

  /// Videos of a stream whose packets are looked at.
  private static let tracksLookedAt = 8
}

extension VideoFacts {
  /// Bytes of a decoded picture, by its pixel format, with what decoders add to rows and planes.
  fileprivate var pictureBytes: Int {
    let planes =
      switch pixelFormat {
      case let name where name.hasPrefix("gray") && codec != "h264": 2
      case let name where name.contains("444") || name.hasPrefix("gbr") || name.hasPrefix("rgb"): 6
      case let name where name.contains("422") || name.contains("440"): 4
      default: 3
      }
    return (width + 32) * (height + 16) * (bits > 8 ? 2 : 1) * planes / 2
  }
}
