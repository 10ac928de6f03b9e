import TrajpackFormat

extension Clip {
  /// The members that a clip may have, which are the columns of CSV too.
  static let names = [
    "id", "episode", "start", "start_row", "rows", "seconds", "rate", "unit", "label", "dataset",
  ]

  /// Reads an object.
  ///
  /// - Throws: A usage error whose message follows the entry's place: `has no 'episode'`.
  init(_ value: JSONValue, place: String) throws(TrajpackError) {
    func wrong(_ text: String) -> TrajpackError { TrajpackError(.usage, text) }
    guard let members = value.members else {
      throw wrong("is no object like {\"episode\": \"000001\", \"start\": 3.5, \"rows\": 81}")
    }
    var seen: Set<String> = []
    for member in members {
      guard Self.names.contains(member.name) else {
        throw wrong(
          "has the unknown member '\(member.name)'\(Suggestion.text(for: member.name, among: Self.names))"
        )
      }
      guard seen.insert(member.name).inserted else { throw wrong("has '\(member.name)' twice") }
    }
    func given(_ name: String) -> JSONValue? { value[name].flatMap { $0 == .null ? nil : $0 } }
    func text(_ name: String) throws(TrajpackError) -> String? {
      guard let value = given(name) else { return nil }
      guard let text = value.string, !text.isEmpty else {
        throw wrong("has \(value.text()) as '\(name)', which must be text")
      }
      return text
    }
    func number(_ name: String, isPositive: Bool) throws(TrajpackError) -> Rational? {
      guard let value = given(name) else { return nil }
      guard let number = ClipNumber.number(value), !isPositive || number.numerator > 0 else {
        throw wrong(
          "has \(value.text()) as '\(name)', which must be a \(isPositive ? "positive " : "")number like 3.5 or "
            + "\"10/3\"")
      }
      return number
    }
    func whole(_ name: String, _ range: ClosedRange<Int>) throws(TrajpackError) -> Int? {
      guard let value = given(name) else { return nil }
      // 81.0 is 81: tables with empty cells have such numbers.
      guard let number = ClipNumber.number(value), number.denominator == 1,
        let whole = Int(exactly: number.numerator), range.contains(whole)
      else {
        throw wrong(
          "has \(value.text()) as '\(name)', which must be a whole number from \(range.lowerBound) to "
            + "\(range.upperBound)")
      }
      return whole
    }
    guard let episode = try text("episode") else { throw wrong("has no 'episode'") }
    let time = try number("start", isPositive: false)
    let row = try whole("start_row", 0...(1 << 48))
    let rows = try whole("rows", 1...Self.mostRows)
    let seconds = try number("seconds", isPositive: true)
    let start: Start
    switch (time, row) {
    case (let time?, nil): start = .time(time)
    case (nil, let row?): start = .row(row)
    case (nil, nil): throw wrong("has no 'start' (a time) and no 'start_row'")
    default: throw wrong("has both 'start' and 'start_row'; give one of them")
    }
    let extent: Extent
    switch (rows, seconds) {
    case (let rows?, nil): extent = .rows(rows)
    case (nil, let seconds?): extent = .seconds(seconds)
    case (nil, nil): throw wrong("has no 'rows' and no 'seconds'")
    default: throw wrong("has both 'rows' and 'seconds'; give one of them")
    }
    self.init(
      id: try text("id"), episode: episode, start: start, extent: extent,
      rate: try number("rate", isPositive: true), unit: try text("unit"),
      label: try text("label"), dataset: try whole("dataset", 0...65_534), place: place)
  }
}

