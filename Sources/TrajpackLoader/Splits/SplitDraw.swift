import TrajpackFormat

/// Draws episodes for splits and folds: the same for the same seed and ids, in whatever order the dataset has them.
struct SplitDraw {
  private let resolver: SplitResolver
  private let strata: [String]?
  private let groups: [String]?

  init(_ resolver: SplitResolver) throws(TrajpackError) {
    self.resolver = resolver
    let rule = resolver.rule
    strata = try rule.stratify.map { (p) throws(TrajpackError) in
      try resolver.values(p, for: "stratify")
    }
    groups = try rule.group.map { (p) throws(TrajpackError) in
      try resolver.values(p, for: "group")
    }
  }

  /// A number at random, by the seed and a text (FNV-1a, mixed).
  private func key(_ text: String) -> UInt64 {
    let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    return SplitMix64.mix(SplitMix64.mix(resolver.rule.seed &+ SplitMix64.increment) ^ hash)
  }

  /// Some of all, each of ``Unit`` kept together, in an order at random.
  private struct Unit {
    var members: [Int]
    var key: UInt64
    var name: String
  }

  private func units(of episodes: [Int]) -> [Unit] {
    guard let groups else {
      return episodes.map {
        let id = resolver.episodes[$0].id
        return Unit(members: [$0], key: key(id), name: id)
      }
    }
    var places: [String: Int] = [:]
    var out: [Unit] = []
    for episode in episodes {
      let name = groups[episode]
      if let at = places[name] {
        out[at].members.append(episode)
      } else {
        places[name] = out.count
        out.append(Unit(members: [episode], key: key(name), name: name))
      }
    }
    return out
  }

  private func drawn(_ units: [Unit]) -> [Unit] {
    units.sorted { ($0.key, $0.name) < ($1.key, $1.name) }
  }

  /// The same, those of one stratum behind each other.
  private func ordered(_ units: [Unit], drawing: Bool) -> [Unit] {
    let all = drawing ? drawn(units) : units
    guard let strata else { return all }
    return all.enumerated().sorted {
      (strata[$0.element.members[0]], $0.offset) < (strata[$1.element.members[0]], $1.offset)
    }.map(\.element)
  }

  /// The splits that are shares of the episodes, of `episodes`.
  ///
  /// One episode (or group) after the other goes to the split that is the furthest below its share of those dealt so
  /// far, so that every run of the order, each stratum too, has the shares to within an episode or two.
  func shares(of episodes: [Int]) throws(TrajpackError) -> [(episode: Int, split: Int)] {
    let rule = resolver.rule
    var shares: [(split: Int?, share: Double)] = []
    for (split, (name, selectors)) in rule.splits.enumerated() {
      let own = selectors.compactMap {
        if case .share(let share) = $0 { return share.value }
        return nil
      }
      guard own.count <= 1 else {
        throw TrajpackError(.usage, "the split '\(name)' has several shares; give their sum")
      }
      if let own = own.first { shares.append((split, own)) }
    }
    guard !shares.isEmpty else { return [] }
    let sum = shares.reduce(0) { $0 + $1.share }
    guard sum <= 1 + 1e-9 else {
      throw TrajpackError(
        .usage,
        "the shares of the splits come to \(Int((sum * 100).rounded())) %; they can be 100 % at most"
      )
    }
    if sum < 1 - 1e-9 { shares.append((nil, 1 - sum)) }
    var counts = [Double](repeating: 0, count: shares.count)
    var (dealt, out) = (0.0, [(episode: Int, split: Int)]())
    for unit in ordered(units(of: episodes), drawing: true) {
      dealt += Double(unit.members.count)
      var best = 0
      var most = -Double.infinity
      for (i, share) in shares.enumerated() {
        let due = share.share * dealt - counts[i]
        if due > most + 1e-9 { (best, most) = (i, due) }
      }
      counts[best] += Double(unit.members.count)
      if let split = shares[best].split { out += unit.members.map { ($0, split) } }
    }
    return out
  }

  /// The fold of every episode.
  ///
  /// - Throws: A usage error where there are fewer episodes, or groups, than folds.
  func folds(_ folds: Int) throws(TrajpackError) -> SplitResolver.Whole {
    let all = Array(resolver.episodes.indices)
    let units = units(of: all)
    guard units.count >= folds else {
      throw TrajpackError(
        .usage, file: resolver.dataset.dataset.path,
        "\(folds) folds of "
          + (groups == nil
            ? counted(units.count, "episode") : "\(counted(units.count, "group")) of episodes")
          + ": there must be at least one for each; make 'folds' smaller, or cut rows with \"over\": \"rows\""
      )
    }
    var out = SplitResolver.Whole(repeating: nil, count: all.count)
    if groups != nil {
      // The largest first, each to the fold that has the fewest episodes.
      var sizes = [Int](repeating: 0, count: folds)
      let order =
        (resolver.rule.isShuffled ? drawn(units) : units).enumerated().sorted {
          ($1.element.members.count, $0.offset) < ($0.element.members.count, $1.offset)
        }
      for (_, unit) in order {
        let fold = sizes.indices.min { (sizes[$0], $0) < (sizes[$1], $1) } ?? 0
        sizes[fold] += unit.members.count
        for episode in unit.members { out[episode] = fold }
      }
      return out
    }
    let order = ordered(units, drawing: resolver.rule.isShuffled)
    if strata != nil {
      for (i, unit) in order.enumerated() { out[unit.members[0]] = i % folds }
      return out
    }
    for fold in 0..<folds {
      for i in Self.block(fold, of: folds, count: order.count) { out[order[i].members[0]] = fold }
    }
    return out
  }

  /// The elements of a fold where `count` in a row are cut into folds: the first ones have one more, where it does not
  /// come out even.
  static func block(_ fold: Int, of folds: Int, count: Int) -> Range<Int> {
    let (size, more) = (count / folds, count % folds)
    let first = fold * size + min(fold, more)
    return first..<first + size + (fold < more ? 1 : 0)
  }

  /// The elements of a stretch where `count` in a row are cut into one that is only for training and a test for each
  /// fold, all tests as long as each other: scikit-learn's `TimeSeriesSplit`.
  static func step(_ part: Int, of folds: Int, count: Int) -> Range<Int> {
    let size = count / (folds + 1)
    let first = count - folds * size
    return part == 0 ? 0..<first : first + (part - 1) * size..<first + part * size
  }
}
