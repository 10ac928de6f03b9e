import TrajpackFormat

/// A number that a plan gives, or has chosen from the data.
package enum PlanChoice: Sendable, Equatable {
  case auto
  case fixed(Int)

  package var json: JSONValue {
    switch self {
    case .auto: "auto"
    case .fixed(let number): .int(Int64(number))
    }
  }

  package var number: Int? {
    if case .fixed(let number) = self { return number }
    return nil
  }
}

/// Delay embedding.
package struct EmbedStep: PlanStep {
  /// One coordinate of a non-uniform embedding: an element of a channel, some rows away.
  package struct Coordinate: Sendable, Equatable {
    package let channel: String
    package let element: Int
    package let lag: Int

    package init(channel: String, element: Int, lag: Int) {
      self.channel = channel
      self.element = element
      self.lag = lag
    }
  }

  package enum LagBy: String, Sendable, CaseIterable {
    /// First minimum of the average mutual information, in bins of equal width.
    case mutualInformation = "ami"
    /// The same by adaptive bisection.
    case bisection = "ami-bisection"
    /// The same by nearest neighbours (KSG).
    case neighbours = "ami-ksg"
    /// First lag at which the autocorrelation is not above zero.
    case zero = "autocorrelation-zero"
    /// First lag at which it is below 1/e.
    case inverseE = "autocorrelation-1/e"
  }

  /// How lags of several channels are chosen together.
  package enum Joint: String, Sendable, CaseIterable { case pecuzal, mdop }
  package enum DimensionBy: String, Sendable, CaseIterable { case cao, fnn }
  enum Direction: String, Sendable, CaseIterable { case forward, backward }
  enum Short: String, Sendable, CaseIterable { case refuse, skip }

  /// Between which rows of explicit times no vector reaches; a regular clock has none.
  package enum Gap: Sendable, Equatable {
    /// Rows more than one and a half times the median step apart.
    case auto
    case none
    case span(TimeSpan)
  }

  /// How `auto` is decided.
  package struct Search: Sendable, Equatable {
    package var lagBy = LagBy.mutualInformation
    package var bins = 64
    package var dimensionBy = DimensionBy.cao
    package var maxLag = 100
    package var maxDimension = 10
    /// Theiler window; the lag itself where `nil`.
    package var window: Int?
    /// The most rows of all episodes together that are looked at.
    package var rows = 50_000
  }

  /// Which coordinates.
  package enum Shape: Sendable, Equatable {
    /// Each channel with itself: `dimension` rows, `lag` rows apart.
    case uniform(ChannelSelection, lag: PlanRules<PlanChoice>, dimension: PlanRules<PlanChoice>)
    /// Channels of one stream, from which a list is to be chosen that becomes one channel.
    case joint(ChannelSelection, Joint, name: String)
    /// A list, which becomes one channel of that name.
    case list([Coordinate], name: String)
  }

  package var shape: Shape
  let direction: Direction
  let short: Short
  package let gap: Gap
  package let search: Search

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    if let list = r.value("coordinates") {
      if let method = r.value("method") {
        throw r.wrong("method", method, "left out with 'coordinates', which are chosen already")
      }
      let coordinates = try Self.coordinates(list, r)
      let name = try r.text("name") ?? "embedding"
      shape = .list(coordinates, name: try Self.plain(name, in: coordinates[0].stream, r.path))
    } else if let method = r.value("method"), method != "uniform" {
      shape = .joint(
        try r.selection("channels", ChannelSelection([.kind(.scalar)])),
        try Self.joint(method, r), name: try r.text("name") ?? "embedding")
      for name in ["tau", "dimension", "tau_by", "bins", "dimension_by", "max_dimension"] {
        guard let value = r.value(name) else { continue }
        throw r.wrong(
          name, value, "left out: it is for method 'uniform', and this is \(method.text())")
      }
    } else {
      let context = r
      func choice(
        _ name: String, _ range: ClosedRange<Int>
      ) throws(TrajpackError) -> PlanRules<PlanChoice> {
        try r.rules(name, .auto) { (value) throws(TrajpackError) in
          if value == "auto" { return .auto }
          guard let number = value.int, range.contains(number) else {
            throw context.wrong(
              name, value, "\"auto\" or an integer from \(range.lowerBound) to \(range.upperBound)")
          }
          return .fixed(number)
        }
      }
      shape = .uniform(
        try r.selection("channels", ChannelSelection([.kind(.scalar)])),
        lag: try choice("tau", 1...1_048_575), dimension: try choice("dimension", 1...4096))
    }
    direction = try r.choice("direction", .forward)
    short = try r.choice("short", .refuse)
    switch r.value("gap") {
    case nil, .some("auto"): gap = .auto
    case .some("none"): gap = .none
    case .some(let value): gap = .span(try r.span("gap", value))
    }
    var search = Search()
    switch shape {
    case .uniform:
      search.lagBy = try r.choice("tau_by", search.lagBy)
      search.bins = try r.integer("bins", in: 2...256) ?? search.bins
      search.dimensionBy = try r.choice("dimension_by", search.dimensionBy)
      search.maxLag = try r.integer("max_tau", in: 2...1_000_000) ?? search.maxLag
      search.maxDimension = try r.integer("max_dimension", in: 2...60) ?? search.maxDimension
      search.window = try r.integer("theiler", in: 0...1_000_000)
      search.rows = try r.integer("rows", in: 100...100_000_000) ?? search.rows
    case .joint:
      search.maxLag = try r.integer("max_tau", in: 2...10_000) ?? 50
      search.window = try r.integer("theiler", in: 0...1_000_000)
      search.rows = try r.integer("rows", in: 100...10_000_000) ?? 10_000
    case .list: break
    }
    self.search = search
  }

  private static func joint(_ method: JSONValue, _ r: PlanReader) throws(TrajpackError) -> Joint {
    let names = ["uniform"] + Joint.allCases.map(\.rawValue)
    guard let text = method.string, let joint = Joint(rawValue: text) else {
      throw r.wrong("method", method, names.map { "'\($0)'" }.joined(separator: ", "))
    }
    return joint
  }

  /// A name for a new channel of a stream, which may be given with the stream's.
  package static func plain(
    _ name: String, in stream: String, _ place: String
  ) throws(TrajpackError) -> String {
    guard let slash = name.lastSlash else { return name }
    let own = String(name[name.index(after: slash)...])
    guard name[..<slash] == stream, !own.isEmpty else {
      throw TrajpackError(
        .usage,
        "\(place).name is '\(name)', but the new channel is one of stream '\(stream)': give its own name"
      )
    }
    return own
  }

  private static func coordinates(
    _ list: JSONValue, _ r: PlanReader
  ) throws(TrajpackError) -> [Coordinate] {
    guard let elements = list.array, !elements.isEmpty else {
      throw r.wrong("coordinates", list, "a list of {\"channel\": \"stream/name\", \"lag\": 5}")
    }
    var result: [Coordinate] = []
    for (i, element) in elements.enumerated() {
      var c = try PlanReader(element, at: "\(r.path).coordinates[\(i)]")
      guard let channel = try c.text("channel"), channel.lastSlash != nil else {
        throw TrajpackError(.usage, "\(c.path) names no channel: add \"channel\": \"stream/name\"")
      }
      result.append(
        Coordinate(
          channel: channel, element: try c.integer("element", in: 0...1 << 30) ?? 0,
          lag: try c.integer("lag", in: -(1 << 30)...1 << 30) ?? 0))
      try c.finish()
    }
    let streams = Set(result.map(\.stream))
    guard streams.count == 1 else {
      throw TrajpackError(
        .usage,
        "\(r.path).coordinates are of \(streams.count) streams, which have clocks of their own: "
          + "resample them onto one, or give coordinates of one")
    }
    return result
  }

  /// What still has to be chosen from the data.
  package var unresolved: String? {
    let isOpen: Bool
    switch shape {
    case .uniform(_, let lag, let dimension):
      isOpen = [lag, dimension].contains { choice in
        choice.otherwise == .auto || choice.rules.contains { $0.value == .auto }
      }
    case .joint(_, let method, _):
      return "'\(method.rawValue)' chooses from a whole dataset: let 'trajpack embed' do so"
    case .list: isOpen = false
    }
    return isOpen ? "'auto' is chosen from a whole dataset: let 'trajpack embed' do so" : nil
  }

  package var json: JSONValue {
    var members: [JSONValue.Member] = [.init("step", "embed")]
    switch shape {
    case .uniform(let channels, let lag, let dimension):
      members += [
        .init("channels", channels.json), .init("tau", lag.json(\.json)),
        .init("dimension", dimension.json(\.json)),
      ]
    case .joint(let channels, let method, let name):
      members += [
        .init("method", .string(method.rawValue)), .init("channels", channels.json),
        .init("name", .string(name)),
      ]
    case .list(let list, let name):
      members += [
        .init("coordinates", .array(list.map(\.json))), .init("name", .string(name)),
      ]
    }
    members += [
      .init("direction", .string(direction.rawValue)), .init("short", .string(short.rawValue)),
      .init("gap", gap.json),
    ]
    switch shape {
    case .uniform:
      members += [
        .init("tau_by", .string(search.lagBy.rawValue)), .init("bins", .int(Int64(search.bins))),
        .init("dimension_by", .string(search.dimensionBy.rawValue)),
        .init("max_tau", .int(Int64(search.maxLag))),
        .init("max_dimension", .int(Int64(search.maxDimension))),
        .init("theiler", search.window.map { .int(Int64($0)) } ?? .null),
        .init("rows", .int(Int64(search.rows))),
      ]
    case .joint:
      members += [
        .init("max_tau", .int(Int64(search.maxLag))),
        .init("theiler", search.window.map { .int(Int64($0)) } ?? .null),
        .init("rows", .int(Int64(search.rows))),
      ]
    case .list: break
    }
    return .object(members)
  }
}