extension ClipList {
  /// The rows of CSV (RFC 4180) as objects; an empty cell is a member that is not there.
  ///
  /// - Throws: A usage error naming the line that is wrong.
  static func table(
    _ body: [UInt8], _ source: String
  ) throws(TrajpackError) -> [(String, JSONValue)] {
    let records = try records(body, source)
    guard let header = records.first?.cells, header.contains("episode") else {
      throw TrajpackError(
        .usage, file: source,
        "is no list of clips: CSV has a header with the columns episode, start (or start_row), rows "
          + "(or seconds), and perhaps rate, id, label")
    }
    for name in header where !Clip.names.contains(name) {
      throw TrajpackError(
        .usage,
        name.isEmpty
          ? "\(source): a column has no name; give it one, or leave it out (pandas: index=False)"
          : "\(source): there is no column '\(name)' of clips"
            + Suggestion.text(for: name, among: Clip.names))
    }
    guard Set(header).count == header.count else {
      throw TrajpackError(.usage, file: source, "the header names a column twice")
    }
    var out: [(String, JSONValue)] = []
    out.reserveCapacity(records.count)
    for record in records.dropFirst() {
      guard record.cells.count == header.count else {
        throw TrajpackError(
          .usage, file: source,
          "line \(record.line) has \(counted(record.cells.count, "cell")), and the header \(header.count)"
        )
      }
      out.append(
        (
          "line \(record.line)",
          .object(
            zip(header, record.cells).compactMap { name, cell in
              cell.isEmpty ? nil : JSONValue.Member(name, .string(cell))
            })
        ))
    }
    return out
  }

  private static func records(
    _ body: [UInt8], _ source: String
  ) throws(TrajpackError) -> [(line: Int, cells: [String])] {
    let (quote, comma) = (UInt8(ascii: "\""), UInt8(ascii: ","))
    var out: [(line: Int, cells: [String])] = []
    var cells: [String] = []
    var (at, line, first) = (0, 1, 1)
    func text(_ bytes: some Collection<UInt8>) throws(TrajpackError) -> String {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw TrajpackError(.usage, file: source, "line \(line) is no UTF-8 text")
      }
      return text
    }
    while at < body.count {
      var isEnd = false
      if body[at] == quote {
        var cell: [UInt8] = []
        at += 1
        while true {
          guard at < body.count else {
            throw TrajpackError(.usage, file: source, "a quote of line \(first) has no end")
          }
          if body[at] == quote {
            guard at + 1 < body.count, body[at + 1] == quote else { break }
            at += 1
          }
          if body[at] == 0x0A { line += 1 }
          cell.append(body[at])
          at += 1
        }
        at += 1
        cells.append(try text(cell))
      } else {
        let begin = at
        while at < body.count, body[at] != comma, body[at] != 0x0A { at += 1 }
        var end = at
        if end > begin, body[end - 1] == 0x0D, at == body.count || body[at] == 0x0A { end -= 1 }
        cells.append(try text(body[begin..<end]))
      }
      if at < body.count, body[at] == 0x0D { at += 1 }
      if at >= body.count {
        isEnd = true
      } else if body[at] == 0x0A {
        isEnd = true
        line += 1
      } else if body[at] != comma {
        throw TrajpackError(.usage, file: source, "line \(line) has text after a quoted cell")
      } else if at + 1 == body.count {
        // A comma at the very end leaves an empty cell after it.
        cells.append("")
        isEnd = true
      }
      at += 1
      guard isEnd else { continue }
      if cells != [""] { out.append((first, cells)) }
      (cells, first) = ([], line)
    }
    return out
  }

  /// The list as CSV, with the columns that some clip has.
  public var csv: String {
    let objects = clips.map(\.json)
    let columns = Clip.names.filter { name in objects.contains { $0[name] != nil } }
    func cell(_ value: JSONValue?) -> String {
      switch value {
      case .string(let text):
        let isPlain = text.utf8.allSatisfy { ![0x22, 0x2C, 0x0A, 0x0D].contains($0) }
        return isPlain ? text : "\"\(text.replacing("\"", with: "\"\""))\""
      case .some(let value): return value.text()
      case nil: return ""
      }
    }
    let lines =
      [columns.joined(separator: ",")]
      + objects.map { object in columns.map { cell(object[$0]) }.joined(separator: ",") }
    return lines.joined(separator: "\n") + "\n"
  }
}
