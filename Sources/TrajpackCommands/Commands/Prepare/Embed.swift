import TrajpackFormat
import TrajpackSignal

/// `trajpack embed`: delay vectors.
struct Embed: PreparingCommand {
  static let name = "embed"
  static let summary = "Delay-embed channels, into a new dataset."
  static let discussion = """
    Each channel becomes its delay vectors, [dimension, ...] a row: x(t), x(t + tau), ... Tau counts \
    rows. 'auto', the default of both, chooses from the training split, or from all recordings where \
    there are no splits, pooled and for each recording, and says how: the first minimum of the mutual \
    information (1 for maps, whose rows are hardly correlated), and where Cao's E1 stops changing. \
    --method pecuzal or mdop chooses one list of (channel, lag) instead. No vector reaches out of a recording, an entity's \
    presence, or over a gap in explicit times.
    """
  static var examples: [Example] {
    [
      ("trajpack embed lorenz embedded", "Choose tau and dimension, and say how."),
      (
        "trajpack embed lorenz embedded --channel lorenz/x --tau 17 --dimension 3 --direction backward",
        "Given numbers, causal."
      ),
      (
        "trajpack embed lorenz embedded --coordinate lorenz/x:0 --coordinate lorenz/z:8",
        "Unequal lags of several channels, as one more channel 'embedding'."
      ),
      (
        "trajpack embed lorenz embedded --method pecuzal",
        "Unequal lags of all scalar channels, chosen together."
      ),
      (
        "trajpack embed lorenz embedded --report choice.json",
        "All curves that the choice was made by."
      ),
    ]
  }

  static var own: [Parameter<Self>] {
    [
      .option(
        "--channel", to: \.channels, value: "PATTERN",
        help: "Only these channels, as stream/channel or kind:NAME; by default kind:scalar."),
      .option(
        "--tau", "-t", to: \.tau, value: "[CHANNEL=]N", help: "Rows between coordinates, or 'auto'."
      ),
      .option(
        "--dimension", "-d", to: \.dimension, value: "[CHANNEL=]N", help: "How many, or 'auto'."),
      .option(
        "--coordinate", to: \.coordinates, value: "CHANNEL[I]:LAG",
        help: "One coordinate of an embedding with unequal lags: number I of a row, LAG rows away."),
      .option(
        "--method", "-m", to: \.method, value: "HOW", choices: ["uniform", "pecuzal", "mdop"],
        help: "One tau and dimension a channel, or one list of lags chosen from all channels."),
      .option(
        "--name", to: \.channelName, value: "NAME",
        help: "The new channel of --coordinate, pecuzal and mdop (embedding)."),
      .option(
        "--direction", to: \.direction, value: "WHERE", choices: ["forward", "backward"],
        help: "Whether lags reach forward, or backward in time (causal)."),
      .option(
        "--short", to: \.short, value: "RULE", choices: ["refuse", "skip"],
        help: "What to do with a track without a whole vector."),
      .option(
        "--gap", to: \.gap, value: "TIME",
        help: "Reach over no longer step of explicit times; 'auto' is 1.5 medians, 'none' is any."),
      .option(
        "--tau-by", to: \.tauBy, value: "HOW", choices: EmbedStep.LagBy.allCases.map(\.rawValue),
        help: "How 'auto' finds tau (ami)."),
      .option(
        "--bins", to: \.bins, value: "N", in: 2...256, help: "Bins of ami (64)."),
      .option(
        "--dimension-by", to: \.dimensionBy, value: "HOW",
        choices: EmbedStep.DimensionBy.allCases.map(\.rawValue),
        help: "How 'auto' finds the dimension (cao)."),
      .option("--max-tau", to: \.maxTau, value: "N", help: "The largest tau looked at (100; 50)."),
      .option(
        "--max-dimension", to: \.maxDimension, value: "N",
        help: "The largest dimension looked at (10)."),
      .option(
        "--theiler", to: \.theiler, value: "N",
        help: "Rows within which neighbours do not count (tau)."),
      .option(
        "--rows", to: \.rows, value: "N",
        help: "The most rows that 'auto' looks at (50,000; 10,000)."),
    ]
  }

  var preparation = Preparation()
  var channels: [String] = []
  var tau: [String] = []
  var dimension: [String] = []
  var coordinates: [String] = []
  var method: String?
  var channelName: String?
  var direction: String?
  var short: String?
  var gap: String?
  var tauBy: String?
  var bins: Int?
  var dimensionBy: String?
  var maxTau: Int?
  var maxDimension: Int?
  var theiler: Int?
  var rows: Int?

  mutating func run(_ console: Console) throws(TrajpackError) {
    try preparation.run(try plan(), console)
  }

  func plan() throws(TrajpackError) -> Plan {
    func number(_ value: Int?) -> JSONValue? { value.map { .int(Int64($0)) } }
    return Plan(steps: [
      try PlanSteps.read(
        .record([
          "step": "embed", "method": method.map { .string($0) },
          "channels": PlanOptionParsing.texts(channels),
          "tau": try PlanOptionParsing.rules(tau, "--tau", PlanOptionParsing.number),
          "dimension": try PlanOptionParsing.rules(
            dimension, "--dimension", PlanOptionParsing.number),
          "coordinates": coordinates.isEmpty
            ? nil
            : .array(
              try coordinates.mapThrowing { (c) throws(TrajpackError) in try Self.coordinate(c) }),
          "name": channelName.map { .string($0) }, "direction": direction.map { .string($0) },
          "short": short.map { .string($0) }, "gap": gap.map { .string($0) },
          "tau_by": tauBy.map { .string($0) }, "bins": number(bins),
          "dimension_by": dimensionBy.map { .string($0) }, "max_tau": number(maxTau),
          "max_dimension": number(maxDimension), "theiler": number(theiler), "rows": number(rows),
        ]), at: Self.name)
    ])
  }

  /// `lorenz/values[2]:8`.
  private static func coordinate(_ word: String) throws(TrajpackError) -> JSONValue {
    let wrong = TrajpackError(
      .usage, "--coordinate: '\(word)' is not like stream/channel:8 or stream/channel[2]:-8")
    guard let colon = word.lastIndex(of: ":"), let lag = Int64(word[word.index(after: colon)...])
    else { throw wrong }
    var channel = String(word[..<colon])
    var element: Int64 = 0
    if channel.hasSuffix("]"), let open = channel.lastIndex(of: "[") {
      guard let number = Int64(channel[channel.index(after: open)...].dropLast()) else {
        throw wrong
      }
      element = number
      channel = String(channel[..<open])
    }
    return .record([
      "channel": .string(channel), "element": .int(element), "lag": .int(lag),
    ])
  }
}
