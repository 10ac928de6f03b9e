import Glibc
import TrajpackFormat

/// Whether recurrence rate counts each point's recurrence with itself.
enum DiagonalRule: String, CaseIterable, Sendable {
  /// Counted: over N² pairs (pyunicorn).
  case with
  /// Not counted, and pairs within the Theiler window are not either (neurokit2).
  case without
}

/// Which distance decides recurrence.
enum RecurrenceNorm: String, CaseIterable, Sendable {
  case euclidean
  case maximum
}

/// Options of `attractor.recurrence`.
struct RecurrenceOptions: PredictionOptions {
  var radius = 1.0
  var norm = RecurrenceNorm.euclidean
  var diagonal = DiagonalRule.without
  var theiler = 0
  var minimumDiagonal = 2
  var minimumVertical = 2
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .number("radius", \.radius, "points at most this far apart recur (≤)", lowest: 0),
    .choice("norm", \.norm, "which distance decides"),
    .choice("diagonal", \.diagonal, "whether the rate counts the main diagonal"),
    .count("theiler", \.theiler, "diagonals |i − j| ≤ this hold no lines"),
    .count("minimum_diagonal", \.minimumDiagonal, "length of a diagonal line", 1...1_000_000),
    .count("minimum_vertical", \.minimumVertical, "length of a vertical line", 1...1_000_000),
    failure(\.failed),
  ]
}

/// Recurrence quantification (Zbilut and Webber 1992; Marwan et al. 2007): recurrence rate,
/// determinism (share of recurrences on diagonal lines), mean and longest line, Shannon entropy of
/// line lengths (nats), laminarity and trapping time of vertical lines. The matrix is never held:
/// one diagonal and one column at a time.
enum Recurrence {
  static let evaluator = Evaluator(
    "attractor.recurrence",
    makes: [
      "attractor.recurrence_rate", "attractor.determinism", "attractor.mean_line",
      "attractor.longest_line", "attractor.line_entropy", "attractor.laminarity",
      "attractor.trapping_time",
    ],
    "Recurrence quantification: RR, DET, L, L_max, ENTR, LAM, TT.",
    [.needed("series", "T × D, or T", "a trajectory, or delay vectors")],
    RecurrenceOptions.self, generated: "series",
    scores)

  static func scores(
    _ arrays: Arrays, _ options: RecurrenceOptions
  ) throws(TrajpackError) -> [Score] {
    let series = try arrays.tensor("series", ranks: 1...2).series[0]
    let names = [
      "recurrence_rate", "determinism", "mean_line", "longest_line", "line_entropy",
      "laminarity", "trapping_time",
    ].map { "attractor.\($0)" }
    guard series.values.allSatisfy(\.isFinite), series.rows > options.theiler + 1 else {
      let reason = "the series is too short, or holds values that are not numbers"
      return names.map { Score($0, missing: reason) }
    }
    var diagonals = Lines(minimum: options.minimumDiagonal)
    var verticals = Lines(minimum: options.minimumVertical)
    let rows = series.rows
    for lag in (options.theiler + 1)..<max(rows, options.theiler + 1) {
      if Interruption.isRequested { break }
      diagonals.scan(rows - lag) { recurs(series, $0, $0 + lag, options) }
    }
    for column in 0..<rows where !Interruption.isRequested {
      verticals.scan(rows) { row in
        abs(row - column) > options.theiler && recurs(series, row, column, options)
      }
    }
    // Each diagonal above the main one has its mirror below.
    let points = 2 * diagonals.points
    let pairs = (rows - options.theiler) * (rows - options.theiler - 1)
    let rate: Double
    if options.diagonal == .with {
      var near = 0
      for lag in 1..<max(1, min(options.theiler + 1, rows)) {
        for row in 0..<rows - lag where recurs(series, row, row + lag, options) { near += 1 }
      }
      rate = Double(points + 2 * near + rows) / (Double(rows) * Double(rows))
    } else {
      rate = Double(points) / Double(pairs)
    }
    let none = "no line is that long"
    func figure(_ index: Int, _ value: Double?, _ count: Int, _ reason: String) -> Score {
      value.map { Score(names[index], $0, count: count) } ?? Score(names[index], missing: reason)
    }
    let dot = "no two points recur"
    return [
      Score(names[0], rate, count: options.diagonal == .with ? rows * rows : pairs),
      figure(1, diagonals.share, points, dot), figure(2, diagonals.mean, diagonals.count, none),
      figure(3, diagonals.longest, diagonals.count, none),
      figure(4, diagonals.entropy, diagonals.count, none),
      figure(5, verticals.share, verticals.points, dot),
      figure(6, verticals.mean, verticals.count, none),
    ]
  }

  @inline(__always) private static func recurs(
    _ series: Series, _ a: Int, _ b: Int, _ options: RecurrenceOptions
  ) -> Bool {
    if options.norm == .euclidean {
      return series.squaredDistance(a, b) <= options.radius * options.radius
    }
    for column in 0..<series.columns
    where abs(series[a, column] - series[b, column]) > options.radius { return false }
    return true
  }

  /// Lengths of runs of recurrences.
  private struct Lines {
    let minimum: Int
    var points = 0
    var lengths: [Int: Int] = [:]

    init(minimum: Int) { self.minimum = minimum }

    mutating func scan(_ count: Int, _ recurs: (Int) -> Bool) {
      var run = 0
      for place in 0...count {
        if place < count, recurs(place) {
          run += 1
        } else if run > 0 {
          points += run
          lengths[run, default: 0] += 1
          run = 0
        }
      }
    }

    private var long: [(length: Int, count: Int)] {
      lengths.filter { $0.key >= minimum }.sorted { $0.key < $1.key }
        .map { ($0.key, $0.value) }
    }

    var count: Int { long.reduce(0) { $0 + $1.count } }
    var share: Double? {
      points > 0 ? Double(long.reduce(0) { $0 + $1.length * $1.count }) / Double(points) : nil
    }
    var mean: Double? {
      count > 0 ? Double(long.reduce(0) { $0 + $1.length * $1.count }) / Double(count) : nil
    }
    var longest: Double? { long.last.map { Double($0.length) } }
    var entropy: Double? {
      let total = Double(count)
      return total > 0
        ? -long.reduce(0) { $0 + Double($1.count) / total * log(Double($1.count) / total) } + 0
        : nil
    }
  }
}
