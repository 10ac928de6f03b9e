import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Plan {
  /// The plan with the vocabularies that `encode` steps name, as the datasets have them. Where several have one, they
  /// must hold the same actions; rows that have each are added up.
  ///
  /// - Throws: A usage error where a dataset has no vocabulary of that name, or they differ; a data error where its
  ///   side file is damaged.
  package func naming(_ datasets: [Dataset]) throws(TrajpackError) -> Plan {
    var steps: [any PlanStep] = []
    for (number, step) in self.steps.enumerated() {
      guard let encode = step as? EncodeStep, let name = encode.named else {
        steps.append(step)
        continue
      }
      steps.append(
        try encode.reading(
          try Self.vocabulary(name, datasets, number), at: "plan.steps[\(number)]"))
    }
    return Plan(steps: steps)
  }

  private static func vocabulary(
    _ name: String, _ datasets: [Dataset], _ number: Int
  ) throws(TrajpackError) -> JSONValue {
    var joined: JSONValue?
    for dataset in datasets {
      let own = try within("plan.steps[\(number)] (encode)") { () throws(TrajpackError) in
        try dataset.content(.vocabulary, called: name)
      }
      guard let before = joined else {
        joined = own
        continue
      }
      let (old, new) = (before["entries"]?.array ?? [], own["entries"]?.array ?? [])
      guard before["channels"] == own["channels"],
        old.map({ $0["action"] }) == new.map({ $0["action"] })
      else {
        throw TrajpackError(
          .usage,
          "plan.steps[\(number)] (encode): the vocabularies '\(name)' of \(datasets[0].path) and \(dataset.path) have "
            + "other actions, so that one number would mean two; give the plan one vocabulary of all"
        )
      }
      joined = .record([
        "channels": own["channels"],
        "entries": .array(
          zip(old, new).map { a, b in
            .record([
              "action": a["action"],
              "rows": .int(Int64((a["rows"]?.int ?? 0) + (b["rows"]?.int ?? 0))),
            ])
          }),
      ])
    }
    return joined ?? .null
  }
}
