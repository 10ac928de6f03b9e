import TrajpackFormat
import TrajpackStore

/// Statistics of a part of a dataset, measured.
public struct SubsetMeasurement: Sendable {
  /// A channel, as it was measured.
  public struct Measured: Sendable {
    /// As it is recorded, merged over shards.
    public var channel: Channel
    /// Its stream's name.
    public var stream: String
    /// The axes of a row that have statistics of their own, where they were chosen.
    public var axes: [Int]?
    /// Whether it has quantiles.
    public var hasQuantiles: Bool
    /// `stream/channel`.
    public var path: String { "\(stream)/\(channel.name)" }
  }

  /// Episodes that were measured together.
  public struct Group: Sendable {
    /// What they have in common; `nil` where all episodes are one group.
    public var value: JSONValue?
    /// How many.
    public var episodes: Int
    /// Rows of each stream that was measured.
    public var rows: [(stream: String, rows: Int)]
    /// For each channel, its components.
    public var statistics: [[ComponentStatistics]]
  }

  /// The channels.
  public var channels: [Measured]
  /// At least one.
  public var groups: [Group]
  /// The episodes that have rows in it, by number in the dataset.
  public var episodes: [Int]
  /// Channels of bytes that were chosen and have no numbers, as `stream/channel`.
  public var leftOut: [String]
  /// What the groups are of: `episode`, or an episode value; `nil` where all is one.
  public var by: String?
  /// What identifies the data.
  public var dataDigest: String
  /// What identifies the rows.
  public var rowsDigest: String
  /// Whether a side file had them, so that nothing was measured.
  public var isSaved = false
}

extension SubsetMeasurement {
  /// Measures.
  ///
  /// - Throws: A usage error where a request does not fit the data or nothing is left to measure; a data error
  ///   for the first damage.
  public init(
    _ dataset: OpenDataset, _ request: StatisticsRequest, isStopped: () -> Bool = { false },
    progress: (Int) -> Void = { _ in }
  ) throws(TrajpackError) {
    let schemas = dataset.shards.map(\.schema)
    let selection = try Selection(schemas, request.options, isAligned: false)
    let measured = try Self.channels(selection, request)
    let rows = try Self.rows(selection, request, dataset)
    let splits = try Loader.selections([dataset], request.options)
    let filter = try EpisodeFilter(
      request.options, splits[0] == nil ? Self.splits(schemas) : nil
    ).on(dataset)
    try filter.checkIDs([dataset])
    let scope = try StatisticsScope(
      [dataset], rows: rows, of: Set(selection.streams), splits: splits
    ) {
      (_, shard, episode) throws(TrajpackError) in try filter.keeps(shard.index, episode)
    }
    guard !scope.episodes.isEmpty else {
      throw TrajpackError(
        .usage, file: dataset.dataset.path,
        "no episode is left by 'split', 'episodes', 'where' and 'rows' (of "
          + "\(dataset.episodeCount))" + (try filter.reason(in: dataset)))
    }
    channels = measured
    // The tables of packets of a video are measured where they are named.
    let videos = schemas.flatMap(\.streams).filter(\.isVideo).map(\.name)
    leftOut = selection.leftOut
    for video in videos
    where request.options.isAll && !selection.streams.contains(video) && !leftOut.contains(video) {
      leftOut.append(video)
    }
    by = request.grouping?.text
    episodes = scope.episodes.map(\.number)
    dataDigest = dataset.digest
    rowsDigest = scope.digest
    let name = SavedStatistics.name(rowsDigest, measured, by: by)
    if let saved = try SavedStatistics.groups(dataset, name, rowsDigest, measured) {
      groups = saved
      isSaved = true
      return
    }
    let groups = try EpisodeGroups(scope, by: request.grouping)
    let subset = try SubsetStatistics(
      dataset.shards, try measured.map { (m) throws(TrajpackError) in try m.measuredChannel() })
    let found = try subset.measure(
      groups.members.map { $0.flatMap { scope.episodes[$0].parts } },
      threads: request.options.threads, isStopped: isStopped, progress: progress)
    let streams = Set(selection.streams)
    self.groups = zip(groups.values, zip(groups.members, found)).map { value, rest in
      Group(
        value: value, episodes: rest.0.count,
        rows: scope.rowCounts(of: rest.0).filter { streams.contains($0.stream) },
        statistics: rest.1)
    }
  }

