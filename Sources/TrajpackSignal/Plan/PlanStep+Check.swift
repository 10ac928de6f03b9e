import TrajpackFormat

extension PlanStep {
  /// Refuses what names nothing: selectors, rules and drivers that match no channel, and streams to go
  /// onto that are not there.
  ///
  /// - Parameter programs: what the steps before make of every stream that there is.
  package func check(against programs: [PlanProgram]) throws(TrajpackError) {
    let (selection, isOfStreams) = (selection, isOfStreams)
    let names = programs.map(\.stream)
    let channels = programs.flatMap { p in p.outputs.map { (stream: p.stream, channel: $0) } }
    for selector in selection.selectors where selector.text != "*" {
      guard isOfStreams else {
        try selector.requireMatch(among: channels)
        continue
      }
      guard case .pattern(let pattern) = selector else {
        throw TrajpackError(
          .usage,
          "'\(selector.text)' is no stream: rows of a stream have one clock, so name streams")
      }
      guard names.contains(where: { pattern.matches($0) }) else {
        throw TrajpackError(
          .usage,
          "there is no stream '\(selector.text)'"
            + Suggestion.text(for: selector.text, among: names))
      }
    }
    for (member, selectors) in ruleSelectors {
      try within("'\(member)'") { () throws(TrajpackError) in
        for selector in selectors {
          try selector.requireMatch(among: channels)
          guard case .pattern = selector else { continue }
          // A rule for what the step leaves alone would do nothing.
          let taken = channels.filter {
            isOfStreams
              ? selection.contains(stream: $0.stream) : selection.contains($0.stream, $0.channel)
          }
          guard taken.contains(where: { selector.matches($0.stream, $0.channel) }) else {
            throw TrajpackError(
              .usage,
              "the step leaves '\(selector.text)' alone: name it among its "
                + (isOfStreams ? "streams" : "channels") + " too")
          }
        }
      }
    }
    try checkNames(channels)
    for onto in onto where !names.contains(onto) {
      throw TrajpackError(
        .usage, "there is no stream '\(onto)'" + Suggestion.text(for: onto, among: names))
    }
  }

  /// Refuses a path that no channel has.
  static func require(
    _ path: String, _ channels: [(stream: String, channel: Channel)]
  ) throws(TrajpackError) {
    let paths = channels.map { "\($0.stream)/\($0.channel.name)" }
    guard paths.contains(path) else {
      throw TrajpackError(
        .usage, "there is no channel '\(path)'" + Suggestion.text(for: path, among: paths))
    }
  }
}

extension ChannelSelector {
  /// Refuses a pattern that stands for none of the channels.
  fileprivate func requireMatch(
    among channels: [(stream: String, channel: Channel)]
  ) throws(TrajpackError) {
    guard case .pattern = self, !channels.contains(where: { matches($0.stream, $0.channel) }) else {
      return
    }
    throw TrajpackError(
      .usage,
      "there is no channel '\(text)'"
        + Suggestion.text(for: text, among: channels.map { "\($0.stream)/\($0.channel.name)" }))
  }
}
