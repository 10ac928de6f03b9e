import TrajpackFormat
import TrajpackStore

/// What a batch looks like: groups of channels, and where each array lies.
struct Layout: Sendable {
  var groups: [Group] = []
  var channels: [SelectedChannel] = []
  var outputs: [Output] = []
  /// Where the numbers of windows go.
  var meta: MetaPlaces?
  /// Where the values of recordings go, in the order of the option's tables.
  var values: [(value: OutputStride, observed: OutputStride?)] = []
  /// Bytes of a batch.
  var bytes = 0
  /// Which episode is of which group, where values are normalised in groups.
  var groupings: [NormalizationStatistics.Grouping] = []
  /// The number of each dataset's first episode, counted over all; empty where nothing is normalised in groups.
  var firstEpisodes: [Int] = []

  /// What the layout needs to know of the data.
  struct Facts {
    /// Rows of a window on the reference clock.
    var length: Int
    /// The most entities that a stream has in an episode; 0 where it belongs to the episode.
    var entities: [String: Int]
    /// The most rows that a stream at its own rate has in a window's time.
    var nativeRows: [String: Int]
    /// The stream whose clock counts rows.
    var reference = ""
    /// Streams of explicit times, or of a single row, whose labels hold to the end of the episode.
    var sparse: Set<String> = []
    /// What values are normalised by.
    var normalization: NormalizationStatistics
    /// Why statistics say nothing of channels that a plan has made.
    var unmeasured: [String: String] = [:]
    /// The values of recordings that batches carry, and their types there.
    var values: [(field: ValueField, type: ElementType)] = []
    /// The names of texts, which lie in no array.
    var texts: [String] = []
    /// The splits and the kinds of entities of all datasets, whose places in these lists are their codes.
    var splits: [String] = []
    var kinds: [String] = []
  }

  /// Lays out a batch.
  ///
  /// - Throws: A usage error where an option does not fit a channel.
  init(_ selection: Selection, _ options: LoaderOptions, _ facts: Facts) throws(TrajpackError) {
    groupings = facts.normalization.groupings
    if !groupings.isEmpty { firstEpisodes = facts.normalization.firstEpisodes }
    var features: [Int?] = []
    for item in selection.items {
      let name = item.channel.name
      let align =
        options.align.value(stream: item.stream, channel: name)
        ?? Self.alignOfClips(item, options, facts) ?? .auto
      let matching = options.features.indices.filter { number in
        options.features[number].patterns.contains {
          $0.matches(stream: item.stream, channel: name)
        }
      }
      guard matching.count < 2 else {
        throw TrajpackError(
          .usage, option: "features",
          "option 'features': '\(item.path)' is in '\(options.features[matching[0]].name)' and in "
            + "'\(options.features[matching[1]].name)', and a channel has one place: name it in one of them, and join "
            + "what batches give where both need it")
      }
      let feature = matching.first
      features.append(feature)
      var channel = SelectedChannel(
        stream: item.stream, channel: item.channel, group: 0, type: item.channel.type,
        place: OutputStride(offset: 0, windowStride: 0, rowStride: 0, slotStride: 0), blend: .asOf)
      channel.isFrames = item.isFrames
      if !item.isFrames, let picture = try PictureRows(item.stream, item.channel, options) {
        channel.picture = picture
        channel.channel.shape = picture.shape
      }
      if item.isFrames {
        try channel.checkFrameOptions(options, isFeature: feature != nil)
        channel.isLeftRaw = options.normalizes
      } else if let rule = options.normalize.value(stream: item.stream, channel: name) {
        try channel.normalize(
          by: rule, facts.normalization, isNamed: options.names(item.path),
          unmeasured: facts.unmeasured[item.path])
        if !channel.scale.isEmpty { channel.type = .float32 }
      }
      if item.isFrames {
        channel.type = item.channel.type
      } else if feature != nil {
        channel.type = .float32
      } else if let type = options.type.value(stream: item.stream, channel: item.channel) {
        channel.type = type
      }
      guard channel.scale.isEmpty || channel.type.isFloat else {
        throw TrajpackError(
          .usage, option: "dtype",
          "channel '\(item.path)' is normalised to fractions, which 'dtype' \(channel.type) would "
            + "cut off: give it a float type, or leave it out of 'normalize'")
      }
      try channel.setDepth(options, isFeature: feature != nil)
      if !item.isFrames || channel.depth != nil { try channel.setFill(options.fill) }
      channel.blend = Self.blend(item.channel, as: channel.type, align)
      if item.isFrames { channel.blend = align == .asof ? .asOf : .nearest }
      channel.group = try group(
        of: item, offsets: options.offsets.value(stream: item.stream, channel: name),
        isNative: align == .native,
        hold: hold(of: channel, isNative: align == .native, options, facts), options, facts)
      groups[channel.group].channels.append(channels.count)
      channels.append(channel)
    }
    try place(features, options)
    addMasks(options)
    if options.meta { addMeta(facts, options) }
    try addValues(facts, options)
  }

