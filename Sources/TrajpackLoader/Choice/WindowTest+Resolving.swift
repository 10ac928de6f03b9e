import TrajpackFormat

extension WindowQuestion {
  /// The question with categories as numbers.
  ///
  /// - Throws: A usage error where no schema has the channel, or the channel no such element or category.
  func resolved(
    _ all: [Selection.Item], option: String
  ) throws(TrajpackError) -> WindowQuestion {
    let path = measure.path
    guard let item = all.first(where: { $0.path == path }) else {
      throw TrajpackError(
        .usage, option: option,
        "there is no channel '\(path)'"
          + Suggestion.text(for: path, among: all.map(\.path)))
    }
    let channel = item.channel
    guard channel.type != .bytes else {
      throw TrajpackError(
        .usage, option: option, "channel '\(path)' has rows of bytes, which are no numbers")
    }
    if let last = measure.components?.max(), last >= channel.elements {
      throw TrajpackError(
        .usage, option: option,
        "channel '\(path)' has \(channel.elements) elements a row, so there is no "
          + "component \(last)")
    }
    var out = self
    (out.measure.stream, out.measure.channel) = (item.stream, channel.name)
    guard case .named(let names) = rule else { return out }
    var numbers: [Double] = []
    for name in names {
      guard let number = channel.categories?.firstIndex(of: name) else {
        throw TrajpackError(
          .usage, option: option,
          "channel '\(path)' has no category '\(name)'"
            + Suggestion.text(for: name, among: channel.categories ?? []))
      }
      numbers.append(Double(number))
    }
    out.rule = .oneOf(numbers)
    return out
  }
}
