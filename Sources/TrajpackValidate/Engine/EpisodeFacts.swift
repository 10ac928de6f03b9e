import CPlatform
import TrajpackFormat

/// What one pass over a column of a track told.
struct ColumnFacts: Sendable {
  /// Numbers that are finite, not observed (or NaN), and infinite.
  var finite = 0
  var missing = 0
  var infinite = 0
  /// Finite numbers that are not whole, and that are smaller than any normal float32 and not 0.
  var fractions = 0
  var tiny = 0
  /// Steps between two finite rows, and those of them that are 0.
  var moves = 0
  var same = 0
  var minimum = Double.infinity
  var maximum = -Double.infinity
  var sum = 0.0
  /// The sum of the sizes.
  var sizeSum = 0.0
  /// The largest step, and the sum of the sizes of all.
  var step = 0.0
  var stepSum = 0.0

  var mean: Double { finite > 0 ? sum / Double(finite) : 0 }
  var meanSize: Double { finite > 0 ? sizeSum / Double(finite) : 0 }
  var meanStep: Double { moves > 0 ? stepSum / Double(moves) : 0 }
  var isConstant: Bool { finite > 0 && minimum == maximum }
  /// Whether it goes one way only, as clocks and counters do: its steps together are as long as from the least to the
  /// largest value, as far as a float32 can tell.
  var goesOneWay: Bool { maximum > minimum && stepSum <= (maximum - minimum) * (1 + 0x1p-12) }

  mutating func add(_ more: tp_column_facts) {
    finite += Int(more.finite)
    missing += Int(more.missing)
    infinite += Int(more.infinite)
    fractions += Int(more.fractions)
    tiny += Int(more.tiny)
    moves += Int(more.moves)
    same += Int(more.same)
    minimum = min(minimum, more.minimum)
    maximum = max(maximum, more.maximum)
    sum += more.sum
    sizeSum += more.size_sum
    step = max(step, more.step)
    stepSum += more.step_sum
  }

  /// Of all columns of a channel together.
  mutating func add(_ other: ColumnFacts) {
    finite += other.finite
    missing += other.missing
    infinite += other.infinite
    fractions += other.fractions
    tiny += other.tiny
    moves += other.moves
    same += other.same
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
    sum += other.sum
    sizeSum += other.sizeSum
    step = max(step, other.step)
    stepSum += other.stepSum
  }
}

/// What is known of a track when all its rows were read. One object for all who look at it: a copy has many parts.
final class TrackFacts {
  let track: TrackContext
  /// Of each column.
  let columns: [ColumnFacts]
  /// A checksum of the values of each channel.
  let checksums: [UInt32]
  /// The first and last time of a track with explicit times.
  var times: ClosedRange<Double>?
  /// Hashes of some windows of its rows, by their content, and of some rounded windows.
  var windows: [UInt64] = []
  var nearWindows: [UInt64] = []
  /// The last rows of the rounded windows.
  var nearRows: [Int] = []
  /// The first row in which a channel has a missing value, by channel, where one has.
  var holes: [Int: Int] = [:]
  /// How many rows have each name of a categorical channel, by channel.
  var classes: [Int: [Int]] = [:]
  /// Where its columns jump to another level.
  var levels: [LevelShift] = []
  /// Of channels that have velocities beside them: the correlation of their steps with these.
  var courses: [Int: Double] = [:]
  /// How its rows repeat at the start and at the end; `nil` where too few of its numbers change; forgotten, too.
  var ends: EndRows?
  /// How far its first position moves from row to row; forgotten when its episode has been looked at.
  var motion: [Float] = []
  /// The camera, and joints, at some moments; forgotten, too.
  var poses: [ScenePose] = []
  var points: [ScenePoints] = []

  init(_ track: TrackContext, columns: [ColumnFacts], checksums: [UInt32]) {
    (self.track, self.columns, self.checksums) = (track, columns, checksums)
  }

  /// What is known of all columns of a channel together.
  func facts(_ columns: TrackContext.Columns) -> ColumnFacts {
    var out = ColumnFacts()
    for element in 0..<columns.count { out.add(self.columns[columns.first + element]) }
    return out
  }
}

/// What is known of an episode when all its rows were read. One object for all who look at it.
final class EpisodeFacts {
  let about: EpisodeAbout
  /// In the order of the episode.
  let tracks: [TrackFacts]
  /// Joints in the picture, by convention.
  var scene: SceneTally?
  /// By how many rows streams that move alike are shifted.
  var shifts: [StreamShift] = []
  /// The names of values that were set on the dataset after it was written.
  var values: [String] = []
  /// The names of values that were taken away.
  var removedValues: [String] = []

  init(about: EpisodeAbout, tracks: [TrackFacts]) { (self.about, self.tracks) = (about, tracks) }

  /// The place of the episode in a finding.
  func place(
    _ track: TrackContext? = nil, rows: Range<Int>? = nil, values: [Double] = [],
    note: String? = nil
  ) -> Place {
    Place(
      shard: about.shard, episode: about.id, entity: track?.entityName, rows: rows, values: values,
      note: note)
  }
}
