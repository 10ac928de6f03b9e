import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

extension Loader {
  /// A loader of windows over one dataset, or over a mixture of several.
  ///
  /// - Throws: A usage error naming the option that does not fit the data; a data error where statistics
  ///   or times that are needed are damaged.
  public convenience init(
    _ datasets: [OpenDataset], _ options: LoaderOptions
  ) throws(TrajpackError) {
    guard !datasets.isEmpty, datasets.count <= 65_535 else {
      throw TrajpackError(.usage, "a loader needs a dataset")
    }
    if let weights = options.weights, weights.count != datasets.count {
      throw TrajpackError(
        .usage,
        "'weights' has \(counted(weights.count, "number")) for \(counted(datasets.count, "dataset")); give "
          + "one each")
    }
    if options.epochWindows != nil, options.weights == nil, options.windowWeights == nil,
      options.replacement != true
    {
      throw TrajpackError(
        .usage,
        "'epoch_windows' is for mixtures, for 'window_weights' and for 'replacement': give 'weights' or "
          + "\"replacement\": true too, or leave it out")
    }
    let views =
      if let plan = options.plan {
        try ShardView.prepared(
          datasets.map(\.shards),
          by: try plan.naming(datasets.map(\.dataset)), threads: options.threads,
          scheme: try plan.fitsSplit
            ? SchemedRows(datasets, scheme: options.scheme, fold: options.fold) : nil,
          value: try plan.fitsValues ? FittedStatistics.values(of: datasets) : nil)
      } else {
        datasets.map { $0.shards.map { ShardView($0) } }
      }
    let schemas = Schemas(views)
    let frames = try FrameSelection(views, options)
    let selection = try Selection(schemas.distinct, options, frames: frames)
    let facts = StreamProfile(views)
    try selection.checkEntities(options, facts)
    let reference = try Self.reference(selection, schemas.distinct, facts, options)
    var rows = options.length ?? 1
    if let duration = options.duration {
      rows = try facts.rows(of: duration, reference: reference, rate: options.rate)
    }
    let selections = try Self.selections(datasets, options)
    let filter = try EpisodeFilter(options, selections.contains { $0 == nil } ? facts.splits : nil)
    try filter.checkIDs(datasets)
    let unsplit = try EpisodeFilter(options, nil)
    let kept = try datasets.indices.mapThrowing { (d) throws(TrajpackError) in
      try (selections[d] == nil ? filter : unsplit).on(datasets[d])
    }
    let clips = try Self.clips(
      datasets, views, options, reference: reference, selections, kept)
    if let clips { rows = clips.longest }
    let length = options.past + rows + options.future
    let native = try NativeRows(
      views,
      streams: Set(
        selection.items.filter {
          options.align.value(stream: $0.stream, channel: $0.channel.name) == .native
        }.map(\.stream)), reference: reference, length: length, options)
    let unmeasured = options.normalizes ? ShardView.unmeasured(views) : [:]
    let values = try LoaderValues(options.values, datasets, views, facts)
    let lookup = options.meta ? try SplitLookup(datasets, options, own: facts.splits) : nil
    var layout = try Layout(
      selection, options,
      Layout.Facts(
        length: length, entities: facts.entities,
        nativeRows: native.most, reference: reference, sparse: facts.sparse,
        normalization: try NormalizationFit(datasets, options, filter, selections).statistics(
          selection, unmeasured: Set(unmeasured.keys)), unmeasured: unmeasured,
        values: values.tables.map { ($0.field, $0.type) }, texts: values.texts.map(\.name),
        splits: lookup?.names ?? [],
        kinds: Set(views.joined().flatMap(\.shard.schema.entityKinds)).sorted()))
    try layout.follow(frames, options)
    try layout.checkDepth(schemas.distinct, options)
    let rule = Self.rule(layout, options, facts, reference: reference, length: length)
    let blocks = try frames.blocks(views, options, reach: rule.reach.count) {
      (d, s, episode) throws(TrajpackError) in
      guard selections[d]?.keeps(episode, shard: s) != false else { return false }
      return try kept[d].keeps(views[d][s].index, episode)
    }
    let programs = schemas.distinct.map { ShardPrograms($0, layout, reference: reference) }
    if let clips { try Self.check(clips, rule) }
    var number = 0
    var sources: [WindowSource] = []
    for (d, dataset) in datasets.enumerated() {
      var shards: [LoadedShard] = []
      for (s, shard) in views[d].enumerated() {
        shards.append(
          LoadedShard(
            shard, number: number, programs: programs[schemas.numbers[d][s]],
            firstEpisode: dataset.firstEpisodes[s], firstTrack: dataset.firstTracks[s], options))
        number += 1
      }
      let own = kept[d]
      let source =
        if let clips {
          WindowSource(shards, rule, clips: clips, dataset: d, split: selections[d])
        } else {
          try WindowSource(shards, rule, own, split: selections[d])
        }
      guard source.count > 0 else {
        throw Self.noWindows(
          dataset, own, selections[d], facts, reference: reference, length: length, options)
      }
      sources.append(source)
    }
    guard number < 1 << 16, programs.allSatisfy({ $0.reads.count < 256 }) else {
      throw TrajpackError(.usage, "a loader takes at most 65,535 shards, and 255 streams of each")
    }
    let windows = sources.reduce(UInt64?(0)) { sum, source in sum?.adding(source.count) }
    guard let windows, windows <= WindowSource.maximum else { throw WindowSource.tooMany }
    let chooser = Chooser(
      datasets: datasets, schemas: schemas.distinct, options: options, reference: reference,
      varying: ShardView.varying(views))
    let choices = try chooser.choose(
      LoaderSetup(
        sources: sources, layout: layout, options: options, past: options.past, length: length,
        clips: clips))
    for (d, choice) in (choices ?? []).enumerated() { sources[d].chosen = choice.set }
    let setup = LoaderSetup(
      sources: sources, layout: layout, options: options, past: options.past, length: length,
      choices: choices, rates: facts.singleRates, values: values, splits: lookup, clips: clips,
      frames: frames.streams.isEmpty
        && !layout.channels.contains { $0.picture?.isConverted == true }
        ? nil
        : FrameSetup(
          frames, layout, media: datasets.flatMap { set in set.shards.map { _ in set.media } },
          options, blocks))
    var order = WindowOrder(
      sizes: sources.map(\.count), weights: options.weights, epochWindows: options.epochWindows,
      shuffle: options.shuffle, seed: options.seed)
    if let groups = blocks?.groups {
      order.blocks = try Self.blocks(
        sources, groups, reach: rule.reach.lowerBound, isMixed: options.weights != nil)
    }
    order.hasReplacement = options.replacement == true
    for (d, table) in (try chooser.weigh(setup) ?? []).enumerated() { order.weights[d] = table }
    let cut = WindowCursor.Cut(
      batch: options.batch, rank: options.rank, world: options.world, dropLast: options.dropLast)
    try Self.check(cut, order)
    self.init(
      setup, order: order, cut: cut, reference: reference,
      digest: try Self.digest(
        datasets, sources, options, order.blocks, reference: reference, clips: clips?.digest))
  }

