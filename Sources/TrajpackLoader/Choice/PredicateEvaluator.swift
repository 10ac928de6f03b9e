import TrajpackFormat
import TrajpackStore

/// Finds out about windows of one dataset, many at a time. It keeps its readers and belongs to one thread.
final class PredicateEvaluator {
  private let source: WindowSource
  private let setup: LoaderSetup
  private let questions: [WindowQuestion]
  private let planner: Planner
  /// The questions of each measure, and the measures of each stream, by number.
  private let measures: [(measure: WindowMeasure, members: [Int])]
  private let streams: [(name: String, measures: [Int])]
  private var readers: [Int: BlockReader] = [:]
  private var viewers: [Int: TrackViewer] = [:]
  /// The answers to each question: NaN where no value was observed; 1 and 0 for yes and no.
  private(set) var answers: [[Double]] = []
  /// Windows that touch damaged data, which is not an error where those are to be skipped.
  private(set) var isDamaged: [Bool] = []

  init(_ setup: LoaderSetup, _ source: WindowSource, _ questions: [WindowQuestion]) {
    self.setup = setup
    self.source = source
    self.questions = questions
    planner = Planner(setup)
    var measures: [(measure: WindowMeasure, members: [Int])] = []
    var streams: [(String, [Int])] = []
    for (q, question) in questions.enumerated() {
      if let at = measures.firstIndex(where: { $0.measure == question.measure }) {
        measures[at].members.append(q)
        continue
      }
      let stream = question.measure.stream
      measures.append((question.measure, [q]))
      if question.measure.isValue { continue }
      if let at = streams.firstIndex(where: { $0.0 == stream }) {
        streams[at].1.append(measures.count - 1)
      } else {
        streams.append((stream, [measures.count - 1]))
      }
    }
    self.measures = measures
    self.streams = streams
  }

  /// Answers every question for windows `range`, counted before any are left out.
  ///
  /// - Throws: A data error naming the chunk that is damaged, unless such windows are to be skipped.
  func find(_ range: Range<UInt64>) throws(TrajpackError) {
    answers = questions.map { _ in [Double](repeating: .nan, count: range.count) }
    isDamaged = [Bool](repeating: false, count: range.count)
    try source.forEachTimeline(range) { (part) throws(TrajpackError) in
      let at = Int(part.first - range.lowerBound)
      let indices = at..<at + part.anchors.count
      do throws(TrajpackError) {
        try find(part, indices)
      } catch {
        guard setup.options.skipsErrors, error.fault == .data else { throw error }
        for i in indices { isDamaged[i] = true }
      }
    }
  }

  private func find(
    _ part: WindowSource.Part, _ indices: Range<Int>
  ) throws(TrajpackError) {
    let shard = part.shard
    let numbers = shard.numbers(ofTrack: part.track)
    var contexts: [WindowContext] = []
    contexts.reserveCapacity(part.anchors.count)
    for anchor in part.anchors {
      guard let first = contexts.first else {
        contexts.append(
          try planner.context(
            number: 0, shard, part.track, anchor: anchor, span: part.span, clip: part.clip))
        continue
      }
      var context = first
      context.anchor = anchor - first.cut
      contexts.append(context)
    }
    let episode = shard.firstEpisode + numbers.episode
    for (measure, members) in measures where measure.isValue {
      let x = measure.numbers.indices.contains(episode) ? measure.numbers[episode] : .nan
      for q in members {
        let answer = questions[q].rule.map { !x.isNaN && $0.holds(x) ? 1 : 0 } ?? x
        for i in indices { answers[q][i] = answer }
      }
    }
    for stream in streams {
      guard let number = shard.view.schema.stream(named: stream.name) else { continue }
      var tallies = stream.measures.map { m in
        WindowTallies(measures[m].members.map { questions[$0] }, windows: contexts.count)
      }
      for track in tracks(of: number, part.track, numbers, shard, contexts) {
        let own = try planner.numbers(shard, track)
        let cut = own.first - shard.numbers(ofTrack: track).first
        for i in tallies.indices { tallies[i].begin(entity: own.entity) }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(contexts.count)
        for context in contexts {
          let rows = try planner.rows(within: context, track, own)
          ranges.append(rows.lowerBound + cut..<rows.upperBound + cut)
        }
        try read(stream.measures, shard, track, ranges, indices, into: &tallies)
      }
      for (i, m) in stream.measures.enumerated() {
        for (q, values) in zip(measures[m].members, tallies[i].answers()) {
          answers[q].replaceSubrange(indices, with: values)
        }
      }
    }
  }

