import TrajpackFormat
import TrajpackStore

/// Finds what a rule comes to in a dataset.
struct SplitResolver {
  /// An episode of the dataset.
  struct Episode {
    var shard: Int
    var number: Int
    var id: String
  }

  let dataset: OpenDataset
  let rule: SplitRule
  let episodes: [Episode]
  private let values: EpisodeValues

  init(_ dataset: OpenDataset, _ rule: SplitRule) throws(TrajpackError) {
    values = try EpisodeValues(dataset)
    self.dataset = dataset
    self.rule = rule
    var episodes: [Episode] = []
    episodes.reserveCapacity(dataset.episodeCount)
    for (s, shard) in dataset.shards.enumerated() {
      for number in 0..<shard.index.episodeCount {
        episodes.append(Episode(shard: s, number: number, id: shard.index.id(ofEpisode: number)))
      }
    }
    self.episodes = episodes
  }

  /// The split, or fold, of each episode as a whole; `nil` for none.
  typealias Whole = [Int?]

  func scheme() throws(TrajpackError) -> SplitScheme {
    var scheme = SplitScheme(splits: rule.splits.map(\.name), rule: rule.json)
    if let folds = rule.folds {
      (scheme.splits, scheme.folds) = (SplitScheme.foldSplits, folds)
      scheme.foldsGrow = rule.foldsGrow
      if rule.foldsCutRows {
        scheme.episodes = try spans(ofFolds: folds)
      } else {
        scheme.episodes = paired(try SplitDraw(self).folds(folds))
      }
      return scheme
    }
    if let by = rule.by {
      let (names, whole) = try valued(by)
      scheme.splits = names
      scheme.episodes = paired(whole)
      return scheme
    }
    let whole = try named()
    scheme.episodes = paired(whole)
    if rule.splits.contains(where: { $0.selectors.contains(where: \.isRange) }) {
      scheme.episodes += try spans(besides: whole)
    }
    try refuseEmpty(scheme)
    return scheme
  }

  private func paired(_ whole: Whole) -> [(id: String, assignment: SplitScheme.Assignment)] {
    zip(episodes, whole).compactMap { episode, split in
      split.map { (episode.id, .whole($0)) }
    }
  }

  private func refuseEmpty(_ scheme: SplitScheme) throws(TrajpackError) {
    var isFilled = [Bool](repeating: false, count: scheme.splits.count)
    for (_, assignment) in scheme.episodes {
      switch assignment {
      case .whole(let split): isFilled[split] = true
      case .spans(let spans): for span in spans { isFilled[span.split] = true }
      }
    }
    guard let empty = isFilled.firstIndex(of: false) else { return }
    throw TrajpackError(
      .usage,
      "\(dataset.dataset.path): the split '\(scheme.splits[empty])' is empty: nothing of the "
        + "\(counted(episodes.count, "episode")) belongs to it; leave it out, or change its rule")
  }

  /// The episodes that are named by id, pattern, folder or value, drawn, or left.
  private func named() throws(TrajpackError) -> Whole {
    var whole = Whole(repeating: nil, count: episodes.count)
    func take(_ episode: Int, _ split: Int) throws(TrajpackError) {
      if let other = whole[episode], other != split {
        throw TrajpackError(
          .usage,
          "the splits '\(rule.splits[other].name)' and '\(rule.splits[split].name)' overlap: both have the episode "
            + "'\(episodes[episode].id)'; an episode belongs to one split")
      }
      whole[episode] = split
    }
    var places: [String: Int]?
    for (split, (name, selectors)) in rule.splits.enumerated() {
      for selector in selectors {
        switch selector {
        case .ids(let ids):
          let all =
            places
            ?? Dictionary(
              zip(episodes.map(\.id), episodes.indices), uniquingKeysWith: { first, _ in first })
          places = all
          let strangers = ids.filter { all[$0] == nil }
          guard strangers.isEmpty else { throw unknown(strangers, name) }
          for id in ids { try take(all[id] ?? 0, split) }
        case .pattern(let text):
          let pattern = Pattern(text)
          for i in episodes.indices where pattern.matches(episodes[i].id) { try take(i, split) }
        case .folder(let folder):
          for i in episodes.indices where episodes[i].id.hasPrefix(folder + "/") {
            try take(i, split)
          }
        case .condition(let path, let condition):
          var isKnown = false
          for i in episodes.indices {
            let value = try known(path, of: i)
            if value != nil { isKnown = true }
            if condition.holds(value) { try take(i, split) }
          }
          guard isKnown else { throw try unknown(value: path, name) }
        case .range, .share, .rest: break
        }
      }
    }
    let draw = try SplitDraw(self)
    for (episode, split) in try draw.shares(of: whole.indices.filter { whole[$0] == nil }) {
      try take(episode, split)
    }
    let rest = rule.splits.indices.filter { i in
      rule.splits[i].selectors.contains {
        if case .rest = $0 { return true }
        return false
      }
    }
    guard rest.count <= 1 else {
      throw TrajpackError(
        .usage,
        "the splits \(rest.map { "'\(rule.splits[$0].name)'" }.joined(separator: " and ")) both are the rest; one "
          + "can be")
    }
    if let split = rest.first {
      guard !rule.splits.contains(where: { $0.selectors.contains(where: \.isRange) }) else {
        throw TrajpackError(
          .usage,
          "the split '\(rule.splits[split].name)' is the rest of the episodes, and ranges take all of them; give "
            + "its range")
      }
      for i in whole.indices where whole[i] == nil { whole[i] = split }
    }
    return whole
  }

