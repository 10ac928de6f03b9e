import TrajpackFormat
import TrajpackStore

/// Turns the rows of a `state.csv` into packed rows of each list entry: of the episode's own streams, and
/// of each entity while it is there.
struct StateRows {
  /// Frames of one entity in a row, with the same type.
  struct Run {
    var first: Int
    var count: Int
    var type: Int
    /// The run's texts, in the group's spool.
    var bytes: Range<Int>
  }

  /// One list entry: the camera, npc 0, monster 1.
  struct Group {
    var stream: Int
    var kind: String?
    var slot: Int
    var blocks: [Int]
    var rows: [[UInt8]]
    var spools: [RowSpool]
    var texts = RowSpool()
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
    var block: Int
    var offset: Int
    var size: Int
    var form: Form
    /// The text that stands in rows in which the entity is absent.
    var absent: String?
  }

  private var cells: [Cell] = []
  private(set) var groups: [Group] = []
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
        groups.append(Self.group(stream, place, schema))
      }
      if place.slot >= 0, place.channel == "type_id" { groups[number].typeColumn = i }
      let channel = schema.streams[stream].channels[channelNumber]
      let block = schema.blocks[channel.storage.block]
      let form: Form
      if channel.type == .bytes {
        form = .text
      } else if let categories = channel.categories {
        form = .category(
          Dictionary(
            categories.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first }
          ))
      } else {
        form = .numbers(block.type, decimals: channel.storage.decimals, width: channel.elements)
      }
      cells.append(
        Cell(
          group: number, block: groups[number].blocks.firstIndex(of: channel.storage.block) ?? 0,
          offset: channel.storage.column * block.type.size, size: block.type.size, form: form))
    }
  }

  /// A list entry whose rows are, at first, of values that were not observed.
  private static func group(_ stream: Int, _ place: WildWorldColumn, _ schema: Schema) -> Group {
    let blocks = schema.blocks.indices.filter {
      schema.blocks[$0].stream == stream && schema.streams[stream].blob != $0
    }
    var rows = blocks.map { [UInt8](repeating: 0, count: schema.blocks[$0].rowBytes) }
    for channel in schema.streams[stream].channels {
      guard let i = blocks.firstIndex(of: channel.storage.block) else { continue }
      let block = schema.blocks[channel.storage.block]
      let width = channel.type == .bytes ? 1 : channel.elements
      rows[i].withUnsafeMutableBytes { row in
        guard let start = row.baseAddress else { return }
        for element in 0..<width {
          let at = start + (channel.storage.column + element) * block.type.size
          if channel.type == .bytes {
            at.storeBytes(of: Int64(-1).littleEndian, as: Int64.self)
          } else {
            ColumnProfile.store(.missing, block.type, decimals: channel.storage.decimals, at: at)
          }
        }
      }
    }
    return Group(
      stream: stream, kind: place.slot < 0 ? nil : place.stream, slot: place.slot, blocks: blocks,
      rows: rows, spools: blocks.map { _ in RowSpool() })
  }

  /// Adds a row.
  mutating func append(_ scanner: CSVScanner, frame: Int) throws(TrajpackError) {
    for g in groups.indices {
      groups[g].hasData = groups[g].kind == nil
      groups[g].type = -1
    }
    var texts: [(cell: Int, bytes: [UInt8])] = []
    for i in cells.indices {
      let field = scanner[i]
      let cell = cells[i]
      switch cell.form {
      case .numbers(let type, let decimals, let width):
        let hasData = Self.store(
          field, type, decimals, width, into: &groups[cell.group].rows[cell.block], at: cell.offset,
          size: cell.size)
        if hasData {
          groups[cell.group].hasData = true
          if groups[cell.group].typeColumn == i {
            groups[cell.group].type = Int(DecimalLiteral(field.bytes).mantissa)
          }
        }
      case .category(let codes):
        let text = field.text
        guard let code = codes[text] else {
          throw TrajpackError(
            .data,
            "state.csv: line \(scanner.line), column '\(names[i])' has changed while it was converted"
          )
        }
        groups[cell.group].rows[cell.block].store(code.littleEndian, at: cell.offset)
        if !WildWorldCell.isAbsent(text) { groups[cell.group].hasData = true }
      case .text:
        let text = field.text
        texts.append((i, Array(text.utf8)))
        if !WildWorldCell.isAbsent(text) { groups[cell.group].hasData = true }
      }
    }
    noteAbsent(scanner)
    for g in groups.indices where groups[g].hasData {
      let start = groups[g].texts.count
      if let last = groups[g].runs.last, last.first + last.count == frame,
        last.type == groups[g].type
      {
        groups[g].runs[groups[g].runs.count - 1].count += 1
      } else {
        groups[g].runs.append(
          Run(first: frame, count: 1, type: groups[g].type, bytes: start..<start))
      }
      let run = groups[g].runs.count - 1
      let base = groups[g].runs[run].bytes.lowerBound
      for (i, bytes) in texts where cells[i].group == g {
        let (block, offset) = (cells[i].block, cells[i].offset)
        groups[g].rows[block].store(Int64(groups[g].texts.count - base).littleEndian, at: offset)
        groups[g].rows[block].store(Int64(bytes.count).littleEndian, at: offset + 8)
        try groups[g].texts.append(bytes)
      }
      groups[g].runs[run].bytes = base..<groups[g].texts.count
      for b in groups[g].blocks.indices { try groups[g].spools[b].append(groups[g].rows[b]) }
    }
  }

  /// Notes what stands in the text columns of entities that are not there: all their cells are empty, `nan`
  /// or `none`. The first such text is put back in all their rows.
  private mutating func noteAbsent(_ scanner: CSVScanner) {
    guard groups.contains(where: { !$0.hasData }) else { return }
    for i in cells.indices where cells[i].absent == nil && !groups[cells[i].group].hasData {
      if case .numbers = cells[i].form { continue }
      cells[i].absent = scanner[i].text
    }
  }

  /// Writes the numbers of a cell; says whether any was observed.
  @inline(__always)
  private static func store(
    _ field: CSVScanner.Field, _ type: ElementType, _ decimals: Int?, _ width: Int,
    into row: inout [UInt8], at offset: Int, size: Int
  ) -> Bool {
    var hasData = false
    row.withUnsafeMutableBytes { row in
      guard let start = row.baseAddress else { return }
      if width > 1 || "([".utf8.contains(field.bytes.first ?? 0) {
        let count = WildWorldCell.tuple(field.bytes) { element, number in
          guard element < width else { return }
          if number.form != .missing { hasData = true }
          ColumnProfile.store(number, type, decimals: decimals, at: start + offset + element * size)
        }
        if count == 0 {
          for element in 0..<width {
            ColumnProfile.store(
              .missing, type, decimals: decimals, at: start + offset + element * size)
          }
        }
      } else {
        let number = WildWorldCell.number(field.bytes)
        if number.form != .missing { hasData = true }
        ColumnProfile.store(number, type, decimals: decimals, at: start + offset)
      }
    }
    return hasData
  }

  /// The texts of absent rows, by column, as the episode's metadata keeps them.
  var absentTexts: JSONValue? {
    let members = cells.indices.compactMap { i in
      cells[i].absent.map { JSONValue.Member(names[i], .string($0)) }
    }
    return members.isEmpty ? nil : .object(members)
  }
}

extension [UInt8] {
  fileprivate mutating func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
    withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: Value.self) }
  }
}
