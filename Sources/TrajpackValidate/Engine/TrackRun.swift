import CPlatform
import TrajpackFormat
import TrajpackStore

/// Whole numbers of 64 bits, of which a float64 does not tell all apart, as they are stored from row to row.
struct WholeNumbers {
  let first: UnsafeRawPointer
  let stride: Int
  let isSigned: Bool

  subscript(row: Int) -> Int128 {
    let bits = UInt64(
      littleEndian: first.loadUnaligned(fromByteOffset: row * stride, as: UInt64.self))
    return isSigned ? Int128(Int64(bitPattern: bits)) : Int128(bits)
  }
}

/// Some rows of a track, as columns of numbers, and the two rows before them. What was not observed is NaN.
final class TrackRun {
  private(set) var track: TrackContext
  /// The first row, counted from the track's first.
  private(set) var first = 0
  /// Rows.
  private(set) var count = 0
  /// Rows before ``first`` that the columns have, too: 0 to 2.
  private(set) var carry = 0
  /// What one pass over each column told.
  let facts: UnsafeMutableBufferPointer<tp_column_facts>
  private let capacity: Int
  private let numbers: ByteBuffer
  /// Rows as they are stored, and room for two rows before them.
  private let blocks: [(number: Int, rowBytes: Int, bytes: ByteBuffer)]
  /// Which groups of columns are numbers, too: most are looked at as they are stored, and by no rule one by one.
  private var isTurned: [Bool]
  private var blockPlaces: [Int: Int] = [:]
  /// Whether the stored rows before ``first`` are looked at, too.
  private let keepsStored: Bool
  /// The first row in which each channel has a missing value, where one has.
  private(set) var holes: [Int: Int] = [:]
  /// Checksums of what was read of each channel so far.
  private(set) var checksums: [UInt32]
  /// Those of nothing.
  let noChecksums: [UInt32]

  /// Bytes of numbers that are held at once, so that they stay in a processor's cache.
  private static let target = 1 << 19
  /// Whether rules compare episodes by their content.
  private let isCompared: Bool

  init(_ track: TrackContext, isCompared: Bool) {
    self.track = track
    self.isCompared = isCompared
    let schema = track.about.schema
    let capacity = min(Self.mostRows(track), max(track.rows, 1))
    self.capacity = capacity
    let fields = track.columns.reduce(0) { $0 + ($1.isField ? $1.elements : 0) }
    numbers = ByteBuffer(8 * ((capacity + 2) * (track.columnCount + 1) + fields * capacity))
    blocks = track.layout.blocks.map { number in
      let size = schema.blocks[number].rowBytes
      // Behind the last row a vector may reach.
      return (number, size, ByteBuffer(size * (capacity + 2) + 32))
    }
    keepsStored = !track.layout.groups.isEmpty || track.columns.contains { $0.isWhole }
    isTurned = Array(repeating: false, count: track.layout.groups.count)
    for (place, block) in blocks.enumerated() { blockPlaces[block.number] = place }
    facts = .allocate(capacity: track.columnCount)
    facts.initialize(repeating: tp_column_facts())
    noChecksums = Array(repeating: 0, count: track.stream.channels.count)
    checksums = noChecksums
  }

  deinit { facts.deallocate() }

  /// Adds what the columns of the run told.
  func add(to columns: inout [ColumnFacts]) {
    columns.withUnsafeMutableBufferPointer { columns in
      for column in columns.indices { columns[column].add(facts[column]) }
    }
  }

  /// Whether there is room for a track of the same stream as the one before.
  func fits(_ other: TrackContext) -> Bool {
    other.layout === track.layout && capacity >= min(Self.mostRows(other), max(other.rows, 1))
  }

  /// Begins with another track of the same stream.
  func begin(_ other: TrackContext) {
    track = other
    (first, count, carry) = (0, 0, 0)
    if !holes.isEmpty { holes = [:] }
    if isCompared { checksums = noChecksums }
  }

