import TrajpackFormat
import TrajpackStore

extension Evaluation {
  /// Whether an option is each recording's own where episodes are scored one by one: how far its rows lie apart.
  static func isOwn(_ name: String, _ plan: MetricPlan) -> Bool {
    plan.binding.pooling == .mean && ["rate", "time_step"].contains(name)
      && plan.setting(name) == nil
  }

  /// The number of a value of an episode; of a category or a text its code, the same for all episodes.
  ///
  /// - Throws: A usage error where there is no such value, or it is an array.
  func number(
    _ name: String, of id: String, _ option: String
  ) throws(TrajpackError) -> Double {
    if valueNumbers[name] == nil {
      let table = try truth.data.values()
      guard let column = table[name] else { throw table.unknown(name, option) }
      guard column.field.type != .array else {
        throw TrajpackError(
          .usage,
          "\(option): the value is \(column.field.typeText), and a class or number is needed")
      }
      valueNumbers[name] = Dictionary(
        zip(truth.ids, column.numbers), uniquingKeysWith: { first, _ in first })
    }
    guard let number = valueNumbers[name]?[id], !number.isNaN else {
      throw TrajpackError(
        .usage,
        "\(option): episode '\(id)' has no value '\(name)'; set it with 'trajpack annotate', or leave the episode "
          + "out with --episodes")
    }
    return number
  }

  /// Gives clips the options that are their recordings' own: values that `--set option=@NAME` names, and what
  /// ``isOwn(_:_:)`` says.
  ///
  /// - Throws: A usage error where a recording has no such value, or it is no number or text.
  func takeValues(
    _ plan: inout MetricPlan, _ gathered: inout [MetricInputs]
  ) throws(TrajpackError) {
    func give(_ episode: Int, _ name: String, _ value: String) {
      for i in gathered[episode].clips.indices {
        gathered[episode].clips[i].settings.append((name, value))
      }
      for i in gathered[episode].truthClips.indices {
        gathered[episode].truthClips[i].settings.append((name, value))
      }
    }
    for i in gathered.indices {
      for (name, value) in gathered[i].derived
      where Self.isOwn(name, plan) && plan.evaluator.settings.contains(where: { $0.name == name }) {
        give(i, name, value)
      }
    }
    for name in ["rate", "time_step"] where Self.isOwn(name, plan) {
      let values = Set(gathered.compactMap { $0.derived.first { $0.name == name }?.value })
      if values.count > 1 { plan.named[name] = "of each recording" }
    }
    let asked = plan.settings.filter { $0.value.hasPrefix("@") }
    guard !asked.isEmpty else { return }
    let table = try truth.data.values()
    var rows: [String: Int] = [:]
    for (row, id) in truth.ids.enumerated() { rows[id] = row }
    for (option, text) in asked {
      let name = String(text.dropFirst())
      guard let column = table[name] else { throw table.unknown(name, "--set \(option)=\(text)") }
      guard column.field.type != .array else {
        throw TrajpackError(
          .usage,
          "--set \(option)=\(text): the value is \(column.field.typeText), and one number is needed"
        )
      }
      for i in gathered.indices {
        let cell = rows[gathered[i].id].map { column.cells[$0] } ?? .missing
        guard cell != .missing else {
          throw TrajpackError(
            .usage,
            "--set \(option)=\(text): episode '\(gathered[i].id)' has no value '\(name)'; set it with 'trajpack "
              + "annotate', or leave the episode out with --episodes")
        }
        give(i, option, cell.plainText)
      }
      plan.settings.removeAll { $0.name == option && $0.value == text }
      plan.named[option] = text
    }
  }
}

extension MetricPlan {
  /// Options as a report tells them: those that are each recording's own by the name of the value.
  func told(_ options: JSONValue) -> JSONValue {
    guard !named.isEmpty, let members = options.members else { return options }
    return .object(
      members.map { member in
        named[member.name].map { .init(member.name, .string($0)) } ?? member
      })
  }
}