  private static func splits(_ schemas: [Schema]) -> [String] {
    var out: [String] = []
    for split in schemas.flatMap(\.splits) where !out.contains(split) { out.append(split) }
    return out
  }

  private static func channels(
    _ selection: Selection, _ request: StatisticsRequest
  ) throws(TrajpackError) -> [Measured] {
    for (pattern, _) in request.axes.rules {
      try Selection.check(pattern, "axes", selection.items)
    }
    var out: [Measured] = []
    for item in selection.items {
      let axes = request.axes.value(stream: item.stream, channel: item.channel.name)
      var measured = Measured(
        channel: item.channel, stream: item.stream, axes: axes, hasQuantiles: false)
      let count = try measured.components().count
      let most = ComponentAxes.quantileComponents
      if request.quantiles == true, count > most.asked {
        throw TrajpackError(
          .usage, option: "quantiles",
          "channel '\(item.path)' has \(count) components, and quantiles are kept of at "
            + "most \(most.asked): take some together with 'axes', or leave 'quantiles' out")
      }
      measured.hasQuantiles = request.quantiles ?? (count <= most.usual)
      out.append(measured)
    }
    return out
  }

  private static func rows(
    _ selection: Selection, _ request: StatisticsRequest, _ dataset: OpenDataset
  ) throws(TrajpackError) -> StatisticsScope.Rows? {
    guard let rows = request.rows else { return nil }
    let streams = dataset.shards.flatMap(\.schema.streams)
    let entities = StreamProfile([dataset.shards.map { ShardView($0) }]).entities
    let name =
      request.options.reference
      ?? selection.streams.first { entities[$0] == 0 } ?? selection.streams[0]
    guard let unit = streams.first(where: { $0.name == name })?.timeUnit else {
      throw TrajpackError(
        .usage, option: "reference",
        "there is no stream '\(name)'"
          + Suggestion.text(for: name, among: Array(Set(streams.map(\.name))).sorted()))
    }
    for stream in streams where selection.streams.contains(stream.name) && stream.timeUnit != unit {
      throw TrajpackError(
        .usage, option: "rows",
        "stream '\(stream.name)' counts time in '\(stream.timeUnit)' and '\(name)', whose rows "
          + "are counted, in '\(unit)': choose channels of one of them")
    }
    return StatisticsScope.Rows(
      first: rows.lowerBound, end: request.hasEnd ? rows.upperBound : nil, stream: name)
  }
}

extension SubsetMeasurement.Measured {
  /// For each component, the elements of a row.
  func components() throws(TrajpackError) -> [[Int]] {
    if let axes { return try ComponentAxes.components(of: channel.shape, axes: axes, path) }
    return StatisticsComponents.components(of: channel)
  }

  func measuredChannel() throws(TrajpackError) -> MeasuredChannel {
    MeasuredChannel(
      stream: stream, name: channel.name, shape: channel.shape, components: try components(),
      hasQuantiles: hasQuantiles)
  }

  /// A name for each component: its index along the axes that were kept, or what the kind says.
  public var componentNames: [String] {
    guard let axes else {
      return (0..<StatisticsComponents.count(of: channel)).map {
        StatisticsComponents.name($0, of: channel)
      }
    }
    let rank = channel.shape.count
    let sizes = Set(axes.map { $0 < 0 ? $0 + rank : $0 }).sorted().map { channel.shape[$0] }
    guard !sizes.isEmpty else { return [""] }
    return (0..<sizes.reduce(1, *)).map { number in
      var (rest, index) = (number, [String]())
      for size in sizes.reversed() {
        index.append(String(rest % size))
        rest /= size
      }
      return index.reversed().joined(separator: ",")
    }
  }
}
