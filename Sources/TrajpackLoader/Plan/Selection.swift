import TrajpackFormat

/// The channels that options select from the schemas of all shards, merged by name.
struct Selection {
  /// A channel, merged over the shards that have it.
  struct Item {
    var stream: String
    var channel: Channel
    /// Whether its rows are packets of a video, or decoded frames of one.
    var isOfVideo = false
    var isFrames = false
    var path: String { isFrames ? stream : "\(stream)/\(channel.name)" }
  }

  private(set) var items: [Item] = []
  private(set) var streams: [String] = []
  /// Channels of bytes that patterns have chosen, as `stream/channel`.
  private(set) var leftOut: [String] = []
  private let schemas: [Schema]

  /// Selects.
  ///
  /// - Parameter isAligned: whether streams have to count time in one unit.
  /// - Throws: A usage error where a pattern matches nothing, or a channel cannot be a part of a batch.
  init(
    _ schemas: [Schema], _ options: LoaderOptions, frames: FrameSelection? = nil,
    isAligned: Bool = true
  ) throws(TrajpackError) {
    self.schemas = schemas
    let all = try Self.merged(schemas, frames)
    let known = Set(all.flatMap { [$0.path, $0.stream] })
    for selector in options.channels {
      if case .pattern(let pattern) = selector, known.contains(pattern.text) { continue }
      guard
        all.contains(where: { Self.matches(selector, $0) || Self.isVideo($0, of: selector) })
      else {
        throw Self.nothing(selector, all)
      }
    }
    for pattern in options.exclude { try Self.check(pattern, "exclude", all) }
    // Names that are written out are looked up; only patterns are held against each channel.
    var named: Set<String> = []
    var patterns: [LoaderOptions.Selector] = []
    for selector in options.channels {
      if case .pattern(let pattern) = selector, pattern.isLiteral {
        named.insert(pattern.text)
      } else {
        patterns.append(selector)
      }
    }
    var seen: Set<String> = []
    for item in all {
      guard
        item.isFrames || named.contains(item.path)
          || !item.isOfVideo && named.contains(item.stream)
          || patterns.contains(where: { Self.matches($0, item) }),
        !options.exclude.contains(where: {
          $0.matches(stream: item.stream, channel: item.channel.name)
        })
      else { continue }
      if item.channel.type == .bytes {
        guard !named.contains(item.path) else {
          throw TrajpackError(
            .usage, option: "channels",
            "channel '\(item.path)' has rows of bytes of any length, which have no place in a "
              + "batch; read them from the episode")
        }
        leftOut.append(item.path)
        continue
      }
      items.append(item)
      if seen.insert(item.stream).inserted { streams.append(item.stream) }
    }
    guard !items.isEmpty else {
      throw TrajpackError(
        .usage,
        "no channel is left to load: 'channels' and 'exclude' leave nothing"
          + (all.contains(where: \.isOfVideo)
            ? "; videos are decoded where 'channels' names their streams" : ""),
        at: ErrorPlace(option: "channels"))
    }
    for (name, rules) in [
      ("offsets", options.offsets.rules.map(\.pattern)),
      ("align", options.align.rules.map(\.pattern)),
      ("hold", options.hold.rules.map(\.pattern)),
      ("max_staleness", options.staleness.rules.map(\.pattern)),
      ("fill", options.fill.rules.map(\.pattern)),
      ("normalize", options.normalize.rules.map(\.pattern)),
      ("depth", options.depth.rules.map(\.pattern)),
    ] + options.features.map({ ("features.\($0.name)", $0.patterns) }) {
      for pattern in rules { try Self.check(pattern, name, items) }
    }
    try checkPictures(options)
    for (target, _) in options.type.rules {
      if case .pattern(let pattern) = target { try Self.check(pattern, "dtype", items) }
    }
    for (pattern, _) in options.entities.rules where !streams.contains(where: pattern.matches) {
      throw TrajpackError(
        .usage, option: "entities",
        "no selected stream matches '\(pattern.text)'"
          + Suggestion.text(for: pattern.text, among: streams))
    }
    if isAligned { try checkUnits() }
  }

  /// - Throws: A usage error where `entities` names streams whose rows are the episode's own. A number for all streams is
  ///   the most that any may have.
  func checkEntities(_ options: LoaderOptions, _ facts: StreamProfile) throws(TrajpackError) {
    let crowded = streams.filter { facts.entities[$0] ?? 0 > 0 }
    for (pattern, _) in options.entities.rules where !crowded.contains(where: pattern.matches) {
      // Where there is no row, nobody can say whose they are.
      guard let alone = streams.first(where: { pattern.matches($0) && facts.longest[$0] ?? 0 > 0 })
      else { continue }
      throw TrajpackError(
        .usage, option: "entities",
        "stream '\(alone)' has no entities: its rows are the episode's own; leave it out"
          + (crowded.isEmpty
            ? ""
            : ", or name one that has some: " + crowded.map { "'\($0)'" }.joined(separator: ", ")))
    }
  }

