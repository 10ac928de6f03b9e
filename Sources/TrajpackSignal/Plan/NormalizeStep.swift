import TrajpackFormat

/// Shifts and scales channels by statistics of the training split.
package struct NormalizeStep: PlanStep {
  /// What is taken off, and then multiplied by: a number for each element of a row, one for all of them, or one for
  /// each element of the step's axes.
  package struct Constants: Sendable, Equatable {
    package let channel: String
    package let shift: [Double]
    package let scale: [Double]

    package init(channel: String, shift: [Double], scale: [Double]) {
      self.channel = channel
      self.shift = shift
      self.scale = scale
    }
  }

  /// The constants of the episodes that have one value in common.
  package struct Group: Sendable, Equatable {
    /// The value, or the id of the episode.
    package let name: String
    package let constants: [Constants]

    package init(name: String, constants: [Constants]) {
      (self.name, self.constants) = (name, constants)
    }
  }

  package let channels: ChannelSelection
  /// `minmax` and `quantile` make 0 and 1 of their two values.
  package let method: NormalizationMethod
  /// The axes of a row's shape that have statistics of their own; `nil` for what the kind says.
  package let axes: [Int]?
  /// The split whose statistics are used; `all` is every episode, which leaks test data into training.
  package let split: String
  /// `episode`, or the value of episodes of which each has statistics of its own; `nil` where all are one.
  package let per: String?
  /// Chosen from the data, where all episodes are one; `nil` before.
  package var constants: [Constants]?
  /// Chosen from the data, where there is a ``per``; `nil` before.
  package var groups: [Group]?
  /// The name of each episode's group, by its id; empty where groups have the ids' names.
  package var episodes: [String: String] = [:]

  /// What `per` says of recordings that are each normalised by themselves.
  package static let perEpisode = "episode"

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    channels = try r.selection(
      "channels", ChannelSelection([.kind(.scalar), .kind(.position)]))
    let older = r.value("method")?.string.flatMap { NormalizationMethod.older[$0] }
    method = if let older { older } else { try r.choice("method", .standard) }
    axes = try r.value("axes").map { (value) throws(TrajpackError) in
      let list = value.array ?? [value]
      let axes = list.compactMap(\.int)
      guard axes.count == list.count, axes.allSatisfy({ (-64...63).contains($0) }) else {
        throw r.wrong("axes", value, "an axis of a row's shape, or a list of some")
      }
      return axes
    }
    split = try r.text("split") ?? "train"
    per = try r.text("per")
    if let given = r.value("constants") {
      guard per == nil else {
        throw TrajpackError(
          .usage, "\(r.path) has 'constants' beside 'per': give constants by group, as 'groups'")
      }
      constants = try Self.constants(given, at: "\(r.path).constants")
    }
    if let given = r.value("groups") {
      guard per != nil else {
        throw TrajpackError(.usage, "\(r.path) has 'groups' without 'per': say what they are of")
      }
      var list: [Group] = []
      for member in given.members ?? [] {
        list.append(
          Group(
            name: member.name,
            constants: try Self.constants(
              member.value, at: "\(r.path).groups['\(member.name)']")))
      }
      guard !list.isEmpty else {
        throw r.wrong("groups", given, "an object of constants for each group")
      }
      groups = list
    }
    guard let given = r.value("episodes") else { return }
    guard let groups, per != Self.perEpisode else {
      throw TrajpackError(
        .usage, "\(r.path) has 'episodes', which go with 'groups' of a value: leave them out")
    }
    let names = Set(groups.map(\.name))
    for member in given.members ?? [] {
      guard let name = member.value.string, names.contains(name) else {
        throw r.wrong("episodes", member.value, "the name of a group for each episode")
      }
      episodes[member.name] = name
    }
  }

  private static func constants(
    _ given: JSONValue, at path: String
  ) throws(TrajpackError) -> [Constants] {
    var list: [Constants] = []
    for member in given.members ?? [] {
      var c = try PlanReader(member.value, at: "\(path)['\(member.name)']")
      func numbers(_ name: String) throws(TrajpackError) -> [Double] {
        let value = c.value(name) ?? .null
        let parts = value.array ?? [value]
        let numbers = parts.compactMap(\.double)
        guard !numbers.isEmpty, numbers.count == parts.count, numbers.allSatisfy(\.isFinite)
        else { throw c.wrong(name, value, "a number, or a list of numbers, one an element") }
        return numbers
      }
      let (shift, scale) = (try numbers("shift"), try numbers("scale"))
      try c.finish()
      guard shift.count == scale.count || shift.count == 1 || scale.count == 1,
        scale.allSatisfy({ $0 != 0 })
      else {
        throw TrajpackError(
          .usage,
          "\(c.path) has \(shift.count) shifts and \(scale.count) scales: give as many, "
            + "and no scale of 0")
      }
      list.append(Constants(channel: member.name, shift: shift, scale: scale))
    }
    return list
  }

  /// Whether constants are still to be found in the data.
  package var isOpen: Bool { constants == nil && groups == nil }

  /// The channels that it has constants of.
  var bound: [String] {
    var out: [String] = []
    for constants in (constants ?? []) + (groups ?? []).flatMap(\.constants)
    where !out.contains(constants.channel) { out.append(constants.channel) }
    return out
  }

  package var unresolved: String? {
    isOpen ? "the statistics of split '\(split)' are not known yet" : nil
  }

  package var json: JSONValue {
    func object(_ list: [Constants]) -> JSONValue {
      .object(
        list.map {
          .init(
            $0.channel,
            .object([
              .init("shift", .array($0.shift.map { .double($0) })),
              .init("scale", .array($0.scale.map { .double($0) })),
            ]))
        })
    }
    return .record([
      "step": "normalize", "channels": channels.json, "method": .string(method.rawValue),
      "axes": axes.map { .array($0.map { .int(Int64($0)) }) },
      "split": .string(split), "per": per.map { .string($0) },
      "constants": constants.map(object),
      "groups": groups.map { .object($0.map { .init($0.name, object($0.constants)) }) },
      "episodes": episodes.isEmpty
        ? nil : .object(episodes.sorted { $0.key < $1.key }.map { .init($0, .string($1)) }),
    ])
  }
}
