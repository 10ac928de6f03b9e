import TrajpackFormat

/// Takes observed entries away.
package struct MaskStep: PlanStep {
  package enum Mechanism: String, Sendable, CaseIterable {
    case entries, exact, rows
    case keptRows = "kept-rows"
    case listed, blocks, channels, drivers, value, above, time

    /// Whether `amount` belongs to it.
    var hasAmount: Bool {
      switch self {
      case .listed, .channels, .above, .time: false
      default: true
      }
    }

    /// Whether random numbers decide.
    var isDrawn: Bool { self != .listed && self != .above }
  }

  /// When the random numbers are new.
  enum Draw: String, Sendable, CaseIterable {
    /// Never: each epoch of a loader misses the same entries.
    case once
    /// In each epoch of a loader; the first is that of `once`, which is also what is written to a dataset.
    case epoch
  }

  struct Driver: Sendable, Equatable {
    let channel: String
    let weight: Double
  }

  package let channels: ChannelSelection
  let mechanism: Mechanism
  /// A probability or a fraction.
  let amount: Double
  let seed: UInt64
  var draw = Draw.once
  var length = 1
  var width = 1
  var count = 0
  var slope = 1.0
  var offset = 0.0
  var (cycle, phase, scale) = (20.0, 10.0, 3.0)
  var drivers: [Driver] = []
  /// Rows of each episode, by its id.
  var rows: [(episode: String, rows: [Int])] = []

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    channels = try r.selection("channels", .all)
    mechanism = try r.choice("mechanism", .entries)
    if mechanism.hasAmount {
      guard let amount = try r.fraction("amount") else {
        throw TrajpackError(
          .usage, "\(r.path) does not say how much: add \"amount\", a fraction from 0 to 1")
      }
      self.amount = amount
    } else {
      amount = 0
    }
    seed = UInt64(try r.integer("seed", in: 0...Int.max) ?? 0)
    if mechanism.isDrawn { draw = try r.choice("draw", .once) }
    switch mechanism {
    case .blocks:
      length = try r.integer("length", in: 1...1 << 30) ?? 1
      width = try r.integer("width", in: 1...1 << 30) ?? 1
    case .channels:
      guard let count = try r.integer("count", in: 0...1 << 30) else {
        throw TrajpackError(.usage, "\(r.path) does not say how many channels: add \"count\"")
      }
      self.count = count
    case .value: slope = try r.number("slope") ?? 1
    case .above: offset = try r.number("offset") ?? 0
    case .time:
      cycle = try r.number("cycle") ?? cycle
      phase = try r.number("phase") ?? phase
      scale = try r.number("scale") ?? scale
      guard abs(cycle) <= 1e6, abs(phase) <= 1e6, scale > 0 else {
        throw TrajpackError(
          .usage, file: r.path,
          "'cycle' \(cycle) and 'phase' \(phase) may be 1e6 from 0 at most, and 'scale' "
            + "\(scale) must be above 0")
      }
    case .drivers:
      let given = r.value("drivers")
      for member in given?.members ?? [] {
        guard let weight = member.value.double, weight.isFinite else {
          throw r.wrong("drivers", member.value, "weights by channel, like {\"state/x\": 1.0}")
        }
        drivers.append(Driver(channel: member.name, weight: weight))
      }
      guard !drivers.isEmpty else {
        throw TrajpackError(
          .usage, "\(r.path) has no drivers: add \"drivers\": {\"stream/channel\": weight}")
      }
    case .listed:
      guard let given = r.value("rows")?.members else {
        throw TrajpackError(
          .usage, "\(r.path) lists no rows: add \"rows\": {\"episode id\": [0, 5, …]}")
      }
      for member in given {
        let list = (member.value.array ?? []).compactMap(\.int)
        guard list.count == member.value.array?.count, list.allSatisfy({ $0 >= 0 }) else {
          throw r.wrong("rows", member.value, "a list of row numbers for each episode")
        }
        rows.append((member.name, list))
      }
    default: break
    }
  }

  package static func == (a: MaskStep, b: MaskStep) -> Bool { a.json == b.json }

  package var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("step", "mask"), .init("channels", channels.json),
      .init("mechanism", .string(mechanism.rawValue)),
    ]
    if mechanism.hasAmount { members.append(.init("amount", .double(amount))) }
    members.append(.init("seed", .int(Int64(seed))))
    if mechanism.isDrawn { members.append(.init("draw", .string(draw.rawValue))) }
    switch mechanism {
    case .blocks:
      members += [.init("length", .int(Int64(length))), .init("width", .int(Int64(width)))]
    case .channels: members.append(.init("count", .int(Int64(count))))
    case .value: members.append(.init("slope", .double(slope)))
    case .above: members.append(.init("offset", .double(offset)))
    case .time:
      members += [
        .init("cycle", .double(cycle)), .init("phase", .double(phase)),
        .init("scale", .double(scale)),
      ]
    case .drivers:
      members.append(
        .init("drivers", .object(drivers.map { .init($0.channel, .double($0.weight)) })))
    case .listed:
      members.append(
        .init(
          "rows",
          .object(
            rows.map { .init($0.episode, .array($0.rows.map { .int(Int64($0)) })) })))
    default: break
    }
    return .object(members)
  }
}
