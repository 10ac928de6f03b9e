import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// What a page shows of every episode: chosen once for the dataset, by its schema and statistics, so that episodes can be
/// compared.
struct PagePlan: Sendable {
  /// A channel of a stream of the episode itself, as a curve a component, or as a strip of names or numbers.
  struct Plot: Sendable {
    var stream: String
    var channel: String
    /// The components that are drawn.
    var components: [Int]
    /// Components that the channel has.
    var width: Int
    var label: String
    /// What the components that are drawn are called; empty for a single number.
    var parts: [String]
    var units: String
    /// Whether values hold until they change: a strip instead of a curve.
    var isStrip: Bool
    var categories: [String]?
    /// The range of each episode's curve where it is the same in all: of the whole dataset.
    var low: Double
    var high: Double
  }

  /// What the lane of an entity shows, by its stream.
  struct Lane: Sendable {
    var stream: String
    /// A curve.
    var channel: String?
    var low = 0.0
    var high = 1.0
    /// Channels whose changes make a strip, as an action of several numbers does.
    var actions: [String]
  }

  /// Where the points of a path come from: coordinates of one channel, or several channels of one stream.
  struct Path: Sendable {
    var stream: String
    var coordinates: [(channel: String, component: Int)]
  }

  var plots: [Plot] = []
  /// Channels that there was no room for.
  var more = 0
  var lanes: [Lane] = []
  var paths: [Path] = []
  /// What the coordinates of paths are called.
  var axes: [String] = []
  /// Whether paths are places; else values of a state against each other.
  var isMap = false
  let budget: PageBudget

  init(_ summary: DatasetSummary, _ budget: PageBudget) {
    self.budget = budget
    for stream in summary.streams where !stream.stream.isVideo {
      let isOfEntities = !stream.entityKinds.isEmpty
      if isOfEntities {
        if stream.stream.skeleton == nil { addLane(stream, summary.statistics) }
      } else {
        addPlots(stream, summary.statistics)
      }
      if stream.stream.skeleton == nil, let place = Self.place(stream.stream) {
        paths.append(
          Path(
            stream: stream.stream.name,
            coordinates: (0..<place.shape[0]).map { (place.name, $0) }))
      }
    }
    if paths.isEmpty { addPortrait(summary) } else { mapAxes(summary) }
    // Curves say more than strips where there is not room for all.
    plots = plots.filter { !$0.isStrip } + plots.filter(\.isStrip)
    more = max(plots.count - budget.plots, 0)
    plots = Array(plots.prefix(budget.plots))
  }

  /// The position of what a stream is about: a point of 2 or 3 coordinates.
  private static func place(_ stream: TrajpackFormat.Stream) -> Channel? {
    stream.channels.first { $0.kind == .position && ($0.shape == [3] || $0.shape == [2]) }
  }

  /// What a component is called: by the order that the channel states, by its axis, or by its number.
  static func component(_ number: Int, of channel: Channel) -> String {
    if let order = channel.convention("order") {
      let names =
        order.contains(" ")
        ? order.split(separator: " ").map(String.init) : order.map { String($0) }
      if names.count == channel.elements { return names[number] }
    }
    return channel.elements <= 3 ? ["x", "y", "z"][number] : "\(number)"
  }

  private static func isNumber(_ channel: Channel) -> Bool {
    channel.type != .bytes && channel.name != "time" && channel.kind != .text
      && channel.kind != .packet && channel.kind != .image && channel.pixels == nil
  }

  private static func isHeld(_ channel: Channel) -> Bool {
    [.label, .categorical, .event].contains(channel.kind) || channel.categories != nil
      || channel.type == .bool
  }

