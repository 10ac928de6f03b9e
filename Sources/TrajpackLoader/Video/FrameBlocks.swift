import TrajpackFormat
import TrajpackStore

/// How block shuffle goes with frames of videos: a pool of blocks shares what is decoded as long as its pictures are kept.
struct FrameBlocks: Sendable {
  /// Blocks that are cut where groups of pictures begin; `nil` where the usual ones are taken.
  var groups: Groups?
  /// Bytes of decoded pictures to keep: 0 where a pool has so many that none would be found again.
  var cache: Int

  struct Groups: Sendable {
    /// The stream whose groups they are.
    var stream: String
    /// Pictures of every group; `nil` where they differ, so that all videos are asked.
    var regular: Int?
    /// The most pictures that a block begins in.
    var span: Int
    /// Blocks of a pool.
    var count: Int
  }

  /// Bytes that are kept where nobody says how many.
  static let usualCache = 512 << 20
}

extension FrameSelection {
  /// Blocks for these videos.
  ///
  /// A random window of a group of g pictures costs g / 2 of them. A block of all windows that begin in a group costs g for all
  /// of them together, if the cache holds its pictures until the pool is over: so there are as many blocks in a pool as it holds.
  /// A group that it does not hold is cut into parts that it does; each costs what lies before it, too. Where it holds the usual
  /// pool, or a group is at most four times as long as a window, the usual blocks shuffle better.
  ///
  /// - Parameter reach: Rows from the first to the last one that a window takes.
  func blocks(
    _ views: [[ShardView]], _ options: LoaderOptions, reach: Int
  ) throws(TrajpackError) -> FrameBlocks? {
    guard case .block(let windows, let count) = options.shuffle, !streams.isEmpty else {
      return nil
    }
    let profile = try profile(views)
    guard profile.bytes > 0 else { return nil }
    let cache = options.frameCache ?? FrameBlocks.usualCache
    // A pool that begins while another one ends shares the cache with it; mixed datasets have pools of their own.
    let room = (cache - cache / 8) / profile.bytes / (options.weights == nil ? 1 : views.count)
    let (most, overflow) = count.multipliedReportingOverflow(
      by: profile.group / 2 + reach
        + min(windows, profile.frames) * min(options.stride, profile.frames))
    let pool = min(overflow ? .max : most, profile.frames)
    let isFree =
      options.json["block_windows"] == nil && options.json["block_count"] == nil
      && options.clips == nil && options.windowTest == nil
    let limit = room - reach
    if pool > room, isFree, profile.group > 4 * reach, limit > 0 {
      let parts = (profile.longest - 1) / limit + 1
      let span = (profile.longest - 1) / parts + 1
      if parts <= Self.mostParts, span >= 2 * options.stride {
        return FrameBlocks(
          groups: FrameBlocks.Groups(
            stream: profile.stream, regular: profile.regular, span: span,
            count: parts == 1 ? max(room / (span + reach), 1) : 1), cache: cache)
      }
    }
    return FrameBlocks(cache: pool <= 2 * room ? cache : options.frameCache ?? 0)
  }

  /// What the chosen videos are like.
  private struct Profile {
    /// Bytes of a decoded picture of each stream together.
    var bytes = 0
    /// The stream with the longest groups of pictures, and how long they are: usually, at most, and all of them but the last
    /// one of a video, where these are alike.
    var stream = ""
    var group = 0
    var longest = 0
    var regular: Int?
    /// The most frames that a stream has.
    var frames = 0
  }

  private func profile(_ views: [[ShardView]]) throws(TrajpackError) -> Profile {
    var bytes: [String: Int] = [:]
    var frames: [String: Int] = [:]
    var lengths: [String: [[Int]]] = [:]
    var looked: [String: Int] = [:]
    var out = Profile()
    for view in views.joined() {
      for track in 0..<view.index.trackCount {
        let numbers = view.index.numbers(ofTrack: track)
        let name = view.schema.streams[numbers.stream].name
        guard streams[name] != nil, numbers.count > 0 else { continue }
        frames[name, default: 0] += numbers.count
        guard looked[name, default: 0] < Self.tracksLookedAt else { continue }
        looked[name, default: 0] += 1
        // What is damaged is reported when it is read.
        guard let facts = try? VideoFacts(view.index.track(track).metadata, at: view.shard.name),
          facts.stored == nil, let keys = Self.keyframes(view.shard, track)
        else { continue }
        bytes[name] = max(bytes[name] ?? 0, facts.pictureBytes)
        let own = zip(keys, keys.dropFirst() + [numbers.count]).map { $1 - $0 }
        lengths[name, default: []].append(own)
        if out.stream.isEmpty || own.max() ?? 0 > out.longest {
          (out.stream, out.longest) = (name, own.max() ?? 0)
        }
      }
    }
    let groups = lengths[out.stream] ?? []
    let all = groups.joined()
    out.group = all.isEmpty ? 0 : all.reduce(0, +) / all.count
    // The last one ends with the video.
    if let length = groups.first?.first, groups.contains(where: { $0.count > 1 }),
      groups.allSatisfy({ $0.dropLast().allSatisfy { $0 == length } && ($0.last ?? 0) <= length })
    {
      out.regular = length
    }
    out.bytes = bytes.values.reduce(0, +)
    out.frames = frames.values.max() ?? 0
    return out
  }

