import TrajpackFormat

/// What an evaluation found: figures with how many values they come from, and all that is needed to read
/// them, draw them, and make them again. `schemas/report.schema.json` is its JSON.
public struct Report: Sendable, Equatable {
  /// What the path of a split scheme among ``others`` begins with.
  static let schemePrefix = "split scheme "

  /// The digest of the split scheme that it goes by; `nil` for none.
  var schemeDigest: String? {
    others.first { $0.path.hasPrefix(Self.schemePrefix) && $0.form == "files" }?.digest
  }

  /// One side of the comparison.
  public struct Input: Sendable, Equatable {
    /// The path as it was given.
    public var path: String
    /// `archive`, or `files`.
    public var form: String
    /// The digest of its content.
    public var digest: String
  }

  /// Which episodes the figures are of.
  public struct Episodes: Sendable, Equatable {
    /// Those that the truth has and the request selects.
    public var selected = 0
    /// Those that were evaluated.
    public var evaluated: [String] = []
    /// Selected ones that there is no prediction of.
    public var missing: [String] = []
    /// Predicted ones that the truth has not, or that were not selected.
    public var extra: [String] = []
    /// Episodes of which some frames have no prediction, and how many.
    public var cut: [(episode: String, frames: Int)] = []
    /// Episodes that more frames are predicted of than they have, and how many more.
    public var surplus: [(episode: String, frames: Int)] = []

    /// Whether all is the same.
    public static func == (a: Self, b: Self) -> Bool {
      a.selected == b.selected && a.evaluated == b.evaluated && a.missing == b.missing
        && a.extra == b.extra && a.cut.elementsEqual(b.cut, by: ==)
        && a.surplus.elementsEqual(b.surplus, by: ==)
    }
  }

  /// A metric's figure for one episode.
  public struct EpisodeFigure: Sendable, Equatable {
    /// The episode.
    public var episode: String
    /// The figure; nil where it could not be computed.
    public var value: Double?
    /// How many values it comes from.
    public var count: Int
    /// Why there is no figure.
    public var reason: String?
    /// How many of its parts failed.
    public var failed = 0
  }

  /// The predictions that failed for a figure.
  public struct Failed: Sendable, Equatable {
    /// How many parts failed.
    public var count: Int
    /// Of how many.
    public var of: Int
    /// What the parts are, in the plural: `paths`, `poses`, `values`, `episodes`.
    public var unit: String
    /// The episodes with such parts.
    public var episodes: [String]
    /// What was wrong with the first.
    public var cause: String
    /// What was done: `withhold`, `skip` or `worst`.
    public var rule: String
  }

  /// A metric's figure for the first rows of each window or episode.
  public struct HorizonFigure: Sendable, Equatable {
    /// Rows.
    public var rows: Int
    /// The figure.
    public var value: Double?
    /// How many values it comes from.
    public var count: Int
    /// How many episodes have as many rows, and a figure; nil where all of the metric's have.
    public var episodes: Int?
    /// How many windows have as many rows, and of how many; nil where all have, or an episode is one.
    public var windows: (count: Int, of: Int)?

    /// Whether all is the same.
    public static func == (a: Self, b: Self) -> Bool {
      a.rows == b.rows && a.value == b.value && a.count == b.count && a.episodes == b.episodes
        && a.windows?.count == b.windows?.count && a.windows?.of == b.windows?.of
    }
  }

  /// One figure.
  public struct Metric: Sendable, Equatable {
    /// The full name: `camera.ate.rmse`.
    public var name: String
    /// The evaluator that computed it: `camera.path`.
    public var evaluator: String
    /// The figure; nil where it could not be computed.
    public var value: Double?
    /// How many values (frames, pairs, keypoints: see the evaluator) it comes from.
    public var count: Int
    /// Why there is no figure: one sentence.
    public var reason: String?
    /// The unit, where it has one.
    public var unit: String?
    /// Whether a better figure is `higher` or `lower`; nil where neither is.
    public var better: String?
    /// The same figure of the truth alone, for metrics that measure one series.
    public var truth: Double?
    /// How the episodes' figures became this one.
    public var pooling: String
    /// Every option, defaults included; an object.
    public var options: JSONValue
    /// What else the evaluator says; an object.
    public var details: JSONValue
    /// The figures of the episodes.
    public var episodes: [EpisodeFigure]
    /// The figures by horizon; empty where none was asked for.
    public var horizons: [HorizonFigure]
    /// The predictions that failed; nil where none did.
    public var failed: Failed?
  }

  /// The version of trajpack that made it.
  public var version: String
  /// What was asked for.
  public var request: EvaluationRequest
  /// The truth.
  public var truth: Input
  /// The predictions.
  public var predictions: Input
  /// Files of verdicts and labels, with their digests.
  public var others: [Input]
  /// The episodes.
  public var episodes: Episodes
  /// Which channels and arrays each evaluator's inputs were: evaluator, input, source.
  public var inputs: [(evaluator: String, input: String, source: String)]
  /// The figures.
  public var metrics: [Metric]
  /// What is worth looking at.
  public var figures: [Figure]

  /// Whether both have the same JSON.
  public static func == (a: Report, b: Report) -> Bool { a.json == b.json }
}