  private mutating func addPlots(
    _ stream: DatasetSummary.StreamSummary, _ statistics: DatasetStatistics
  ) {
    for entry in stream.channels where Self.isNumber(entry.channel) {
      let channel = entry.channel
      let found = statistics.all("\(stream.stream.name)/\(channel.name)")
      // Statistics are a component each, or one for all where a channel is wide.
      let all = found.reduce(into: ComponentStatistics()) { $0.merge($1) }
      guard all.count > 0, all.minimum < all.maximum, channel.elements > 0,
        channel.kind != .matrix || channel.elements <= 16
      else { continue }
      let varying =
        found.count == channel.elements
        ? (0..<channel.elements).filter { found[$0].count > 0 && !found[$0].isConstant }
        : Array(0..<channel.elements)
      guard !varying.isEmpty else { continue }
      let isStrip = Self.isHeld(channel) && channel.elements == 1
      plots.append(
        Plot(
          stream: stream.stream.name, channel: channel.name,
          components: Array(varying.prefix(4)), width: channel.elements,
          label: "\(stream.stream.name)/\(channel.name)",
          parts: channel.elements == 1
            ? [] : varying.prefix(4).map { Self.component($0, of: channel) },
          units: channel.units ?? "",
          isStrip: isStrip, categories: channel.categories, low: all.minimum, high: all.maximum))
    }
  }

  private mutating func addLane(
    _ stream: DatasetSummary.StreamSummary, _ statistics: DatasetStatistics
  ) {
    func varies(_ channel: Channel) -> ComponentStatistics? {
      let all = statistics.all("\(stream.stream.name)/\(channel.name)")
      guard all.count == 1, all[0].count > 0, all[0].minimum < all[0].maximum else { return nil }
      return all[0]
    }
    let channels = stream.channels.map(\.channel).filter {
      Self.isNumber($0) && $0.elements == 1
    }
    var lane = Lane(stream: stream.stream.name, channel: nil, actions: [])
    let curves = channels.filter { !Self.isHeld($0) }
    let chosen =
      curves.first { ["hp", "health"].contains($0.name.lowercased()) && varies($0) != nil }
      ?? curves.first { varies($0) != nil }
    if let chosen, let range = varies(chosen) {
      (lane.channel, lane.low, lane.high) = (chosen.name, range.minimum, range.maximum)
    }
    let held = channels.filter { Self.isHeld($0) }
    let motion = ["motion_bank_id", "motion_id"]
    if motion.allSatisfy({ name in held.contains { $0.name == name } }) {
      // WildWorld's action of a character is its weapon, bank and motion; that of a monster has no weapon.
      let hasWeapon = held.contains { $0.name == "weapon_id" }
      lane.actions = (hasWeapon ? ["weapon_id"] : []) + motion
    } else if let name = held.first(where: { $0.name.lowercased().contains("action") })
      ?? held.first(where: { varies($0) != nil && !$0.name.hasSuffix("_id") })
    {
      lane.actions = [name.name]
    }
    lanes.append(lane)
  }

  /// Of a system that moves nowhere: two or three of its values against each other.
  private mutating func addPortrait(_ summary: DatasetSummary) {
    for stream in summary.streams where stream.entityKinds.isEmpty && !stream.stream.isVideo {
      let curves = plots.filter { $0.stream == stream.stream.name && !$0.isStrip }
      let coordinates = curves.flatMap { plot in
        plot.components.map { (channel: plot.channel, component: $0) }
      }
      guard (2...6).contains(coordinates.count) else { continue }
      paths = [Path(stream: stream.stream.name, coordinates: Array(coordinates.prefix(3)))]
      axes = paths[0].coordinates.map { coordinate in
        let isOne = curves.contains { $0.channel == coordinate.channel && $0.width == 1 }
        if isOne { return coordinate.channel }
        return curves.count == 1 && coordinates.count <= 3
          ? ["x", "y", "z"][coordinate.component % 3]
          : "\(coordinate.channel)[\(coordinate.component)]"
      }
      return
    }
  }

