import TrajpackFormat
import TrajpackStore

/// Turns the rows of a `state.csv` into packed rows of each list entry: of the episode's own streams, and
/// of each entity while it is there.
struct StateRows {
  /// Frames of one entity in a row, with the same type.
  private struct Run {
    var first: Int
    var type: Int
    /// The rows, and the bytes that they point into, of the group's builder.
    var rows: Range<Int>
    var bytes: Range<Int>
  }

  /// One list entry: the camera, npc 0, monster 1.
  private struct Group {
    let builder: TrackBuilder
    var kind: String?
    var slot: Int
    var runs: [Run] = []
    var hasData = false
    var type = -1
    var typeColumn: Int?
  }

  private enum Form {
    case numbers(ElementType, decimals: Int?, width: Int)
    case category([String: Int32])
    case text
  }

  private struct Cell {
    var group: Int
    var place: UnsafeMutableRawPointer
    var form: Form
    /// The text that stands in rows in which the entity is absent.
    var absent: String?
  }

  private var cells: [Cell] = []
  private var groups: [Group] = []
  private let names: [String]

  init(_ columns: [WildWorldExamination.Column], _ schema: Schema) {
    names = columns.map(\.name)
    var numbers: [String: Int] = [:]
    for (i, column) in columns.enumerated() {
      let place = column.place
      guard let stream = schema.stream(named: place.stream),
        let channelNumber = schema.streams[stream].channel(named: place.channel)
      else { continue }
      let key = "\(place.stream) \(place.slot)"
      let number = numbers[key] ?? groups.count
      if number == groups.count {
        numbers[key] = number
        groups.append(
          Group(
            builder: TrackBuilder(schema, stream: stream),
            kind: place.slot < 0 ? nil : place.stream, slot: place.slot))
      }
      if place.slot >= 0, place.channel == "type_id" { groups[number].typeColumn = i }
      let channel = schema.streams[stream].channels[channelNumber]
      let form: Form
      if channel.type == .bytes {
        form = .text
      } else if channel.categories != nil {
        form = .category(channel.categoryCodes)
      } else {
        form = .numbers(
          schema.blocks[channel.storage.block].type, decimals: channel.storage.decimals,
          width: channel.elements)
      }
      cells.append(
        Cell(group: number, place: groups[number].builder.address(of: channel), form: form))
    }
  }

  /// Adds a row.
  mutating func append(_ table: TableReader, frame: Int) throws(TrajpackError) {
    for g in groups.indices {
      groups[g].hasData = groups[g].kind == nil
      groups[g].type = -1
    }
    var texts: [(cell: Int, bytes: [UInt8])] = []
    for i in cells.indices {
      let field = table[i]
      let cell = cells[i]
      switch cell.form {
      case .numbers(let type, let decimals, let width):
        if Self.store(field, type, decimals, width, at: cell.place) {
          groups[cell.group].hasData = true
          if groups[cell.group].typeColumn == i {
            groups[cell.group].type = Int(DecimalLiteral(field.bytes).mantissa)
          }
        }
      case .category(let codes):
        let text = field.text
        guard let code = codes[text] else {
          throw table.wrong("column '\(names[i])' has changed while it was converted; run again")
        }
        cell.place.storeBytes(of: code.littleEndian, as: Int32.self)
        if !WildWorldCell.isAbsent(text) { groups[cell.group].hasData = true }
      case .text:
        let text = field.text
        texts.append((i, Array(text.utf8)))
        if !WildWorldCell.isAbsent(text) { groups[cell.group].hasData = true }
      }
    }
    noteAbsent(table)
    for g in groups.indices where groups[g].hasData {
      let builder = groups[g].builder
      let (row, byte) = (builder.count, builder.bytes.count)
      var run =
        groups[g].runs.popLast()
        ?? Run(first: frame, type: groups[g].type, rows: row..<row, bytes: byte..<byte)
      if run.first + run.rows.count != frame || run.type != groups[g].type {
        groups[g].runs.append(run)
        run = Run(first: frame, type: groups[g].type, rows: row..<row, bytes: byte..<byte)
      }
      for (i, text) in texts where cells[i].group == g {
        try builder.store(text: text, at: cells[i].place, since: run.bytes.lowerBound)
      }
      try builder.append()
      run.rows = run.rows.lowerBound..<builder.count
      run.bytes = run.bytes.lowerBound..<builder.bytes.count
      groups[g].runs.append(run)
    }
  }

  /// Notes what stands in the text columns of entities that are not there: all their cells are empty, `nan`
  /// or `none`. The first such text is put back in all their rows.
  private mutating func noteAbsent(_ table: TableReader) {
    guard groups.contains(where: { !$0.hasData }) else { return }
    for i in cells.indices where cells[i].absent == nil && !groups[cells[i].group].hasData {
      if case .numbers = cells[i].form { continue }
      cells[i].absent = table[i].text
    }
  }

  /// Writes the numbers of a cell; says whether any was observed.
  @inline(__always)
  private static func store(
    _ field: CSVScanner.Field, _ type: ElementType, _ decimals: Int?, _ width: Int,
    at place: UnsafeMutableRawPointer
  ) -> Bool {
    var hasData = false
    guard width > 1 || "([".utf8.contains(field.bytes.first ?? 0) else {
      let number = WildWorldCell.number(field.bytes)
      ColumnProfile.store(number, type, decimals: decimals, at: place)
      return number.form != .missing
    }
    let count = WildWorldCell.tuple(field.bytes) { element, number in
      guard element < width else { return }
      if number.form != .missing { hasData = true }
      ColumnProfile.store(number, type, decimals: decimals, at: place + element * type.size)
    }
    if count == 0 {
      for element in 0..<width {
        ColumnProfile.store(.missing, type, decimals: decimals, at: place + element * type.size)
      }
    }
    return hasData
  }

  /// The tracks of all entities, on clocks that `clock` gives for their first frames.
  func tracks(_ clock: (Int) -> Clock) -> [TrackDraft] {
    groups.flatMap { group in
      group.runs.map { run in
        group.builder.track(
          rows: run.rows, bytes: run.bytes,
          entity: group.kind.map { Entity(kind: $0, index: group.slot, type: run.type) },
          clock: clock(run.first))
      }
    }
    .sorted { ($0.stream, $0.entity?.index ?? -1) < ($1.stream, $1.entity?.index ?? -1) }
  }

  /// The texts of absent rows, by column, as the episode's metadata keeps them.
  var absentTexts: JSONValue? {
    let members = cells.indices.compactMap { i in
      cells[i].absent.map { JSONValue.Member(names[i], .string($0)) }
    }
    return members.isEmpty ? nil : .object(members)
  }
}
