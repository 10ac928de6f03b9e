import TrajpackFormat

/// Adds to each channel the coefficients of a continuous path through what was observed of it, as neural
/// controlled differential equations read it.
package struct PathStep: PlanStep {
  enum Method: String, Sendable, CaseIterable { case natural, hermite, rectilinear }
  enum Unobserved: String, Sendable, CaseIterable { case refuse, missing }

  package let channels: ChannelSelection
  let method: Method
  let unobserved: Unobserved
  /// Whether a rectilinear path begins with what is observed only later.
  let looksAhead: Bool
  let suffix: String

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    channels = try r.selection(
      "channels", ChannelSelection([.kind(.scalar), .kind(.position)]))
    method = try r.choice("method", .natural)
    unobserved = try r.choice("unobserved", .refuse)
    looksAhead = method == .rectilinear ? try r.truth("look_ahead", false) : false
    suffix = try r.text("suffix") ?? ".path"
  }

  package var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("step", "path"), .init("channels", channels.json),
      .init("method", .string(method.rawValue)), .init("unobserved", .string(unobserved.rawValue)),
    ]
    if method == .rectilinear { members.append(.init("look_ahead", .bool(looksAhead))) }
    members.append(.init("suffix", .string(suffix)))
    return .object(members)
  }
}

/// Paths bound to the channels of a stream.
struct PathStage: PlanStage {
  let step: PathStep
  /// The column that a path goes through, and the channel that it becomes.
  let parts: [(column: Int, output: Channel)]

