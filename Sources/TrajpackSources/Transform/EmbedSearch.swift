import TrajpackFormat
import TrajpackPrepare
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
    var episodes: [(id: String, runs: Range<Int>)] = []

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

  private let source: EpisodeSource
  private let before: Plan
  private let step: EmbedStep
  private let threads: Int
  private(set) var report: EmbedReport

  init(_ source: EpisodeSource, _ before: Plan, _ step: EmbedStep, threads: Int) {
    self.source = source
    self.before = before
    self.step = step
    self.threads = min(max(threads, 1), 256)
    report = EmbedReport(
      lagBy: step.search.lagBy.rawValue, dimensionBy: step.search.dimensionBy.rawValue,
      split: source.places.contains { $0.split == "train" } ? "train" : "")
  }

  mutating func run() throws(TrajpackError) -> EmbedStep {
    guard case .uniform(let selection, let lags, let dimensions) = step.shape else { return step }
    let channels = try before.programs(for: source.allStreams).flatMap { program in
      program.outputs.filter { selection.contains(program.stream, $0) }
        .map { (stream: program.stream, channel: $0) }
    }
    guard !channels.isEmpty else {
      throw TrajpackError(
        .usage, "there is no channel of kind scalar to embed: name some with 'channels'")
    }
    let programs = try source.layouts.map { (layout) throws(TrajpackError) in
      try before.programs(for: EpisodeSource.streams(layout).map(\.stream), areAll: false)
    }
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
        let sample = try read(stream, channel, path, programs)
        try choose(sample, lag, dimension)
      }
    }
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
        series.x, runs: series.runs, lag: lag, dimension: dimension, threads: threads)
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
            series.x, runs: runs, lag: lag, dimension: dimension, threads: threads)
        } catch {
          // An episode that is too short or constant alone says so, and the others go on.
          own.remarks = [error.message]
        }
        report.entries.append(
          .init(
            channel: sample.path, element: element, episode: episode.id,
            rows: runs.reduce(0) { $0 + $1.count }, estimate: own))
      }
    }
    report.chosen.append((sample.path, lags.sorted()[(lags.count - 1) / 2], most))
  }

  /// Reads a channel of some episodes, spread evenly, up to the rows that the step looks at.
  private func read(
    _ stream: String, _ channel: Channel, _ path: String, _ programs: [[PlanProgram]]
  ) throws(TrajpackError) -> Sample {
    let places = source.places.filter { report.split.isEmpty || $0.split == report.split }
    let each = max(step.search.rows / max(places.count, 1), 1000)
    let stride = max((places.count * each + step.search.rows - 1) / step.search.rows, 1)
    var sample = Sample(
      channel: channel, path: path, elements: (0..<channel.elements).map { _ in Series() })
    for (i, place) in places.enumerated() where i % stride == 0 {
      let rows = try source.rows(place, programs[place.layout])
      let first = sample.elements.map(\.runs.count)
      var left = each
      for number in rows.episode.tracks where left > 0 {
        guard rows.streams[rows.shard.index.track(number).stream].stream.name == stream else {
          continue
        }
        left -= try add(rows, number, channel.name, left, to: &sample)
      }
      for e in sample.elements.indices {
        sample.elements[e].episodes.append((place.id, first[e]..<sample.elements[e].runs.count))
      }
    }
    return sample
  }

  /// Adds up to `limit` rows of a track; how many it had.
  private func add(
    _ rows: EpisodeRows, _ number: Int, _ channel: String, _ limit: Int, to sample: inout Sample
  ) throws(TrajpackError) -> Int {
    let reader = rows.track(number)
    let made: PlanTrack
    if rows.programs[reader.track.stream].isIdentity {
      guard let i = reader.stream.channel(named: channel) else { return 0 }
      let count = min(limit, reader.count)
      let clock = try rows.clock(number)
      made = PlanTrack(
        clock: clock.slice(0..<count),
        columns: [PlanColumn(try reader.read(channel: i, rows: 0..<count))])
    } else {
      made = try rows.output(number)
    }
    guard let column = made.columns.first(where: { $0.channel.name == channel }) else { return 0 }
    let x = column.doubles()
    let width = column.channel.elements
    var used = 0
    for run in try made.clock.runs(step.gap) {
      let part = run.lowerBound..<min(run.upperBound, run.lowerBound + limit - used)
      if part.isEmpty { break }
      for e in 0..<width { sample.elements[e].append(part.map { x[$0 * width + e] }) }
      used += part.count
    }
    return used
  }
}
