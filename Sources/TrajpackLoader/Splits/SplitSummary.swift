import TrajpackFormat
import TrajpackStore

/// How much of a dataset each split of a scheme has.
package struct SplitSummary: Sendable {
  /// One split, one fold, or what is in none.
  package struct Line: Sendable {
    /// The split's name, or `fold 0`; `nil` for what is in none.
    package var name: String?
    /// Episodes that have a row in it.
    package var episodes = 0
    /// Its target rows of ``SplitSummary/stream``.
    package var rows = 0
    /// The windows that were asked for.
    package var windows: UInt64?
  }

  /// The stream whose rows are counted.
  package let stream: String
  /// The splits or folds in order; the last line is what is in none.
  package var lines: [Line]

  /// Counts.
  package init(_ scheme: SplitScheme, of dataset: OpenDataset) throws(TrajpackError) {
    let resolver = try SplitResolver(dataset, SplitRule(json: scheme.rule))
    stream = try resolver.stream()
    let names = (0..<scheme.parts).map { scheme.name(ofPart: $0) }
    lines = names.map { Line(name: $0) } + [Line()]
    let assignments = Dictionary(
      scheme.episodes.map { ($0.id, $0.assignment) }, uniquingKeysWith: { first, _ in first })
    for episode in resolver.episodes {
      let line = try resolver.line(episode, stream)
      var rest = line.rows
      var own: Set<Int> = []
      switch assignments[episode.id] {
      case nil: own.insert(names.count)
      case .whole(let split):
        own.insert(split)
        lines[split].rows += rest
        rest = 0
      case .spans(let spans):
        for span in spans {
          let rows = line.count(in: span.range)
          lines[span.split].rows += rows
          rest -= rows
          own.insert(span.split)
        }
        if rest > 0 { own.insert(names.count) }
      }
      lines[names.count].rows += rest
      for split in own { lines[split].episodes += 1 }
    }
  }
}
