import TrajpackFormat

/// A resampling step bound to the channels of a stream.
struct ResampleStage: PlanStage {
  /// How one channel goes to the new clock.
  enum ChannelMethod: Sendable, Hashable {
    /// Values are made by a resampler of the kind.
    case path(Kind, ResampleMethod, ResampleStep.PathRules)
    /// A polyphase filter between regular clocks.
    case polyphase(ResampleStep.PathRules)
    /// Whole rows are taken.
    case rows(Interpolation, ResampleStep.PathRules)
    /// Events since the row before, and time since the last one.
    case count
    case since
    /// A statistic of each bin.
    case bin(BinStatistic)
    /// The mean of each bin on a circle, or of unit vectors.
    case binAngle(AngleRange)
    case binSphere(areQuaternions: Bool)
    /// The first or last whole row of each bin.
    case binRow(isLast: Bool)
  }

  let step: ResampleStep
  let stream: String
  let ways: [ChannelMethod]
  let inputs: [Channel]
  private(set) var outputs: [Channel]

  init(
    _ step: ResampleStep, _ stream: String, _ channels: [Channel]
  ) throws(TrajpackError) {
    self.step = step
    self.stream = stream
    inputs = channels
    outputs = channels
    var ways: [ChannelMethod] = []
    for channel in channels {
      do throws(TrajpackError) {
        ways.append(try Self.way(step, stream, channel))
      } catch {
        throw error.within(
          "channel '\(stream)/\(channel.name)'",
          at: ErrorPlace(stream: stream, channel: channel.name))
      }
    }
    self.ways = ways
    for i in outputs.indices { settle(&outputs[i], ways[i]) }
  }

  private static func way(
    _ step: ResampleStep, _ stream: String, _ channel: Channel
  ) throws(TrajpackError) -> ChannelMethod {
    switch step.how {
    case .bins(let rules, _): return try bin(rules.value(stream, channel), channel)
    case .path(let methods, let rules):
      let wanted = methods.value(stream, channel)
      if wanted == .count || wanted == .since || (wanted == .auto && channel.kind == .event) {
        guard channel.kind == .event, channel.type != .bytes else {
          if wanted == .auto { return .rows(.previous, rules) }
          throw TrajpackError(
            .usage,
            "'\(wanted.rawValue)' is for numbers of kind event, and this is \(channel.kind.rawValue)"
          )
        }
        return wanted == .since ? .since : .count
      }
      if wanted == .polyphase {
        guard channel.isAveraged || channel.kind == .intrinsics else {
          throw TrajpackError(
            .usage,
            "a filter averages, and values of kind \(channel.kind.rawValue) must not be: use "
              + "another method for it, as {\"\(stream)/\(channel.name)\": \"auto\"}")
        }
        return .polyphase(rules)
      }
      let method = try method(wanted, channel)
      if case .interpolate(let how) = method, how.isSelection, !channel.type.isFloat {
        return .rows(how, rules)
      }
      guard channel.type != .bytes else {
        throw TrajpackError(.usage, "rows of text or bytes are taken by previous, next or nearest")
      }
      return .path(channel.kind, method, rules)
    }
  }

  private static func bin(_ wanted: PlanBin, _ channel: Channel) throws(TrajpackError)
    -> ChannelMethod
  {
    if wanted == .auto {
      if channel.isAveraged { return .bin(.mean) }
      if channel.kind == .event, channel.type != .bytes { return .bin(.sum) }
      return .binRow(isLast: true)
    }
    switch wanted {
    case .first, .last: return .binRow(isLast: wanted == .last)
    case .count where channel.type != .bytes: return .bin(.count)
    case .mean where channel.kind == .angle: return .binAngle(try channel.angleRange)
    case .mean where [.direction, .quaternion].contains(channel.kind):
      let size = channel.shape.last ?? 1
      guard channel.kind == .direction ? 2...4 ~= size : size == 4 else { break }
      return .binSphere(areQuaternions: channel.kind == .quaternion)
    default: break
    }
    let mayAdd = channel.kind == .event && wanted != .mean
    guard channel.isAveraged || channel.kind == .intrinsics || mayAdd, channel.type != .bytes else {
      throw TrajpackError(
        .usage,
        "the \(wanted.rawValue) of values of kind \(channel.kind.rawValue) means nothing: use 'auto', "
          + "'first', 'last' or 'count'")
    }
    return .bin(
      [.mean: .mean, .sum: .sum, .min: .minimum, .max: .maximum][wanted] ?? .mean)
  }

