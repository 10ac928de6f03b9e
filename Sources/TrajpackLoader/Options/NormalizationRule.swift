import TrajpackFormat

/// How the values of a channel are scaled.
struct NormalizationRule: Sendable {
  /// `minmax` and `quantile` make -1 and 1 of their two values, or the ends of ``range``.
  var method: NormalizationMethod
  /// The axes of a row's shape that have statistics of their own; `nil` for what the kind says.
  var axes: [Int]?
  /// What `minmax` and `quantile` make of the two values; -1 and 1 where `nil`.
  var range: (low: Double, high: Double)?
  /// What has statistics of its own; `nil` where all is one.
  var per: StatisticsRequest.Grouping?
}

extension OptionReader {
  /// A method, `{"method", "axes", "per"}`, or either of them by pattern.
  func normalizations() throws(TrajpackError) -> Rules<NormalizationRule> {
    // With one of the others, or with what can be said of no pattern, 'method' is no pattern.
    let others = (value.members ?? []).filter { $0.name != "method" }
    if value["method"] != nil,
      others.contains(where: {
        ["axes", "per", "range"].contains($0.name)
          || $0.value != .null && $0.value.string == nil && $0.value.members == nil
      })
    {
      var rules = Rules<NormalizationRule>()
      rules.otherwise = try normalization()
      return rules
    }
    return try rules { (o) throws(TrajpackError) in try o.normalization() }
  }

  private func normalization() throws(TrajpackError) -> NormalizationRule {
    guard let members = value.members else { return NormalizationRule(method: try choice()) }
    var rule = NormalizationRule(method: .standard)
    for member in members where member.value != .null {
      let reader = self.member(member)
      switch member.name {
      case "method": rule.method = try reader.choice()
      case "axes": rule.axes = try reader.axes()
      case "range":
        let ends = (member.value.array ?? []).compactMap(\.double)
        guard ends.count == 2, member.value.array?.count == 2, ends[0] < ends[1],
          ends.allSatisfy({ $0.magnitude <= 1e15 })
        else { throw reader.wrong("two numbers, the smaller first, like [0, 1]") }
        rule.range = (ends[0], ends[1])
      case "per":
        let path = try reader.text()
        rule.per = path == "episode" ? .episode : .value(path)
      default:
        throw TrajpackError(
          .usage,
          "option '\(name)' has no member '\(member.name)'"
            + Suggestion.text(for: member.name, among: ["method", "axes", "per", "range"]))
      }
    }
    guard rule.range == nil || rule.method == .minmax || rule.method == .quantile else {
      throw TrajpackError(
        .usage,
        "option '\(name).range': '\(rule.method.rawValue)' has no range; 'minmax' and 'quantile' do"
      )
    }
    return rule
  }
}
