import TrajpackFormat
import TrajpackStore

/// What the values of a loader's channels are scaled by: statistics of the rows that it is fitted to.
struct NormalizationStatistics: Sendable {
  /// A channel's.
  struct Fit: Sendable {
    /// For each component, the elements of a row.
    var components: [[Int]]
    /// For each group of episodes (one where all are one), the components.
    var groups: [[ComponentStatistics]]
    /// Which of ``Grouping`` has the episodes of the groups; `nil` where all are one.
    var grouping: Int?
  }

  /// Which episode is of which group.
  struct Grouping: Sendable {
    /// `episode`, or the path of a value.
    var by: String
    /// What each group has in common.
    var values: [JSONValue]
    /// The group of each episode, counted over all datasets; -1 where it is of none.
    var groups: [Int32]
  }

  /// By `stream/channel`.
  var fits: [String: Fit] = [:]
  var groupings: [Grouping] = []
  /// The number of each dataset's first episode, counted over all.
  var firstEpisodes: [Int] = []
}

/// Finds statistics for what is to be normalised: those of the index where they are of the same rows, or measured.
struct NormalizationFit {
  private let datasets: [OpenDataset]
  private let options: LoaderOptions
  private let filter: EpisodeFilter
  /// The part of each dataset that windows are of, where a split scheme counts.
  private let selections: [SplitSelection?]
  /// The filter for the episodes of each dataset; where a split scheme counts, splits are no part of it.
  private let filters: [EpisodeFilter]

  /// - Throws: A data error where a side file of values is damaged.
  init(
    _ datasets: [OpenDataset], _ options: LoaderOptions, _ filter: EpisodeFilter,
    _ selections: [SplitSelection?]
  ) throws(TrajpackError) {
    self.datasets = datasets
    self.options = options
    self.filter = filter
    self.selections = selections
    var filters: [EpisodeFilter] = []
    for (dataset, selection) in zip(datasets, selections) {
      let own = selection == nil ? filter : try EpisodeFilter(options, nil)
      filters.append(try own.on(dataset))
    }
    self.filters = filters
  }

  /// A channel that is to be normalised.
  private struct Need {
    var path: String
    var rule: NormalizationRule
    var channel: MeasuredChannel
  }

  /// - Parameter unmeasured: channels that statistics say nothing of, by path.
  /// - Throws: A usage error where an option does not fit the data; a data error for damage.
  func statistics(
    _ selection: Selection, unmeasured: Set<String>
  ) throws(TrajpackError) -> NormalizationStatistics {
    var out = NormalizationStatistics()
    guard options.normalizes else { return out }
    let needs = try needs(selection, unmeasured)
    let rows = try fittedRows()
    let isStored = { (need: Need) in
      rows.splits != nil && need.rule.per == nil && need.rule.axes == nil
        && !need.rule.method.needsQuantiles
    }
    if needs.contains(where: isStored), let splits = rows.splits {
      let all = try Loader.statistics(datasets)
      for need in needs where isStored(need) {
        out.fits[need.path] = .init(
          components: need.channel.components, groups: [all.all(need.path, of: splits)])
      }
    }
    let rest = needs.filter { !isStored($0) }
    guard !rest.isEmpty else { return out }
    var firsts = [0]
    for dataset in datasets { firsts.append(firsts[firsts.count - 1] + dataset.episodeCount) }
    out.firstEpisodes = firsts
    var groupings: [StatisticsRequest.Grouping?] = []
    for need in rest where !groupings.contains(need.rule.per) { groupings.append(need.rule.per) }
    for grouping in groupings {
      try measure(rest.filter { $0.rule.per == grouping }, grouping, rows, into: &out)
    }
    return out
  }

  private func needs(
    _ selection: Selection, _ unmeasured: Set<String>
  ) throws(TrajpackError) -> [Need] {
    var out: [Need] = []
    for item in selection.items {
      let channel = item.channel
      guard let rule = options.normalize.value(stream: item.stream, channel: channel.name),
        !unmeasured.contains(item.path),
        SelectedChannel.isScaled(channel, isNamed: options.names(item.path))
      else { continue }
      let components =
        if let axes = rule.axes {
          try ComponentAxes.components(of: channel.shape, axes: axes, item.path)
        } else {
          StatisticsComponents.components(of: channel)
        }
      let most = ComponentAxes.quantileComponents.asked
      guard !rule.method.needsQuantiles || components.count <= most else {
        throw TrajpackError(
          .usage, option: "normalize",
          "channel '\(item.path)' has \(components.count) components, and quantiles are "
            + "kept of at most \(most): take some together with 'axes', or choose 'standard' or 'minmax'"
        )
      }
      out.append(
        Need(
          path: item.path, rule: rule,
          channel: MeasuredChannel(
            stream: item.stream, name: channel.name, shape: channel.shape,
            components: components, hasQuantiles: rule.method.needsQuantiles)))
    }
    return out
  }

