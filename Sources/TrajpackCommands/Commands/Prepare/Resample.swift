import TrajpackFormat
import TrajpackSignal
import TrajpackSources
import TrajpackStore

/// `trajpack resample`: streams on another clock.
struct Resample: PreparingCommand {
  static let name = "resample"
  static let summary = "Bring streams to another clock, into a new dataset."
  static let discussion = """
    Say where to go: --rate, --onto another stream, --times, or --up and --down. How values are made is \
    by kind: scalars and positions linear, behind a low-pass where the rate goes down; quaternions along \
    the short arc; angles unwrapped; events counted; labels, names and text held. What --times gives is \
    never low-passed: a value depends on its own time and on no other. Nothing is made across the end of \
    a recording or of an entity's presence.

    The new dataset carries the plan, the source's digest and the version. 'trajpack info' shows them, \
    --print-plan prints the plan for 'trajpack apply' or a loader.
    """
  static var examples: [Example] {
    [
      ("trajpack resample eeg eeg200 --stream eeg --rate 200", "To 200 Hz, anti-aliased."),
      (
        "trajpack resample ww aligned --stream camera --onto state",
        "A camera at the state's times."
      ),
      (
        "trajpack resample ett daily --rate 1/86400 --bin auto",
        "Daily means; what has no mean gives its last value."
      ),
      (
        "trajpack resample ww ww10 --rate 10 --method auto --method state/stamina=pchip",
        "Another method for one channel."
      ),
    ]
  }

  static var own: [Parameter<Self>] {
    [
      .option(
        "--stream", "-s", to: \.streams, value: "PATTERN",
        help: "Only these streams; by default all but videos."),
      .option(
        "--rate", "-r", to: \.rate, value: "RATE",
        help: "Rows a unit of time: 200, 29.97, 30000/1001."),
      .option("--onto", to: \.onto, value: "STREAM", help: "The stream whose times are taken."),
      .option(
        "--rounding", to: \.rounding, value: "TIME",
        help: """
          With --onto: a row so near to a moment counts as at it, since times are rounded (0.001, at most a quarter \
          of the time between rows).
          """),
      .option(
        "--times", to: \.times, value: "T,T,...",
        help:
          "These times, in every recording: numbers, or dates where the source had dates. Never low-passed."
      ),
      .option("--up", to: \.up, value: "N", help: "Rows to make of each --down rows."),
      .option("--down", to: \.down, value: "N", help: "See --up."),
      .option(
        "--origin", to: \.origin, value: "WHERE",
        choices: ResampleStep.Origin.allCases.map(\.rawValue),
        help: "With --rate: begin at a track's first row, or at multiples of the period."),
      .option(
        "--method", "-m", to: \.methods, value: "[CHANNEL=]METHOD",
        help: "How values are made: \(PlanMethod.allCases.map(\.rawValue).joined(separator: ", "))."
      ),
      .option(
        "--bin", to: \.bins, value: "[CHANNEL=]WHAT",
        help:
          "Statistics of bins instead: \(PlanBin.allCases.map(\.rawValue).joined(separator: ", "))."
      ),
      .option(
        "--label", to: \.label, value: "SIDE", choices: ["left", "centre", "right"],
        help: "Which time stands for a bin."),
      .option(
        "--edge", to: \.edge, value: "RULE", choices: PlanEdge.allCases.map(\.rawValue),
        help: "What stands outside a track's span of time."),
      .option(
        "--padding", to: \.padding, value: "RULE", choices: PlanPadding.allCases.map(\.rawValue),
        help: "With --method polyphase: what the filter sees beyond the ends."),
      .option(
        "--gap", to: \.gap, value: "TIME",
        help: "Make nothing between observed rows further apart than this."),
      .option(
        "--clock", to: \.clock, value: "HOW", choices: ClockReading.allCases.map(\.rawValue),
        help: """
          For choosing a filter, take a clock as regular where its stamps lie on a line (auto), always, or never \
          (explicit). Times are kept as they are.
          """),
      .flag(
        "--no-anti-alias", to: \.noAntiAlias, help: "Do not low-pass where the rate goes down."),
    ]
  }

  var preparation = Preparation()
  var streams: [String] = []
  var rate: String?
  var onto: String?
  var rounding: String?
  var times: String?
  var up: Int?
  var down: Int?
  var origin: String?
  var methods: [String] = []
  var bins: [String] = []
  var label: String?
  var edge: String?
  var padding: String?
  var gap: String?
  var noAntiAlias = false
  var clock: String?

  mutating func run(_ console: Console) throws(TrajpackError) {
    try preparation.run(try plan(), console)
  }

  func plan() throws(TrajpackError) -> Plan {
    if let date = times?.split(separator: ",").first(where: { Dates.seconds($0) != nil }),
      try !Dates.areTimes(of: Dataset(preparation.source))
    {
      throw TrajpackError(
        .usage,
        "--times: '\(date)' is a date, and \(preparation.source) has no times that were dates: give numbers "
          + "on its clock")
    }
    if let padding, !methods.contains(where: { $0.split(separator: "=").last == "polyphase" }) {
      throw TrajpackError(
        .usage,
        "--padding \(padding): is for --method polyphase, which is not here; leave it out, or add that"
      )
    }
    let times = try times.map { (t) throws(TrajpackError) in
      try PlanOptionParsing.times(t, "--times")
    }
    return Plan(steps: [
      try PlanSteps.read(
        .record([
          "step": "resample", "streams": PlanOptionParsing.texts(streams),
          "rate": rate.map { .string($0) },
          "onto": onto.map { .string($0) }, "rounding": rounding.map { .string($0) },
          "times": times, "up": up.map { .int(Int64($0)) },
          "down": down.map { .int(Int64($0)) }, "origin": origin.map { .string($0) },
          "method": try PlanOptionParsing.rules(methods, "--method"),
          "bin": try PlanOptionParsing.rules(bins, "--bin"), "label": label.map { .string($0) },
          "edge": edge.map { .string($0) }, "padding": padding.map { .string($0) },
          "gap": gap.map { .string($0) }, "anti_alias": noAntiAlias ? false : nil,
          "clock": clock.map { .string($0) },
        ]), at: Self.name)
    ])
  }
}
