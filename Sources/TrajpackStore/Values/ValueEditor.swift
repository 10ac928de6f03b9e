import TrajpackFormat

/// Sets values of the episodes of a finished dataset, in its side file of role `values`. No shard is touched.
public final class ValueEditor {
  private let editor: SideFileEditor
  /// The ids of the episodes, in order.
  public let ids: [String]
  /// The values as they are, those of the shards among them.
  public private(set) var table: ValueTable
  /// The values of the shards alone.
  private let recorded: ValueTable
  private var annotations: ValueAnnotations

  /// Locks the dataset in the folder `path`.
  ///
  /// - Throws: What ``SideFileEditor`` throws; a data error where values are damaged.
  public init(_ path: String) throws(TrajpackError) {
    editor = try SideFileEditor(path)
    var shards: [Shard] = []
    for number in editor.dataset.shardPaths.indices {
      shards.append(try editor.dataset.shard(number))
    }
    ids = shards.flatMap { shard in
      (0..<shard.index.episodeCount).map { shard.index.episode($0).id }
    }
    let before = try editor.dataset.valueAnnotations()
    recorded = try ValueTable(shards)
    table = try ValueTable(shards, annotations: before)
    annotations = ValueAnnotations(
      ids: ids, table: ValueTable(count: ids.count), removed: before?.removed ?? [])
    guard let before else { return }
    var rows: [String: Int] = [:]
    for (row, id) in before.ids.enumerated() { rows[id] = row }
    let places = ids.map { rows[$0] }
    for column in before.table.columns {
      annotations.table.set(
        ValueTable.Column(
          column.field, places.map { $0.map { column.cells[$0] } ?? .missing }))
    }
  }

  /// Sets a value of some episodes; `nil` leaves an episode as it is. The others keep theirs.
  ///
  /// - Returns: How many episodes were given one; those whose cell is missing are none of them.
  /// - Throws: A usage error where those that keep theirs have it in other units.
  @discardableResult
  public func set(
    _ field: ValueField, _ cells: [EpisodeValue?]
  ) throws(TrajpackError) -> Int {
    let isWhole = cells.allSatisfy { $0 != nil }
    let before = isWhole ? nil : table[field.name]
    if let before, let units = before.field.units, let others = field.units, units != others,
      zip(cells, before.cells).contains(where: { $0 == nil && $1 != .missing })
    {
      throw TrajpackError(
        .usage,
        "'\(field.name)' is in '\(units)' in other episodes, not in '\(others)': give it in '\(units)', or to all "
          + "episodes")
    }
    var column =
      before
      ?? ValueTable.Column(
        field, [EpisodeValue](repeating: .missing, count: ids.count))
    column.field = before.map { $0.field.joined(field) } ?? field
    for (row, cell) in cells.enumerated() {
      if let cell { column.cells[row] = cell }
    }
    column.cells = column.cells.map { $0.cast(to: column.field) }
    annotations.table.set(column)
    annotations.removed.removeAll { $0 == field.name }
    // An episode for which it is missing has what its shard says, unless that is not to count.
    if recorded[field.name] != nil, column.cells.contains(.missing) {
      annotations.removed.append(field.name)
    }
    table.set(column)
    return cells.count { ($0 ?? .missing) != .missing }
  }

  /// Removes a value of all episodes.
  ///
  /// - Throws: A usage error where there is none.
  public func remove(_ name: String) throws(TrajpackError) {
    guard table.remove(name) else { throw table.unknown(name, editor.path) }
    annotations.table.remove(name)
    if recorded[name] != nil, !annotations.removed.contains(name) {
      annotations.removed.append(name)
    }
  }

  /// Writes all changes durably in one step and releases the lock.
  public func commit() throws(TrajpackError) {
    if annotations.isEmpty {
      if try editor.dataset.valueAnnotations() != nil {
        try editor.remove(.values, named: ValueAnnotations.sideFile)
      }
    } else {
      try editor.put(.values, named: ValueAnnotations.sideFile, annotations.json)
    }
    try editor.commit()
  }

  /// Gives the dataset free as it was.
  public func close() throws(TrajpackError) { try editor.close() }
}