  /// `nil` where the step does not concern the stream.
  init?(
    _ step: PathStep, _ stream: String, _ channels: [Channel], isVideo: Bool
  ) throws(TrajpackError) {
    self.step = step
    var parts: [(column: Int, output: Channel)] = []
    for (i, channel) in channels.enumerated() where step.channels.contains(stream, channel) {
      guard channel.isAveraged, !isVideo else {
        guard step.channels.names(stream, channel) else { continue }
        throw TrajpackError(
          .usage,
          "channel '\(stream)/\(channel.name)' is \(channel.kind.rawValue), through which no line goes: "
            + "leave it out")
      }
      let name = channel.name + step.suffix
      guard !channels.contains(where: { $0.name == name }) else {
        throw TrajpackError(
          .usage, "channel '\(stream)/\(name)' is there already: give a 'suffix'")
      }
      var output = Channel(
        name: name, kind: .scalar, type: PlanColumn.floatType(channel.type),
        shape: [step.method == .rectilinear ? 2 : 4] + channel.shape,
        description: step.method == .rectilinear
          ? "\(channel.name) before and after its jump at the row's time"
          : "a, b, 2c, 3d of the \(step.method.rawValue) path of \(channel.name) from the row's time on"
      )
      output.missing = .nan
      parts.append((i, output))
    }
    if parts.isEmpty { return nil }
    self.parts = parts
  }

  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    for part in parts {
      let column = track.columns[part.column].asFloats()
      let width = column.width
      var made = PlanColumn(channel: part.output, values: column.values)
      do throws(TrajpackError) {
        switch column.values {
        case .float32(let x): made.values = .float32(try path(x, width, track.clock))
        case .float64(let x): made.values = .float64(try path(x, width, track.clock))
        case .opaque: break
        }
      } catch {
        throw error.within(
          "channel '\(column.channel.name)'", at: ErrorPlace(channel: column.channel.name))
      }
      track.columns.append(made)
    }
  }

  /// `rows` times 4 (or 2) times `width`; NaN where nothing was observed.
  private func path<S: SignalScalar>(
    _ x: [S], _ width: Int, _ clock: PlanClock
  ) throws(TrajpackError) -> [S] {
    let rows = clock.count
    let first = (0..<width).map { c in (0..<rows).first { !x[$0 * width + c].isNaN } }
    if step.unobserved == .refuse, rows > 0, let c = first.firstIndex(where: { $0 == nil }) {
      throw TrajpackError(
        .data,
        "component \(c) has no observation, so no path goes through it: leave the channel out, or write "
          + "\"unobserved\": \"missing\"")
    }
    let used = (0..<width).filter { first[$0] != nil }
    var picked: [S] = []
    picked.reserveCapacity(rows * used.count)
    for row in 0..<rows { for c in used { picked.append(x[row * width + c]) } }
    let parts = step.method == .rectilinear ? 2 : 4
    var out = [S](repeating: .nan, count: rows * parts * width)
    if used.isEmpty { return out }
    let made =
      step.method == .rectilinear
      ? try jumps(picked, used.map { first[$0] ?? 0 }, rows) : try cubic(picked, used.count, clock)
    for row in 0..<rows {
      for part in 0..<parts {
        for (k, c) in used.enumerated() {
          out[(row * parts + part) * width + c] = made[(row * parts + part) * used.count + k]
        }
      }
    }
    return out
  }

  /// The pieces from each row to the next; that of the last row is the piece before it, going on.
  private func cubic<S: SignalScalar>(
    _ x: [S], _ width: Int, _ clock: PlanClock
  ) throws(TrajpackError) -> [S] {
    if clock.count == 1 { return x + [S](repeating: 0, count: 3 * width) }
    return try clock.withTimes { (times) throws(TrajpackError) in
      let path = try x.withUnsafeBufferPointer { (x) throws(TrajpackError) in
        try PathCoefficients(
          step.method == .natural ? .naturalCubic : .hermiteBackward, times, x, components: width)
      }
      var out = path.coefficients
      let h = S(try times.steps()[clock.count - 2])
      let at = out.count - 4 * width
      for part in 0..<4 {
        for c in 0..<width {
          let (a, b) = (out[at + c], out[at + width + c])
          let (c2, d3) = (out[at + 2 * width + c], out[at + 3 * width + c])
          switch part {
          case 0: out.append(a + (b + (c2 / 2 + d3 * h / 3) * h) * h)
          case 1: out.append(b + (c2 + d3 * h) * h)
          case 2: out.append(c2 + 2 * d3 * h)
          default: out.append(d3)
          }
        }
      }
      return out
    }
  }

  /// What holds before a row's time, and from then on.
  private func jumps<S: SignalScalar>(
    _ x: [S], _ first: [Int], _ rows: Int
  ) throws(TrajpackError) -> [S] {
    let width = first.count
    if step.unobserved == .refuse, !step.looksAhead,
      let c = first.firstIndex(where: { $0 > 0 })
    {
      throw TrajpackError(
        .data,
        "component \(c) is first observed in row \(first[c]): write \"look_ahead\": true to begin with "
          + "that, or \"unobserved\": \"missing\"")
    }
    // The row number is the time that the path needs; the times are the stream's.
    var timed: [S] = []
    timed.reserveCapacity(rows * (width + 1))
    for row in 0..<rows {
      timed.append(contentsOf: x[row * width..<(row + 1) * width])
      timed.append(S(row))
    }
    var path = [S](repeating: 0, count: (2 * rows - 1) * (width + 1))
    try timed.withUnsafeBufferPointer { (timed) throws(TrajpackError) in
      try path.withUnsafeMutableBufferPointer { (path) throws(TrajpackError) in
        try rectilinearPath(
          timed, rows: rows, components: width + 1, timeComponent: width, allowsLookingAhead: true,
          into: path)
      }
    }
    var out: [S] = []
    out.reserveCapacity(2 * rows * width)
    for row in 0..<rows {
      for (part, point) in [max(2 * row - 1, 0), 2 * row].enumerated() {
        for c in 0..<width {
          let isKnown = step.looksAhead || row - (part == 0 && row > 0 ? 1 : 0) >= first[c]
          out.append(isKnown ? path[point * (width + 1) + c] : .nan)
        }
      }
    }
    return out
  }
}

extension PathStep {
  package static var name: String { "path" }
  package var selection: ChannelSelection { channels }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let made = try PathStage(self, program.stream, program.outputs, isVideo: isVideo)
    guard let made else { return nil }
    for part in made.parts { program.add(part.output, from: [part.column]) }
    return made
  }
}
