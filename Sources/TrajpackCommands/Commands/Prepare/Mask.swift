import TrajpackFormat
import TrajpackSignal

/// `trajpack mask`: entries taken away.
struct Mask: PreparingCommand {
  static let name = "mask"
  static let summary = "Take observed entries away, reproducibly, into a new dataset."
  static let discussion = """
    Makes irregular data of complete data: what is taken away is marked as not observed, and the rest \
    stays bit for bit. The random numbers depend on the seed, the recording's id, the stream, the \
    entity, the channel and the row, and on nothing else: a recipe gives the same mask with any number \
    of threads, of a part of the dataset, and in a loader's windows.

    entries: each with probability AMOUNT. exact: exactly that fraction. rows: that fraction of whole \
    rows; with the same seed, the mask of 0.3 is a subset of that of 0.5. kept-rows: each row is \
    kept with that probability. \
    blocks: of --length rows and --width neighbouring numbers. channels: --count whole ones. drivers: \
    by the values of others (MAR). value: by its own (MNAR). above: beyond mean + --offset deviations. \
    time: kept with probability exp(3 sin(CYCLE t + PHASE)) / SCALE, t from 0 to 1 over a track (MNAR).
    """
  static var examples: [Example] {
    [
      ("trajpack mask lorenz lorenz30 --mechanism rows --amount 0.3 --seed 1", "30 % of the rows."),
      (
        "trajpack mask ww holes --channel 'state/*' --amount 0.1", "A tenth of the state's numbers."
      ),
      (
        "trajpack mask ett gone --mechanism blocks --amount 0.2 --length 24 --seed 7",
        "Whole days of single sensors."
      ),
    ]
  }

  static var own: [Parameter<Self>] {
    [
      .option(
        "--channel", to: \.channels, value: "PATTERN",
        help: "Only these channels, as stream/channel or kind:NAME; by default all numbers."),
      .option(
        "--mechanism", "-m", to: \.mechanism, value: "HOW",
        choices: MaskStep.Mechanism.allCases.map(\.rawValue).filter { $0 != "listed" },
        help: "How entries go missing (entries)."),
      .option(
        "--amount", "-a", to: \.amount, value: "SHARE", help: "A fraction or probability, 0 to 1."),
      .option("--seed", to: \.seed, value: "N", in: 0..., help: "Of the random numbers (0)."),
      .option("--length", to: \.length, value: "N", help: "Rows of a block (1)."),
      .option("--width", to: \.width, value: "N", help: "Neighbouring numbers of a block (1)."),
      .option("--count", to: \.count, value: "N", help: "How many whole channels."),
      .option("--slope", to: \.slope, value: "X", help: "How strongly a value decides (1)."),
      .option("--offset", to: \.offset, value: "X", help: "Deviations above the mean (0)."),
      .option("--cycle", to: \.cycle, value: "X", help: "Radians over a track, of 'time' (20)."),
      .option("--phase", to: \.phase, value: "X", help: "Radians at its first row (10)."),
      .option("--scale", to: \.scale, value: "X", help: "What the intensity is divided by (3)."),
      .option(
        "--driver", to: \.drivers, value: "CHANNEL=WEIGHT",
        help: "A channel whose values decide about the others."),
    ]
  }

  var preparation = Preparation()
  var channels: [String] = []
  var mechanism: String?
  var amount: Double?
  var seed: Int?
  var length: Int?
  var width: Int?
  var count: Int?
  var slope: Double?
  var offset: Double?
  var cycle: Double?
  var phase: Double?
  var scale: Double?
  var drivers: [String] = []

  mutating func run(_ console: Console) throws(TrajpackError) {
    try preparation.run(try plan(), console)
  }

  func plan() throws(TrajpackError) -> Plan {
    func number(_ value: Int?) -> JSONValue? { value.map { .int(Int64($0)) } }
    return Plan(steps: [
      try PlanSteps.read(
        .record([
          "step": "mask", "channels": PlanOptionParsing.texts(channels),
          "mechanism": mechanism.map { .string($0) }, "amount": amount.map { .double($0) },
          "seed": number(seed), "length": number(length), "width": number(width),
          "count": number(count), "slope": slope.map { .double($0) },
          "offset": offset.map { .double($0) }, "cycle": cycle.map { .double($0) },
          "phase": phase.map { .double($0) }, "scale": scale.map { .double($0) },
          "drivers": try PlanOptionParsing.rules(drivers, "--driver") { word in
            Double(word).map { .double($0) } ?? .string(word)
          },
        ]), at: Self.name)
    ])
  }
}
