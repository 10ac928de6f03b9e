import TrajpackFormat

/// How a plan says that a channel is resampled.
package enum PlanMethod: String, Sendable, CaseIterable {
  case auto, previous, next, nearest
  case nearestLater = "nearest-later"
  case linear, counter, hermite, natural
  case notAKnot = "not-a-knot"
  case clamped, pchip, akima, makima, slerp, squad, polyphase, count, since
}

/// What a plan says of the rows of a bin.
package enum PlanBin: String, Sendable, CaseIterable {
  case auto, mean, sum, min, max, first, last, count
}

/// What stands outside a track's span of time.
package enum PlanEdge: String, Sendable, CaseIterable {
  case missing, hold, extrapolate, reflect

  var policy: EdgePolicy {
    switch self {
    case .missing: .missing
    case .hold: .hold
    case .extrapolate: .extrapolate
    case .reflect: .reflect
    }
  }
}

/// What a polyphase filter sees beyond the ends.
package enum PlanPadding: String, Sendable, CaseIterable {
  case hold, reflect, line, mean, zero

  var edges: FilterEdges {
    switch self {
    case .hold: .hold
    case .reflect: .reflect
    case .line: .line
    case .mean: .mean
    case .zero: .zero
    }
  }
}

/// Brings streams to another clock.
package struct ResampleStep: PlanStep {
  package enum Target: Sendable, Equatable {
    /// Rows a unit of time.
    case rate(Rational)
    /// The track's own rate times `up / down`.
    case ratio(up: Int, down: Int)
    /// The clock of another stream of the same episode.
    case onto(String)
    /// Given times, the same for every episode.
    case times([Double])
  }

  package enum Origin: String, Sendable, CaseIterable {
    /// A track's first row is a row of the new clock.
    case start
    /// Rows lie at whole multiples of the new period.
    case zero
  }

  enum Label: String, Sendable, CaseIterable { case left, centre, right }

  /// Interpolation, or statistics of bins.
  enum How: Sendable, Equatable {
    case path(PlanRules<PlanMethod>, PathRules)
    case bins(PlanRules<PlanBin>, Label)
  }

  /// What holds for every interpolated channel of a step.
  struct PathRules: Sendable, Hashable {
    var padding: PlanPadding
    var edge: PlanEdge
    var gap: TimeSpan?
    /// Never with given times.
    var antiAlias: Bool
    /// How the clock is taken for the choice of a filter.
    var clock: ClockReading
  }

  package let streams: ChannelSelection
  package let target: Target
  let origin: Origin
  /// With `onto`: how far a row may lie from a moment and count as at it; `nil` for the usual one.
  let rounding: TimeSpan?
  let how: How

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    streams = try r.selection("streams", .all)
    let rate = try r.rate("rate")
    let onto = try r.text("onto")
    let up = try r.integer("up", in: 1...100_000)
    let down = try r.integer("down", in: 1...100_000)
    let times = try Self.times(&r)
    let isRatio = up != nil || down != nil
    guard [rate != nil, onto != nil, isRatio, times != nil].filter({ $0 }).count == 1 else {
      throw TrajpackError(
        .usage,
        "\(r.path) must say once where to go: one of 'rate', 'onto', 'times', or 'up' and 'down'")
    }
    var origin = Origin.start
    if let rate {
      target = .rate(rate)
      origin = try r.choice("origin", .start)
    } else if let onto {
      target = .onto(onto)
    } else if let times {
      target = .times(times)
    } else {
      target = .ratio(up: up ?? 1, down: down ?? 1)
    }
    self.origin = origin
    rounding = try r.span("rounding")
    guard rounding == nil || onto != nil else {
      throw r.wrong(
        "rounding", r.value("rounding") ?? .null,
        "left out: it is for 'onto', another stream's times")
    }
    if let bin = r.value("bin") {
      guard rate != nil || isRatio else {
        throw r.wrong("bin", bin, "left out with 'onto' and 'times': bins need a rate")
      }
      let context = r
      how = .bins(
        try r.rules("bin", .auto) { (v) throws(TrajpackError) in try context.choice("bin", v) },
        try r.choice("label", .left))
      return
    }
    let context = r
    let methods = try r.rules("method", PlanMethod.auto) { (v) throws(TrajpackError) in
      try context.choice("method", v)
    }
    let padding = try r.choice("padding", PlanPadding.hold)
    guard padding == .hold || methods.hold(.polyphase) else {
      throw r.wrong(
        "padding", .string(padding.rawValue),
        "left out: it is for method 'polyphase', and none is here")
    }
    let isList = times != nil
    let antiAlias = try r.truth("anti_alias", !isList)
    // A value at a given time depends on the rows and on that time, not on what else is asked for.
    guard !(isList && antiAlias) else {
      throw r.wrong(
        "anti_alias", .bool(true),
        "left out with 'times', which are no rate to filter for: use 'rate', or a step before this one"
      )
    }
    how = .path(
      methods,
      PathRules(
        padding: padding, edge: try r.choice("edge", .missing), gap: try r.span("gap"),
        antiAlias: antiAlias, clock: try r.choice("clock", .auto)))
  }

  private static func times(_ r: inout PlanReader) throws(TrajpackError) -> [Double]? {
    guard let value = r.value("times") else { return nil }
    let times = (value.array ?? []).compactMap(\.double)
    guard !times.isEmpty, times.count == value.array?.count, times.allSatisfy(\.isFinite),
      zip(times, times.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw r.wrong("times", value, "a list of increasing numbers") }
    return times
  }

  package var json: JSONValue {
    var members: [JSONValue.Member] = [.init("step", "resample"), .init("streams", streams.json)]
    switch target {
    case .rate(let rate):
      members += [.init("rate", PlanNumber.json(rate)), .init("origin", .string(origin.rawValue))]
    case .ratio(let up, let down):
      members += [.init("up", .int(Int64(up))), .init("down", .int(Int64(down)))]
    case .onto(let stream):
      members.append(.init("onto", .string(stream)))
      // Left out where it is the default, so that older plans keep their digests.
      if let rounding { members.append(.init("rounding", PlanNumber.json(rounding))) }
    case .times(let times): members.append(.init("times", .array(times.map { .double($0) })))
    }
    switch how {
    case .path(let method, let rules):
      members += [
        .init("method", method.json { .string($0.rawValue) }),
        .init("padding", .string(rules.padding.rawValue)),
        .init("edge", .string(rules.edge.rawValue)),
        .init("gap", rules.gap.map { PlanNumber.json($0) } ?? .null),
        .init("anti_alias", .bool(rules.antiAlias)),
      ]
      // Left out where it is the default, so that older plans keep their digests.
      if rules.clock != .auto { members.append(.init("clock", .string(rules.clock.rawValue))) }
    case .bins(let bin, let label):
      members += [
        .init("bin", bin.json { .string($0.rawValue) }), .init("label", .string(label.rawValue)),
      ]
    }
    return .object(members)
  }
}