extension EmbedStep.Gap {
  package var json: JSONValue {
    switch self {
    case .auto: "auto"
    case .none: "none"
    case .span(let span): PlanNumber.json(span)
    }
  }
}

extension EmbedStep.Coordinate {
  /// The part of the channel's path before its last `/`.
  var stream: String { String(channel[..<(channel.lastSlash ?? channel.endIndex)]) }
  /// The part after it.
  var name: String {
    channel.pathComponents.last ?? channel
  }

  package var json: JSONValue {
    .object([
      .init("channel", .string(channel)), .init("element", .int(Int64(element))),
      .init("lag", .int(Int64(lag))),
    ])
  }
}

extension EmbedStep {
  package static var name: String { "embed" }

  package var selection: ChannelSelection {
    switch shape {
    case .uniform(let channels, _, _), .joint(let channels, _, _): channels
    case .list(let list, _): ChannelSelection(list.map { .pattern(Pattern($0.channel)) })
    }
  }

  package var ruleSelectors: [(member: String, selectors: [ChannelSelector])] {
    guard case .uniform(_, let lag, let dimension) = shape else { return [] }
    return [("tau", lag.rules.map(\.selector)), ("dimension", dimension.rules.map(\.selector))]
  }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let made = try EmbedStage(self, program.stream, program.outputs, isVideo: isVideo)
    guard let made else { return nil }
    if case .list(_, let name) = shape, !program.varying.isEmpty { program.varying.insert(name) }
    program.outputs = made.outputs
    return made
  }
}
