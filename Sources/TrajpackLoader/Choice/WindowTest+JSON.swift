import TrajpackFormat

extension OptionReader {
  /// A test of windows, as `trajpack.h` describes it.
  func windowTest(depth: Int = 0) throws(TrajpackError) -> WindowTest<WindowQuestion> {
    let members = try object()
    guard depth < 32 else { throw wrong("nested less than 32 deep") }
    if let first = members.first, ["and", "or", "not"].contains(first.name) {
      guard members.count == 1 else { throw wrong("'and', 'or' or 'not' alone in its object") }
      let inner = member(first)
      if first.name == "not" { return .not(try inner.windowTest(depth: depth + 1)) }
      let tests = try inner.list { (o) throws(TrajpackError) in
        try o.windowTest(depth: depth + 1)
      }
      return first.name == "and" ? .both(tests) : .either(tests)
    }
    let measure = try windowMeasure()
    var tests: [WindowTest<WindowQuestion>] = []
    for member in members where !Self.measureNames.contains(member.name) {
      // A recording has one value, so there is nothing to ask but what it is.
      let asked: WindowStatistic? =
        measure.isValue
        ? (member.name == "is" ? .first : nil) : WindowStatistic(rawValue: member.name)
      guard let statistic = asked else {
        throw TrajpackError(
          .usage, option: name,
          "there is no '\(member.name)'"
            + Suggestion.text(
              for: member.name,
              among: ["and", "or", "not"] + Self.measureNames
                + (measure.isValue ? ["is"] : WindowStatistic.allCases.map(\.rawValue))))
      }
      let reader = self.member(member)
      tests.append(
        .question(
          WindowQuestion(measure: measure, statistic: statistic, rule: try reader.numberRule())))
    }
    guard let only = tests.first else {
      throw wrong(
        "a channel and what is asked of it, like {\"channel\": \"state/hp\", \"mean\": {\"min\": 1}}"
      )
    }
    return tests.count == 1 ? only : .both(tests)
  }

  /// A number of each window: `{"channel": ..., "statistic": "mean"}`.
  func windowNumber() throws(TrajpackError) -> WindowQuestion {
    let measure = try windowMeasure()
    for member in try object()
    where !Self.measureNames.contains(member.name) && member.name != "statistic" {
      throw TrajpackError(
        .usage, option: name,
        "there is no '\(member.name)'"
          + Suggestion.text(for: member.name, among: Self.measureNames + ["statistic"]))
    }
    if measure.isValue, value["statistic"] == nil {
      return WindowQuestion(measure: measure, statistic: .first, rule: nil)
    }
    let statistic: WindowStatistic = try OptionReader(
      name: "\(name).statistic", value: value["statistic"] ?? .null
    ).choice()
    guard statistic != .any, statistic != .all else {
      throw wrong("a number of each window: 'mean', 'max', 'last', …")
    }
    return WindowQuestion(measure: measure, statistic: statistic, rule: nil)
  }

  private static let measureNames = ["channel", "value", "component", "of"]

  private func windowMeasure() throws(TrajpackError) -> WindowMeasure {
    func member(_ name: String) -> OptionReader? {
      value[name].map { OptionReader(name: "\(self.name).\(name)", value: $0) }
    }
    _ = try object()
    if let name = member("value") {
      guard value["channel"] == nil, value["component"] == nil, value["of"] == nil else {
        throw wrong("about a 'value' or a 'channel', and not both")
      }
      var measure = WindowMeasure(path: try name.text())
      measure.isValue = true
      return measure
    }
    guard let channel = member("channel") else {
      throw wrong("an object with a 'channel' or a 'value', or 'and', 'or', 'not'")
    }
    var measure = WindowMeasure(path: try channel.text())
    if let option = member("component") {
      measure.components =
        option.value.array == nil
        ? [try option.integer(0...LoaderOptions.limit)]
        : try option.list { (o) throws(TrajpackError) in try o.integer(0...LoaderOptions.limit) }
    }
    if let option = member("of") {
      measure.steps =
        option.value.array == nil
        ? [try option.choice()]
        : try option.list { (o) throws(TrajpackError) in try o.choice() }
    }
    return measure
  }

  /// A number, a truth, a category, a list of them, or bounds.
  private func numberRule() throws(TrajpackError) -> NumberRule {
    func number(_ value: JSONValue) throws(TrajpackError) -> Double {
      if let truth = value.bool { return truth ? 1 : 0 }
      guard let number = value.double else {
        throw wrong(
          "a number, a category, a list of them, or bounds: {\"min\", \"max\"} with their ends, "
            + "{\"above\", \"below\"} without")
      }
      return number
    }
    if let text = value.string { return .named([text]) }
    if let values = value.array {
      if !values.isEmpty, values.allSatisfy({ $0.string != nil }) {
        return .named(values.compactMap(\.string))
      }
      var out: [Double] = []
      for one in values { out.append(try number(one)) }
      return .oneOf(out)
    }
    guard let members = value.members else { return .oneOf([try number(value)]) }
    var (low, high) = (-Double.infinity, Double.infinity)
    var (isOpenBelow, isOpenAbove) = (false, false)
    for member in members {
      let bound = try number(member.value)
      switch member.name {
      case "min" where bound > low: (low, isOpenBelow) = (bound, false)
      case "above" where bound >= low: (low, isOpenBelow) = (bound, true)
      case "max" where bound < high: (high, isOpenAbove) = (bound, false)
      case "below" where bound <= high: (high, isOpenAbove) = (bound, true)
      case "min", "above", "max", "below": break
      default:
        throw TrajpackError(
          .usage, option: name,
          "there is no bound '\(member.name)'"
            + Suggestion.text(for: member.name, among: ["min", "max", "above", "below"]))
      }
    }
    guard !members.isEmpty, low <= high else { throw wrong("bounds between which numbers lie") }
    return .range(low...high, isOpenBelow: isOpenBelow, isOpenAbove: isOpenAbove)
  }
}