  /// The coordinates of places: those two along which most happens.
  private mutating func mapAxes(_ summary: DatasetSummary) {
    isMap = true
    var ranges = [ClosedRange<Double>?](repeating: nil, count: 3)
    for path in paths {
      let all = summary.statistics.all("\(path.stream)/\(path.coordinates[0].channel)")
      guard all.count == path.coordinates.count else { continue }
      for (n, one) in all.enumerated() where one.count > 0 {
        ranges[n] =
          min(
            ranges[n]?.lowerBound ?? one.minimum, one.minimum)...max(
            ranges[n]?.upperBound ?? one.maximum, one.maximum)
      }
    }
    let lengths = ranges.map { $0.map { $0.upperBound - $0.lowerBound } ?? 0 }
    let least = lengths[2] > 0 ? lengths.indices.min { lengths[$0] < lengths[$1] } ?? 1 : 2
    let kept = (0..<3).filter { $0 != least }
    axes = kept.map { ["x", "y", "z"][$0] }
    paths = paths.compactMap { path in
      let own = kept.filter { $0 < path.coordinates.count }.map { path.coordinates[$0] }
      return own.count == 2 ? Path(stream: path.stream, coordinates: own) : nil
    }
  }
}

/// How much of each episode a page may hold, so that it stays below a size.
struct PageBudget: Sendable, Equatable {
  /// Points of a curve along time.
  var bins = 480
  /// Curves.
  var plots = 16
  /// Points of a path.
  var points = 1600
  /// Frames of each video.
  var frames = 6
  /// Pixels across a frame.
  var width = 320
  var quality = 82
  /// Whether frames are those that decoding can begin at, near the places that are wanted: much cheaper.
  var keyframesOnly = false

  /// For a film of one episode: no pictures, few curves.
  static let film = PageBudget(plots: 6, points: 1600, frames: 0)

  /// Levels from rich to poor.
  private static let levels = [
    PageBudget(),
    PageBudget(bins: 360, plots: 12, points: 800, width: 256, quality: 80),
    PageBudget(
      bins: 240, plots: 10, points: 400, frames: 6, width: 200, quality: 78, keyframesOnly: true),
    PageBudget(
      bins: 200, plots: 8, points: 240, frames: 4, width: 192, quality: 76, keyframesOnly: true),
    PageBudget(
      bins: 160, plots: 8, points: 160, frames: 4, width: 160, quality: 74, keyframesOnly: true),
    PageBudget(
      bins: 120, plots: 6, points: 120, frames: 3, width: 144, quality: 72, keyframesOnly: true),
    PageBudget(
      bins: 80, plots: 5, points: 80, frames: 2, width: 128, quality: 70, keyframesOnly: true),
    PageBudget(
      bins: 60, plots: 4, points: 48, frames: 1, width: 112, quality: 68, keyframesOnly: true),
    PageBudget(
      bins: 40, plots: 2, points: 24, frames: 0, width: 0, quality: 0, keyframesOnly: true),
  ]

  /// The richest level that leaves `episodes` episodes with so many videos, curves and entities below `bytes`.
  init(
    episodes: Int, bytes: Int, videos: Int, curves: Int, lanes: Int, skeletons: Int, pictures: Bool
  ) {
    self =
      Self.levels.first { level in
        // Base64 makes four bytes of three; a pixel of a small picture takes some 0.15 bytes, its head 600. Measured.
        var each = 700 + level.bins * 8 / 3 * (min(curves, 3 * level.plots) + lanes)
        each += level.points * 16 / 3 * (lanes + 1)
        if pictures, level.frames > 0 {
          let picture = level.width * level.width * 9 / 16 / 5
          each += videos * (820 + level.frames * picture) + level.frames * skeletons * 150
        }
        return each * episodes < bytes
      } ?? Self.levels[Self.levels.count - 1]
  }

  private init(
    bins: Int = 480, plots: Int = 16, points: Int = 1600, frames: Int = 6, width: Int = 320,
    quality: Int = 82, keyframesOnly: Bool = false
  ) {
    self.bins = bins
    self.plots = plots
    self.points = points
    self.frames = frames
    self.width = width
    self.quality = quality
    self.keyframesOnly = keyframesOnly
  }
}