  // MARK: Which rows

  /// The episodes that are measured, and the rows of them.
  private struct Rows {
    /// The whole splits of the shards that they are, where they are; statistics of these are in the index.
    var splits: [String]?
    /// What they are, for errors.
    var text: String
    /// The part of each dataset by a split scheme, whose target rows count.
    var selections: [SplitSelection?]
    var keeps: (_ dataset: Int, Shard, Int) throws(TrajpackError) -> Bool
  }

  /// The rows of 'normalize_split'; else those of the training split, where there is one, in the chosen episodes;
  /// else those that are chosen. Where none of the episodes of the training split is chosen, the chosen ones are for
  /// a test, and all of the training split counts.
  private func fittedRows() throws(TrajpackError) -> Rows {
    var known: [String] = []
    for split in datasets.flatMap({ $0.shards.flatMap(\.schema.splits) })
    where !known.contains(split) { known.append(split) }
    let all = known + [""]
    var schemes: [SplitScheme?] = []
    for dataset in datasets {
      let hasOwn = dataset.shards.contains { $0.schema.splits.contains { !$0.isEmpty } }
      schemes.append(
        options.normalizeSplit == "all" && options.scheme == nil
          ? nil
          : try SplitScheme.find(options.scheme, in: dataset.dataset, hasOwn: hasOwn)?.scheme)
    }
    let named = schemes.compactMap { $0?.splits }.flatMap { $0 }
    let wanted = options.normalizeSplit ?? "train"
    if !named.contains(wanted), let split = options.normalizeSplit, split != "all",
      !known.contains(split) || !named.isEmpty
    {
      throw TrajpackError(
        .usage, option: "normalize_split",
        "there are no statistics of a split '\(split)'"
          + Suggestion.text(
            for: split, among: (named.isEmpty ? known : named).sorted() + ["all"]))
    }
    if named.contains(wanted) { return try schemed(wanted) }
    if let split = options.normalizeSplit {
      return known.contains(split) ? whole([split]) : whole(all)
    }
    let filters = filters
    let chosen = { (dataset: Int, shard: Shard, episode: Int) throws(TrajpackError) -> Bool in
      try filters[dataset].keeps(shard.index, episode)
    }
    if named.isEmpty, known.contains("train") {
      let isTrain = { (_: Int, shard: Shard, episode: Int) in Self.isIn(["train"], shard, episode) }
      let (kept, others) = try counts(of: isTrain)
      if kept == 0 || others == 0 { return whole(["train"]) }
      let none: [SplitSelection?] = datasets.map { _ in nil }
      return Rows(
        splits: nil, text: "the chosen episodes of split 'train'", selections: none
      ) { (dataset, shard, episode) throws(TrajpackError) in
        guard Self.isIn(["train"], shard, episode) else { return false }
        return try chosen(dataset, shard, episode)
      }
    }
    if selections.allSatisfy({ $0 == nil }) {
      if let splits = options.splits, options.episodes == nil, options.conditions.isEmpty {
        return whole(splits)
      }
      if filter.keepsAll { return whole(all) }
      if try counts(of: { _, _, _ in true }).others == 0 { return whole(all) }
    }
    return Rows(splits: nil, text: "the chosen episodes", selections: selections, keeps: chosen)
  }

  /// The target rows of a split of a scheme, in the chosen episodes.
  private func schemed(_ split: String) throws(TrajpackError) -> Rows {
    var parts: [SplitSelection?] = []
    for dataset in datasets {
      parts.append(
        try SplitSelection(dataset, scheme: options.scheme, splits: [split], fold: options.fold))
    }
    var firsts: [String: (dataset: Int, shard: Int)] = [:]
    for (d, dataset) in datasets.enumerated() {
      for (s, shard) in dataset.shards.enumerated() { firsts["\(d) \(shard.name)"] = (d, s) }
    }
    let isPart = { [parts] (dataset: Int, shard: Shard, episode: Int) -> Bool in
      // Of a dataset without the scheme, the shards' own splits count.
      guard let part = parts[dataset], let place = firsts["\(dataset) \(shard.name)"] else {
        return Self.isIn([split], shard, episode)
      }
      return part.keeps(episode, shard: place.shard)
    }
    let filters = filters
    let (kept, others) = try counts(of: isPart)
    let isWhole = options.normalizeSplit != nil || kept == 0 || others == 0
    return Rows(
      splits: nil, text: isWhole ? "split '\(split)'" : "the chosen episodes of split '\(split)'",
      selections: parts
    ) { (dataset, shard, episode) throws(TrajpackError) in
      guard isPart(dataset, shard, episode) else { return false }
      return isWhole ? true : try filters[dataset].keeps(shard.index, episode)
    }
  }

