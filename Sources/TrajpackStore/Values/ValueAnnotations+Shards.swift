import TrajpackFormat

/// Values that were set on a dataset, in shards that are made of it.
extension ValueAnnotations {
  /// The attributes of a schema, with the fields of these values among its own.
  public func attributes(_ attributes: JSONValue) -> JSONValue {
    let own = Set(table.names + removed)
    let declared = (attributes[ValueTable.member]?.array ?? []).filter { field in
      field["name"]?.string.map { !own.contains($0) } ?? true
    }
    let fields = declared + table.columns.map(\.field.json)
    let others = (attributes.members ?? []).filter { $0.name != ValueTable.member }
    return .object(others + (fields.isEmpty ? [] : [.init(ValueTable.member, .array(fields))]))
  }

  /// An episode's metadata, with the values of a row in the place of its own; those that were removed are not there.
  public func metadata(_ members: [JSONValue.Member], row: Int?) -> [JSONValue.Member] {
    let set = table.columns.compactMap { column -> JSONValue.Member? in
      guard let row, column.cells[row] != .missing else { return nil }
      return .init(column.field.name, column.cells[row].json)
    }
    let gone = Set(removed + set.map(\.name))
    func kept(_ value: JSONValue) -> JSONValue {
      .object((value.members ?? []).filter { !gone.contains($0.name) })
    }
    var values = kept(members.first { $0.name == ValueTable.member }?.value ?? .object([]))
    values = .object((values.members ?? []) + set)
    var out = members.compactMap { member -> JSONValue.Member? in
      switch member.name {
      case ValueTable.member: return nil
      case "constants", "members": return .init(member.name, kept(member.value))
      default: return removed.contains(member.name) ? nil : member
      }
    }
    if values.members?.isEmpty == false { out.append(.init(ValueTable.member, values)) }
    return out
  }
}
