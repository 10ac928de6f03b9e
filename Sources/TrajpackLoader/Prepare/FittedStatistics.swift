import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// The target rows of the splits of a scheme, for steps that are fitted to them.
package struct SchemedRows: Sendable {
  /// What names the scheme and the fold, with the scheme's digest.
  package let identity: String
  /// The splits.
  package let splits: [String]
  /// Whether a split ends or begins inside an episode.
  package let cutsEpisodes: Bool
  /// The rows of a split, those before it that are only seen left out.
  package let parts: @Sendable (_ split: String) throws(TrajpackError) -> [TrackPart]

  /// Rows of splits.
  public init(
    identity: String, splits: [String], cutsEpisodes: Bool,
    parts: @escaping @Sendable (_ split: String) throws(TrajpackError) -> [TrackPart]
  ) {
    (self.identity, self.splits, self.parts) = (identity, splits, parts)
    self.cutsEpisodes = cutsEpisodes
  }
}

extension Plan {
  /// Whether a step is to be fitted to the rows of a split.
  package var fitsSplit: Bool {
    steps.contains { step in
      if let step = step as? NormalizeStep { return step.isOpen && step.split != "all" }
      return step.unresolved != nil
    }
  }

  /// Whether a step is to be fitted to each value of episodes.
  package var fitsValues: Bool {
    steps.contains { step in
      if let step = step as? NormalizeStep { return step.isOpen && step.per != nil }
      return false
    }
  }
}

/// The statistics that the steps of a plan are fitted to: those of the index where they will do, else measured.
package struct FittedStatistics {
  private let shards: [Shard]
  private let threads: Int
  private let scheme: SchemedRows?
  private let value: EpisodeValueLookup?

  /// What finds the value of a name of an episode, both by their numbers; null where it has none.
  package typealias EpisodeValueLookup =
    @Sendable (_ name: String, _ shard: Int, _ episode: Int) throws(TrajpackError) -> JSONValue

  /// Of the episodes of some shards.
  ///
  /// - Parameters:
  ///   - scheme: The rows of splits by a scheme, where one counts instead of the shards' own splits.
  ///   - value: What is known of episodes, for steps that are fitted to each value.
  public init(
    _ shards: [Shard], threads: Int = 0, scheme: SchemedRows? = nil,
    value: EpisodeValueLookup? = nil
  ) {
    self.value = value
    self.shards = shards
    self.threads = threads
    self.scheme = scheme
  }

  /// The splits that there are.
  var splits: [String] {
    scheme?.splits ?? Set(shards.flatMap(\.schema.splits)).filter { !$0.isEmpty }.sorted()
  }

  /// The components of channels in a split (`nil`: in all episodes).
  ///
  /// - Parameter isStored: whether they are those of the index.
  /// - Throws: A usage error where a channel has too many components for quantiles; a data error for damage.
  func components(
    of channels: [MeasuredChannel], split: String?, isStored: Bool
  ) throws(TrajpackError) -> [[ComponentStatistics]] {
    let isSchemed = split != nil && scheme != nil
    if isStored, !isSchemed {
      var stored = DatasetStatistics()
      for shard in shards { try stored.add(shard) }
      return channels.map { channel in
        split.map { stored.splits[$0]?[channel.path] ?? [] } ?? stored.all(channel.path)
      }
    }
    try checkQuantiles(channels)
    return try SubsetStatistics(shards, channels).measure([try parts(split)], threads: threads)[0]
  }

  /// Whether a split ends or begins inside an episode.
  var cutsEpisodes: Bool { scheme?.cutsEpisodes ?? false }

  /// The components of channels for each group of episodes, in the rows of a split (`all`: of all episodes).
  ///
  /// - Parameter per: `episode`, or the name of a value.
  /// - Returns: The groups in the order of their first episodes, and the group of each episode of the shards that has
  ///   one, by its id; none where groups are episodes.
  /// - Throws: A usage error where no episode has the value, or a channel has too many components for quantiles; a
  ///   data error for damage.
  func groups(
    of channels: [MeasuredChannel], split: String, per: String
  ) throws(TrajpackError) -> (
    groups: [(name: String, components: [[ComponentStatistics]])], episodes: [String: String]
  ) {
    try checkQuantiles(channels)
    let isEach = per == NormalizeStep.perEpisode
    var names: [[String?]] = []
    var episodes: [String: String] = [:]
    for (number, shard) in shards.enumerated() {
      var own: [String?] = []
      for episode in 0..<shard.index.episodeCount {
        let id = shard.index.id(ofEpisode: episode)
        let name =
          isEach
          ? id
          : try value.flatMap { (value) throws(TrajpackError) in
            try Self.name(of: value(per, number, episode))
          }
        own.append(name)
        if !isEach, let name { episodes[id] = name }
      }
      names.append(own)
    }
    guard isEach || !episodes.isEmpty else {
      throw TrajpackError(
        .usage,
        "no episode has a value '\(per)' to normalise by; 'trajpack info' shows the values that there are"
      )
    }
    var order: [String] = []
    var members: [String: [TrackPart]] = [:]
    for part in try parts(split == "all" ? nil : split) {
      let episode = shards[part.shard].index.numbers(ofTrack: part.track).episode
      guard let name = names[part.shard][episode] else { continue }
      if members[name] == nil { order.append(name) }
      members[name, default: []].append(part)
    }
    let found = try SubsetStatistics(shards, channels).measure(
      order.map { members[$0] ?? [] }, threads: threads)
    return (Array(zip(order, found)).map { (name: $0, components: $1) }, episodes)
  }

  /// What a value is called as a group: 2 and 2.0 are one.
  private static func name(of value: JSONValue) -> String? {
    if value == .null { return nil }
    if let text = value.string { return text }
    if let number = value.double, let whole = Int64(exactly: number) { return "\(whole)" }
    return value.text()
  }

  private func checkQuantiles(_ channels: [MeasuredChannel]) throws(TrajpackError) {
    let most = ComponentAxes.quantileComponents.asked
    for channel in channels where channel.hasQuantiles && channel.components.count > most {
      throw TrajpackError(
        .usage,
        "channel '\(channel.path)' has \(channel.components.count) components, and quantiles are kept of at most "
          + "\(most): take some together with 'axes', or choose 'standard' or 'minmax'")
    }
  }

  private func parts(_ split: String?) throws(TrajpackError) -> [TrackPart] {
    if let split, let scheme { return try scheme.parts(split) }
    return SubsetStatistics.parts(of: shards, split: split)
  }
}