  /// The tracks whose rows count: the reference's own, where all windows lie in it or its rows have times of their
  /// own, or all of the stream in the episode, those of one entity together.
  private func tracks(
    of stream: Int, _ reference: Int, _ numbers: ShardIndex.TrackRecord, _ shard: LoadedShard,
    _ windows: [WindowContext]
  ) -> [Int] {
    if stream == numbers.stream, numbers.entity < 0 {
      let reachesOut = windows.contains { window in
        if let clock = window.clock { return !clock.isExplicit }
        guard case .regular = shard.clocks[numbers.clock] else { return false }
        let first = window.anchor - setup.past
        return first < 0 || first + planner.end(window) > window.reference.count
      }
      if !reachesOut { return [reference] }
    }
    let all = shard.index.tracks(ofEpisode: numbers.episode).filter {
      let own = shard.numbers(ofTrack: $0)
      return own.stream == stream && own.count > 0
    }
    var order: [Int] = []
    for track in all {
      let entity = shard.numbers(ofTrack: track).entity
      if !order.contains(entity) { order.append(entity) }
    }
    guard order.count > 1 else { return all }
    return order.flatMap { entity in
      all.filter { shard.numbers(ofTrack: $0).entity == entity }
    }
  }

  /// Reads the rows that the windows have of a track, a few at a time, and tallies them.
  private func read(
    _ members: [Int], _ shard: LoadedShard, _ track: Int, _ ranges: [Range<Int>],
    _ indices: Range<Int>, into tallies: inout [WindowTallies]
  ) throws(TrajpackError) {
    let used = ranges.filter { !$0.isEmpty }
    guard let low = used.map(\.lowerBound).min(), let high = used.map(\.upperBound).max() else {
      return
    }
    let reader = ValueReader(self, shard, track)
    let channels = members.map { reader.stream.channel(named: measures[$0].measure.channel) }
    var rows: [MeasureRows] = []
    var chunk = reader.runLength
    for (i, m) in members.enumerated() {
      let channel = channels[i].map { reader.stream.channels[$0] }
      if let channel, !reader.isMade {
        chunk = min(chunk, shard.shard.schema.blocks[channel.storage.block].chunkRows)
      }
      rows.append(
        MeasureRows(
          measures[m].measure, measures[m].members.map { questions[$0] },
          elements: channel?.elements ?? 0, capacity: high - low))
    }
    // Runs end where chunks do, so that each is inflated once for all channels in it.
    var damaged: [Int] = [0]
    let base = reader.firstRow
    var row = low
    while row < high {
      let end = min(high, (base + row) / chunk * chunk + chunk - base)
      var failure: TrajpackError?
      var values: [[Double]] = []
      do throws(TrajpackError) {
        values = try reader.read(channels, row..<end)
      } catch { failure = error }
      if let failure, !setup.options.skipsErrors || failure.fault != .data { throw failure }
      for i in rows.indices {
        guard let channel = channels[i] else { continue }
        if failure != nil {
          rows[i].appendNothing(end - row)
        } else {
          rows[i].append(values[i], elements: reader.stream.channels[channel].elements)
        }
      }
      let bad = damaged[damaged.count - 1]
      for n in row..<end { damaged.append(failure == nil ? bad : bad + n - row + 1) }
      row = end
    }
    for (window, range) in ranges.enumerated() where !range.isEmpty {
      let span = range.lowerBound - low..<range.upperBound - low
      if damaged[span.upperBound] > damaged[span.lowerBound] {
        isDamaged[indices.lowerBound + window] = true
      }
      for i in rows.indices where channels[i] != nil { tallies[i].add(rows[i], span, to: window) }
    }
  }
}

extension PredicateEvaluator {
  /// Values of a track, as they were recorded or as a plan leaves them.
  private struct ValueReader {
    let stream: TrajpackFormat.Stream
    /// Rows that are best read at once; their borders are counted from row `firstRow` of the stream on.
    let runLength: Int
    let firstRow: Int
    private let recorded: TrackReader?
    private let viewer: TrackViewer?
    private let track: Int

    /// Whether a plan makes the rows.
    var isMade: Bool { viewer != nil }

    init(_ answers: PredicateEvaluator, _ shard: LoadedShard, _ track: Int) {
      self.track = track
      let numbers = shard.numbers(ofTrack: track)
      stream = shard.view.schema.streams[numbers.stream]
      if let prepared = shard.view.prepared, prepared.isPrepared(numbers.stream) {
        if answers.viewers.count > 16 { answers.viewers.removeAll() }
        let viewer = answers.viewers[shard.number] ?? TrackViewer(shard.view, prepared)
        answers.viewers[shard.number] = viewer
        self.viewer = viewer
        recorded = nil
        // Some steps need the whole track for any of its rows.
        runLength = max(numbers.count, 1)
        firstRow = 0
        return
      }
      let blocks = answers.readers[shard.number] ?? BlockReader(shard.shard)
      if answers.readers.count > 16 { answers.readers.removeAll() }
      answers.readers[shard.number] = blocks
      let reader = TrackReader(shard.shard, track: track, reader: blocks)
      viewer = nil
      recorded = reader
      runLength = reader.runLength
      firstRow = reader.track.rows.lowerBound
    }

    /// The elements of each channel, row by row; none where there is no channel.
    func read(_ channels: [Int?], _ rows: Range<Int>) throws(TrajpackError) -> [[Double]] {
      if let viewer {
        return try viewer.values(track, rows, channels.map { $0.map { stream.channels[$0].name } })
      }
      var values: [[Double]] = []
      for channel in channels {
        values.append(
          try channel.map { (c) throws(TrajpackError) in
            try recorded?.read(channel: c, rows: rows).doubles() ?? []
          } ?? [])
      }
      return values
    }
  }
}
