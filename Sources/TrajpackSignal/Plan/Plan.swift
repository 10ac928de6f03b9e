import TrajpackCodecs
import TrajpackFormat

/// A recipe for preparing data: ordered steps, the same for a command that writes a new dataset and for
/// the views of a loader. `schemas/plan.schema.json` describes the JSON.
public struct Plan: Sendable, Equatable {
  /// The version of the JSON that this reads and writes.
  static let version = 1

  /// The steps, in the order in which they run.
  package let steps: [any PlanStep]

  package init(steps: [any PlanStep]) { self.steps = steps }

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
    var steps: [any PlanStep] = []
    for (i, value) in list.enumerated() {
      steps.append(try PlanSteps.read(value, at: "\(path).steps[\(i)]"))
    }
    self.steps = steps
  }

  /// The canonical form: members in a fixed order, every default written out. Reading it gives the
  /// same plan.
  public var json: JSONValue {
    .record(["version": .int(Int64(Self.version)), "steps": .array(steps.map { $0.json })])
  }

  /// SHA-256 of the canonical form as one line of JSON.
  public var digest: String {
    Array(json.text().utf8).withUnsafeBytes { SHA256.of($0) }
  }

  /// What still has to be learned from the data before the plan can run; see `PlanStep.unresolved`.
  public var unresolved: String? {
    for (i, step) in steps.enumerated() {
      if let what = step.unresolved { return "steps[\(i)] (\(step.stepName)): \(what)" }
    }
    return nil
  }

  /// Whether two plans have the same canonical form.
  public static func == (a: Plan, b: Plan) -> Bool { a.json == b.json }
}
