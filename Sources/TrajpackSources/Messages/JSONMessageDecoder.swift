import TrajpackFormat

/// Decodes messages in JSON. Their fields are found in the messages themselves: a schema says what may be there, the
/// messages what is.
final class JSONMessageDecoder: MessageDecoder {
  private(set) var type: MessageType
  var revision: Int { type.revision }
  private var places: [String: Int] = [:]
  private var groups: [String: Int] = [:]
  /// The fields of the members of lists of objects.
  private var lists: [String: [Int]] = [:]
  private static let (mostFields, mostValues) = (4096, 1 << 20)

  /// A decoder of messages of a type of that name.
  init(_ name: String) { type = MessageType(name: name) }

  func decode(_ bytes: UnsafeRawBufferPointer, into row: MessageRow) throws(TrajpackError) {
    let document: JSONValue
    do throws(TrajpackError) {
      document = try JSONValue(parsing: Array(bytes), mostValues: Self.mostValues)
    } catch {
      throw TrajpackError(.data, "is no JSON: \(error.message)")
    }
    if let members = document.members {
      try read(members, "", row)
    } else {
      try read(document, "value", row)
    }
  }

  private func read(
    _ members: [JSONValue.Member], _ prefix: String, _ row: MessageRow
  ) throws(TrajpackError) {
    for member in members {
      let name = member.name.isEmpty ? "_" : member.name
      try read(member.value, prefix.isEmpty ? name : "\(prefix).\(name)", row)
    }
  }

  private func read(_ value: JSONValue, _ path: String, _ row: MessageRow) throws(TrajpackError) {
    switch value {
    case .null: return
    case .bool(let truth):
      guard let field = try field(path, .number(.bool), row) else { return }
      withUnsafeBytes(of: UInt8(truth ? 1 : 0)) {
        row.add(field, $0.baseAddress.unsafelyUnwrapped, 1, size: 1, swaps: false)
      }
    case .int(let number):
      guard let field = try field(path, .number(.int64), row) else { return }
      row.add(field, bits: UInt64(bitPattern: number))
      row.values[field].type = .int64
    case .uint(let number):
      guard let field = try field(path, .number(.uint64), row) else { return }
      row.add(field, bits: number)
      row.values[field].type = .uint64
    case .double(let number):
      guard let field = try field(path, .number(.float64), row) else { return }
      row.add(field, bits: number.bitPattern)
      row.values[field].type = .float64
    case .string(var text):
      guard let field = try field(path, .text, row) else { return }
      text.withUTF8 { row.add(field, text: UnsafeRawBufferPointer($0)) }
    case .object(let members):
      if let time = Self.time(members) {
        guard let field = try field(path, .number(.int64), row, isTime: true) else { return }
        row.add(field, bits: UInt64(bitPattern: time))
        row.values[field].type = .int64
        return
      }
      try read(members, path, row)
    case .array(let items): try read(list: items, path, row)
    }
  }

  /// Seconds and nanoseconds, as Foxglove's and ROS's schemas write times.
  private static func time(_ members: [JSONValue.Member]) -> Int64? {
    guard members.count == 2, ["sec", "secs"].contains(members[0].name),
      ["nsec", "nsecs", "nanosec"].contains(members[1].name),
      case .int(let seconds) = members[0].value, case .int(let rest) = members[1].value
    else { return nil }
    let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let sum = whole.partialValue.addingReportingOverflow(rest)
    return whole.overflow || sum.overflow ? nil : sum.partialValue
  }

  private func read(
    list items: [JSONValue], _ path: String, _ row: MessageRow
  ) throws(TrajpackError) {
    guard let first = items.first else {
      if let members = lists[path] {
        for member in members { row.values[member].isPresent = true }
      } else if let field = try field(path, .unknown, row, isList: true) {
        row.values[field].isPresent = true
      }
      return
    }
    if items.allSatisfy({ $0.double != nil }) {
      let type = Self.type(ofNumbers: items)
      guard let field = try field(path, .number(type ?? .float64), row, isList: true) else {
        return
      }
      row.values[field].type = type ?? .float64
      row.values[field].isInexact = type == nil
      for item in items {
        switch item {
        case .int(let number) where type != .float64:
          row.add(field, bits: UInt64(bitPattern: number))
        case .uint(let number) where type != .float64: row.add(field, bits: number)
        default: row.add(field, bits: (item.double ?? .nan).bitPattern)
        }
      }
      return
    }
    if items.allSatisfy({ $0.bool != nil }) {
      guard let field = try field(path, .number(.bool), row, isList: true) else { return }
      for item in items {
        withUnsafeBytes(of: UInt8(item.bool == true ? 1 : 0)) {
          row.add(field, $0.baseAddress.unsafelyUnwrapped, 1, size: 1, swaps: false)
        }
      }
      return
    }
    if items.allSatisfy({ $0.string != nil }) {
      guard let field = try field(path, .text, row, isList: true) else { return }
      for item in items {
        var text = item.string ?? ""
        text.withUTF8 { row.add(field, text: UnsafeRawBufferPointer($0)) }
      }
      return
    }
    if let members = first.members, try read(structs: items, members, path, row) { return }
    // Lists of other things stay as they were written.
    guard let field = try field(path, .text, row, isJSON: true) else { return }
    var text = JSONValue.array(items).text()
    text.withUTF8 { row.add(field, text: UnsafeRawBufferPointer($0)) }
  }

