import TrajpackFormat

/// What is asked for: everything that decides a report's figures, so that a report can be made again.
public struct EvaluationRequest: Sendable, Equatable {
  /// Rows that are forecast at once, cut as the loader cuts windows with `edge` `drop`.
  public struct Window: Sendable, Equatable {
    /// Rows of a window from its start on, which are scored.
    public var length: Int
    /// Rows before the window's start that there must be: what a model is given, never scored.
    public var past: Int
    /// Rows from one window's start to the next.
    public var stride: Int

    /// A window.
    public init(length: Int, past: Int = 0, stride: Int = 1) {
      self.length = length
      self.past = past
      self.stride = stride
    }
  }

  /// Evaluators or scores by name: `camera.path`, `camera.ate`.
  public var metrics: [String] = []
  /// Groups of evaluators: `camera`.
  public var suites: [String] = []
  /// `option=value` for every metric that has the option, or `metric.option=value`.
  public var settings: [String] = []
  /// `input=pattern` or `metric:input=pattern`: which channels or arrays an input is.
  public var maps: [String] = []
  /// Patterns of episode ids; all where empty.
  public var episodes: [String] = []
  /// Conditions on values of recordings; see ``ValueConditions``.
  public var conditions: [String] = []
  /// Splits; all where empty.
  public var splits: [String] = []
  /// The split scheme that ``splits`` and ``trainSplit`` name parts of; the one that counts where none is named.
  public var scheme: String?
  /// The fold that is the test, of a scheme of folds.
  public var fold: Int?
  /// The split whose episodes are training data for metrics that need some.
  public var trainSplit: String?
  /// The stream whose rows are the frames; chosen by each metric where nil.
  public var reference: String?
  /// Windows; whole episodes where nil.
  public var window: Window?
  /// Figures of the first rows of each window or episode.
  public var horizons: [Int] = []
  /// Whether missing episodes and shorter ones are left out and counted, instead of refused.
  public var isPartial = false
  /// What a failed prediction does: `withhold`, `skip`, `worst` or `error`; `withhold` where nil.
  public var failed: String?
  /// Conventions of a benchmark, by name; see ``Preset``.
  public var preset: String?
  /// A list of clips, a file or the name of one that the dataset has: the episodes are these clips.
  public var clips: String?
  /// The seed of everything that is drawn; each metric's own default where nil.
  public var seed: Int?
  /// A file of verdicts, for `action.following` and `action.agreement`.
  public var verdicts: String?
  /// A file of human labels, for `action.agreement`.
  public var labels: String?

  /// A table of action classes, for `action.segments`.
  public var classes: String?
  /// The folder in which linked videos lie.
  public var media: String?

  /// A request for nothing.
  public init() {}
}

extension EvaluationRequest {
  /// The request as JSON; what was not asked for is not in it.
  public var json: JSONValue {
    func texts(_ list: [String]) -> JSONValue? {
      list.isEmpty ? nil : .array(list.map { .string($0) })
    }
    return .record([
      "metrics": texts(metrics), "suites": texts(suites), "settings": texts(settings),
      "maps": texts(maps), "episodes": texts(episodes), "where": texts(conditions),
      "splits": texts(splits),
      "scheme": scheme.map { .string($0) }, "fold": fold.map { .int(Int64($0)) },
      "train_split": trainSplit.map { .string($0) }, "reference": reference.map { .string($0) },
      "window": window.map { window in
        .record([
          "length": .int(Int64(window.length)), "past": .int(Int64(window.past)),
          "stride": .int(Int64(window.stride)),
        ])
      },
      "clips": clips.map { .string($0) },
      "horizons": horizons.isEmpty ? nil : .array(horizons.map { .int(Int64($0)) }),
      "partial": isPartial ? .bool(true) : nil, "failed": failed.map { .string($0) },
      "preset": preset.map { .string($0) },
      "seed": seed.map { .int(Int64($0)) }, "verdicts": verdicts.map { .string($0) },
      "labels": labels.map { .string($0) }, "classes": classes.map { .string($0) },
      "media": media.map { .string($0) },
    ])
  }

  /// Reads what ``json`` wrote.
  ///
  /// - Throws: A data error that names the member that is wrong or unknown.
  public init(json: JSONValue) throws(TrajpackError) {
    self.init()
    let reader = JSONReader(json, at: "the report's request")
    for member in json.members ?? [] {
      let item = JSONReader(member.value, at: "the report's request.\(member.name)")
      func texts() throws(TrajpackError) -> [String] {
        try reader.list(member.name) { (r) throws(TrajpackError) in try r.text() }
      }
      switch member.name {
      case "metrics": metrics = try texts()
      case "suites": suites = try texts()
      case "settings": settings = try texts()
      case "maps": maps = try texts()
      case "episodes": episodes = try texts()
      case "where": conditions = try texts()
      case "splits": splits = try texts()
      case "scheme": scheme = try item.text()
      case "fold": fold = try item.integer()
      case "train_split": trainSplit = try item.text()
      case "reference": reference = try item.text()
      case "window":
        window = Window(
          length: try item.integer("length"), past: try item.integer("past"),
          stride: try item.integer("stride"))
      case "clips": clips = try item.text()
      case "horizons": horizons = try item.integers()
      case "partial":
        guard let truth = member.value.bool else { throw item.wrong("true or false") }
        isPartial = truth
      case "failed": failed = try item.text()
      case "preset": preset = try item.text()
      // Reports of trajpack before 0.2.
      case "nan_predictions":
        let rule = try item.text()
        failed = rule == "error" ? "withhold" : rule
      case "seed": seed = try item.integer()
      case "verdicts": verdicts = try item.text()
      case "labels": labels = try item.text()
      case "classes": classes = try item.text()
      case "media": media = try item.text()
      default: throw item.wrong("a member that this trajpack knows")
      }
    }
  }

  /// Refuses what cannot be.
  func validate() throws(TrajpackError) {
    if let window {
      guard window.length > 0, window.past >= 0, window.stride > 0, window.length < 1 << 24,
        window.past < 1 << 24
      else { throw TrajpackError(.usage, "a window has a length and a stride of at least 1 row") }
    }
    guard scheme == nil && fold == nil || !splits.isEmpty || trainSplit != nil else {
      throw TrajpackError(
        .usage, "a split scheme or a fold says nothing without a split; name one with --split")
    }
    guard horizons.allSatisfy({ $0 > 0 }) else {
      throw TrajpackError(.usage, "a horizon is a number of rows, at least 1")
    }
    if let failed, !["withhold", "skip", "worst", "error"].contains(failed) {
      throw TrajpackError(
        .usage,
        "what a failed prediction does is withhold, skip, worst or error, not '\(failed)'")
    }
    if let seed, seed < 0 { throw TrajpackError(.usage, "a seed is at least 0, not \(seed)") }
    if let longest = horizons.max(), let window, longest > window.length {
      throw TrajpackError(
        .usage,
        "a horizon of \(longest) rows is longer than the window, \(window.length) rows from its start on"
      )
    }
  }
}
