import TrajpackFormat

/// An embedding bound to the channels of a stream.
package struct EmbedStage: PlanStage {
  /// What becomes of a channel.
  struct Part: Sendable {
    let column: Int
    /// Rows between coordinates, and how many there are.
    let lag: Int
    let dimension: Int
  }

  let step: EmbedStep
  let parts: [Part]
  /// Coordinates of a list: column, element, rows away.
  let list: [(column: Int, element: Int, rows: Int)]
  let outputs: [Channel]
  /// Rows read before and after a vector's own.
  let before: Int
  let after: Int

  /// `nil` where the step does not concern the stream.
  init?(
    _ step: EmbedStep, _ stream: String, _ channels: [Channel], isVideo: Bool
  ) throws(TrajpackError) {
    self.step = step
    var outputs = channels
    var parts: [Part] = []
    var list: [(column: Int, element: Int, rows: Int)] = []
    let sign = step.direction == .forward ? 1 : -1
    switch step.shape {
    case .uniform(let selection, let lag, let dimension):
      for (i, channel) in channels.enumerated() where selection.contains(stream, channel) {
        guard channel.type != .bytes, !isVideo, Self.mayEmbed(channel.kind) else {
          guard selection.names(stream, channel) else { continue }
          throw Self.meaningless(stream, channel)
        }
        guard let lag = lag.value(stream, channel).number,
          let dimension = dimension.value(stream, channel).number
        else { return nil }
        guard let width = channel.elements.multiplied(by: dimension), width < 1 << 22,
          let reach = (dimension - 1).multiplied(by: lag), reach < 1 << 30
        else {
          throw TrajpackError(
            .usage,
            "channel '\(stream)/\(channel.name)': dimension \(dimension) at lag \(lag) is too large"
          )
        }
        parts.append(Part(column: i, lag: lag, dimension: dimension))
        outputs[i].becomeFloat()
        outputs[i].missing = .nan
        outputs[i].shape = [dimension] + channel.shape
        // Of a channel that was embedded before, the plan that made it tells the delays within; the names
        // of a list's coordinates went with those.
        outputs[i].conventions.removeAll { $0.name == "of" }
        outputs[i].setConvention(
          "delays", .array((0..<dimension).map { .int(Int64(sign * $0 * lag)) }))
      }
      if parts.isEmpty { return nil }
    case .joint: return nil
    case .list(let coordinates, let name):
      guard coordinates.first?.stream == stream else { return nil }
      var isDouble = false
      for coordinate in coordinates {
        guard let i = channels.firstIndex(where: { $0.name == coordinate.name }) else { continue }
        guard channels[i].type != .bytes, !isVideo, Self.mayEmbed(channels[i].kind),
          coordinate.element < channels[i].elements
        else {
          throw TrajpackError(
            .usage,
            "coordinate \(coordinate.element) of '\(coordinate.channel)' is no number to embed: the channel "
              + "is \(channels[i].kind.rawValue) of \(channels[i].elements) elements")
        }
        if PlanColumn.floatType(channels[i].type) == .float64 { isDouble = true }
        list.append((i, coordinate.element, sign * coordinate.lag))
      }
      guard !outputs.contains(where: { $0.name == name }) else {
        throw TrajpackError(.usage, "channel '\(stream)/\(name)' is there already: give a 'name'")
      }
      outputs.append(
        Channel(
          name: name, kind: .scalar, type: isDouble ? .float64 : .float32, shape: [list.count],
          description: coordinates.map { "\($0.name)[\($0.element)] at \($0.lag)" }
            .joined(separator: ", "),
          conventions: [
            .init("delays", .array(list.map { .int(Int64($0.rows)) })),
            .init(
              "of",
              .array(
                list.map {
                  let channel = channels[$0.column]
                  let element = channel.elements > 1 ? "[\($0.element)]" : ""
                  return .string(channel.name + element)
                })),
          ], missing: .nan))
    }
    self.parts = parts
    self.list = list
    self.outputs = outputs
    let reach = parts.map { sign * ($0.dimension - 1) * $0.lag } + list.map(\.rows)
    before = max(0, -(reach.min() ?? 0))
    after = max(0, reach.max() ?? 0)
  }

  /// What says that a channel cannot be embedded.
  package static func meaningless(_ stream: String, _ channel: Channel) -> TrajpackError {
    TrajpackError(
      .usage,
      "channel '\(stream)/\(channel.name)' is \(channel.kind.rawValue), whose delays mean nothing: "
        + "leave it out")
  }

  /// Whether differences of such numbers mean something.
  package static func mayEmbed(_ kind: Kind) -> Bool {
    switch kind {
    case .scalar, .position, .direction, .angle, .event: true
    default: false
    }
  }

  /// The rows that have whole vectors, run by run, counted from the first that is here.
  func rows(of clock: PlanClock) throws(TrajpackError) -> [Range<Int>] {
    let runs = try clock.runs(step.gap)
    var result: [Range<Int>] = []
    for run in runs where run.count > before + after {
      result.append(run.lowerBound + before..<run.upperBound - after)
    }
    if result.isEmpty, clock.count > 0, step.short == .refuse {
      throw TrajpackError(
        .usage,
        "\(runs.map(\.count).max() ?? 0) rows in a run, and a vector spans \(before + after + 1): use a "
          + "smaller tau or dimension, or \"short\": \"skip\"")
    }
    return result
  }

  /// Whether the rows lie side by side.
  func isRun(_ rows: [Range<Int>]) -> Bool { rows.count <= 1 }

  package func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    let rows = try rows(of: track.clock)
    let kept = rows.flatMap { Array($0) }
    var columns: [PlanColumn] = []
    for (i, column) in track.columns.enumerated() {
      if let part = parts.first(where: { $0.column == i }) {
        columns.append(embedded(column.asFloats(), part, kept))
      } else {
        columns.append(column.rows(kept))
      }
    }
    if !list.isEmpty { columns.append(listed(track.columns, kept)) }
    let clock =
      try isRun(rows)
      ? track.clock.slice(rows.first ?? 0..<0) : track.clock.picked(kept)
    track = PlanTrack(clock: clock, columns: columns, notes: track.notes)
  }

  private func embedded(_ column: PlanColumn, _ part: Part, _ rows: [Int]) -> PlanColumn {
    let sign = step.direction == .forward ? 1 : -1
    func gather<S>(_ x: [S]) -> [S] {
      let width = column.channel.elements
      var out: [S] = []
      out.reserveCapacity(rows.count * part.dimension * width)
      for row in rows {
        for k in 0..<part.dimension {
          let from = (row + sign * k * part.lag) * width
          out.append(contentsOf: x[from..<from + width])
        }
      }
      return out
    }
    var made = column
    switch column.values {
    case .float32(let x): made.values = .float32(gather(x))
    case .float64(let x): made.values = .float64(gather(x))
    case .opaque: break
    }
    made.channel.shape = [part.dimension] + column.channel.shape
    return made
  }

  private func listed(_ columns: [PlanColumn], _ rows: [Int]) -> PlanColumn {
    let channel = outputs[outputs.count - 1]
    var out = [Double](repeating: 0, count: rows.count * list.count)
    for (d, coordinate) in list.enumerated() {
      let x = columns[coordinate.column].doubles()
      let width = columns[coordinate.column].channel.elements
      for (i, row) in rows.enumerated() {
        out[i * list.count + d] = x[(row + coordinate.rows) * width + coordinate.element]
      }
    }
    return PlanColumn(
      channel: channel,
      values: channel.type == .float32 ? .float32(out.map { Float($0) }) : .float64(out))
  }
}