  private func whole(_ splits: [String]) -> Rows {
    let text =
      splits.contains("")
      ? "all episodes" : "split \(splits.map { "'\($0)'" }.joined(separator: ", "))"
    let none: [SplitSelection?] = datasets.map { _ in nil }
    return Rows(splits: splits, text: text, selections: none) {
      (_, shard, episode) throws(TrajpackError) in Self.isIn(splits, shard, episode)
    }
  }

  private static func isIn(_ splits: [String], _ shard: Shard, _ episode: Int) -> Bool {
    let own = shard.index.split(ofEpisode: episode)
    return splits.contains(own < 0 ? "" : shard.schema.splits[own])
  }

  /// How many episodes of a part are chosen, and how many are not.
  private func counts(
    of isPart: (Int, Shard, Int) -> Bool
  ) throws(TrajpackError) -> (kept: Int, others: Int) {
    var (kept, others) = (0, 0)
    for (d, dataset) in datasets.enumerated() {
      for shard in dataset.shards {
        for episode in 0..<shard.index.episodeCount where isPart(d, shard, episode) {
          if try filters[d].keeps(shard.index, episode) { kept += 1 } else { others += 1 }
        }
      }
    }
    return (kept, others)
  }

  // MARK: Measuring

  private func measure(
    _ needs: [Need], _ grouping: StatisticsRequest.Grouping?, _ rows: Rows,
    into out: inout NormalizationStatistics
  ) throws(TrajpackError) {
    let (filters, selections) = (filters, selections)
    // A recording that is normalised by itself is measured by itself, whatever its split; but only where it is in
    // the split, where splits cut recordings.
    let isCut = rows.selections.contains { $0?.cutsEpisodes == true }
    let isEach = grouping == .episode
    let scope = try StatisticsScope(
      datasets, splits: isEach && !isCut ? selections : rows.selections
    ) { (dataset, shard, episode) throws(TrajpackError) in
      isEach
        ? try filters[dataset].keeps(shard.index, episode)
        : try rows.keeps(dataset, shard, episode)
    }
    var needs = needs
    if grouping == nil, datasets.count == 1,
      !datasets[0].dataset.sideFiles(.statistics).isEmpty
    {
      let digest = scope.digest
      var rest: [Need] = []
      for need in needs {
        guard
          let saved = try SavedStatistics.components(
            datasets[0], digest, need.channel, axes: need.rule.axes)
        else {
          rest.append(need)
          continue
        }
        out.fits[need.path] = .init(components: need.channel.components, groups: [saved])
      }
      guard !rest.isEmpty else { return }
      needs = rest
    }
    let groups = try EpisodeGroups(scope, by: grouping)
    let found = try SubsetStatistics(scope.shards, needs.map(\.channel)).measure(
      groups.members.map { $0.flatMap { scope.episodes[$0].parts } }, threads: options.threads)
    for (number, need) in needs.enumerated() {
      out.fits[need.path] = .init(
        components: need.channel.components, groups: found.map { $0[number] },
        grouping: grouping == nil ? nil : out.groupings.count)
    }
    guard let grouping else { return }
    var table = [Int32](repeating: -1, count: out.firstEpisodes[datasets.count])
    func place(_ dataset: Int, _ number: Int) -> Int { out.firstEpisodes[dataset] + number }
    var places: [String: Int32] = [:]
    for (group, value) in groups.values.enumerated() {
      places[EpisodeGroups.key(value ?? .null)] = Int32(group)
    }
    if isEach {
      for (group, members) in groups.members.enumerated() {
        let episode = scope.episodes[members[0]]
        table[place(episode.dataset, episode.number)] = Int32(group)
      }
    }
    for (d, dataset) in datasets.enumerated() {
      let values = try EpisodeValues(dataset)
      for (s, shard) in dataset.shards.enumerated() {
        for local in 0..<shard.index.episodeCount {
          guard selections[d]?.keeps(local, shard: s) ?? true,
            try filters[d].keeps(shard.index, local)
          else { continue }
          let at = place(d, dataset.firstEpisodes[s] + local)
          var what = "no rows"
          if case .value(let name) = grouping {
            let value = try EpisodeGroups.value(name, values, shard, local)
            table[at] = places[EpisodeGroups.key(value)] ?? -1
            what = "'\(name)' \(value.text()), and no episode with it is"
          }
          guard table[at] < 0 else { continue }
          throw TrajpackError(
            .usage, option: "normalize",
            "episode '\(shard.index.episode(local).id)' has \(what) in \(rows.text), whose "
              + "statistics it would be normalised by: name another 'normalize_split', or leave the episode out"
          )
        }
      }
    }
    out.groupings.append(
      .init(by: grouping.text, values: groups.values.map { $0 ?? .null }, groups: table))
  }
}

extension LoaderOptions {
  /// Whether 'normalize' names a channel by its path.
  func names(_ path: String) -> Bool {
    normalize.rules.contains { $0.pattern.text == path }
  }
}