  /// Blocks of all windows, or of those of each dataset of a mixture.
  private static func blocks(
    _ sources: [WindowSource], _ groups: FrameBlocks.Groups, reach: Int, isMixed: Bool
  ) throws(TrajpackError) -> [BlockTable] {
    var tables: [BlockTable] = []
    var starts: [UInt64] = []
    var count: UInt64 = 0
    for source in sources {
      starts += try source.starts(groups, reach: reach).map { $0 + count }
      count += source.count
      guard isMixed else { continue }
      tables.append(BlockTable(starts: starts, count: count, pool: groups.count))
      (starts, count) = ([], 0)
    }
    return isMixed ? tables : [BlockTable(starts: starts, count: count, pool: groups.count)]
  }

  /// - Throws: A usage error where an epoch has no batch.
  static func check(_ cut: WindowCursor.Cut, _ order: WindowOrder) throws(TrajpackError) {
    guard cut.steps(ofEpoch: order.epochWindows) > 0 else {
      throw TrajpackError(
        .usage,
        "an epoch has \(counted(order.epochWindows, "window")), too few for a whole batch of "
          + "\(cut.batch) on \(cut.world == 1 ? "one rank" : "each of \(cut.world) ranks"): "
          + "make 'batch' smaller, or turn 'drop_last' off")
    }
  }

  /// The stream whose clock counts rows.
  static func reference(
    _ selection: Selection, _ schemas: [Schema], _ facts: StreamProfile, _ options: LoaderOptions
  ) throws(TrajpackError) -> String {
    if let name = options.reference {
      let names = schemas.flatMap { $0.streams.map(\.name) }
      guard names.contains(name) else {
        throw TrajpackError(
          .usage, option: "reference",
          "there is no stream '\(name)'"
            + Suggestion.text(for: name, among: Array(Set(names)).sorted()))
      }
      return name
    }
    let own = selection.streams.first { facts.entities[$0] == 0 }
    if own == nil, options.clips != nil {
      // Entities come and go; a clip is one of the recording.
      let all = schemas.flatMap { $0.streams.map(\.name) }
      if let stream = all.first(where: { facts.entities[$0] == 0 }) { return stream }
    }
    return own ?? selection.streams[0]
  }

