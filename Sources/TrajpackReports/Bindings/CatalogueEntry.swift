import TrajpackEvaluate
import TrajpackFormat

/// A metric as help shows it.
public struct CatalogueEntry: Sendable {
  private let binding: MetricBinding
  /// The evaluator.
  public let evaluator: Evaluator

  init(_ binding: MetricBinding) throws(TrajpackError) {
    self.binding = binding
    evaluator = try .named(binding.evaluator)
  }

  /// The suite it belongs to.
  public var suite: String { binding.suite }
  /// The names of its scores, or what they begin with where they end in `_` or `.`.
  public var scores: [String] { binding.scores }
  /// How the figures of episodes become one.
  public var pooling: String { binding.pooling.rawValue }

  /// Where an input comes from when nothing is said.
  public func source(of input: String) -> String {
    guard let own = binding.inputs.first(where: { $0.name == input }) else {
      switch input {
      case "lengths": return "the episodes"
      case "bones": return "the skeletons' graphs"
      case "train", "train_joints", "train_labels", "train_lengths": return "--train-split"
      case "verdicts", "clips", "classes", "frames", "groups", "judge": return "--verdicts"
      case "humans": return "--labels"
      case "truth_mask", "ranges": return "the archive"
      default: return "--map"
      }
    }
    let side = own.side == .truth ? "truth" : "predictions"
    switch own.content {
    case .named:
      return own.side == .truth
        ? "--map" : "predictions: array '\(([input] + own.aliases).joined(separator: "' or '"))'"
    case .cameraPosition: return "\(side): position of the camera"
    case .cameraRotation: return "\(side): rotation of the camera"
    case .intrinsics: return "\(side): intrinsics of the camera"
    case .joints: return "\(side): joints of the skeletons"
    case .values: return "\(side): scalars, positions, directions, angles"
    case .states: return "\(side): scalars"
    case .actions:
      return "\(side): weapon_id, motion_bank_id, motion_id of the first entity, or 'action'"
    case .keys: return "\(side): channel 'keys'"
    case .mouse: return "\(side): channel 'mouse'"
    case .depth: return "\(side): depth images"
    }
  }

  /// The entry as JSON.
  public var json: JSONValue {
    .record([
      "name": .string(evaluator.name), "suite": .string(suite),
      "summary": .string(evaluator.summary),
      "scores": .array(scores.map { .string($0) }), "pooling": .string(pooling),
      "inputs": .array(
        evaluator.inputs.map { input in
          .record([
            "name": .string(input.name), "shape": .string(input.shape),
            "help": .string(input.help), "required": .bool(input.required),
            "source": .string(source(of: input.name)),
          ])
        }),
      "options": .array(
        evaluator.settings.map { setting in
          .record([
            "name": .string(setting.name), "default": setting.standard.json,
            "choices": setting.choices.isEmpty
              ? nil : .array(setting.choices.map { .string($0) }),
            "help": .string(setting.help),
          ])
        }),
    ])
  }
}

extension EvaluationRequest {
  /// The names of suites.
  public static var suiteNames: [String] { MetricBinding.suites }

  /// Every metric, by suite.
  public static var entries: [CatalogueEntry] {
    MetricBinding.suites.flatMap { suite in
      MetricBinding.all.filter { $0.suite == suite }.compactMap { try? CatalogueEntry($0) }
    }
  }

  /// The catalogue as JSON.
  public static var catalogue: JSONValue { .array(entries.map(\.json)) }

  /// The metric that a name of an evaluator or a score means.
  ///
  /// - Throws: A usage error that suggests what was meant.
  public static func entry(_ name: String) throws(TrajpackError) -> CatalogueEntry {
    try CatalogueEntry(MetricPlan.find(name).binding)
  }
}

extension Value {
  /// The value as it is written in `option=value`.
  public var text: String {
    switch self {
    case .none: return "none"
    case .list(let values): return values.map(\.text).joined(separator: ",")
    case .text(let text): return text
    default: return json.text()
    }
  }
}
