import TrajpackCodecs
import TrajpackFormat

/// A recipe for preparing data: ordered steps, the same for a command that writes a new dataset and for
/// the views of a loader. `schemas/plan.schema.json` describes the JSON.
public struct Plan: Sendable, Equatable {
  /// The version of the JSON that this reads and writes.
  static let version = 1

  /// The steps, in the order in which they run.
  package let steps: [PlanStep]

  package init(steps: [PlanStep]) { self.steps = steps }

  /// Reads a plan.
  ///
  /// - Parameter path: what errors call the document.
  /// - Throws: `.usage` with the path of the member that is wrong, and what was probably meant.
  public init(json: JSONValue, at path: String = "plan") throws(TrajpackError) {
    var reader = try PlanReader(json, at: path)
    let version = try reader.integer("version", in: 1...Int(Int32.max)) ?? Self.version
    guard version == Self.version else {
      throw TrajpackError(
        .usage,
        "\(path).version is \(version), and this trajpack reads \(Self.version): use a newer one")
    }
    guard let list = reader.value("steps")?.array else {
      throw TrajpackError(
        .usage, "\(path) has no list 'steps': write {\"steps\": [{\"step\": \"resample\", …}]}")
    }
    try reader.finish()
    var steps: [PlanStep] = []
    for (i, value) in list.enumerated() {
      steps.append(try PlanStep(value, at: "\(path).steps[\(i)]"))
    }
    self.steps = steps
  }

  /// The canonical form: members in a fixed order, every default written out. Reading it gives the
  /// same plan.
  public var json: JSONValue {
    .record(["version": .int(Int64(Self.version)), "steps": .array(steps.map(\.json))])
  }

  /// SHA-256 of the canonical form as one line of JSON.
  public var digest: String {
    Array(json.text().utf8).withUnsafeBytes { SHA256.of($0) }
  }

  /// What still has to be learned from the data before the plan can run; see ``PlanStep/unresolved``.
  public var unresolved: String? {
    for (i, step) in steps.enumerated() {
      if let what = step.unresolved { return "steps[\(i)] (\(step.name)): \(what)" }
    }
    return nil
  }
}

/// One step of a plan.
package enum PlanStep: Sendable, Equatable {
  case resample(ResampleStep)
  case align(AlignStep)
  case quantise(QuantiseStep)
  case embed(EmbedStep)
  case mask(MaskStep)
  case timeSince(TimeSinceStep)
  case elapsed(ElapsedStep)
  case encode(EncodeStep)
  case path(PathStep)
  case normalize(NormalizeStep)
  case select(SelectStep)

  /// The names of all steps.
  static let names = [
    "resample", "align", "quantise", "embed", "mask", "time_since", "elapsed", "encode", "path",
    "normalize", "select",
  ]

  package init(_ value: JSONValue, at path: String) throws(TrajpackError) {
    var reader = try PlanReader(value, at: path)
    guard let name = try reader.text("step") else {
      throw TrajpackError(
        .usage,
        "\(path) does not say which step it is: add \"step\", one of "
          + Self.names.joined(separator: ", "))
    }
    switch name {
    case "resample": self = .resample(try ResampleStep(&reader))
    case "align": self = .align(try AlignStep(&reader))
    case "quantise": self = .quantise(try QuantiseStep(&reader))
    case "embed": self = .embed(try EmbedStep(&reader))
    case "mask": self = .mask(try MaskStep(&reader))
    case "time_since": self = .timeSince(try TimeSinceStep(&reader))
    case "elapsed": self = .elapsed(try ElapsedStep(&reader))
    case "encode": self = .encode(try EncodeStep(&reader))
    case "path": self = .path(try PathStep(&reader))
    case "normalize": self = .normalize(try NormalizeStep(&reader))
    case "select": self = .select(try SelectStep(&reader))
    default:
      throw TrajpackError(
        .usage,
        "\(path).step: there is no step '\(name)'\(Suggestion.text(for: name, among: Self.names))")
    }
    try reader.finish()
  }

  var json: JSONValue {
    switch self {
    case .resample(let step): step.json
    case .align(let step): step.json
    case .quantise(let step): step.json
    case .embed(let step): step.json
    case .mask(let step): step.json
    case .timeSince(let step): step.json
    case .elapsed(let step): step.json
    case .encode(let step): step.json
    case .path(let step): step.json
    case .normalize(let step): step.json
    case .select(let step): step.json
    }
  }

  package var name: String { json["step"]?.string ?? "" }

  /// What must be chosen from the data first; `nil` where the step can run.
  package var unresolved: String? {
    switch self {
    case .embed(let step): step.unresolved
    case .normalize(let step): step.unresolved
    case .encode(let step): step.unresolved
    default: nil
    }
  }
}
