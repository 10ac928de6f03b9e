import TrajpackFormat
import TrajpackStore

extension SplitResolver {
  /// The rows of an episode by which places are counted: those of the episode's own tracks of one stream, one behind
  /// the other, or of the entity's that is there the longest.
  struct Line {
    let clocks: [TrackClock]
    let rows: Int

    /// The line of some tracks, by the time of their first rows.
    init(_ tracks: [TrackClock]) {
      clocks = tracks.sorted { a, b in
        guard let a = a.instant(0), let b = b.instant(0) else { return false }
        return a < b
      }
      rows = tracks.reduce(0) { $0 + $1.rows }
    }

    /// The time of a row; `nil` behind the last.
    func instant(_ row: Int) -> Instant? {
      var rest = row
      for clock in clocks {
        if rest < clock.rows { return clock.instant(rest) }
        rest -= clock.rows
      }
      return nil
    }

    /// The first row at or after an instant.
    func first(notBefore instant: Instant) -> Int {
      var before = 0
      for clock in clocks {
        let row = clock.first(notBefore: instant)
        if row < clock.rows { return before + row }
        before += clock.rows
      }
      return before
    }

    /// Rows whose times lie in a range.
    func count(in range: TimeRange) -> Int { clocks.reduce(0) { $0 + $1.rows(in: range).count } }
  }

  /// The stream whose rows are counted.
  func stream() throws(TrajpackError) -> String {
    let schemas = dataset.shards.map(\.schema)
    var options = LoaderOptions()
    options.reference = rule.stream
    do throws(TrajpackError) {
      return try Loader.reference(
        try Selection(schemas, options), schemas,
        StreamProfile([dataset.shards.map { ShardView($0) }]),
        options)
    } catch {
      throw TrajpackError(
        error.fault, error.message.replacing("option 'reference'", with: "'stream'"))
    }
  }

  /// The line of an episode.
  func line(_ episode: Episode, _ stream: String) throws(TrajpackError) -> Line {
    let shard = dataset.shards[episode.shard]
    let view = ShardView(shard)
    var own: [Int] = []
    var longest: (track: Int, count: Int)?
    if let number = shard.schema.stream(named: stream) {
      for track in shard.index.tracks(ofEpisode: episode.number) {
        let numbers = shard.index.numbers(ofTrack: track)
        guard numbers.stream == number, numbers.count > 0 else { continue }
        if numbers.entity < 0 {
          own.append(track)
        } else if numbers.count > longest?.count ?? 0 {
          longest = (track, numbers.count)
        }
      }
    }
    if own.isEmpty, let longest { own = [longest.track] }
    var clocks: [TrackClock] = []
    for track in own { clocks.append(try view.trackClock(track, reader: BlockReader(shard))) }
    return Line(clocks)
  }

  /// The unit that a stream counts time in.
  func unit(_ stream: String) -> String {
    dataset.shards.lazy.compactMap { shard in
      shard.schema.stream(named: stream).map { shard.schema.streams[$0].timeUnit }
    }.first ?? "s"
  }

  /// Stretches of rows of every episode, a fold each.
  func spans(
    ofFolds folds: Int
  ) throws(TrajpackError) -> [(id: String, assignment: SplitScheme.Assignment)] {
    let (stream, unit) = try (stream(), unit(stream()))
    var out: [(id: String, assignment: SplitScheme.Assignment)] = []
    for episode in episodes {
      let line = try line(episode, stream)
      let parts = rule.foldsGrow ? folds + 1 : folds
      guard line.rows >= parts else {
        throw TrajpackError(
          .usage, file: dataset.dataset.path,
          "\(folds) folds of the \(counted(line.rows, "row")) of '\(stream)' in episode "
            + "'\(episode.id)': there must be at least one for each; make 'folds' smaller")
      }
      var spans: [SplitScheme.Span] = []
      for fold in 0..<parts {
        let rows =
          rule.foldsGrow
          ? SplitDraw.step(fold, of: folds, count: line.rows)
          : SplitDraw.block(fold, of: folds, count: line.rows)
        let from = rows.lowerBound == 0 ? nil : line.instant(rows.lowerBound)
        spans.append(
          SplitScheme.Span(
            split: fold, from: from, to: line.instant(rows.upperBound),
            seenFrom: try seen(from, before: rule.context, line, unit, stream)))
      }
      out.append((episode.id, .spans(spans)))
    }
    return out
  }

