import CVideoTable
import TrajpackFormat
import TrajpackStore

/// The videos whose frames options ask for, and what frames of each are in a batch.
///
/// A video is asked for by a pattern of `channels` that stands for its stream's name and is more than wildcards, or by
/// `stream/frame`. So the default, all channels, decodes nothing.
struct FrameSelection: Sendable {
  /// The name that the frames of a stream have beside its channels.
  static let channelName = "frame"

  /// Frames of one stream.
  struct Stream: Sendable {
    var output: tpv_output
    var channel: Channel
    /// The size of the stored pictures, of the first episode that has them, and what is cut out of them.
    var width = 0
    var height = 0
    var crop: [Int]?
    /// Bytes of a decoded sample, and what samples become.
    var sampleBytes = 1
    var conversion: FrameConversion?

    var geometry: PictureGeometry {
      PictureGeometry(
        width: width, height: height, crop: crop, outWidth: Int(output.width),
        outHeight: Int(output.height))
    }
  }

  private(set) var streams: [String: Stream] = [:]

  /// Looks which videos are asked for and how large their frames are; reads metadata of tracks of these alone.
  ///
  /// - Throws: A usage error where frames of a stream have no common shape, or a plan changes the video;
  ///   ``VideoLibrary/missing`` where frames are wanted and the library is not loaded.
  init(_ views: [[ShardView]], _ options: LoaderOptions) throws(TrajpackError) {
    for view in views.joined() {
      for (number, stream) in view.schema.streams.enumerated() where stream.isVideo {
        guard Self.asks(for: stream.name, options) else { continue }
        guard !view.isPrepared(number) else {
          throw TrajpackError(
            .usage, option: "plan",
            "the plan changes stream '\(stream.name)', so it has no frames that could be decoded: leave it out of the "
              + "plan or of 'channels'")
        }
        try add(stream.name, number, view, options)
      }
    }
  }

  private static func asks(for stream: String, _ options: LoaderOptions) -> Bool {
    guard
      !options.exclude.contains(where: { $0.matches(stream: stream, channel: channelName) })
    else { return false }
    return options.channels.contains { selector in
      guard case .pattern(let pattern) = selector else { return false }
      if pattern.matches(stream) {
        return pattern.text.utf8.contains { !"*?/".utf8.contains($0) }
      }
      return pattern.text.hasSuffix("/\(channelName)")
        && pattern.matches("\(stream)/\(channelName)")
    }
  }

  private mutating func add(
    _ name: String, _ stream: Int, _ view: ShardView, _ options: LoaderOptions
  ) throws(TrajpackError) {
    var output = tpv_output()
    let channel = Self.channelName
    if let pixels = options.pixels.value(stream: name, channel: channel) {
      output.format = pixels.code
    }
    if let size = options.size.value(stream: name, channel: channel) {
      (output.height, output.width) = (Int32(size[0]), Int32(size[1]))
    }
    let crop = options.crop.value(stream: name, channel: channel)
    if let crop = FrameCrop(crop) {
      (output.crop_height, output.crop_width) = (Int32(crop.height), Int32(crop.width))
    }
    let isPlanar = options.layout.value(stream: name, channel: channel) == .TCHW
    var seen: VideoFacts?
    for track in 0..<view.index.trackCount {
      let numbers = view.index.numbers(ofTrack: track)
      guard numbers.stream == stream, numbers.count > 0 else { continue }
      let place =
        "\(view.shard.name): stream '\(name)', episode "
        + "'\(view.index.episode(numbers.episode).id)'"
      let facts = try VideoFacts(view.index.track(track).metadata, at: place)
      // Most are alike.
      if let seen, seen.looksLike(facts) { continue }
      seen = facts
      var wanted = output
      wanted.planar = isPlanar ? 1 : 0
      try Self.check(crop, facts, place)
      let layout: tpv_layout
      do throws(TrajpackError) { layout = try facts.layout(wanted, name: place) } catch {
        // Sizes were looked at when they were read; the library is loaded by those who see that it is missing.
        throw error.fault == .usage && error != VideoLibrary.missing && wanted.format != 0
          ? error.at(ErrorPlace(option: "pixels")) : error
      }
      var found = Stream(layout.output, name)
      (found.width, found.height, found.crop) = (facts.width, facts.height, crop)
      if let depth = options.depth(ofFrames: view.schema.streams[stream]) {
        try found.setDepth(depth, try view.schema.streams[stream].depthEncoding(), place)
      } else if let type = options.type(ofFrames: name) {
        try found.setType(type, name)
      }
      guard let known = streams[name] else {
        streams[name] = found
        continue
      }
      guard known.channel == found.channel else {
        throw TrajpackError(
          .usage, option: "size",
          "frames of '\(name)' are \(known.channel.type.rawValue) \(known.channel.shape) in one episode and "
            + "\(found.channel.type.rawValue) \(found.channel.shape) in another (\(place)): give 'size' [height, width], "
            + "and 'pixels' where some are gray")
      }
    }
  }
}

