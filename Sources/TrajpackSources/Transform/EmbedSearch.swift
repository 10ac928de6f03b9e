import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackStore

/// Looks for lags and dimensions in the episodes of a dataset.
struct EmbedSearch {
  /// What was read of one channel.
  private struct Sample {
    let channel: Channel
    let path: String
    var elements: [Series]
  }

  /// One element: its values, runs of rows without a gap, and which of them each episode has.
  private struct Series {
    var x: [Double] = []
    var runs: [Range<Int>] = []
    /// With the rows that each of an episode's tracks has, looked at or not.
    var episodes: [(id: String, runs: Range<Int>, tracks: [Int])] = []

    /// Whether all values are one.
    var isConstant: Bool { x.allSatisfy { $0 == x[0] } }

    /// Adds a run of rows, cut where an entry is missing.
    mutating func append(_ values: [Double]) {
      var start = x.count
      for value in values {
        if value.isFinite {
          x.append(value)
        } else {
          if x.count > start { runs.append(start..<x.count) }
          start = x.count
        }
      }
      if x.count > start { runs.append(start..<x.count) }
    }
  }

  let source: EpisodeSource
  private let before: Plan
  let step: EmbedStep
  private let threads: Int
  /// The training rows by a split scheme, where one counts.
  private let training: SearchedRows?
  /// Asked between units of work; what it throws ends the search.
  let pause: () throws(TrajpackError) -> Void
  var report: EmbedReport

  init(
    _ source: EpisodeSource, _ before: Plan, _ step: EmbedStep, threads: Int,
    of training: SearchedRows?, pause: @escaping () throws(TrajpackError) -> Void
  ) {
    self.source = source
    self.before = before
    self.step = step
    self.pause = pause
    self.training = training
    self.threads = min(max(threads, 1), 256)
    report = EmbedReport(
      lagBy: step.search.lagBy.rawValue, dimensionBy: step.search.dimensionBy.rawValue,
      split: training != nil || source.places.contains { $0.split == "train" } ? "train" : "")
  }

  mutating func run() throws(TrajpackError) -> EmbedStep {
    switch step.shape {
    case .uniform(let selection, let lags, let dimensions):
      return try uniform(try channels(selection), selection, lags, dimensions)
    case .joint(let selection, let method, let name):
      return try joint(try channels(selection), method, name)
    case .list: return step
    }
  }

  private func channels(
    _ selection: ChannelSelection
  ) throws(TrajpackError) -> [(stream: String, channel: Channel)] {
    var channels: [(stream: String, channel: Channel)] = []
    for program in try before.programs(for: source.allStreams) {
      for channel in program.outputs where selection.contains(program.stream, channel) {
        if EmbedStage.mayEmbed(channel.kind) {
          channels.append((program.stream, channel))
        } else if selection.names(program.stream, channel) {
          throw EmbedStage.meaningless(program.stream, channel)
        }
      }
    }
    guard !channels.isEmpty else {
      throw TrajpackError(
        .usage, "there is no channel of kind scalar to embed: name some with 'channels'")
    }
    return channels
  }

  private mutating func uniform(
    _ channels: [(stream: String, channel: Channel)], _ selection: ChannelSelection,
    _ lags: PlanRules<PlanChoice>, _ dimensions: PlanRules<PlanChoice>
  ) throws(TrajpackError) -> EmbedStep {
    var constants: [String] = []
    var others: [(path: String, why: String)] = []
    for (stream, channel) in channels {
      let path = "\(stream)/\(channel.name)"
      let lag = lags.value(stream, channel).number
      let dimension = dimensions.value(stream, channel).number
      if let lag, let dimension {
        report.chosen.append((path, lag, dimension))
        continue
      }
      guard channel.type != .bytes, channel.elements <= 4096 else {
        throw TrajpackError(
          .usage,
          "channel '\(path)' has \(channel.elements) numbers a row: give its tau and dimension")
      }
      try within("channel '\(path)'") { () throws(TrajpackError) in
        var sample = try read(stream, channel, path)
        // A constant has no delay; it is left out with a word, unless it alone was asked for.
        let constant = sample.elements.filter(\.isConstant).count
        if constant == sample.elements.count, channels.count > 1 {
          return constants.append(path)
        }
        if constant < sample.elements.count { sample.elements.removeAll(where: \.isConstant) }
        let known = report
        do throws(TrajpackError) {
          try choose(sample, lag, dimension)
        } catch {
          // One that was not named, among others: it is left out with the reason.
          guard error.fault == .data, channels.count > 1, !selection.names(stream, channel) else {
            throw error
          }
          report = known
          others.append((path, error.message))
        }
      }
    }
    if let first = others.first, report.chosen.isEmpty {
      throw TrajpackError(.data, "channel '\(first.path)': \(first.why)")
    }
    guard !report.chosen.isEmpty else {
      throw TrajpackError(
        .data,
        "every channel is constant (\(constants.joined(separator: ", "))), and has no delay: name others "
          + "with 'channels'")
    }
    if !constants.isEmpty {
      report.warnings.append(
        "left out, since constant: \(constants.joined(separator: ", "))")
    }
    for (path, why) in others { report.warnings.append("left out \(path): \(why)") }
    return step.resolved(report.chosen)
  }

