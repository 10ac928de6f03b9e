import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// `trajpack apply`: the steps of a plan.
struct Apply: PreparingCommand {
  static let name = "apply"
  static let summary = "Run the steps of a plan, into a new dataset."
  static let discussion = """
    A plan is JSON: {"steps": [{"step": "resample", "streams": "eeg", "rate": 200}, {"step": "mask", \
    "mechanism": "rows", "amount": 0.3, "seed": 1}]}. Steps are \(PlanSteps.names.joined(separator: ", ")); \
    schemas/plan.schema.json describes them, docs/signal.md \
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

  static var own: [Parameter<Self>] {
    [
      .option(
        "--plan", "-p", to: \.file, value: "FILE", completes: .files,
        help: "The plan; '-' is standard input.")
    ]
  }

  var preparation = Preparation()
  var file: String?

  mutating func run(_ console: Console) throws(TrajpackError) {
    try preparation.run(try plan(), console)
  }

  func plan() throws(TrajpackError) -> Plan {
    guard let file else {
      throw TrajpackError(.usage, "name the plan with --plan FILE; see 'trajpack apply --help'")
    }
    return try Self.read(file)
  }

  static func read(_ path: String) throws(TrajpackError) -> Plan {
    let bytes = try OptionFile.bytes(path, most: 64 << 20, what: "a plan")
    return try within(file: OptionFile.name(path)) { () throws(TrajpackError) in
      try Plan(json: try JSONValue(parsing: bytes))
    }
  }
}