  private static func method(
    _ wanted: PlanMethod, _ channel: Channel
  ) throws(TrajpackError) -> ResampleMethod {
    let made: ResampleMethod
    switch wanted {
    case .auto where channel.kind == .angle, .linear where channel.kind == .angle:
      made = .angle(.linear, try channel.angleRange)
    case .auto: made = try Resampler.defaultMethod(for: channel.kind)
    case .slerp: made = .sphere(channel.kind == .direction ? .directions : .slerp)
    case .squad: made = .sphere(.squad(channel.quaternionOrder))
    default:
      let how = wanted.interpolation
      made =
        channel.kind == .angle && !how.isSelection
        ? .angle(how, try channel.angleRange) : .interpolate(how)
    }
    try Resampler.require(made, fits: channel.kind)
    if case .sphere(let path) = made {
      let size = channel.shape.last ?? 1
      guard path == .directions ? 2...4 ~= size : size == 4 else {
        throw TrajpackError(
          .usage,
          "rows of shape \(channel.shape) are no \(channel.kind.rawValue)s: a quaternion has 4 "
            + "numbers, a direction 2 to 4")
      }
      if path == .squad(.unknown) {
        throw TrajpackError(
          .usage,
          "squad multiplies quaternions and their order is not declared: use slerp, or convert "
            + "again with the convention 'order'")
      }
    }
    return made
  }

  /// Whether rows may come out that nothing was observed at.
  private var mayMiss: Bool {
    switch (step.target, step.how) {
    case (.onto, _), (.times, _): true
    case (_, .bins): true
    case (_, .path(_, let rules)): rules.gap != nil
    }
  }

  private func settle(_ channel: inout Channel, _ way: ChannelMethod) {
    switch way {
    case .path(_, let method, _):
      channel.becomeFloat()
      if case .interpolate(let how) = method, how.isSelection, !mayMiss { return }
      channel.missing = .nan
    case .polyphase:
      channel.becomeFloat()
      channel.missing = .nan
    case .rows, .binRow: if mayMiss { channel.allowMissing() }
    case .count, .bin(.count):
      channel = channel.derived(.scalar, .int32, "events since the row before")
      if case .bin = way { channel.description = "observed values in the bin" }
    case .since:
      channel = channel.derived(.scalar, .float64, "time since the last event")
      channel.missing = .nan
    case .bin, .binAngle, .binSphere:
      channel.becomeFloat()
      channel.missing = .nan
    }
  }
}

extension Channel {
  /// A channel of the same name and shape with other contents.
  fileprivate func derived(_ kind: Kind, _ type: ElementType, _ what: String) -> Channel {
    Channel(name: name, kind: kind, type: type, shape: shape, description: "\(what) (\(name))")
  }

  /// The circle of an angle: from its units, and from its convention `range` where that is `positive`.
  var angleRange: AngleRange {
    get throws(TrajpackError) {
      let period: Double
      switch units {
      case "rad", "radian", "radians": period = 2 * .pi
      case "deg", "degree", "degrees", "°": period = 360
      case "turn", "turns", "cycle", "cycles": period = 1
      default:
        throw TrajpackError(
          .usage,
          "an angle in units of '\(units ?? "")' has no known full turn: convert with units rad or deg, "
            + "or use previous, next or nearest")
      }
      return try AngleRange(
        period: period, low: convention("range") == "positive" ? 0 : -period / 2)
    }
  }

  var quaternionOrder: QuaternionOrder {
    switch convention("order") {
    case "xyzw": .xyzw
    case "wxyz": .wxyz
    default: .unknown
    }
  }
}

extension PlanMethod {
  /// The interpolation of that name.
  var interpolation: Interpolation {
    switch self {
    case .previous, .auto, .slerp, .squad, .polyphase, .count, .since: .previous
    case .next: .next
    case .nearest: .nearest(.earlier)
    case .nearestLater: .nearest(.later)
    case .linear: .linear
    case .counter: .counter
    case .hermite: .hermiteBackward
    case .natural: .cubic(.natural)
    case .notAKnot: .cubic(.notAKnot)
    case .clamped: .cubic(.clamped)
    case .pchip: .pchip
    case .akima: .akima
    case .makima: .makima
    }
  }
}