extension FrameSelection {
  /// - Throws: A usage error where a part does not lie inside the frames of a video.
  private static func check(
    _ crop: [Int]?, _ facts: VideoFacts, _ place: String
  ) throws(TrajpackError) {
    guard let cut = FrameCrop(crop) else { return }
    let (top, left) = (cut.fixed?.top ?? 0, cut.fixed?.left ?? 0)
    guard top + cut.height <= facts.height, left + cut.width <= facts.width else {
      throw TrajpackError(
        .usage, option: "crop",
        "\(place): a crop of \(cut.width) × \(cut.height) pixels"
          + (cut.fixed == nil ? "" : " at left \(left), top \(top)")
          + " does not lie inside frames of \(facts.width) × \(facts.height)")
    }
  }
}

extension FrameSelection.Stream {
  init(_ output: tpv_output, _ name: String) {
    self.output = output
    let (height, width) = (Int(output.height), Int(output.width))
    let isColour = output.format == Int32(bitPattern: TPV_RGB24.rawValue)
    let shape =
      isColour ? output.planar != 0 ? [3, height, width] : [height, width, 3] : [height, width]
    channel = Channel(
      name: FrameSelection.channelName, kind: .image,
      type: output.format == Int32(bitPattern: TPV_GRAY16.rawValue) ? .uint16 : .uint8,
      shape: shape, missing: .never)
  }
}

extension FrameSelection.Stream {
  /// Makes frames distances.
  ///
  /// - Throws: A usage error where they are colours, or what they mean is not known.
  mutating func setDepth(
    _ request: DepthRequest, _ said: DepthEncoding?, _ place: String
  ) throws(TrajpackError) {
    guard output.format != Int32(bitPattern: TPV_RGB24.rawValue) else {
      throw TrajpackError(
        .usage, option: "depth",
        "\(place): its frames are colours, which are no depth; where the brightness is the depth, ask for "
          + "'pixels' 'gray8'")
    }
    sampleBytes = channel.type.size
    conversion = .distances(request)
    (channel.kind, channel.type, channel.missing) = (.depth, .float32, .nan)
    channel.units = try request.resolve(said, place).units
  }
}

extension FrameSelection.Stream {
  /// Makes samples numbers of another type, which all of them fit into.
  ///
  /// - Throws: A usage error where they do not.
  mutating func setType(_ type: ElementType, _ name: String) throws(TrajpackError) {
    guard type != channel.type else { return }
    let isWide = channel.type == .uint16
    switch type {
    case .float32, .float64, .int32, .uint32, .int64, .uint64: break
    case .int16 where !isWide, .uint16 where !isWide: break
    default:
      throw TrajpackError(
        .usage, option: "dtype",
        "\(type.rawValue) does not hold the samples of '\(name)', which are \(channel.type.rawValue): "
          + "give it a float type, or leave it out")
    }
    sampleBytes = channel.type.size
    conversion = .type(type)
    channel.type = type
  }
}