  /// Estimates for a channel, of all together and of each episode.
  private mutating func choose(
    _ sample: Sample, _ lag: Int?, _ dimension: Int?
  ) throws(TrajpackError) {
    var lags: [Int] = []
    var most = 0
    for (element, series) in sample.elements.enumerated() {
      let pooled = try step.estimate(
        series.x, runs: series.runs, lag: lag, dimension: dimension, threads: threads,
        pause: pause)
      report.entries.append(
        .init(
          channel: sample.path, element: element, episode: nil,
          rows: series.runs.reduce(0) { $0 + $1.count }, estimate: pooled))
      guard let foundLag = pooled.lag, let foundDimension = pooled.dimension else {
        throw TrajpackError(
          .data,
          (pooled.remarks + [
            "give tau and dimension, or look further with max_tau and max_dimension"
          ])
          .joined(separator: "; "))
      }
      lags.append(foundLag)
      most = max(most, foundDimension)
      for episode in series.episodes where series.episodes.count > 1 {
        let runs = Array(series.runs[episode.runs])
        var own = EmbedEstimate(lag: lag, dimension: dimension)
        do throws(TrajpackError) {
          own = try step.estimate(
            series.x, runs: runs, lag: lag, dimension: dimension, threads: threads,
            pause: pause)
        } catch {
          try pause()
          // An episode that is too short or constant alone says so, and the others go on.
          own.remarks = [error.message]
        }
        report.entries.append(
          .init(
            channel: sample.path, element: element, episode: episode.id,
            rows: runs.reduce(0) { $0 + $1.count }, estimate: own))
      }
    }
    let chosen = (lag: lags.sorted()[(lags.count - 1) / 2], dimension: most)
    report.chosen.append((sample.path, chosen.lag, chosen.dimension))
    report.warn(
      of: sample.path, chosen.lag, chosen.dimension,
      tracks: sample.elements[0].episodes.map { ($0.id, $0.tracks) })
  }

  private mutating func read(
    _ stream: String, _ channel: Channel, _ path: String
  ) throws(TrajpackError) -> Sample {
    var sample = Sample(
      channel: channel, path: path, elements: (0..<channel.elements).map { _ in Series() })
    try visit(stream, [channel.name]) { id in
      for e in sample.elements.indices {
        let end = sample.elements[e].runs.count
        sample.elements[e].episodes.append((id, end..<end, []))
      }
    } track: { (piece) throws(TrajpackError) in
      let x = piece.columns[0].doubles()
      let width = piece.columns[0].channel.elements
      for e in 0..<width {
        for run in piece.runs {
          sample.elements[e].append(run.map { x[$0 * width + e] })
        }
        let last = sample.elements[e].episodes.count - 1
        let first = sample.elements[e].episodes[last].runs.lowerBound
        sample.elements[e].episodes[last].runs = first..<sample.elements[e].runs.count
        sample.elements[e].episodes[last].tracks.append(piece.rows)
      }
    }
    return sample
  }

  /// Rows of a track that are looked at.
  struct Piece {
    /// The channels asked for.
    let columns: [PlanColumn]
    /// Their rows without a gap in explicit times.
    let runs: [Range<Int>]
    /// All rows that the track has.
    let rows: Int
  }

  /// Reads channels of some episodes, spread evenly, up to the rows that the step looks at. Tracks
  /// that lack a channel are passed over.
  mutating func visit(
    _ stream: String, _ channels: [String], episode: (String) throws(TrajpackError) -> Void,
    track: (Piece) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let programs = try source.layouts.map { (layout) throws(TrajpackError) in
      try before.programs(for: EpisodeSource.streams(layout).map(\.stream), areAll: false)
    }
    let places = source.places.filter {
      training?.has($0) ?? (report.split.isEmpty || $0.split == report.split)
    }
    let each = max(step.search.rows / max(places.count, 1), 1000)
    let stride = max((places.count * each + step.search.rows - 1) / step.search.rows, 1)
    report.episodes = (looked: (places.count + stride - 1) / stride, of: places.count)
    for (i, place) in places.enumerated() where i % stride == 0 {
      try pause()
      let rows = try source.rows(place, programs[place.layout])
      try episode(place.id)
      var left = each
      for number in rows.episode.tracks where left > 0 {
        let own = rows.shard.index.track(number)
        guard rows.streams[own.stream].stream.name == stream else { continue }
        for part in try training?.rows(ofTrack: number, place) ?? [0..<own.rows.count]
        where left > 0 {
          guard let piece = try piece(rows, number, channels, left, part) else { continue }
          left -= piece.runs.reduce(0) { $0 + $1.count }
          try track(piece)
        }
      }
    }
  }

  /// Up to `limit` of some rows of a track.
  private func piece(
    _ rows: EpisodeRows, _ number: Int, _ channels: [String], _ limit: Int, _ own: Range<Int>
  ) throws(TrajpackError) -> Piece? {
    let reader = rows.track(number)
    let made: PlanTrack
    var count = own.count
    if rows.programs[reader.track.stream].isIdentity {
      let numbers = channels.compactMap { reader.stream.channel(named: $0) }
      let part = own.prefix(limit)
      made = PlanTrack(
        clock: try rows.clock(number).slice(part),
        columns: try numbers.map { (i) throws(TrajpackError) in
          PlanColumn(try reader.read(channel: i, rows: part))
        })
    } else if own.count < reader.count {
      throw TrajpackError(
        .usage,
        "lags and dimensions are chosen in the training rows of the split scheme '\(training?.scheme ?? "")', and "
          + "steps before this one may bring rows from beyond its borders into them; embed first, or give the numbers"
      )
    } else {
      made = try rows.output(number)
      count = made.clock.count
    }
    let columns = channels.compactMap { name in made.columns.first { $0.channel.name == name } }
    guard columns.count == channels.count else { return nil }
    var runs: [Range<Int>] = []
    var left = limit
    for run in try made.clock.runs(step.gap) where left > 0 {
      runs.append(run.lowerBound..<min(run.upperBound, run.lowerBound + left))
      left -= runs[runs.count - 1].count
    }
    return Piece(columns: columns, runs: runs, rows: count)
  }
}
