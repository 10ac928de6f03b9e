/// Encodings of depth as JSON, and as the text that options take: `linear:scale=0.001,units=m,invalid=0`.
extension DepthEncoding {
  /// The name of the member of attributes and conventions.
  public static let member = "depth"

  private static let members = [
    "encoding", "scale", "offset", "near", "far", "largest", "top", "units", "invalid", "measured",
  ]

  /// The encoding as an object; what is as usual is left out.
  public var json: JSONValue {
    func number(_ value: Double) -> JSONValue {
      Int64(exactly: value).map { .int($0) } ?? .double(value)
    }
    return .record([
      "encoding": .string(form.rawValue),
      "scale": ends == nil && scale != 1 ? number(scale) : nil,
      "offset": ends == nil && offset != 0 ? number(offset) : nil,
      "near": ends.map { number($0.near) },
      "far": ends.map { $0.far == .infinity ? .string("infinity") : number($0.far) },
      "largest": ends != nil && largest == .near ? .string(largest.rawValue) : nil,
      "top": top.map(number), "units": units.map { .string($0) },
      "invalid": invalid.isEmpty
        ? nil
        : .array(
          invalid.map {
            $0.lowerBound == $0.upperBound
              ? number($0.lowerBound) : .array([number($0.lowerBound), number($0.upperBound)])
          }),
      "measured": measured.map { .string($0.rawValue) },
    ])
  }

