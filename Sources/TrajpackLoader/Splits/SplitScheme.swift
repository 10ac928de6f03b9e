import TrajpackFormat
import TrajpackStore

/// Named parts of a dataset: whole episodes, or spans of time inside them. `schemas/splits.schema.json` describes
/// its JSON, which is the content of a side file of the role `splits`.
package struct SplitScheme: Sendable {
  /// Rows of an episode whose times lie in [``from``, ``to``), on the episode's clock.
  struct Span: Sendable {
    /// The split, or the fold.
    var split: Int
    /// The first instant; `nil` for the beginning of the episode.
    var from: Instant?
    /// The first instant behind it; `nil` where it lasts to the end.
    var to: Instant?
    /// The first instant that windows may see before ``from``; `nil` for the beginning of the episode.
    var seenFrom: Instant?

    /// When its rows are.
    var range: TimeRange { TimeRange(from: from, to: to) }
    /// When the rows are that windows may see.
    var seen: TimeRange { TimeRange(from: seenFrom, to: to) }
  }

  /// What belongs to a split of an episode.
  enum Assignment: Sendable {
    case whole(Int)
    case spans([Span])
  }

  /// The name that counts where none is given.
  package static let defaultName = "default"
  /// The splits of a scheme of folds: the fold that is left out, and all others.
  static let foldSplits = ["train", "test"]

  /// The splits, in the order of the rule; ``foldSplits`` where there are folds.
  package var splits: [String]
  /// How many folds there are; 0 where the scheme has none.
  package var folds = 0
  /// Whether stretch 0 of a scheme of folds is never a test, the test of fold f is stretch f + 1, and only those before
  /// it are its training rows.
  package var foldsGrow = false
  /// What it was made by.
  package var rule: JSONValue
  /// What belongs to a split of each episode that has a part in one, by id.
  var episodes: [(id: String, assignment: Assignment)] = []

  /// The numbers that parts of episodes may have: splits, or stretches of folds.
  var parts: Int { folds > 0 ? folds + (foldsGrow ? 1 : 0) : splits.count }

  /// What the part of a number is called: the split, or `fold 0`.
  func name(ofPart number: Int) -> String {
    guard folds > 0 else { return splits[number] }
    guard foldsGrow else { return "fold \(number)" }
    return number == 0 ? "before fold 0" : "fold \(number - 1)"
  }

  /// What the part of a number is where a fold is the test: `test`, `train`, or neither; without one as ``name(ofPart:)``.
  func name(ofPart number: Int, fold: Int?) -> String? {
    guard folds > 0, let fold else { return name(ofPart: number) }
    let test = foldsGrow ? fold + 1 : fold
    return number == test ? "test" : foldsGrow && number > test ? nil : "train"
  }

  /// Whether a split ends or begins inside an episode.
  package var cutsEpisodes: Bool {
    episodes.contains {
      if case .spans = $0.assignment { return true }
      return false
    }
  }
}

extension SplitScheme {
  /// How many episodes have no part in any split: those that no rule took, and those that were added after the scheme
  /// was made.
  package func episodesInNone(of dataset: OpenDataset) -> Int {
    let known = Set(episodes.map(\.id))
    return dataset.shards.reduce(0) { sum, shard in
      sum + (0..<shard.index.episodeCount).count { !known.contains(shard.index.id(ofEpisode: $0)) }
    }
  }

  /// The content of the side file.
  package var json: JSONValue {
    var whole: [JSONValue] = []
    var cut: [JSONValue] = []
    for (id, assignment) in episodes {
      switch assignment {
      case .whole(let split): whole.append(.array([.string(id), .int(Int64(split))]))
      case .spans(let spans):
        cut.append(
          .array([
            .string(id),
            .array(
              spans.map { span in
                .array([
                  .int(Int64(span.split)), Self.json(span.from), Self.json(span.to),
                  Self.json(span.seenFrom),
                ])
              }),
          ]))
      }
    }
    return .record([
      "splits": .array(splits.map { .string($0) }),
      "folds": folds > 0 ? .int(Int64(folds)) : nil, "grow": foldsGrow ? true : nil, "rule": rule,
      "episodes": .array(whole),
      "spans": cut.isEmpty ? nil : .array(cut),
    ])
  }

