import TrajpackFormat

/// What rules that compare tracks or episodes need of the rows, beyond the facts of columns.
struct SampleNeeds: OptionSet {
  let rawValue: Int
  /// How many rows have each name of a categorical channel.
  static let classes = SampleNeeds(rawValue: 1)
  /// How far a stream's first position moves from row to row.
  static let motion = SampleNeeds(rawValue: 2)
  /// Some rows of cameras and skeletons.
  static let scene = SampleNeeds(rawValue: 4)
  /// Where columns jump to another level.
  static let levels = SampleNeeds(rawValue: 8)
  /// How rows repeat at the start and at the end.
  static let ends = SampleNeeds(rawValue: 16)

  init(rawValue: Int) { self.rawValue = rawValue }

  /// What rules need.
  init(_ rules: [Rule]) {
    self = []
    for rule in rules {
      switch rule.id {
      case "labels.imbalance": insert(.classes)
      case "time.shift": insert(.motion)
      case "geometry.projection": insert(.scene)
      case "values.level": insert(.levels)
      case "values.padding": insert(.ends)
      default: break
      }
    }
  }
}

/// Gathers what ``SampleNeeds`` names of a track, in bounded memory.
final class TrackSamples {
  /// Steps that are kept of a track.
  static let mostSteps = 1024
  /// Names that are counted of a channel.
  static let mostClasses = 1024

  private let track: TrackContext
  private let labels: [TrackContext.Columns]
  private let moving: [(columns: TrackContext.Columns, element: Int)]
  private let scene: SceneSampler?
  private let levels: LevelSampler?
  private let ends: EndSampler?
  private(set) var classes: [Int: [Int]] = [:]
  private(set) var steps: [Float] = []

  init(_ track: TrackContext, _ wanted: SampleNeeds) {
    self.track = track
    labels =
      wanted.contains(.classes)
      ? track.columns.filter {
        let names = track.stream.channels[$0.channel].categories?.count ?? 0
        return names >= 2 && names <= Self.mostClasses && $0.count == 1 && !$0.isField
      } : []
    moving = wanted.contains(.motion) ? Self.position(track) : []
    scene = wanted.contains(.scene) ? SceneSampler(track) : nil
    levels = wanted.contains(.levels) ? LevelSampler(track) : nil
    ends = wanted.contains(.ends) ? EndSampler(track) : nil
    for columns in labels {
      let names = track.stream.channels[columns.channel].categories?.count ?? 0
      classes[columns.channel] = Array(repeating: 0, count: names)
    }
  }

  /// The three columns of where a track is: its first position, or the last column of its first pose.
  private static func position(
    _ track: TrackContext
  ) -> [(columns: TrackContext.Columns, element: Int)] {
    guard track.rate != nil, track.rows >= 64 else { return [] }
    for item in track.quantities
    where !item.columns.isField {
      let (channel, columns) = (item.channel, item.columns)
      if channel.kind == .position, channel.shape.last == 3 {
        return (0..<3).map { (columns, $0) }
      }
      if channel.kind == .matrix, channel.convention("pose") != nil,
        channel.shape == [3, 4] || channel.shape == [4, 4]
      {
        return [3, 7, 11].map { (columns, $0) }
      }
    }
    return []
  }

  var poses: [ScenePose] { scene?.poses ?? [] }
  var points: [ScenePoints] { scene?.points ?? [] }

  /// Where columns jump to another level.
  func shifts(_ facts: [ColumnFacts]) -> [LevelShift] { levels?.shifts(facts) ?? [] }

  /// How rows repeat at the start and at the end.
  func ends(_ facts: [ColumnFacts]) -> EndRows? { ends?.ends(facts) }

  func add(_ run: TrackRun) {
    for columns in labels {
      let column = run.column(columns)
      guard var counts = classes.removeValue(forKey: columns.channel) else { continue }
      let names = Double(counts.count)
      for row in 0..<run.count where column[row] >= 0 && column[row] < names {
        counts[Int(column[row])] += 1
      }
      classes[columns.channel] = counts
    }
    if !moving.isEmpty, steps.count < Self.mostSteps {
      let at = moving.map { run.column($0.columns, $0.element) }
      for row in 1 - min(run.carry, 1)..<max(run.count, 1) where steps.count < Self.mostSteps {
        var sum = 0.0
        for column in at {
          let step = column[row] - column[row - 1]
          sum += step * step
        }
        steps.append(Float(sum.squareRoot()))
      }
    }
    scene?.add(run)
    levels?.add(run)
    ends?.add(run)
  }
}
