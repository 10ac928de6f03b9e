import TrajpackFormat
import TrajpackStore

/// The split that a scheme puts each episode of a dataset into.
package struct EpisodeSplits: Sendable {
  /// The scheme's name.
  package let scheme: String
  /// The digest of its side file.
  package let digest: String
  /// Episodes that it cuts: they are in none of them as a whole.
  package let cutEpisodes: Int
  private let names: [String]
  /// Of each shard and episode the place in ``names``; -1 for none.
  private let codes: [[Int32]]

  /// The splits of a scheme.
  ///
  /// - Parameters:
  ///   - shards: The shards whose episodes are asked for.
  ///   - name: The scheme; `nil` for the one that counts where none is named.
  ///   - fold: The fold that is the test, of a scheme of folds; else each fold is a split.
  /// - Returns: `nil` where no scheme is named and the shards' own splits count.
  /// - Throws: A usage error where there is no such scheme or fold, or it must be named; a data error where its side file is
  ///   damaged.
  package init?(
    _ dataset: Dataset, _ shards: [Shard], scheme name: String?, fold: Int?
  ) throws(TrajpackError) {
    let hasOwn = shards.contains { $0.schema.splits.contains { !$0.isEmpty } }
    let found = try SplitScheme.find(name, in: dataset, hasOwn: hasOwn)
    if let fold {
      let folds = found?.scheme.folds ?? 0
      guard (0..<folds).contains(fold) else {
        throw TrajpackError(
          .usage, option: "fold",
          folds == 0
            ? "there is no split scheme with folds; name one that has some"
            : "the split scheme '\(found?.name ?? "")' has folds 0 to \(folds - 1), not \(fold)")
      }
    }
    guard let found else { return nil }
    let parts = (0..<found.scheme.parts).map { found.scheme.name(ofPart: $0, fold: fold) }
    var names: [String] = []
    let numbers = parts.map { part -> Int32 in
      guard let part else { return -1 }
      if let known = names.firstIndex(of: part) { return Int32(known) }
      names.append(part)
      return Int32(names.count - 1)
    }
    var known: [String: Int32] = [:]
    known.reserveCapacity(found.scheme.episodes.count)
    var cut = 0
    for (id, assignment) in found.scheme.episodes {
      switch assignment {
      case .whole(let part): known[id] = numbers[part]
      case .spans: cut += 1
      }
    }
    codes = shards.map { shard in
      (0..<shard.index.episodeCount).map { known[shard.index.id(ofEpisode: $0)] ?? -1 }
    }
    (scheme, digest) = (found.name, found.digest)
    (cutEpisodes, self.names) = (cut, names)
  }

  /// The name of an episode's split, both by number; `nil` for none.
  package func name(ofEpisode number: Int, shard: Int) -> String? {
    let code = codes[shard][number]
    return code < 0 ? nil : names[Int(code)]
  }
}
