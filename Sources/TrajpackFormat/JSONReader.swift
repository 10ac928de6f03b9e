/// A JSON value and the path to it, so that an error names the member that is wrong.
public struct JSONReader: Sendable {
  /// The value.
  public let value: JSONValue
  /// Where it lies in its document.
  public let path: String

  /// A value of the document that `path` names.
  public init(_ value: JSONValue, at path: String) {
    self.value = value
    self.path = path
  }

  /// The error of a value that is not `expected`.
  public func wrong(_ expected: String) -> TrajpackError {
    TrajpackError(.data, "\(path) is damaged: expected \(expected)")
  }

  /// A member that must be there.
  public func member(_ name: String) throws(TrajpackError) -> JSONReader {
    guard let member = value[name] else {
      throw TrajpackError(.data, "\(path) is damaged: it has no member '\(name)'")
    }
    return JSONReader(member, at: "\(path).\(name)")
  }

  /// The text itself.
  public func text() throws(TrajpackError) -> String {
    guard let text = value.string else { throw wrong("text") }
    return text
  }

  /// A text member.
  public func text(_ name: String) throws(TrajpackError) -> String { try member(name).text() }

  /// A text member that may be absent.
  public func optionalText(_ name: String) throws(TrajpackError) -> String? {
    value[name] == nil ? nil : try text(name)
  }

  /// The integer itself.
  public func integer() throws(TrajpackError) -> Int {
    guard let int = value.int else { throw wrong("an integer") }
    return int
  }

  /// An integer member.
  public func integer(_ name: String) throws(TrajpackError) -> Int { try member(name).integer() }

  /// An integer member that may be absent.
  public func optionalInteger(_ name: String) throws(TrajpackError) -> Int? {
    value[name] == nil ? nil : try integer(name)
  }

  /// The integers of an array.
  public func integers() throws(TrajpackError) -> [Int] {
    guard let elements = value.array else { throw wrong("an array of integers") }
    var out: [Int] = []
    for element in elements {
      guard let int = element.int else { throw wrong("an array of integers") }
      out.append(int)
    }
    return out
  }

  /// The integers of an array member.
  public func integers(_ name: String) throws(TrajpackError) -> [Int] {
    try member(name).integers()
  }

  /// A member that is an object.
  public func object(_ name: String) throws(TrajpackError) -> JSONValue {
    let member = try member(name)
    guard member.value.members != nil else { throw member.wrong("an object") }
    return member.value
  }

  /// A text member that names one of a set of choices.
  public func choice<Choice>(
    _ name: String, _ choose: (String) -> Choice?
  ) throws(TrajpackError) -> Choice {
    let member = try member(name)
    let text = try member.text()
    guard let choice = choose(text) else { throw member.wrong("a known name, not '\(text)'") }
    return choice
  }

  /// The elements of an array member.
  public func list<Element>(
    _ name: String, _ element: (JSONReader) throws(TrajpackError) -> Element
  ) throws(TrajpackError) -> [Element] {
    let member = try member(name)
    guard let elements = member.value.array else { throw member.wrong("an array") }
    var out: [Element] = []
    out.reserveCapacity(elements.count)
    for (i, value) in elements.enumerated() {
      out.append(try element(JSONReader(value, at: "\(member.path)[\(i)]")))
    }
    return out
  }
}
