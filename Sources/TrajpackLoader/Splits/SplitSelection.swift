import TrajpackFormat
import TrajpackStore

/// The part of a dataset that some splits of a scheme select.
///
/// To go over the target rows of a split (its rows without the context before it), as statistics do:
///
///     let selection = try SplitSelection(opened, scheme: "paper", splits: ["train"], fold: nil)
///     for (number, shard) in opened.shards.enumerated() {
///       for track in 0..<shard.index.trackCount {
///         let rows = try selection.targetRows(
///           ofTrack: track, shard: number, of: opened, BlockReader(shard))
///       }
///     }
package struct SplitSelection: Sendable {
  /// What is selected of an episode.
  enum Part: Sendable {
    case nothing
    case whole
    /// Those of ``spans``, in the order of time: windows have their targets in them.
    case spans(Range<Int>)
  }

  /// The scheme's name.
  package let scheme: String
  /// The digest of the scheme's side file.
  package let digest: String
  /// What decides the selection, as text: the scheme's digest, the splits and the fold.
  package let identity: String
  /// The spans of all episodes, one after the other; one that goes on in another split has the number of its first.
  let spans: [SplitScheme.Span]
  /// Of each shard and episode: -1 for nothing, -2 for all of it, else the first of its spans.
  private let states: [[Int32]]
  /// Of each episode with spans, by the first of them: how many.
  private let counts: [Int32: Int32]

  /// Whether rows of an episode are selected and others of it are not.
  package var cutsEpisodes: Bool { !spans.isEmpty }

  /// Selects splits of a scheme.
  ///
  /// - Parameters:
  ///   - scheme: The scheme; `nil` for the one that counts where none is named.
  ///   - splits: Their names; all of the scheme's where `nil`.
  ///   - fold: The fold that is the test, of a scheme of folds.
  /// - Returns: `nil` where no scheme is named and the shards' own splits count.
  /// - Throws: A usage error where there is no such scheme, split or fold.
  package init?(
    _ dataset: OpenDataset, scheme name: String?, splits: [String]?, fold: Int?
  ) throws(TrajpackError) {
    let hasOwn = dataset.shards.contains { $0.schema.splits.contains { !$0.isEmpty } }
    guard let found = try SplitScheme.find(name, in: dataset.dataset, hasOwn: hasOwn) else {
      guard fold == nil else {
        throw TrajpackError(
          .usage, option: "fold",
          "the splits of the shards have no folds; name a scheme that has some")
      }
      return nil
    }
    let scheme = found.scheme
    for split in splits ?? [] where !scheme.splits.contains(split) {
      throw TrajpackError(
        .usage, option: "split",
        "the scheme '\(found.name)' has no split '\(split)'"
          + Suggestion.text(for: split, among: scheme.splits))
    }
    let wanted = try Self.numbers(scheme, found.name, splits, fold)
    var chosen: [String: [SplitScheme.Span]?] = [:]
    chosen.reserveCapacity(scheme.episodes.count)
    for (id, assignment) in scheme.episodes {
      switch assignment {
      case .whole(let split): if wanted.contains(split) { chosen[id] = .some(nil) }
      case .spans(let all):
        let own = Self.joined(all.filter { wanted.contains($0.split) })
        if !own.isEmpty { chosen[id] = .some(own) }
      }
    }
    var spans: [SplitScheme.Span] = []
    var counts: [Int32: Int32] = [:]
    self.states = dataset.shards.map { shard in
      (0..<shard.index.episodeCount).map { number in
        guard !chosen.isEmpty, let own = chosen[shard.index.id(ofEpisode: number)] else {
          return -1
        }
        guard let own else { return -2 }
        let first = Int32(spans.count)
        counts[first] = Int32(own.count)
        spans += own
        return first
      }
    }
    self.spans = spans
    self.counts = counts
    self.scheme = found.name
    digest = found.digest
    identity =
      "\(found.digest) \(splits.map { "\($0)" } ?? "all") \(fold.map { "\($0)" } ?? "-")"
  }

  /// The numbers of the splits that are wanted, or of the folds.
  private static func numbers(
    _ scheme: SplitScheme, _ name: String, _ splits: [String]?, _ fold: Int?
  ) throws(TrajpackError) -> Set<Int> {
    guard scheme.folds > 0 else {
      guard fold == nil else {
        throw TrajpackError(.usage, option: "fold", "the split scheme '\(name)' has no folds")
      }
      return Set(scheme.splits.indices.filter { splits?.contains(scheme.splits[$0]) ?? true })
    }
    guard let splits else { return Set(0..<scheme.parts) }
    guard let fold else {
      throw TrajpackError(
        .usage,
        "the split scheme '\(name)' has \(scheme.folds) folds: say with 'fold' which of 0 to "
          + "\(scheme.folds - 1) is the test")
    }
    guard (0..<scheme.folds).contains(fold) else {
      throw TrajpackError(
        .usage, option: "fold",
        "the split scheme '\(name)' has folds 0 to \(scheme.folds - 1), not \(fold)")
    }
    var out: Set<Int> = []
    let test = scheme.foldsGrow ? fold + 1 : fold
    if splits.contains("test") { out.insert(test) }
    if splits.contains("train") {
      out.formUnion((0..<scheme.parts).filter { scheme.foldsGrow ? $0 < test : $0 != test })
    }
    return out
  }

  /// Spans in the order of time; one that begins where another ends goes on with it.
  private static func joined(_ spans: [SplitScheme.Span]) -> [SplitScheme.Span] {
    let sorted = spans.sorted { a, b in
      guard let b = b.from else { return false }
      return a.from.map { $0 < b } ?? true
    }
    var out: [SplitScheme.Span] = []
    for span in sorted {
      if let last = out.last, let end = last.to, let from = span.from, !(end < from) {
        out[out.count - 1].to = span.to
      } else {
        out.append(span)
      }
    }
    return out
  }

  /// What is selected of an episode of a shard, both by number.
  func part(ofEpisode number: Int, shard: Int) -> Part {
    switch states[shard][number] {
    case -1: return .nothing
    case -2: return .whole
    case let first: return .spans(Int(first)..<Int(first + (counts[first] ?? 0)))
    }
  }

  /// Whether any row of an episode is selected.
  package func keeps(_ number: Int, shard: Int) -> Bool { states[shard][number] != -1 }
}

extension SplitSelection {
  /// The target rows of a track, of any stream or entity: those whose times lie in the selected splits. Rows count
  /// from the track's first, 0; ranges do not touch and are in order. None of an episode that is not selected.
  ///
  /// - Parameters:
  ///   - track: The track, by its number in the shard.
  ///   - shard: The shard, by its number in the dataset that the selection was made of.
  ///   - reader: Reads the times where they are data.
  /// - Throws: A data error where the times of the track are damaged.
  package func targetRows(
    ofTrack track: Int, shard number: Int, of dataset: OpenDataset,
    _ reader: @autoclosure () -> BlockReader
  ) throws(TrajpackError) -> [Range<Int>] {
    let shard = dataset.shards[number]
    let numbers = shard.index.numbers(ofTrack: track)
    switch part(ofEpisode: numbers.episode, shard: number) {
    case .nothing: return []
    case .whole: return numbers.count > 0 ? [0..<numbers.count] : []
    case .spans(let range):
      let clock = try ShardView(shard).trackClock(track, reader: reader())
      return spans[range].map { clock.rows(in: $0.range) }.filter { !$0.isEmpty }
    }
  }
}
