import TrajpackFormat
import TrajpackStore

/// Which split each window lies in, by number: for the output `meta:split`.
struct SplitLookup: Sendable {
  /// The splits of all datasets, whose places are their codes.
  let names: [String]
  private let codes: [String: Int]
  /// What belongs to a split of each episode of each dataset, the splits by code; `nil` where those of the shards count.
  private let schemes: [[SplitScheme.Assignment?]?]

  /// The splits of a scheme that is named or counts where none is, else those of the shards.
  ///
  /// - Parameter own: The splits of the shards.
  /// - Throws: A usage error where there is no scheme of that name; a data error where its side file is damaged.
  init(
    _ datasets: [OpenDataset], _ options: LoaderOptions, own: [String]
  ) throws(TrajpackError) {
    var names = own
    func code(_ name: String) -> Int {
      if let at = names.firstIndex(of: name) { return at }
      names.append(name)
      return names.count - 1
    }
    var schemes: [[SplitScheme.Assignment?]?] = []
    for dataset in datasets {
      guard let scheme = try Self.scheme(dataset, options) else {
        schemes.append(nil)
        continue
      }
      let all = (0..<scheme.parts).map {
        scheme.name(ofPart: $0, fold: options.fold).map(code) ?? -1
      }
      var byID: [String: SplitScheme.Assignment] = [:]
      for (id, assignment) in scheme.episodes {
        switch assignment {
        case .whole(let split): byID[id] = .whole(all[split])
        case .spans(let spans):
          byID[id] = .spans(
            spans.map { span in
              var span = span
              span.split = all[span.split]
              return span
            })
        }
      }
      schemes.append(
        dataset.shards.flatMap { shard in
          (0..<shard.index.episodeCount).map { byID[shard.index.episode($0).id] }
        })
    }
    self.names = names
    self.schemes = schemes
    codes = Dictionary(
      names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  private static func scheme(
    _ dataset: OpenDataset, _ options: LoaderOptions
  ) throws(TrajpackError) -> SplitScheme? {
    let hasOwn = dataset.shards.contains { $0.schema.splits.contains { !$0.isEmpty } }
    do throws(TrajpackError) {
      return try SplitScheme.find(options.scheme, in: dataset.dataset, hasOwn: hasOwn)?.scheme
    } catch {
      // Where several schemes are there and nobody has named one, none counts.
      guard options.scheme == nil, error.fault == .usage else { throw error }
      return nil
    }
  }

  /// The code of the split of a window that starts at a moment; -1 for none.
  func code(
    dataset: Int, episode: Int, own: String?, at moment: Instant?
  ) -> Int {
    guard let scheme = schemes[dataset] else { return own.flatMap { codes[$0] } ?? -1 }
    switch scheme[episode] {
    case nil: return -1
    case .whole(let code): return code
    case .spans(let spans):
      guard let moment else { return -1 }
      return spans.first { $0.range.contains(moment) }?.split ?? -1
    }
  }
}