  /// Reads an object.
  ///
  /// - Parameter fault: What it is where the object is wrong: `.data` of a file, `.usage` of an option.
  /// - Throws: An error that names the member.
  public init(_ json: JSONValue, at place: String, _ fault: TrajpackError.Fault)
    throws(TrajpackError)
  {
    func wrong(_ what: String) -> TrajpackError { TrajpackError(fault, "\(place): \(what)") }
    guard let given = json.members else { throw wrong("must be an object with 'encoding'") }
    for member in given where !Self.members.contains(member.name) {
      throw wrong(
        "there is no member '\(member.name)'; known are \(Self.members.joined(separator: ", "))")
    }
    func number(_ name: String) throws(TrajpackError) -> Double? {
      guard let value = json[name], value != .null else { return nil }
      if name == "far", value == "infinity" { return .infinity }
      guard let number = value.double, number.isFinite else {
        throw wrong("'\(name)' must be a number")
      }
      return number
    }
    func choice<Choice: RawRepresentable & CaseIterable>(
      _ name: String, _ all: Choice.Type
    ) throws(TrajpackError) -> Choice? where Choice.RawValue == String {
      guard let value = json[name], value != .null else { return nil }
      guard let choice = value.string.flatMap(Choice.init(rawValue:)) else {
        throw wrong(
          "'\(name)' must be \(Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or "))"
        )
      }
      return choice
    }
    guard let form = try choice("encoding", Form.self) else { throw wrong("'encoding' is missing") }
    self.init(form)
    let line = (try number("scale"), try number("offset"))
    (scale, offset) = (line.0 ?? 1, line.1 ?? 0)
    let (near, far) = (try number("near"), try number("far"))
    top = try number("top")
    largest = try choice("largest", End.self) ?? .far
    measured = try choice("measured", Measure.self)
    if let value = json["units"], value != .null {
      guard let text = value.string, !text.isEmpty else { throw wrong("'units' must be text") }
      units = text
    }
    invalid = try Self.ranges(json["invalid"], wrong)
    if near != nil || far != nil {
      guard let near, let far else { throw wrong("'near' and 'far' go together") }
      guard line.0 == nil, line.1 == nil else {
        throw wrong("'scale' and 'offset' say what 'near' and 'far' say, too: give one pair")
      }
      guard near < far, near >= 0, form == .linear || near > 0, form == .inverse || far < .infinity
      else {
        throw wrong(
          "'near' must be smaller than 'far', and above 0 where depth is inverse or log")
      }
      ends = Ends(near: near, far: far)
    } else if json["largest"] != nil || top != nil {
      throw wrong("'largest' and 'top' belong to 'near' and 'far'")
    }
    guard scale != 0 else { throw wrong("'scale' must not be 0") }
    if let top, top <= 0 { throw wrong("'top' must be above 0") }
    if form == .unknown, ends != nil || line.0 != nil || line.1 != nil {
      throw wrong("an unknown encoding has no 'scale', 'offset', 'near' or 'far'")
    }
  }

  private static func ranges(
    _ value: JSONValue?, _ wrong: (String) -> TrajpackError
  ) throws(TrajpackError) -> [Invalid] {
    guard let value, value != .null else { return [] }
    var out: [Invalid] = []
    for item in value.array ?? [value] {
      if let number = item.double, number.isFinite {
        out.append(number...number)
      } else if let pair = item.array, pair.count == 2, let low = pair[0].double,
        let high = pair[1].double, low <= high
      {
        out.append(low...high)
      } else {
        throw wrong("'invalid' must be samples, or pairs of a first and a last one")
      }
    }
    return out
  }

  /// Reads an option's text: a form and, behind a colon, members with commas between; samples in `invalid` have `+` between
  /// them and `..` between a first and a last one. An object of JSON is taken, too.
  public init(option text: String, _ option: String) throws(TrajpackError) {
    if text.hasPrefix("{") {
      let value: JSONValue
      do throws(TrajpackError) {
        value = try JSONValue(parsing: text)
      } catch { throw TrajpackError(.usage, "\(option): is no JSON: \(error.message)") }
      try self.init(value, at: option, .usage)
      return
    }
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    var json = JSONValue.record(["encoding": .string(parts.first ?? "")])
    for word in (parts.count > 1 ? parts[1] : "").split(separator: ",") {
      let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2, pair[0] != "encoding", json[pair[0]] == nil else {
        throw TrajpackError(
          .usage,
          "\(option): '\(word)' is not NAME=VALUE, each name once, as linear:scale=0.001,units=m,invalid=0"
        )
      }
      json.set(pair[0], try Self.value(pair[0], pair[1], option))
    }
    try self.init(json, at: option, .usage)
  }

  private static func value(
    _ name: String, _ text: String, _ option: String
  ) throws(TrajpackError) -> JSONValue {
    func number(_ text: Substring) throws(TrajpackError) -> JSONValue {
      guard let number = Double(text), number.isFinite else {
        throw TrajpackError(.usage, "\(option): \(name)=\(text) is no number")
      }
      return .double(number)
    }
    switch name {
    case "units", "largest", "measured": return .string(text)
    case "far" where ["inf", "infinity"].contains(text): return "infinity"
    case "invalid":
      var items: [JSONValue] = []
      for word in text.split(separator: "+") {
        let ends = word.split(separator: "..", omittingEmptySubsequences: false)
        var numbers: [JSONValue] = []
        for end in ends { numbers.append(try number(end)) }
        items.append(numbers.count == 1 ? numbers[0] : .array(numbers))
      }
      return .array(items)
    default: return try number(text[...])
    }
  }
}

extension Stream {
  /// What the samples of a video of depth mean; `nil` where it is not said.
  ///
  /// - Throws: A data error where its attributes are damaged.
  public func depthEncoding() throws(TrajpackError) -> DepthEncoding? {
    try attributes[DepthEncoding.member].map { (json) throws(TrajpackError) in
      try DepthEncoding(json, at: "stream '\(name)': attributes.depth", .data)
    }
  }
}

extension Channel {
  /// What the numbers of a channel of depth mean: its convention `depth`, or numbers in a unit of length, where nothing else
  /// is said; `nil` where nobody knows.
  ///
  /// - Throws: A data error where its conventions are damaged.
  public func depthEncoding() throws(TrajpackError) -> DepthEncoding? {
    if let said = conventions.first(where: { $0.name == DepthEncoding.member })?.value {
      return try DepthEncoding(said, at: "channel '\(name)': conventions.depth", .data)
    }
    guard kind == .depth, let units, DepthEncoding.isLength(units) else { return nil }
    var encoding = DepthEncoding(.linear)
    encoding.units = units
    return encoding
  }
}
