import TrajpackFormat

extension Figure {
  /// As JSON; what is not a number is null.
  public var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("kind", .string(kind)), .init("title", .string(title)), .init("x", x.json),
      .init("y", y.json),
    ]
    switch body {
    case .lines(let series), .paths(let series):
      members.append(.init("series", .array(series.map(\.json))))
    case .dots(let labels, let series):
      members.append(.init("labels", .array(labels.map { .string($0) })))
      members.append(.init("series", .array(series.map(\.json))))
    case .heat(let rows, let columns, let values):
      members.append(.init("rows", .array(rows.map { .string($0) })))
      members.append(.init("columns", .array(columns.map { .string($0) })))
      members.append(.init("values", .array(values.map(numbers))))
    case .poses(let poses):
      members.append(.init("poses", .array(poses.map(\.json))))
    }
    if !note.isEmpty { members.append(.init("note", .string(note))) }
    return .object(members)
  }

  private var kind: String {
    switch body {
    case .lines: "lines"
    case .paths: "paths"
    case .dots: "dots"
    case .heat: "heat"
    case .poses: "poses"
    }
  }

  /// Reads what ``json`` wrote.
  ///
  /// - Throws: A data error that names the member.
  public init(json: JSONValue) throws(TrajpackError) {
    title = try text(json, "title")
    x = try Axis(json: json["x"] ?? .null)
    y = try Axis(json: json["y"] ?? .null)
    note = json["note"]?.string ?? ""
    switch try text(json, "kind") {
    case "lines": body = .lines(try list(json, "series", Series.init(json:)))
    case "paths": body = .paths(try list(json, "series", Series.init(json:)))
    case "dots":
      body = .dots(
        labels: try list(json, "labels", asText), try list(json, "series", Series.init(json:)))
    case "heat":
      let rows = try list(json, "rows", asText)
      let columns = try list(json, "columns", asText)
      let values = try list(json, "values") { (row) throws(TrajpackError) in
        try asNumbers(row, "values")
      }
      guard values.count == rows.count, values.allSatisfy({ $0.count == columns.count }) else {
        throw wrong("'values' has not a number for each row and column")
      }
      body = .heat(rows: rows, columns: columns, values: values)
    case "poses": body = .poses(try list(json, "poses", Pose.init(json:)))
    case let other: throw wrong("the kind '\(other)' is unknown")
    }
  }
}

extension Figure.Axis {
  fileprivate var json: JSONValue {
    .record(["label": .string(label), "log": isLogarithmic ? .bool(true) : nil])
  }

  fileprivate init(json: JSONValue) throws(TrajpackError) {
    self.init(try text(json, "label"), isLogarithmic: json["log"]?.bool ?? false)
  }
}

extension Figure.Series {
  fileprivate var json: JSONValue {
    .record([
      "name": .string(name), "role": .string(role.rawValue), "x": numbers(x), "y": numbers(y),
      "low": low.isEmpty ? nil : numbers(low), "high": high.isEmpty ? nil : numbers(high),
    ])
  }

  fileprivate init(json: JSONValue) throws(TrajpackError) {
    guard let role = Figure.Role(rawValue: try text(json, "role")) else {
      throw wrong("a series has an unknown role")
    }
    self.init(
      try text(json, "name"), role, x: try asNumbers(json["x"] ?? .null, "x"),
      y: try asNumbers(json["y"] ?? .null, "y"),
      low: try asNumbers(json["low"] ?? .array([]), "low"),
      high: try asNumbers(json["high"] ?? .array([]), "high"))
    guard x.count == y.count, low.count == high.count, low.isEmpty || low.count == x.count else {
      throw wrong("the series '\(name)' has lists of different lengths")
    }
  }
}

extension Figure.Pose {
  fileprivate var json: JSONValue {
    .record([
      "title": .string(title),
      "bones": .array(bones.map { .array($0.map { .int(Int64($0)) }) }),
      "truth": .array(truth.map(numbers)), "prediction": .array(prediction.map(numbers)),
    ])
  }

  fileprivate init(json: JSONValue) throws(TrajpackError) {
    let bones = try list(json, "bones") { (bone) throws(TrajpackError) in
      try list(.object([.init("bone", bone)]), "bone") { (joint) throws(TrajpackError) in
        guard let joint = joint.int else { throw wrong("a bone joins something that is no joint") }
        return joint
      }
    }
    func joints(_ name: String) throws(TrajpackError) -> [[Double]] {
      try list(json, name) { (joint) throws(TrajpackError) in try asNumbers(joint, name) }
    }
    self.init(
      title: try text(json, "title"), bones: bones, truth: try joints("truth"),
      prediction: try joints("prediction"))
    let known = truth.indices
    guard truth.count == prediction.count, (truth + prediction).allSatisfy({ $0.count == 2 }),
      bones.allSatisfy({ $0.count == 2 && known.contains($0[0]) && known.contains($0[1]) })
    else { throw wrong("the pose '\(title)' has joints or bones that do not fit") }
  }
}

private func numbers(_ values: [Double]) -> JSONValue {
  .array(values.map { $0.isFinite ? .double($0) : .null })
}

private func wrong(_ what: String) -> TrajpackError {
  TrajpackError(.data, "a figure of the report is not as trajpack writes it: \(what)")
}

private func text(_ json: JSONValue, _ name: String) throws(TrajpackError) -> String {
  guard let text = json[name]?.string else { throw wrong("'\(name)' is no text") }
  return text
}

private func asText(_ json: JSONValue) throws(TrajpackError) -> String {
  guard let text = json.string else { throw wrong("a label is no text") }
  return text
}

private func asNumbers(_ json: JSONValue, _ name: String) throws(TrajpackError) -> [Double] {
  try list(.object([.init(name, json)]), name) { (entry) throws(TrajpackError) in
    if case .null = entry { return .nan }
    guard let number = entry.double else { throw wrong("'\(name)' holds what is no number") }
    return number
  }
}

private func list<Element>(
  _ json: JSONValue, _ name: String,
  _ element: (JSONValue) throws(TrajpackError) -> Element
) throws(TrajpackError) -> [Element] {
  guard case .array(let entries)? = json[name] else { throw wrong("'\(name)' is no list") }
  var out: [Element] = []
  out.reserveCapacity(entries.count)
  for entry in entries { out.append(try element(entry)) }
  return out
}
