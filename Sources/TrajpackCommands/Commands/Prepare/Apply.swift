import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// `trajpack apply`: the steps of a plan.
struct Apply: Command {
  static let name = "apply"
  static let summary = "Run the steps of a plan, into a new dataset."
  static let discussion = """
    A plan is JSON: {"steps": [{"step": "resample", "streams": "eeg", "rate": 200}, {"step": "mask", \
    "mechanism": "rows", "amount": 0.3, "seed": 1}]}. Steps are resample, align, quantise, embed, mask, \
    time_since, elapsed, path, encode, normalize and select; schemas/plan.schema.json describes them, docs/signal.md \
    explains them, and --print-plan of this and of the commands named after steps prints one with every default.

    The new dataset carries the plan in that form, the source's digest and the version; \
    'trajpack info' shows them.
    """
  static var examples: [Example] {
    [
      ("trajpack apply ww ready --plan plan.json", "Run a plan."),
      ("trajpack apply ww ready --plan plan.json --print-plan", "Say what it would do, in full."),
    ]
  }

  static var parameters: [Parameter<Self>] {
    Preparation.places.map { $0.lifted(\.preparation) } + [
      .option(
        "--plan", "-p", to: \.plan, value: "FILE", completes: .files,
        help: "The plan; '-' is standard input.")
    ] + Preparation.parameters.map { $0.lifted(\.preparation) }
  }

  var preparation = Preparation()
  var plan: String?

  mutating func run(_ console: Console) throws(TrajpackError) {
    guard let plan else {
      throw TrajpackError(.usage, "name the plan with --plan FILE; see 'trajpack apply --help'")
    }
    try preparation.run(try Self.read(plan), console)
  }

  static func read(_ path: String) throws(TrajpackError) -> Plan {
    let bytes = try OptionFile.bytes(path, most: 64 << 20, what: "a plan")
    return try within(file: OptionFile.name(path)) { () throws(TrajpackError) in
      try Plan(json: try JSONValue(parsing: bytes))
    }
  }
}