  /// How windows are cut: the window's own rows, and offsets that reach beyond it.
  private static func rule(
    _ layout: Layout, _ options: LoaderOptions, _ facts: StreamProfile, reference: String,
    length: Int
  ) -> WindowRule {
    var low = 0
    var high = 0
    if layout.groups.contains(where: { $0.offsets == nil }) {
      (low, high) = (-options.past, length - options.past - 1)
    }
    var seconds: ClosedRange<Double>?
    for group in layout.groups {
      let isAlike = group.stream == reference || facts.rates(group.stream) == facts.rates(reference)
      for offset in group.offsets ?? [] {
        switch offset {
        case .rows(let rows):
          guard isAlike, options.rate == nil || group.stream != reference else { continue }
          (low, high) = (min(low, rows), max(high, rows))
        case .seconds(let time):
          let now = seconds ?? 0...0
          seconds = min(now.lowerBound, time.value)...max(now.upperBound, time.value)
        }
      }
    }
    return WindowRule(
      reach: low...high, seconds: seconds, stride: options.stride, edge: options.edge,
      rate: options.rate, tolerance: options.tolerance)
  }

  private static func noWindows(
    _ dataset: OpenDataset, _ filter: EpisodeFilter, _ split: SplitSelection?,
    _ facts: StreamProfile, reference: String, length: Int, _ options: LoaderOptions
  ) -> TrajpackError {
    let path = dataset.dataset.path
    var kept = 0
    for (s, shard) in dataset.shards.enumerated() {
      for episode in 0..<shard.index.episodeCount
      where split?.keeps(episode, shard: s) ?? true
        && (try? filter.keeps(shard.index, episode)) == true
      {
        kept += 1
      }
    }
    if kept == 0 {
      return TrajpackError(
        .usage, file: path,
        "no episode is left by 'split', 'episodes' and 'where' (of \(dataset.episodeCount))"
          + ((try? filter.reason(in: dataset)) ?? "")
      )
    }
    if let split, split.cutsEpisodes {
      return TrajpackError(
        .usage, file: path,
        "no window of \(counted(length, "row")) of '\(reference)' fits into the spans of the split "
          + "scheme '\(split.scheme)' in \(counted(kept, "episode")); make 'length' smaller, give the splits more "
          + "'context' for 'past', or set 'edge' to 'pad'")
    }
    return TrajpackError(
      .usage, file: path,
      "no window of \(counted(length, "row")) of '\(reference)' fits into "
        + (kept == 1 ? "the only episode, which has " : "any of \(kept) episodes; the longest has ")
        + "\(counted(facts.longest[reference] ?? 0, "row")); make 'length' smaller or set 'edge' to 'pad'"
    )
  }

  /// A digest of the content and of what decides which window has which number.
  private static func digest(
    _ datasets: [OpenDataset], _ sources: [WindowSource], _ options: LoaderOptions,
    _ blocks: [BlockTable], reference: String, clips: String?
  ) throws(TrajpackError) -> UInt64 {
    var text =
      datasets.map(\.digest).joined(separator: " ") + " \(reference) \(sources.map(\.count))"
    for split in sources.compactMap(\.split) { text += " scheme=\(split.identity)" }
    // States that were saved before there was a table have this option before 'replacement'.
    let late = "tolerance"
    var names = LoaderOptions.table.options.filter { $0.isInDigest && $0.name != late }.map(\.name)
    names.insert(late, at: names.firstIndex(of: "replacement") ?? names.endIndex)
    for name in names {
      if let value = options.json[name] { text += " \(name)=\(value.text())" }
    }
    for table in blocks { text += " blocks=\(table.digest)" }
    if let clips { text += " clips=\(clips)" }
    // Values that were set later decide which windows there are, and are no part of the data's digest.
    for dataset in datasets {
      if let values = try dataset.digest(ofValues: options.valuesAskedFor) {
        text += " values=\(values)"
      }
    }
    return text.utf8.reduce(SplitMix64.increment) { SplitMix64.mix($0 ^ UInt64($1)) }
  }
}

/// The schemas of all shards, equal ones once.
private struct Schemas {
  var distinct: [Schema] = []
  /// The schema of each shard of each dataset.
  var numbers: [[Int]] = []

  init(_ datasets: [[ShardView]]) {
    for dataset in datasets {
      numbers.append(
        dataset.map { shard in
          // What differs from shard to shard is no part of it.
          var schema = shard.schema
          schema.splits = []
          schema.entityKinds = []
          schema.attributes = .object([])
          for i in schema.blocks.indices {
            schema.blocks[i].rows = 0
            schema.blocks[i].firstChunk = 0
          }
          if let known = distinct.firstIndex(of: schema) { return known }
          distinct.append(schema)
          return distinct.count - 1
        })
    }
  }
}