  private func unknown(_ ids: [String], _ split: String) -> TrajpackError {
    TrajpackError(
      .usage,
      "\(dataset.dataset.path): \(ids.count) of the ids of the split '\(split)' "
        + "\(ids.count == 1 ? "is" : "are") not in the dataset: "
        + Suggestion.list(of: ids, among: episodes.map(\.id)))
  }

  private func unknown(value name: String, _ split: String) throws(TrajpackError) -> TrajpackError {
    let table = try ValueTable(dataset.shards, annotations: try dataset.annotations())
    return TrajpackError(
      .usage,
      "\(dataset.dataset.path): no episode has a value '\(name)', by which the split '\(split)' goes"
        + Suggestion.text(for: name, among: table.columns.map(\.field.name)))
  }

  /// A value of an episode, or what a path leads to in its metadata; `nil` where there is none.
  private func known(_ name: String, of episode: Int) throws(TrajpackError) -> JSONValue? {
    let e = episodes[episode]
    let found = dataset.shards[e.shard].index.episode(e.number)
    return values.value(name, e.id, try values.metadata(of: found))
  }

  /// The value of an episode as text; `nil` where it has none.
  func value(_ path: String, of episode: Int) throws(TrajpackError) -> String? {
    let e = episodes[episode]
    if path == "folder" {
      let parts = e.id.pathComponents
      return parts.count > 1 ? parts[0] : nil
    }
    guard let found = try known(path, of: episode), found != .null else { return nil }
    if let number = found.double, let whole = Int64(exactly: number) { return String(whole) }
    return found.string ?? found.text()
  }

  /// The values of all episodes.
  ///
  /// - Throws: A usage error where an episode has none.
  func values(_ path: String, for use: String) throws(TrajpackError) -> [String] {
    var out: [String] = []
    var lacking: [String] = []
    for i in episodes.indices {
      if let value = try value(path, of: i) {
        out.append(value)
      } else {
        lacking.append(episodes[i].id)
      }
    }
    guard lacking.isEmpty else {
      throw TrajpackError(
        .usage,
        "\(dataset.dataset.path): '\(use)' goes by '\(path)', which \(lacking.count) of "
          + "\(counted(episodes.count, "episode")) do not have, '\(lacking[0])' for one"
          + (path == "folder"
            ? ": the id of an episode in a folder is 'FOLDER/NAME'"
            : "; 'trajpack info --episode' shows what they have"))
    }
    return out
  }

  private func valued(_ path: String) throws(TrajpackError) -> ([String], Whole) {
    let all = try values(path, for: "by")
    var places: [String: Int] = [:]
    var names: [String] = []
    var whole: Whole = []
    for value in all {
      let name = value.isEmpty ? "empty" : value.printable
      if places[name] == nil {
        places[name] = names.count
        names.append(name)
      }
      whole.append(places[name])
    }
    guard names.count <= 4096 else {
      throw TrajpackError(
        .usage,
        "'by' \(path) would make \(names.count) splits, where 4096 are the most; take a value with fewer different "
          + "ones")
    }
    return (names, whole)
  }
}

extension SplitRule.Selector {
  var isRange: Bool {
    if case .range = self { return true }
    return false
  }
}

extension SplitScheme {
  /// What a rule comes to in a dataset: the same on every run, whatever the threads or the cuts of shards.
  ///
  /// - Throws: A usage error where splits overlap or one is empty, an id is not there, or the rule does not fit the
  ///   data; a data error where metadata or times are damaged.
  package static func make(
    _ rule: SplitRule, of dataset: OpenDataset
  ) throws(TrajpackError) -> SplitScheme {
    try SplitResolver(dataset, rule).scheme()
  }
}