  /// The spans of episodes that no split has as a whole.
  func spans(
    besides whole: Whole
  ) throws(TrajpackError) -> [(id: String, assignment: SplitScheme.Assignment)] {
    let (stream, unit) = try (stream(), unit(stream()))
    var out: [(id: String, assignment: SplitScheme.Assignment)] = []
    for (i, episode) in episodes.enumerated() where whole[i] == nil {
      let line = try line(episode, stream)
      var spans: [(rows: Range<Int>, span: SplitScheme.Span)] = []
      for (split, (name, selectors)) in rule.splits.enumerated() {
        for case .range(let first, let last) in selectors {
          func place(_ bound: SplitRule.Bound?, _ otherwise: Int) throws(TrajpackError) -> (
            row: Int, instant: Instant?
          ) {
            guard let bound else { return (otherwise, nil) }
            return try self.place(bound, line, episode, unit, stream)
          }
          let from = try place(first, 0)
          let to = try place(last, line.rows)
          // Rows decide what is empty; instants what the rows of other streams belong to.
          guard from.row < to.row else { continue }
          let start = from.row == 0 && !(first?.isTime ?? false) ? nil : from.instant
          let end = to.row == line.rows && !(last?.isTime ?? false) ? nil : to.instant
          spans.append(
            (
              from.row..<to.row,
              SplitScheme.Span(
                split: split, from: start, to: end,
                seenFrom: try seen(
                  start, before: rule.contexts[name] ?? rule.context, line, unit, stream))
            ))
        }
      }
      guard !spans.isEmpty else { continue }
      let sorted = spans.sorted {
        ($0.rows.lowerBound, $0.span.split) < ($1.rows.lowerBound, $1.span.split)
      }
      for (a, b) in zip(sorted, sorted.dropFirst()) where b.rows.lowerBound < a.rows.upperBound {
        throw overlap(a, b, episode, stream)
      }
      out.append((episode.id, .spans(sorted.map(\.span))))
    }
    return out
  }

  private func overlap(
    _ a: (rows: Range<Int>, span: SplitScheme.Span),
    _ b: (rows: Range<Int>, span: SplitScheme.Span),
    _ episode: Episode, _ stream: String
  ) -> TrajpackError {
    let (one, other) = (rule.splits[a.span.split].name, rule.splits[b.span.split].name)
    let last = min(a.rows.upperBound, b.rows.upperBound)
    return TrajpackError(
      .usage,
      (one == other
        ? "ranges of the split '\(one)' overlap" : "the splits '\(one)' and '\(other)' overlap")
        + ": both have rows \(b.rows.lowerBound) to \(last - 1) of '\(stream)' in episode '\(episode.id)'; a row is "
        + "a target of one split (rows that may only be seen before it are its 'context')")
  }

  /// The row of a place, from 0 to all, and its instant; `nil` behind the last row.
  private func place(
    _ bound: SplitRule.Bound, _ line: Line, _ episode: Episode, _ unit: String, _ stream: String
  ) throws(TrajpackError) -> (row: Int, instant: Instant?) {
    func needRows() throws(TrajpackError) {
      guard line.rows > 0 else {
        throw TrajpackError(
          .usage, file: dataset.dataset.path,
          "the episode '\(episode.id)' has no rows of '\(stream)', by which rows are counted; "
            + "name another stream with 'stream'")
      }
    }
    switch bound {
    case .row(let number):
      try needRows()
      let row = min(max(number < 0 ? line.rows + number : number, 0), line.rows)
      return (row, line.instant(row))
    case .share(let share, let fromEnd):
      try needRows()
      // Rounded down, as int(n * 0.7) is, but exactly.
      let part = (Instant(share) * .exact(Int128(line.rows), 1)).split.whole
      let row = min(max(fromEnd ? line.rows - part : part, 0), line.rows)
      return (row, line.instant(row))
    case .time(let amount, let given):
      let instant = try SplitRule.convert(amount, given ?? "s", to: unit, stream: stream)
      return (line.first(notBefore: instant), instant)
    }
  }

  /// The first instant that may be seen before a span.
  private func seen(
    _ from: Instant?, before context: SplitRule.Context, _ line: Line, _ unit: String,
    _ stream: String
  ) throws(TrajpackError) -> Instant? {
    guard let from else { return nil }
    switch context {
    case .rows(0): return from
    case .rows(let rows):
      let row = line.first(notBefore: from) - rows
      return row < 0 ? nil : line.instant(row)
    case .time(let amount, let given):
      return from - (try SplitRule.convert(amount, given, to: unit, stream: stream))
    }
  }
}

extension SplitRule.Bound {
  var isTime: Bool {
    if case .time = self { return true }
    return false
  }
}