  /// The frames of a video that decoding may begin at, the first one among them; `nil` where they cannot be read.
  static func keyframes(_ shard: Shard, _ track: Int) -> [Int]? {
    let reader = TrackReader(shard, track: track, reader: BlockReader(shard, cache: 1 << 20))
    guard let channel = reader.stream.channel(named: "keyframe"),
      let flags = try? reader.read(channel: channel, rows: 0..<reader.count)
    else { return nil }
    return (0..<reader.count).filter { $0 == 0 || flags.value($0, 0) == .int(1) }
  }

  /// Videos of a stream whose packets are looked at.
  private static let tracksLookedAt = 8
  /// Parts that a group is cut into at most: each costs all of the group that lies before it.
  private static let mostParts = 4
}

extension VideoFacts {
  /// Bytes of a decoded picture, by its pixel format, with what is added to rows and planes (`tpv_allocate_pictures`).
  fileprivate var pictureBytes: Int {
    let planes =
      switch pixelFormat {
      case let name where name.hasPrefix("gray") && codec != "h264": 2
      case let name where name.contains("444") || name.hasPrefix("gbr") || name.hasPrefix("rgb"): 6
      case let name where name.contains("422") || name.contains("440"): 4
      default: 3
      }
    let (row, rows) = ((width + 127) / 128 * 128, (height + 31) / 32 * 32 + 2)
    return row * rows * (bits > 8 ? 2 : 1) * planes / 2 + 4096
  }
}

extension WindowSource {
  /// The first windows of blocks, each of windows that begin in one group of pictures, or in some that are short: the groups of
  /// the videos that the windows' episodes have. An episode without one is a block.
  ///
  /// - Parameter reach: The first of a window's rows, counted from its start.
  func starts(_ groups: FrameBlocks.Groups, reach: Int) throws(TrajpackError) -> [UInt64] {
    var starts: [UInt64] = []
    var known: (key: VideoKey, frames: [Int])?
    try forEachTimeline(0..<candidates) { (part) throws(TrajpackError) in
      let own = part.shard.numbers(ofTrack: part.track)
      let stream = part.shard.view.schema.streams.firstIndex { $0.name == groups.stream }
      let video = part.shard.index.tracks(ofEpisode: own.episode).first {
        let numbers = part.shard.index.numbers(ofTrack: $0)
        return numbers.stream == stream && numbers.count > 0
      }
      guard let video else { return starts.append(part.first) }
      let count = part.shard.index.numbers(ofTrack: video).count
      let key = VideoKey(shard: part.shard.number, track: video)
      if groups.regular == nil, known?.key != key {
        known = (key, FrameSelection.keyframes(part.shard.shard, video) ?? [0])
      }
      // Rows of another rate, where those of the windows and of the video last as long as each other.
      let rows = max(try rows(of: part), 1)
      let span = groups.span
      // Where the block's pictures begin, and the group that was last.
      var block = -1
      var group = -1
      var first = part.first
      for anchor in part.anchors {
        let frame = min(max(anchor + reach, 0), rows - 1) * count / rows
        let (begin, end) = Self.group(of: frame, count, groups.regular, known?.frames ?? [])
        let isNext = begin == group ? frame - block >= span : block < 0 || end - block > span
        if isNext {
          starts.append(first)
          block = begin + (frame - begin) / span * span
        }
        group = begin
        first += 1
      }
    }
    return starts
  }

  /// Where the group of a frame begins and ends.
  private static func group(
    of frame: Int, _ count: Int, _ regular: Int?, _ keys: [Int]
  ) -> (Int, Int) {
    if let regular {
      let begin = frame / regular * regular
      return (begin, min(begin + regular, count))
    }
    var (low, high) = (0, keys.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if keys[middle] <= frame { low = middle } else { high = middle }
    }
    return (keys[low], low + 1 < keys.count ? keys[low + 1] : count)
  }
}