  /// - Throws: A usage error where an option is for pictures, and no selected channel that it names is one.
  private func checkPictures(_ options: LoaderOptions) throws(TrajpackError) {
    let frames = items.filter(\.isFrames)
    let pictures = items.filter {
      $0.isFrames || PictureRows.layout($0.stream, $0.channel, options) != nil
    }
    for (name, isForAll, rules) in [
      ("size", options.size.otherwise != nil, options.size.rules.map(\.pattern)),
      ("crop", options.crop.otherwise != nil, options.crop.rules.map(\.pattern)),
      ("layout", options.layout.otherwise != nil, options.layout.rules.map(\.pattern)),
      ("pixels", options.pixels.otherwise != nil, options.pixels.rules.map(\.pattern)),
    ] {
      let able = name == "pixels" ? frames : pictures
      guard !isForAll || !able.isEmpty else {
        throw TrajpackError(
          .usage,
          "option '\(name)' is for windows with "
            + (name == "pixels"
              ? "frames of a video" : "pictures: frames of a video, or arrays of pixels")
            + "; name one in 'channels', or leave it out",
          at: ErrorPlace(option: name))
      }
      for pattern in rules {
        if !able.contains(where: { pattern.text == $0.path }),
          let item = items.first(where: { $0.path == pattern.text })
        {
          throw TrajpackError(
            .usage, option: name,
            name == "pixels"
              ? "'\(item.path)' is an array, which is given out as it is stored: leave it out"
              : "a row of '\(item.path)' is \(item.channel.type.rawValue) "
                + "\(item.channel.shape), which is no picture: [height, width], or with 1 to 4 planes last or first"
          )
        }
        try Self.check(pattern, name, able)
      }
    }
  }

  /// All channels, merged by name.
  static func merged(
    _ schemas: [Schema], _ frames: FrameSelection? = nil
  ) throws(TrajpackError) -> [Item] {
    var all: [Item] = []
    var places: [String: Int] = [:]
    for schema in schemas {
      for stream in schema.streams {
        if stream.isVideo, let channel = frames?.streams[stream.name]?.channel,
          places[stream.name] == nil
        {
          places[stream.name] = all.count
          all.append(
            Item(stream: stream.name, channel: channel, isOfVideo: true, isFrames: true))
        }
        for channel in stream.channels {
          let item = Item(stream: stream.name, channel: channel, isOfVideo: stream.isVideo)
          guard let at = places[item.path] else {
            places[item.path] = all.count
            all.append(item)
            continue
          }
          let known = all[at].channel
          guard known.shape == channel.shape, let type = known.type.widened(with: channel.type)
          else {
            throw TrajpackError(
              .usage,
              "channel '\(item.path)' is \(known.type.rawValue) \(known.shape) in one shard and "
                + "\(channel.type.rawValue) \(channel.shape) in another; leave it out with 'exclude'"
            )
          }
          all[at].channel.type = type
          if channel.missing != .never { all[at].channel.missing = channel.missing }
        }
      }
    }
    return all
  }

  private static func matches(_ selector: LoaderOptions.Selector, _ item: Item) -> Bool {
    // Frames are among the items because they were asked for. Packets are for those who name them.
    if item.isFrames { return true }
    switch selector {
    case .pattern(let pattern):
      if item.isOfVideo, pattern.matches(item.stream) { return false }
      return pattern.matches(stream: item.stream, channel: item.channel.name)
    case .kind(let kind): return !item.isOfVideo && item.channel.kind == kind
    }
  }

  /// Whether an item is of a video whose stream a selector stands for: it may be left out all the same.
  private static func isVideo(_ item: Item, of selector: LoaderOptions.Selector) -> Bool {
    guard item.isOfVideo, case .pattern(let pattern) = selector else { return false }
    return pattern.matches(item.stream)
  }

  private static func nothing(_ selector: LoaderOptions.Selector, _ all: [Item]) -> TrajpackError {
    switch selector {
    case .pattern(let pattern): return unmatched(pattern, "channels", all)
    case .kind(let kind):
      let kinds = Kind.allCases.filter { k in all.contains { $0.channel.kind == k } }
      return TrajpackError(
        .usage, option: "channels",
        "no channel has the kind '\(kind.rawValue)'"
          + Suggestion.text(for: kind.rawValue, among: kinds.map(\.rawValue)))
    }
  }

  static func check(
    _ pattern: Pattern, _ option: String, _ items: [Item]
  ) throws(TrajpackError) {
    let found = items.contains { pattern.matches(stream: $0.stream, channel: $0.channel.name) }
    if !found { throw unmatched(pattern, option, items) }
  }

  private static func unmatched(
    _ pattern: Pattern, _ option: String, _ items: [Item]
  ) -> TrajpackError {
    var names = items.map(\.path)
    for item in items where !names.contains(item.stream) { names.append(item.stream) }
    return TrajpackError(
      .usage, option: option,
      "no channel matches '\(pattern.text)'"
        + Suggestion.text(for: pattern.text, among: names))
  }

  /// Streams are aligned by time, so they must count it in the same unit.
  private func checkUnits() throws(TrajpackError) {
    var first: (stream: String, unit: String)?
    for schema in schemas {
      for stream in schema.streams where streams.contains(stream.name) {
        if let first, first.unit != stream.timeUnit {
          throw TrajpackError(
            .usage,
            "streams '\(first.stream)' and '\(stream.name)' count time in different units "
              + "('\(first.unit)' and '\(stream.timeUnit)'), so they cannot be aligned; select one of them"
          )
        }
        first = first ?? (stream.name, stream.timeUnit)
      }
    }
  }
}
