import TrajpackFormat
import TrajpackLoader
import TrajpackSignal

extension EmbedSearch {
  /// Rows of several numbers, the candidates, side by side.
  private struct Rows {
    var x: [Double] = []
    var runs: [Range<Int>] = []
    var episodes: [(id: String, runs: Range<Int>)] = []
    let width: Int

    /// Adds rows, cut where a number is missing.
    mutating func append(_ columns: [(x: [Double], width: Int)], _ rows: Range<Int>) {
      var start = x.count / width
      for row in rows {
        let first = x.count
        for column in columns {
          x += column.x[row * column.width..<(row + 1) * column.width]
        }
        if x[first...].allSatisfy(\.isFinite) { continue }
        x.removeLast(width)
        close(&start)
      }
      close(&start)
    }

    private mutating func close(_ start: inout Int) {
      let end = x.count / width
      if end > start { runs.append(start..<end) }
      start = end
    }
  }

  /// Lets PECUZAL or MDOP choose coordinates from channels of one stream.
  mutating func joint(
    _ channels: [(stream: String, channel: Channel)], _ method: EmbedStep.Joint, _ name: String
  ) throws(TrajpackError) -> EmbedStep {
    let stream = channels[0].stream
    let streams = channels.reduce(into: [String]()) {
      if !$0.contains($1.stream) { $0.append($1.stream) }
    }
    guard streams.count == 1 else {
      throw TrajpackError(
        .usage,
        "\(method.rawValue) chooses from channels of one stream, and these are of "
          + "\(streams.map { "'\($0)'" }.joined(separator: ", ")): name channels of one, or resample onto one clock"
      )
    }
    let name = try EmbedStep.plain(name, in: stream, "embed")
    let candidates = channels.flatMap { channel in
      (0..<channel.channel.elements).map {
        (channel: "\(stream)/\(channel.channel.name)", element: $0)
      }
    }
    guard channels.allSatisfy({ $0.channel.type != .bytes }), candidates.count <= 256 else {
      throw TrajpackError(
        .usage,
        "\(method.rawValue) would choose from \(candidates.count) numbers a row: name at most 256")
    }
    var rows = Rows(width: candidates.count)
    try visit(stream, channels.map(\.channel.name)) { id in
      rows.episodes.append((id, rows.runs.count..<rows.runs.count))
    } track: { (piece) throws(TrajpackError) in
      let columns = piece.columns.map { (x: $0.doubles(), width: $0.channel.elements) }
      guard columns.reduce(0, { $0 + $1.width }) == rows.width else { return }
      for run in piece.runs { rows.append(columns, run) }
      let last = rows.episodes.count - 1
      rows.episodes[last].runs = rows.episodes[last].runs.lowerBound..<rows.runs.count
    }
    try requireMoving(rows, candidates)
    let pooled = try step.choose(method, rows.x, rows.width, rows.runs, pause)
    var joint = EmbedReport.Joint(
      method: method.rawValue, maxLag: step.search.maxLag, window: pooled.window,
      candidates: candidates.map { EmbedReport.label($0.channel, $0.element, of: channels) },
      rows: rows.x.count / rows.width, coordinates: pooled.coordinates)
    for episode in rows.episodes where rows.episodes.count > 1 {
      let runs = Array(rows.runs[episode.runs])
      var own = EmbedReport.Joint.Own(
        episode: episode.id, rows: runs.reduce(0) { $0 + $1.count }, coordinates: [], remark: nil)
      do throws(TrajpackError) {
        own.coordinates = try step.choose(method, rows.x, rows.width, runs, pause).coordinates
      } catch {
        try pause()
        // An episode that is too short or constant alone says so, and the others go on.
        own.remark = error.message
      }
      joint.own.append(own)
    }
    if pooled.coordinates.count == 1 {
      report.warnings.append(
        "\(method.rawValue) found no lag that helps: the embedding is '\(joint.candidates[pooled.coordinates[0].candidate])' "
          + "itself")
    }
    report.joint = joint
    return step.resolved(
      pooled.coordinates.map {
        (candidates[$0.candidate].channel, candidates[$0.candidate].element, $0.lag)
      }, name: name)
  }

  /// Refuses candidates that say nothing, by their names.
  private func requireMoving(
    _ rows: Rows, _ candidates: [(channel: String, element: Int)]
  ) throws(TrajpackError) {
    guard !rows.runs.isEmpty else {
      throw TrajpackError(
        .data, "no row has all of \(candidates.count) numbers observed: choose from fewer channels")
    }
    for (c, candidate) in candidates.enumerated() {
      let first = rows.x[c]
      if stride(from: c, to: rows.x.count, by: rows.width).allSatisfy({ rows.x[$0] == first }) {
        throw TrajpackError(
          .data,
          "number \(candidate.element) of '\(candidate.channel)' never changes: leave it out of 'channels'"
        )
      }
    }
  }
}
