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
    var place: UnsafeMutableRawPointer
    var form: Form
  }

  private let builder: TrackBuilder
  private var numbers: [NumberCell] = []
  private var cells: [Cell] = []
  private let time: TimeProfile
  private let form: TableForm

  /// Rows of a table of `form`, whose times are `time`, for a stream of a schema.
  init(_ form: TableForm, _ time: TimeProfile, _ schema: Schema, stream: Int) {
    builder = TrackBuilder(schema, stream: stream)
    self.time = time
    self.form = form
    for (column, name) in form.channelNames.enumerated()
    where column != form.episode && column != form.timeOfDay {
      // The text of times, where it must be kept, has a channel beside them.
      for name in column == form.time ? [name, TableForm.timeText] : [name] {
        guard let number = schema.streams[stream].channel(named: name) else { continue }
        let channel = schema.streams[stream].channels[number]
        let place = builder.address(of: channel)
        if channel.type == .bytes {
          let isTime = column == form.time
          cells.append(Cell(column: column, place: place, form: isTime ? .timeText : .text))
        } else if channel.categories != nil {
          cells.append(
            Cell(column: column, place: place, form: .category(channel.categoryCodes)))
        } else if column == form.time, channel.type == .int64 {
          cells.append(Cell(column: column, place: place, form: .ticks))
        } else {
          numbers.append(
            NumberCell(
              column: column, place: place, type: schema.blocks[channel.storage.block].type,
              decimals: channel.storage.decimals))
        }
      }
    }
  }

  /// Reads the rows of a part.
  func read(
    _ file: TextFile, _ part: TablePart, count: Int, clock: Clock
  ) throws(TrajpackError) -> TrackDraft {
    let reader = form.numbers
    let row = TableReader(file, form, range: part.range)
    while try row.next() {
      guard builder.count < count else { throw Self.changed }
      for cell in numbers {
        let number = reader.number(row[cell.column].bytes)
        guard number.form != .text else { throw Self.changed }
        ColumnProfile.store(number, cell.type, decimals: cell.decimals, at: cell.place)
      }
      for cell in cells { try store(row, cell) }
      try builder.append()
    }
    guard builder.count == count else { throw Self.changed }
    return builder.track(clock: clock)
  }

  private static let changed = TrajpackError(
    .data, "the file has changed while it was converted; run again")

  private func store(_ row: TableReader, _ cell: Cell) throws(TrajpackError) {
    let field = row[cell.column]
    let isThere = !field.bytes.isEmpty || field.isQuoted
    switch cell.form {
    case .category(let codes):
      guard let code = isThere ? codes[field.text] : .min else { throw Self.changed }
      cell.place.storeBytes(of: code.littleEndian, as: Int32.self)
    case .text, .timeText:
      guard isThere else { return TrackBuilder.store(pointer: nil, at: cell.place) }
      var text = field.text
      if case .timeText = cell.form { text = row.timeText }
      try builder.store(text: Array(text.utf8), at: cell.place)
    case .ticks:
      guard
        let exact = row.date.map(TimeProfile.exact)
          ?? TimeProfile.exact(form.numbers.number(field.bytes))
      else { throw Self.changed }
      cell.place.storeBytes(of: time.ticks(exact).littleEndian, as: Int64.self)
    }
  }
}