  /// The type that holds the numbers of a list; `nil` where none does.
  private static func type(ofNumbers items: [JSONValue]) -> ElementType? {
    var (low, hasLarge, hasDouble, isExact) = (Int64(0), false, false, true)
    for item in items {
      switch item {
      case .int(let number):
        low = min(low, number)
        isExact = isExact && number.magnitude <= 1 << 53
      case .uint: (hasLarge, isExact) = (true, false)
      default: hasDouble = true
      }
    }
    if hasDouble { return isExact ? .float64 : nil }
    return !hasLarge ? .int64 : low >= 0 ? .uint64 : nil
  }

  /// Lists of objects with the same members, each a number, a truth value or a text.
  ///
  /// - Returns: Whether they were that.
  private func read(
    structs items: [JSONValue], _ first: [JSONValue.Member], _ path: String, _ row: MessageRow
  ) throws(TrajpackError) -> Bool {
    var columns = first.map { _ in [JSONValue]() }
    for item in items {
      guard let members = item.members, members.count == first.count else { return false }
      for (i, member) in members.enumerated() {
        guard member.name == first[i].name else { return false }
        switch member.value {
        case .int, .uint, .double, .string, .bool: columns[i].append(member.value)
        case .null, .array, .object: return false
        }
      }
    }
    func isAlike(_ column: [JSONValue]) -> Bool {
      column.allSatisfy { $0.double != nil } || column.allSatisfy { $0.string != nil }
        || column.allSatisfy { $0.bool != nil }
    }
    guard columns.allSatisfy(isAlike) else { return false }
    if groups[path] == nil {
      groups[path] = type.groups
      type.groups += 1
    }
    for (member, column) in zip(first, columns) {
      let own = "\(path).\(member.name)"
      let before = type.fields.count
      try read(list: column, own, row)
      guard type.fields.count > before, let group = groups[path] else { continue }
      type.fields[before].group = group
      lists[path, default: []].append(before)
      type.fields[before].isKey =
        type.fields[before].content == .text && ["name", "child_frame_id"].contains(member.name)
    }
    return true
  }

  /// The number of a field; `nil` where this message has another kind of value there than those before.
  private func field(
    _ path: String, _ content: MessageField.Content, _ row: MessageRow, isList: Bool = false,
    isTime: Bool = false, isJSON: Bool = false
  ) throws(TrajpackError) -> Int? {
    if let place = places[path] {
      let known = type.fields[place]
      // `{"a.b": 1, "a": {"b": 2}}` has two of one name.
      let isFirst = !row.values[place].isPresent
      if isFirst, known.isList == isList, known.isJSON == isJSON {
        switch (known.content, content) {
        case (_, .unknown): return place
        case (.unknown, _):
          type.fields[place].content = content
          type.revision += 1
          return place
        case (.text, .text), (.number(.bool), .number(.bool)): return place
        case (.number(let a), .number(let b)) where a != .bool && b != .bool: return place
        default: break
        }
      }
      row.values[place].isPresent = true
      row.values[place].isBroken = true
      return nil
    }
    guard type.fields.count < Self.mostFields else {
      throw TrajpackError(
        .data, "and those before it have more than \(Self.mostFields) different fields")
    }
    var own = MessageField(path: path, content: content)
    own.isList = isList
    own.isTime = isTime
    own.isJSON = isJSON
    own.isDynamic = true
    if isTime { (own.kind, own.units) = (.label, "ns") }
    places[path] = type.add(own)
    row.grow()
    return type.fields.count - 1
  }
}
