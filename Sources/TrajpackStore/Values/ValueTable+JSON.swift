import TrajpackFormat

/// The values that were set on a dataset after it was written: the content of its side file of role `values`.
///
/// They take the place of values of the same name in the shards, for the episodes that they name.
public struct ValueAnnotations: Sendable, Equatable {
  /// The ids of the episodes, one a row of the table.
  public var ids: [String] = []
  /// Their values.
  public var table = ValueTable(count: 0)
  /// Values of the shards that count no more.
  public var removed: [String] = []

  /// No value.
  public init() {}

  /// Values of episodes.
  public init(ids: [String], table: ValueTable, removed: [String] = []) {
    (self.ids, self.table, self.removed) = (ids, table, removed)
  }

  /// Whether nothing is set and nothing removed.
  public var isEmpty: Bool { table.columns.isEmpty && removed.isEmpty }

  private static let format = "trajpack values"
  /// The name of the side file.
  public static let sideFile = "values"

  /// The JSON of the side file; see `schemas/values.schema.json`.
  public var json: JSONValue {
    .record([
      "format": .string(Self.format), "version": "1.0",
      "episodes": .array(ids.map { .string($0) }),
      "removed": removed.isEmpty ? nil : .array(removed.map { .string($0) }),
      "values": .array(
        table.columns.map { column in
          .object(
            (column.field.json.members ?? [])
              + [.init("cells", .array(column.cells.map(\.json)))])
        }),
    ])
  }

  /// Whether a text is such a document, be it damaged or not.
  public static func recognises(_ head: String) -> Bool { head.contains("\"\(format)\"") }

  /// Reads a document that `path` names.
  ///
  /// - Throws: A data error naming the member that is wrong.
  public init(json: JSONValue, at path: String) throws(TrajpackError) {
    let reader = JSONReader(json, at: path)
    guard json["format"]?.string == Self.format else {
      throw reader.wrong("\"format\": \"\(Self.format)\"")
    }
    let version = try reader.text("version")
    guard version.hasPrefix("1.") else {
      throw TrajpackError(
        .data, file: path, "version \(version) of values is not known; use a newer trajpack")
    }
    ids = try reader.list("episodes") { (r) throws(TrajpackError) in try r.text() }
    guard Set(ids).count == ids.count else {
      throw try reader.member("episodes").wrong("each id once")
    }
    table = ValueTable(count: ids.count)
    if json["removed"] != nil {
      removed = try reader.list("removed") { (r) throws(TrajpackError) in try r.text() }
    }
    let columns = try reader.list("values") { (r) throws(TrajpackError) in
      let field = try ValueField(r)
      let cells = try r.list("cells") { (r) throws(TrajpackError) in try EpisodeValue(r, field) }
      guard cells.count == ids.count else {
        throw try r.member("cells").wrong("one for each of \(counted(ids.count, "episode"))")
      }
      return ValueTable.Column(field, cells)
    }
    for column in columns {
      guard table[column.field.name] == nil else {
        throw try reader.member("values").wrong("'\(column.field.name)' once")
      }
      table.set(column)
    }
  }
}