extension PlanClock {
  /// Runs of rows that no delay reaches out of, counted from the first that is here.
  package func runs(_ gap: EmbedStep.Gap) throws(TrajpackError) -> [Range<Int>] {
    if count == 0 { return [] }
    if case .regular = self { return [0..<count] }
    let steps = try withTimes { (times) throws(TrajpackError) in try times.steps() }
    let limit: Double
    switch gap {
    case .none: return [0..<count]
    case .span(let span): limit = span.value
    case .auto: limit = steps.isEmpty ? 0 : 1.5 * steps.sorted()[(steps.count - 1) / 2]
    }
    var runs: [Range<Int>] = []
    var start = 0
    for (i, step) in steps.enumerated() where step > limit {
      runs.append(start..<i + 1)
      start = i + 1
    }
    runs.append(start..<count)
    return runs
  }
}

extension EmbedStage {
  package var isLocal: Bool { true }

  package func needs(_ rows: Range<Int>, _ input: PlanClock, _ output: PlanClock) -> Range<Int>? {
    rows.lowerBound - before..<rows.upperBound + after
  }

  package func clock(
    behind clock: PlanClock, _ key: PlanKey,
    _ reference: (String) throws(TrajpackError) -> PlanClock
  ) throws(TrajpackError) -> PlanClock {
    let rows = try rows(of: clock)
    return try isRun(rows) ? clock.slice(rows.first ?? 0..<0) : clock.picked(rows.flatMap { $0 })
  }
}