  /// The most rows that are held at once, however long a track is.
  private static func mostRows(_ track: TrackContext) -> Int {
    let cells = max(
      track.columns.reduce(0) { $0 + max($1.count, $1.isField ? $1.elements : 1) }, 1)
    let schema = track.about.schema
    let rowBytes = track.layout.blocks.reduce(0) { $0 + schema.blocks[$1].rowBytes }
    return min(max(min(target / 8 / cells, (4 << 20) / max(rowBytes, 1)), 64), 16_384)
  }

  /// Each column has its rows and two before them; those of fields are long, and lie behind all others.
  private var base: UnsafeMutablePointer<Double> {
    numbers.bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Double.self)
  }

  /// The numbers of a column; row ``first`` is number 0, and ``carry`` rows lie before it. Of a field all elements of
  /// the rows, and nothing before them.
  func column(_ columns: TrackContext.Columns, _ element: Int = 0) -> UnsafePointer<Double> {
    turn(columns)
    return UnsafePointer(place(columns, element))
  }

  /// A number of a column: of a single one, no others are made.
  func number(_ columns: TrackContext.Columns, _ element: Int, row: Int) -> Double {
    let place = track.columnsOfChannel[columns.channel]
    guard !columns.isField, track.layout.groupOfColumns[place] >= 0,
      let at = blockPlaces[columns.block]
    else { return column(columns, element)[row] }
    return Double(
      storedRows(at).loadUnaligned(
        fromByteOffset: row * blocks[at].rowBytes + columns.offset + 4 * element, as: Float.self))
  }

  /// Makes numbers of the group of columns that a channel is in, if that has not been done.
  private func turn(_ columns: TrackContext.Columns) {
    let place = track.columnsOfChannel[columns.channel]
    let number = place < 0 ? -1 : track.layout.groupOfColumns[place]
    guard number >= 0, !isTurned[number], let at = blockPlaces[columns.block] else { return }
    isTurned[number] = true
    let group = track.layout.groups[number]
    let rowBytes = blocks[at].rowBytes
    tp_columns_f32(
      storedRows(at) + group.offset - carry * rowBytes, rowBytes, carry + count, group.count,
      base + group.first * (capacity + 2) + 2 - carry, capacity + 2)
  }

  /// The stored rows of a block; two rows lie before them.
  private func storedRows(_ place: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(blocks[place].bytes.bytes.baseAddress.unsafelyUnwrapped)
      + 2 * blocks[place].rowBytes
  }

  /// How many numbers a column has.
  func length(_ columns: TrackContext.Columns) -> Int {
    columns.isField ? count * columns.elements : count
  }

  private func place(
    _ columns: TrackContext.Columns, _ element: Int
  ) -> UnsafeMutablePointer<Double> {
    guard columns.isField else {
      return base + (columns.first + element) * (capacity + 2) + 2
    }
    var at = (track.columnCount + 1) * (capacity + 2)
    for other in track.columns where other.isField {
      if other.channel == columns.channel { break }
      at += other.elements * capacity
    }
    return base + at
  }

  /// The numbers of a column as they are stored, where these are whole numbers of 64 bits. Rows lie as in ``column(_:_:)``, which has NaN
  /// for what was not observed.
  func wholes(_ columns: TrackContext.Columns, _ element: Int = 0) -> WholeNumbers? {
    guard columns.isWhole, let at = blockPlaces[columns.block] else { return nil }
    return WholeNumbers(
      first: UnsafeRawPointer(storedRows(at) + columns.offset + columns.size * element),
      stride: blocks[at].rowBytes, isSigned: columns.reading.type == .int64)
  }

  /// What is stored for a channel that is not looked at as numbers: the bytes of its first element in the first row, those from
  /// row to row, and those of an element.
  func stored(_ channel: Int) -> (bytes: UnsafeRawPointer, stride: Int, size: Int)? {
    let storage = track.stream.channels[channel].storage
    guard let at = blockPlaces[storage.block] else { return nil }
    let size = track.about.schema.blocks[storage.block].type.size
    return (UnsafeRawPointer(storedRows(at) + storage.column * size), blocks[at].rowBytes, size)
  }

  /// Reads the next rows; `false` where there are none.
  func advance(_ data: any EpisodeData) throws(TrajpackError) -> Bool {
    keepLast()
    first += count
    count = min(capacity, track.rows - first)
    guard count > 0 else { return false }
    for (at, block) in blocks.enumerated() {
      try data.read(
        track: track.number, block: block.number, rows: first..<first + count, into: storedRows(at))
    }
    for number in isTurned.indices {
      isTurned[number] = false
      let group = track.layout.groups[number]
      guard let at = blockPlaces[group.block] else { continue }
      guard let told = facts.baseAddress else { continue }
      tp_rows_look_f32(
        storedRows(at) + group.offset, blocks[at].rowBytes, carry, count, group.count,
        told + group.first)
    }
    for (number, columns) in track.columns.enumerated() {
      track.layout.groupOfColumns[number] < 0 ? load(columns) : finish(columns)
    }
    if isCompared { checkPictures() }
    return true
  }

  /// Moves the last two rows of each column before the next ones.
  private func keepLast() {
    guard count > 0 else { return }
    let kept = min(carry + count, 2)
    if keepsStored {
      for (at, block) in blocks.enumerated() {
        let size = kept * block.rowBytes
        let bytes = storedRows(at)
        (bytes - size).copyMemory(
          from: bytes + count * block.rowBytes - size, byteCount: size)
      }
    }
    for (number, columns) in track.columns.enumerated()
    where !columns.isField && track.layout.groupOfColumns[number] < 0 {
      for element in 0..<columns.count {
        let column = place(columns, element)
        for i in 0..<kept { column[i - kept] = column[count - kept + i] }
      }
    }
    carry = kept
  }

  /// Makes numbers of a channel and looks at them.
  private func load(_ columns: TrackContext.Columns) {
    guard let at = blockPlaces[columns.block] else { return }
    let bytes = storedRows(at)
    let rowBytes = blocks[at].rowBytes
    if columns.isField {
      let to = place(columns, 0)
      for row in 0..<count {
        columns.reading.doubles(
          bytes + row * rowBytes + columns.offset, count: columns.elements, stride: columns.size,
          into: to + row * columns.elements)
      }
      tp_column_look(to, 0, count * columns.elements, &facts[columns.first])
    } else {
      for element in 0..<columns.count {
        let to = place(columns, element)
        columns.reading.doubles(
          bytes + columns.offset + element * columns.size, count: count, stride: rowBytes, into: to)
        tp_column_look(to, carry, count, &facts[columns.first + element])
      }
    }
    finish(columns)
  }

  /// Notes where values are missing, and what tells episodes apart.
  private func finish(_ columns: TrackContext.Columns) {
    let each = columns.isField ? columns.elements : 1
    for element in 0..<columns.count {
      let isHole = facts[columns.first + element].missing > 0
      guard isHole || isCompared else { continue }
      turn(columns)
      let to = place(columns, element)
      if isHole { noteHole(columns, to, count * each, each: each) }
      note(columns, to, count * each)
    }
  }

  private func noteHole(
    _ columns: TrackContext.Columns, _ values: UnsafeMutablePointer<Double>, _ count: Int,
    each: Int
  ) {
    let known = holes[columns.channel]
    // Another element of the channel may have one earlier in this run.
    if let known, known < first { return }
    guard let at = (0..<count).first(where: { values[$0].isNaN }) else { return }
    holes[columns.channel] = min(known ?? .max, first + at / each)
  }

  private func note(
    _ columns: TrackContext.Columns, _ values: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    guard isCompared else { return }
    checksums[columns.channel] = tp_crc32c(checksums[columns.channel], values, count * 8)
  }

  /// Pictures and texts are told apart by their stored rows.
  private func checkPictures() {
    for (c, channel) in track.stream.channels.enumerated()
    where track.columnsOfChannel[c] < 0 && channel.type != .bytes {
      guard let at = blockPlaces[channel.storage.block] else { continue }
      let bytes = storedRows(at)
      let size = track.about.schema.blocks[channel.storage.block].type.size
      for row in 0..<count {
        checksums[c] = tp_crc32c(
          checksums[c], bytes + row * blocks[at].rowBytes + channel.storage.column * size,
          channel.elements * size)
      }
    }
  }
}