  /// Rows of clips are the nearest to each instant, but those of logs count until the next one comes; `nil` where
  /// windows are no clips.
  private static func alignOfClips(
    _ item: Selection.Item, _ options: LoaderOptions, _ facts: Facts
  ) -> LoaderOptions.Alignment? {
    guard options.clips != nil else { return nil }
    switch item.channel.kind {
    case .label, .categorical, .event, .text:
      return facts.sparse.contains(item.stream) ? nil : .nearest
    default: return .nearest
    }
  }

  /// How long rows of a channel count where no other follows.
  ///
  /// - Throws: A usage error where that is asked for of rows that end when their entity leaves, or of rows
  ///   at their own rate.
  func hold(
    of channel: SelectedChannel, isNative: Bool, _ options: LoaderOptions, _ facts: Facts
  ) throws(TrajpackError) -> RowHold? {
    let (stream, name) = (channel.stream, channel.channel.name)
    let isEntities = facts.entities[stream] ?? 0 > 0
    if isEntities || isNative {
      for (option, patterns) in [
        ("hold", options.hold.rules.map(\.pattern)),
        ("max_staleness", options.staleness.rules.map(\.pattern)),
      ] where patterns.contains(where: { $0.matches(stream: stream, channel: name) }) {
        throw TrajpackError(
          .usage, option: option,
          "'\(channel.path)' "
            + (isEntities
              ? "is of entities, whose rows end when they leave"
              : "is to be 'native', with its own rows")
            + ": leave it out")
      }
      return nil
    }
    let limit = options.staleness.value(stream: stream, channel: name)
    // Beyond the end of the reference lies nothing, so it needs no hold.
    var toEnd = false
    if stream != facts.reference {
      switch options.hold.value(stream: stream, channel: name) ?? .auto {
      case .end: toEnd = true
      case .interval: break
      case .auto:
        switch channel.channel.kind {
        case .label, .categorical, .event, .text, .packet:
          toEnd = channel.blend == .asOf && facts.sparse.contains(stream)
        default: break
        }
      }
    }
    return toEnd || limit != nil ? RowHold(toEnd: toEnd, limit: limit) : nil
  }

  mutating func group(
    of item: Selection.Item, offsets: [LoaderOptions.Offset]?, isNative: Bool, hold: RowHold?,
    _ options: LoaderOptions, _ facts: Facts
  ) throws(TrajpackError) -> Int {
    if let at = groups.firstIndex(where: {
      $0.stream == item.stream && $0.offsets == offsets && $0.isNative == isNative
        && $0.hold == hold
    }) {
      return at
    }
    var length = offsets?.count ?? facts.length
    if isNative {
      guard offsets == nil else {
        throw TrajpackError(
          .usage, "'\(item.path)' has 'offsets' and is to be 'native': choose one of them")
      }
      length = min(facts.nativeRows[item.stream] ?? 1, LoaderOptions.limit)
    }
    let most = facts.entities[item.stream] ?? 0
    let entities = most == 0 ? 0 : options.entities.value(stream: item.stream) ?? most
    groups.append(
      Group(
        stream: item.stream, offsets: offsets, isNative: isNative, hold: hold, length: length,
        entities: entities))
    return groups.count - 1
  }

