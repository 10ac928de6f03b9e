import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// An importer whose recordings have values in a file beside them.
public struct ValuedImporter<Source: Importer>: Importer {
  /// What the importer finds.
  public typealias Examination = Source.Examination

  /// The format of the recordings.
  public static var format: FormatDescription { Source.format }

  private let source: Source
  private let file: ValueFile
  /// The row of each recording, by its id.
  private let rows: [String: Int]

  /// The recordings of `source` with the values of `file`, joined by id.
  ///
  /// - Parameter isPartial: Whether recordings may have no row.
  /// - Throws: A data error where a recording has no row, or a row is of no recording.
  public init(_ source: Source, _ file: ValueFile, isPartial: Bool) throws(TrajpackError) {
    self.source = source
    self.file = file
    let ids = source.recordings.map(\.id)
    var rows: [String: Int] = [:]
    for (id, row) in zip(ids, try file.join(ids, isPartial: isPartial)) { rows[id] = row }
    self.rows = rows
  }

  /// Tells of the bytes of recordings; see ``Importer``.
  public func watchReads(_ body: @escaping @Sendable (Int) -> Void) { source.watchReads(body) }

  /// Lets idle threads take a share of a recording of the source.
  public func use(_ threads: IdleThreads, isInterrupted: @escaping @Sendable () -> Bool) {
    source.use(threads, isInterrupted: isInterrupted)
  }

  /// The recordings; see ``Importer``.
  public var recordings: [Recording] { source.recordings }
  /// See ``Importer``.
  public var remarks: [String] { source.remarks }
  /// What the importer does not read, without the file of the values.
  public var leftOut: [LeftOut] {
    source.leftOut.filter { left in
      left.path != file.path
        && (left.path != FileSystem.name(of: file.path)
          || !source.recordings.contains { $0.path.hasPrefix(FileSystem.parent(of: file.path)) })
    }
  }

  /// See ``Importer``.
  public func beginsShard(_ number: Int) -> Bool { source.beginsShard(number) }

  /// How the recordings were read, and the values.
  public func reading(of streams: [String: [Stream]]) -> [JSONValue] {
    source.reading(of: streams) + [
      .record([
        "type": "values", "files": .array([.string(FileSystem.name(of: file.path))]), "count": 1,
        "id": file.idColumn.map { .string($0) },
        "values": .array(file.values.table.columns.map(\.field.json)),
      ])
    ]
  }

  /// The importer's options, and the content of the values: others make other shards.
  public var options: JSONValue {
    let text = Array(file.values.json.text().utf8)
    let digest = text.withUnsafeBytes { SHA256.of($0) }
    return .object((source.options.members ?? []) + [.init("values", .string(digest))])
  }

  /// See ``Importer``.
  public func check(shard path: String) throws(TrajpackError) { try source.check(shard: path) }

  /// See ``Importer``.
  public func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    try source.examine(recording)
  }

  /// The importer's schema, with the values and their types.
  public func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var schema = try source.schema(for: examined, layout)
    schema.attributes = .object(
      (schema.attributes.members ?? []).filter { $0.name != ValueTable.member }
        + [.init(ValueTable.member, .array(file.values.table.columns.map(\.field.json)))])
    return schema
  }

  /// The importer's recording, with its values.
  public func draft(
    _ recording: Recording, _ examination: Examination, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    var draft = try source.draft(recording, examination, schema)
    guard let row = rows[recording.id] else { return draft }
    let values = file.values.table.columns.compactMap { column -> JSONValue.Member? in
      let cell = column.cells[row]
      return cell == .missing ? nil : .init(column.field.name, cell.json)
    }
    draft.metadata = .object(
      (draft.metadata.members ?? []).filter { $0.name != ValueTable.member }
        + [.init(ValueTable.member, .object(values))])
    return draft
  }
}
