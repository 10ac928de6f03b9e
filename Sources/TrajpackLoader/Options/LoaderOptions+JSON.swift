import TrajpackFormat

extension LoaderOptions {
  /// Reads the options from JSON text.
  ///
  /// - Throws: A usage error naming the member that is wrong, and what it may be.
  public init(json text: String) throws(TrajpackError) {
    json = try OptionTable<Self>.object(of: text, like: "{\"length\": 64}")
    try Self.table.read(json, into: &self)
    try checkClips()
    if length == nil, duration == nil { length = 1 }
    guard length == nil || duration == nil else {
      throw TrajpackError(.usage, "'length' and 'duration' say the same: give one of them")
    }
    if windowWeights != nil, order != .global {
      throw TrajpackError(
        .usage, "'window_weights' draws windows at random: leave 'shuffle' out, or at \"global\"")
    }
    try checkReplacement()
    guard rank < world else {
      throw TrajpackError(.usage, "'rank' is \(rank), which must be below 'world', \(world)")
    }
  }

  private func checkReplacement() throws(TrajpackError) {
    guard let replacement else { return }
    guard replacement || windowWeights == nil else {
      throw TrajpackError(
        .usage,
        "'window_weights' draws windows with replacement: leave 'replacement' out, or true")
    }
    guard !replacement || order == .global else {
      throw TrajpackError(
        .usage, "'replacement' draws windows at random: leave 'shuffle' out, or at \"global\"")
    }
  }

  /// Every option, declared once.
  package static let table = OptionTable<Self>([
    ("What a window holds", rowOptions + valueOptions + frameOptions),
    ("Which windows, in which order", choiceOptions + orderOptions), ("The engine", engineOptions),
  ])
}
