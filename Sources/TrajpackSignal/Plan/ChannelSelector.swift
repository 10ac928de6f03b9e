import TrajpackFormat

/// What stands for channels in a plan: a pattern of `stream/channel` (the name of a stream stands for
/// all of its channels), or `kind:NAME`.
package enum ChannelSelector: Sendable, Equatable {
  case pattern(Pattern)
  case kind(Kind)

  init(_ text: String, at path: String) throws(TrajpackError) {
    guard text.hasPrefix("kind:") else {
      self = .pattern(Pattern(text))
      return
    }
    let name = String(text.dropFirst(5))
    guard let kind = Kind(rawValue: name) else {
      throw TrajpackError(
        .usage,
        "\(path): there is no kind '\(name)'"
          + Suggestion.text(for: name, among: Kind.allCases.map(\.rawValue)))
    }
    self = .kind(kind)
  }

  var text: String {
    switch self {
    case .pattern(let pattern): pattern.text
    case .kind(let kind): "kind:\(kind.rawValue)"
    }
  }

  func matches(_ stream: String, _ channel: Channel) -> Bool {
    switch self {
    case .pattern(let pattern): pattern.matches(stream: stream, channel: channel.name)
    case .kind(let kind): channel.kind == kind
    }
  }
}

/// A list of selectors.
package struct ChannelSelection: Sendable, Equatable {
  let selectors: [ChannelSelector]

  init(_ selectors: [ChannelSelector]) { self.selectors = selectors }

  /// Every channel that the step fits.
  static let all = ChannelSelection([.pattern(Pattern("*"))])

  var json: JSONValue { .array(selectors.map { .string($0.text) }) }

  /// Whether a selector matches the channel.
  package func contains(_ stream: String, _ channel: Channel) -> Bool {
    selectors.contains { $0.matches(stream, channel) }
  }

  /// Whether a selector other than `*` or a kind matches: somebody meant this channel.
  package func names(_ stream: String, _ channel: Channel) -> Bool {
    selectors.contains { selector in
      guard case .pattern(let pattern) = selector, pattern.text != "*" else { return false }
      return selector.matches(stream, channel)
    }
  }

  /// Whether a selector matches the name of a stream.
  package func contains(stream: String) -> Bool {
    selectors.contains { selector in
      guard case .pattern(let pattern) = selector else { return false }
      return pattern.matches(stream)
    }
  }

  /// Whether a selector other than `*` matches the name of a stream.
  func names(stream: String) -> Bool {
    selectors.contains { selector in
      guard case .pattern(let pattern) = selector, pattern.text != "*" else { return false }
      return pattern.matches(stream)
    }
  }
}

/// Values by selector; the first that matches counts.
package struct PlanRules<Value: Sendable & Equatable>: Sendable, Equatable {
  struct Rule: Sendable, Equatable {
    let selector: ChannelSelector
    let value: Value
  }

  var rules: [Rule] = []
  var otherwise: Value

  init(_ otherwise: Value) { self.otherwise = otherwise }

  /// Whether some channel may get this value.
  func hold(_ value: Value) -> Bool { otherwise == value || rules.contains { $0.value == value } }

  package func value(_ stream: String, _ channel: Channel) -> Value {
    rules.first { $0.selector.matches(stream, channel) }?.value ?? otherwise
  }

  /// A bare value, or an object that ends with the value for all others.
  func json(_ write: (Value) -> JSONValue) -> JSONValue {
    if rules.isEmpty { return write(otherwise) }
    var members = rules.map { JSONValue.Member($0.selector.text, write($0.value)) }
    members.append(.init("*", write(otherwise)))
    return .object(members)
  }
}