extension LoaderOptions {
  /// The type that a pattern of 'dtype' gives to frames of a stream; those for all floats or integers leave them as they are.
  func type(ofFrames stream: String) -> ElementType? {
    type.rules.first {
      guard case .pattern(let pattern) = $0.target else { return false }
      return pattern.matches(stream: stream, channel: FrameSelection.channelName)
    }?.type
  }
}

extension SelectedChannel {
  /// Makes a channel of depth distances, where they are asked for.
  ///
  /// - Throws: A usage error where another option says otherwise.
  mutating func setDepth(_ options: LoaderOptions, isFeature: Bool) throws(TrajpackError) {
    if isFrames {
      if channel.kind == .depth {
        depth = options.depth.value(stream: stream, channel: channel.name)
      }
      return
    }
    guard let request = options.depth(of: stream, channel) else { return }
    depth = request
    guard scale.isEmpty else {
      throw TrajpackError(
        .usage, option: "normalize",
        "channel '\(path)' is to be distances ('depth') and normalised by the statistics of its samples: leave it out of "
          + "'normalize'")
    }
    channel.units = try request.resolve(try channel.depthEncoding(), "channel '\(path)'").units
    channel.missing = .nan
    if options.type.value(stream: stream, channel: channel) == nil || isFeature { type = .float32 }
    guard type.isFloat else {
      throw TrajpackError(
        .usage, option: "dtype",
        "channel '\(path)' is to be distances ('depth'), which 'dtype' \(type) would cut off: give it a float type"
      )
    }
  }
}

extension VideoFacts {
  /// Whether frames of both have one shape, whatever is asked for.
  fileprivate func looksLike(_ other: VideoFacts) -> Bool {
    (width, height, pixelFormat, stored) == (
      other.width, other.height, other.pixelFormat, other.stored
    )
  }
}

extension TrajpackFormat.Stream {
  /// Whether its rows are the packets of a video.
  package var isVideo: Bool { attributes["video"]?.bool == true }
}

extension LoaderOptions {
  /// How the samples of a frame lie: rows of colours, or a plane of each colour.
  enum FrameLayout: String, Sendable, CaseIterable { case THWC, TCHW }

  /// What the samples of a frame are.
  enum Pixels: String, Sendable, CaseIterable {
    case rgb24, gray8, gray16

    var code: Int32 {
      switch self {
      case .rgb24: Int32(bitPattern: TPV_RGB24.rawValue)
      case .gray8: Int32(bitPattern: TPV_GRAY8.rawValue)
      case .gray16: Int32(bitPattern: TPV_GRAY16.rawValue)
      }
    }
  }
}

extension SelectedChannel {
  /// - Throws: A usage error where an option names frames that are for numbers.
  func checkFrameOptions(_ options: LoaderOptions, isFeature: Bool) throws(TrajpackError) {
    func refuse(_ option: String, _ why: String) -> TrajpackError {
      TrajpackError(.usage, option: option, "'\(path)' is frames of a video, \(why)")
    }
    func names(_ pattern: Pattern) -> Bool {
      pattern.matches(stream: stream, channel: channel.name)
    }
    if isFeature {
      throw refuse("features", "which are no columns of a feature matrix: leave it out")
    }
    for rule in options.normalize.rules where names(rule.pattern) {
      throw refuse("normalize", "which have no statistics: scale them in the model")
    }
    for rule in options.fill.rules where names(rule.pattern) {
      throw refuse("fill", "all of which were observed: leave it out")
    }
    for rule in options.type.rules {
      if case .pattern(let pattern) = rule.target, names(pattern), rule.type != channel.type {
        throw refuse("dtype", "which are \(channel.type.rawValue): leave it out")
      }
    }
  }
}