  /// Reads the content of a side file.
  ///
  /// - Throws: A data error naming the member that is damaged.
  package init(json: JSONValue, at path: String) throws(TrajpackError) {
    let reader = JSONReader(json, at: path)
    splits = try reader.list("splits") { (r) throws(TrajpackError) in try r.text() }
    folds = try reader.optionalInteger("folds") ?? 0
    foldsGrow = json["grow"]?.bool ?? false
    rule = try reader.object("rule")
    guard !splits.isEmpty, Set(splits).count == splits.count, (0...1 << 20).contains(folds),
      folds == 0 || splits == Self.foldSplits
    else { throw reader.wrong("splits of different names") }
    let numbers = 0..<parts
    var seen: Set<String> = []
    func entry(
      _ r: JSONReader
    ) throws(TrajpackError) -> (id: String, rest: JSONValue) {
      guard let pair = r.value.array, pair.count == 2, let id = pair[0].string else {
        throw r.wrong("an id and what belongs to it")
      }
      guard seen.insert(id).inserted else { throw r.wrong("each episode once, not '\(id)' again") }
      return (id, pair[1])
    }
    episodes = try reader.list("episodes") { (r) throws(TrajpackError) in
      let (id, split) = try entry(r)
      guard let split = split.int, numbers.contains(split) else {
        throw r.wrong("the number of a split")
      }
      return (id, .whole(split))
    }
    guard json["spans"] != nil else { return }
    episodes += try reader.list("spans") { (r) throws(TrajpackError) in
      let (id, list) = try entry(r)
      var spans: [Span] = []
      for item in list.array ?? [] {
        guard let parts = item.array, parts.count == 4, let split = parts[0].int,
          numbers.contains(split)
        else { throw r.wrong("spans of a split and three instants") }
        spans.append(
          Span(
            split: split, from: try Self.instant(parts[1], r), to: try Self.instant(parts[2], r),
            seenFrom: try Self.instant(parts[3], r)))
      }
      guard !spans.isEmpty else { throw r.wrong("at least one span") }
      return (id, .spans(spans))
    }
  }

  /// An instant: a fraction as text where it is exact, a number where the clock is of doubles, or null.
  private static func json(_ instant: Instant?) -> JSONValue {
    switch instant {
    case nil: .null
    case .exact(let n, let d): .string(d == 1 ? "\(n)" : "\(n)/\(d)")
    case .real(let x): .double(x)
    }
  }

  private static func instant(
    _ value: JSONValue, _ reader: JSONReader
  ) throws(TrajpackError) -> Instant? {
    switch value {
    case .null: return nil
    case .int(let n): return .real(Double(n))
    case .uint(let n): return .real(Double(n))
    case .double(let x): return .real(x)
    case .string(let text):
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard (1...2).contains(parts.count), let n = Int128(parts[0]),
        let d = parts.count == 2 ? Int128(parts[1]) : 1, d > 0
      else { break }
      return .exact(n, d)
    default: break
    }
    throw reader.wrong("an instant: a fraction as text, a number, or null")
  }
}

extension SplitScheme {
  /// The scheme of a dataset by its name; `nil` stands for the one that counts where none is named: `default`, or the
  /// only one of a dataset whose shards have no splits of their own.
  ///
  /// - Returns: `nil` where the shards' own splits count.
  /// - Throws: A usage error where there is no scheme of that name, or it must be named; a data error where its side
  ///   file is damaged.
  package static func find(
    _ name: String?, in dataset: Dataset, hasOwn: Bool
  ) throws(TrajpackError) -> (name: String, digest: String, scheme: SplitScheme)? {
    let files = dataset.sideFiles(.splits)
    var wanted = name
    if wanted == nil {
      if files.contains(where: { $0.name == defaultName }) {
        wanted = defaultName
      } else if hasOwn || files.isEmpty {
        return nil
      } else if files.count == 1 {
        wanted = files[0].name
      } else {
        throw TrajpackError(
          .usage, file: dataset.path,
          "has several split schemes, none of them named '\(defaultName)': name one of "
            + files.map { "'\($0.name)'" }.joined(separator: ", "))
      }
    }
    guard let wanted, let file = files.first(where: { $0.name == wanted }) else {
      throw TrajpackError(
        .usage, file: dataset.path,
        "there is no split scheme '\(wanted ?? "")'"
          + (files.isEmpty
            ? "; it has none: make one with 'trajpack split'"
            : Suggestion.text(for: wanted ?? "", among: files.map(\.name))))
    }
    let scheme = try SplitScheme(
      json: try dataset.content(of: file), at: "\(dataset.path)/\(file.file): content")
    return (wanted, file.sha256, scheme)
  }
}
