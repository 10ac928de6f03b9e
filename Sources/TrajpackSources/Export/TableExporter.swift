import TrajpackFormat
import TrajpackStore

/// A file of a table that is written in groups of rows.
protocol TableSink: AnyObject {
  /// The ending of its name.
  static var ending: String { get }

  /// - Parameter facts: What the file says of itself besides.
  init(
    _ name: String, _ columns: [ParquetOutputColumn], facts: [(String, String)],
    in folder: ExportFolder
  ) throws(TrajpackError)

  /// Writes rows, a column's rows for each column.
  func append(_ rows: [ParquetOutputRows], count: Int) throws(TrajpackError)

  /// Writes what is left and makes the file durable.
  func finish() throws(TrajpackError)
}

extension ParquetWriter: TableSink {
  static var ending: String { "parquet" }
}

/// Writes an episode as one table a track, named `stream[entity].parquet` or `.arrow`: a column `time` in the stream's
/// unit, then a column a channel, lists of lists where it has a shape. What was not observed is null. Videos are files
/// beside them.
///
/// The corresponding Python is `pyarrow.parquet.write_table` or `pyarrow.ipc.new_file`.
struct TableExporter<Sink: TableSink>: Exporter {
  /// What `trajpack formats` says of it.
  static var format: FormatDescription {
    Sink.self is ArrowWriter.Type ? ArrowTables.format : ParquetTables.format
  }
  /// The most rows of a row group, and about the most bytes of it.
  private static var group: (rows: Int, bytes: Int) { (1 << 16, 16 << 20) }

  /// The folder in which videos that were linked are looked for; `nil` to leave them out.
  var mediaFolder: String?

  /// Writes an episode; see ``Exporter``.
  func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError) {
    let tracks = episode.tracks.map { TrackReader(shard, track: $0, reader: reader) }
    for (name, track) in labelled(tracks) {
      if track.isVideo { try VideoExport.write(track, mediaFolder: mediaFolder, in: folder) }
      try write(track, "\(try Export.fileName(name)).\(Sink.ending)", in: folder)
    }
  }

  private func write(
    _ track: TrackReader, _ name: String, in folder: ExportFolder
  ) throws(TrajpackError) {
    let channels = track.stream.channels.indices.filter {
      $0 != track.timeChannel && !(track.isVideo && track.stream.channels[$0].type == .bytes)
    }
    // Ticks are exact, which the doubles of the column 'time' may not be.
    var ticks: Int?
    if case .ticks = track.track.clock { ticks = track.timeChannel }
    var columns = [ParquetOutputColumn(name: "time", form: .numbers(.float64, []))]
    if ticks != nil {
      columns.append(ParquetOutputColumn(name: "time_ticks", form: .numbers(.int64, [])))
    }
    let names = ColumnNames.of(track.stream, channels, taken: Set(columns.map(\.name)), in: folder)
    columns += zip(channels, names).map { Self.column(track.stream.channels[$0], $1) }
    let file = try Sink(name, columns, facts: facts(track, zip(channels, names)), in: folder)
    let width = channels.reduce(16) {
      let channel = track.stream.channels[$1]
      return $0 + (channel.type == .bytes ? 16 : channel.elements * channel.type.size)
    }
    let step = max(min(Self.group.rows, Self.group.bytes / max(width, 1)), 1)
    let texts = channels.filter { track.stream.channels[$0].type == .bytes }
    let pieces = try RowPieces(track.count, rows: step, bytes: Self.group.bytes) {
      (rows) throws(TrajpackError) in try track.byteCounts(texts, rows)
    }
    for rows in pieces.all {
      try folder.goOn()
      var out = [ParquetOutputRows.numbers(Self.packed(try track.times(rows)))]
      if let ticks { out.append(.numbers(try track.read(channel: ticks, rows: rows).bytes)) }
      for number in channels { out.append(try Self.rows(track, number, rows)) }
      try file.append(out, count: rows.count)
    }
    try file.finish()
  }

  /// What the file says of the track besides: JSON under the name `trajpack`.
  private func facts(
    _ track: TrackReader, _ columns: Zip2Sequence<[Int], [String]>
  ) -> [(String, String)] {
    var clock: JSONValue = "float64"
    switch track.track.clock {
    case .regular(let start, let rate):
      clock = .record(["start": .string(start.description), "rate": .string(rate.description)])
    case .ticks(let tick): clock = .record(["tick": .string(tick.description)])
    case .float64: break
    }
    let names = Dictionary(uniqueKeysWithValues: columns.map { ($0, $1) })
    let channels = track.stream.channels.enumerated().map { number, channel in
      JSONValue.record([
        "name": .string(channel.name),
        "column": names[number].flatMap { $0 == channel.name ? nil : .string($0) },
        "kind": .string(channel.kind.rawValue),
        "units": channel.units.map { .string($0) },
        "description": channel.description.map { .string($0) },
        "conventions": channel.conventions.isEmpty ? nil : .object(channel.conventions),
      ])
    }
    let entity = track.track.entity.map { entity in
      JSONValue.record([
        "kind": .string(entity.kind), "index": .int(Int64(entity.index)),
        "type": .int(Int64(entity.type)),
      ])
    }
    return [
      (
        "trajpack",
        JSONValue.record([
          "stream": .string(track.stream.name), "time_unit": .string(track.stream.timeUnit),
          "clock": clock, "entity": entity, "channels": .array(channels),
        ]).text()
      )
    ]
  }

  /// The column of a channel.
  private static func column(_ channel: Channel, _ name: String) -> ParquetOutputColumn {
    if channel.type == .bytes {
      return ParquetOutputColumn(name: name, form: channel.kind == .packet ? .binary : .text)
    }
    if channel.categories != nil, channel.elements == 1 {
      return ParquetOutputColumn(name: name, form: .text)
    }
    return ParquetOutputColumn(
      name: name,
      form: channel.missing == .never
        ? .numbers(channel.type, channel.shape) : .nullable(channel.type, channel.shape))
  }

  /// Rows of a channel as its column has them.
  private static func rows(
    _ track: TrackReader, _ number: Int, _ rows: Range<Int>
  ) throws(TrajpackError) -> ParquetOutputRows {
    let channel = track.stream.channels[number]
    let values = try track.read(channel: number, rows: rows)
    if channel.type == .bytes {
      var out: [[UInt8]?] = []
      for row in 0..<rows.count { out.append(try track.bytes(values, row)) }
      return .bytes(out)
    }
    if channel.categories != nil, channel.elements == 1 {
      return .bytes((0..<rows.count).map { row in values.category(row).map { Array($0.utf8) } })
    }
    let bytes = values.logicalBytes()
    guard channel.missing != .never else { return .numbers(bytes) }
    var there: [Bool] = []
    there.reserveCapacity(rows.count * channel.elements)
    for row in 0..<rows.count {
      for element in 0..<channel.elements { there.append(values.value(row, element) != .missing) }
    }
    return .masked(bytes, there)
  }

  private static func packed(_ values: [Double]) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
  }
}