  /// How values of a channel are made between rows, by what they mean.
  private static func blend(
    _ channel: Channel, as type: ElementType, _ align: LoaderOptions.Alignment
  ) -> Blend {
    switch align {
    case .nearest: return .nearest
    case .asof, .native: return .asOf
    case .linear, .auto: break
    }
    if channel.kind == .image || channel.kind == .depth { return .nearest }
    guard type.isFloat else { return .asOf }
    switch channel.kind {
    case .scalar, .position, .direction, .intrinsics: return .linear
    case .quaternion where channel.shape.last == 4: return .slerp
    case .quaternion: return .asOf
    case .angle:
      return channel.units.map { $0.hasPrefix("deg") || $0 == "°" } == true ? .degrees : .radians
    case .matrix: return .nearest
    case .categorical, .label, .event, .packet, .text, .depth, .image: return .asOf
    }
  }

  /// Gives every channel its place: an array of its own, or columns of a feature matrix.
  mutating func place(_ features: [Int?], _ options: LoaderOptions) throws(TrajpackError) {
    for (i, feature) in features.enumerated() where feature == nil {
      let channel = channels[i]
      let group = groups[channel.group]
      let shape =
        [options.batch, group.length] + (group.entities > 0 ? [group.entities] : [])
        + channel.channel.shape
      channels[i].place = try add(
        Output(
          name: channel.path, role: .values, type: channel.type, shape: shape, offset: 0, bytes: 0,
          stream: channel.stream, channels: [channel.channel.name], entities: group.entities,
          units: channel.scale.isEmpty ? channel.channel.units : nil, kind: channel.channel.kind),
        row: channel.rowBytes, slots: group.slots, length: group.length)
    }
    for (number, feature) in options.features.enumerated() {
      // In the order of the patterns, and of the data set where one pattern matches several.
      let members = feature.patterns.indices.flatMap { p in
        features.indices.filter { i in
          features[i] == number
            && feature.patterns.firstIndex {
              $0.matches(stream: channels[i].stream, channel: channels[i].channel.name)
            } == p
        }
      }
      guard let first = members.first else { continue }
      let length = groups[channels[first].group].length
      var width = 0
      for i in members {
        let group = groups[channels[i].group]
        guard group.length == length else {
          throw TrajpackError(
            .usage,
            "feature matrix '\(feature.name)': '\(channels[i].path)' has \(counted(group.length, "row")) a "
              + "window and '\(channels[first].path)' has \(length)")
        }
        channels[i].place.slotStride = channels[i].rowBytes
        channels[i].place.offset = width * 4
        width += channels[i].channel.elements * group.slots
      }
      let whole = try add(
        Output(
          name: feature.name, role: .values, type: .float32, shape: [options.batch, length, width],
          offset: 0, bytes: 0, stream: "", channels: members.map { channels[$0].path }, entities: 0,
          units: nil, kind: nil), row: width * 4, slots: 1, length: length)
      for i in members {
        channels[i].place.offset += whole.offset
        channels[i].place.windowStride = whole.windowStride
        channels[i].place.rowStride = whole.rowStride
      }
    }
    var names: Set<String> = []
    for output in outputs where !names.insert(output.name).inserted {
      throw TrajpackError(
        .usage, "two outputs are named '\(output.name)'; name the feature matrix otherwise")
    }
  }

  mutating func add(
    _ output: Output, row: Int, slots: Int, length: Int
  ) throws(TrajpackError) -> OutputStride {
    var total = output.shape[0]
    for factor in [length, slots, row] {
      let (product, overflow) = total.multipliedReportingOverflow(by: factor)
      guard !overflow, product <= 1 << 38 else {
        throw TrajpackError(
          .usage,
          "a batch of '\(output.name)' with shape \(output.shape) would pass 256 GiB; make 'batch', "
            + "'length' or 'entities' smaller")
      }
      total = product
    }
    return append(output, row: row, slots: slots, length: length)
  }

  mutating func append(_ output: Output, row: Int, slots: Int, length: Int) -> OutputStride {
    var output = output
    let rowStride = row * slots
    output.offset = (bytes + 63) / 64 * 64
    output.bytes = output.shape[0] * length * rowStride
    bytes = (output.offset + output.bytes + 63) / 64 * 64
    outputs.append(output)
    return OutputStride(
      offset: output.offset, windowStride: length * rowStride, rowStride: rowStride, slotStride: row
    )
  }
}
