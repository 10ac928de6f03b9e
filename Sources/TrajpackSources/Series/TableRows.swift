import TrajpackFormat
import TrajpackStore

/// Turns the rows of a table into packed rows of a stream's blocks.
struct TableRows {
  private enum Form {
    case category([String: Int32])
    case text
    case timeText
    case ticks
  }

  /// A cell that becomes a number: plain values and an address, since most cells are of this kind.
  private struct NumberCell {
    var column: Int
    var place: UnsafeMutableRawPointer
    var type: ElementType
    var decimals: Int?
  }

  private struct Cell {
    var column: Int
    var block: Int
    var offset: Int
    var form: Form
  }

  private let stream: Int
  private let schema: Schema
  private let blocks: [Int]
  private var numbers: [NumberCell] = []
  private var cells: [Cell] = []
  private var rows: [ByteBuffer] = []
  private var spools: [RowSpool] = []
  private let texts = RowSpool()
  private let time: TimeProfile
  private let form: TableForm

  /// Rows of a table of `form`, whose times are `time`, for a stream of a schema.
  init(_ form: TableForm, _ time: TimeProfile, _ schema: Schema, stream: Int) {
    self.stream = stream
    self.schema = schema
    self.time = time
    self.form = form
    blocks = schema.rowBlocks(of: stream)
    rows = blocks.map { ByteBuffer(schema.blocks[$0].rowBytes) }
    spools = blocks.map { _ in RowSpool() }
    for (column, name) in form.channelNames.enumerated()
    where column != form.episode && column != form.timeOfDay {
      // The text of times, where it must be kept, has a channel beside them.
      for name in column == form.time ? [name, TableForm.timeText] : [name] {
        guard let number = schema.streams[stream].channel(named: name) else { continue }
        let channel = schema.streams[stream].channels[number]
        let block = schema.blocks[channel.storage.block]
        let row = blocks.firstIndex(of: channel.storage.block) ?? 0
        let offset = channel.storage.column * block.type.size
        let cell: Form
        if channel.type == .bytes {
          cell = column == form.time ? .timeText : .text
        } else if let categories = channel.categories {
          cell = .category(
            Dictionary(
              categories.enumerated().map { ($1, Int32($0)) },
              uniquingKeysWith: { first, _ in first }))
        } else if column == form.time, channel.type == .int64 {
          cell = .ticks
        } else {
          numbers.append(
            NumberCell(
              column: column, place: rows[row].bytes.baseAddress.unsafelyUnwrapped + offset,
              type: block.type, decimals: channel.storage.decimals))
          continue
        }
        cells.append(Cell(column: column, block: row, offset: offset, form: cell))
      }
    }
  }

  /// Reads the rows of a part.
  mutating func read(
    _ file: TextFile, _ part: TablePart, count: Int, clock: Clock
  ) throws(TrajpackError) -> TrackDraft {
    let reader = form.numbers
    let scanner = CSVScanner(file, form.dialect, range: part.range)
    var done = 0
    while try scanner.next() {
      if form.isEmptyRow(scanner) { continue }
      guard scanner.count >= form.count, done < count else { throw Self.changed }
      for cell in numbers {
        let number = reader.number(scanner[cell.column].bytes)
        guard number.form != .text else { throw Self.changed }
        ColumnProfile.store(number, cell.type, decimals: cell.decimals, at: cell.place)
      }
      for cell in cells { try store(scanner, cell) }
      for (row, spool) in zip(rows, spools) { try spool.append(UnsafeRawBufferPointer(row.bytes)) }
      done += 1
    }
    guard done == count else { throw Self.changed }
    return TrackDraft(
      stream: stream, clock: clock, count: count, rows: spools.map { .init($0) },
      bytes: schema.streams[stream].blob == nil ? nil : .spool(texts, 0..<texts.count))
  }

  private static let changed = TrajpackError(
    .data, "the file has changed while it was converted; run again")

  private func store(_ scanner: CSVScanner, _ cell: Cell) throws(TrajpackError) {
    let row = rows[cell.block].bytes
    let field = scanner[cell.column]
    switch cell.form {
    case .category(let codes):
      var code = Int32.min
      if !field.bytes.isEmpty || field.isQuoted {
        guard let known = codes[field.text] else { throw Self.changed }
        code = known
      }
      row.storeBytes(of: code.littleEndian, toByteOffset: cell.offset, as: Int32.self)
    case .text, .timeText:
      var (offset, length) = (Int64(-1), Int64(0))
      if !field.bytes.isEmpty || field.isQuoted {
        var text = Array(field.text.utf8)
        if case .timeText = cell.form { text = Array(form.timeText(scanner).utf8) }
        (offset, length) = (Int64(texts.count), Int64(text.count))
        try texts.append(text)
      }
      row.storeBytes(of: offset.littleEndian, toByteOffset: cell.offset, as: Int64.self)
      row.storeBytes(of: length.littleEndian, toByteOffset: cell.offset + 8, as: Int64.self)
    case .ticks:
      guard
        let exact = form.date(scanner).map(TimeProfile.exact)
          ?? TimeProfile.exact(form.numbers.number(field.bytes))
      else { throw Self.changed }
      row.storeBytes(of: time.ticks(exact).littleEndian, toByteOffset: cell.offset, as: Int64.self)
    }
  }
}
