import TrajpackFormat

/// What the descriptors of a type come to: the parts of a message by the numbers of their fields.
extension ProtobufDecoder {
  enum Action {
    /// A number: the type on the wire, as descriptors number it.
    case number(Int)
    /// A number whose name is a text.
    case label([Int64: String])
    case text
    case bytes
    case message(Table)
    /// Seconds and nanoseconds.
    case time
    /// x, y, and perhaps z and w: the numbers of their fields, and the type.
    case vector([Int], Int)
  }

  /// A class, because a copy of its parts costs more than what is decoded.
  final class Slot {
    let name: String
    let number: Int
    var action: Action = .text
    /// The field of the row; -1 where it is dropped or a message.
    var field = -1
    let isRepeated: Bool
    let hasPresence: Bool

    init(_ field: ProtobufTypes.Field) {
      name = field.name
      number = field.number
      isRepeated = field.isRepeated
      hasPresence = field.hasPresence || field.type == 11
    }
  }

  final class Table {
    var slots: [Slot] = []
    /// Slots by the number of their field, where these are small.
    var places: [Int16] = []
    var others: [Int: Int] = [:]
    var isInList = false
    /// The fields of lists, which are there though they are empty.
    var lists: [Int] = []
    /// How many slots are no lists.
    var singles = 0

    /// Adds a slot, and the fields of its lists.
    func add(_ slot: Slot) {
      slots.append(slot)
      guard slot.isRepeated else {
        singles += 1
        return
      }
      lists += Self.fields(slot)
    }

    private static func fields(_ slot: Slot) -> [Int] {
      var out = slot.field >= 0 ? [slot.field] : []
      if case .message(let table) = slot.action { out += table.slots.flatMap { fields($0) } }
      return out
    }

    func slot(_ number: Int) -> Int? {
      if number < places.count { return places[number] >= 0 ? Int(places[number]) : nil }
      return others[number]
    }
  }

  private static let (mostFields, deepest) = (4096, 24)

  struct Place {
    var isInList = false
    var group = -1
    var isDropped = false
  }

  static func table(
    _ types: ProtobufTypes, _ name: String, _ prefix: String, _ place: Place, _ above: [String],
    _ type: inout MessageType
  ) throws(TrajpackError) -> Table {
    guard let message = types.messages[name] else {
      throw TrajpackError(.data, "the schema of \(type.name) lacks the type '\(name.dropFirst())'")
    }
    try type.countPart()
    let table = Table()
    table.isInList = place.isInList
    for field in message.fields {
      let path = prefix.isEmpty ? field.name : "\(prefix).\(field.name)"
      guard let slot = try slot(types, field, name, path, place, above + [name], &type) else {
        continue
      }
      if field.number < 256 {
        while table.places.count <= field.number { table.places.append(-1) }
        table.places[field.number] = Int16(table.slots.count)
      } else {
        table.others[field.number] = table.slots.count
      }
      table.add(slot)
    }
    // The name of a map's entry is its key.
    if message.isMap, place.isInList {
      for slot in table.slots where slot.name == "key" && slot.field >= 0 {
        if type.fields[slot.field].content == .text { type.fields[slot.field].isKey = true }
      }
    }
    return table
  }

  private static func slot(
    _ types: ProtobufTypes, _ field: ProtobufTypes.Field, _ parent: String, _ path: String,
    _ place: Place, _ above: [String], _ type: inout MessageType
  ) throws(TrajpackError) -> Slot? {
    let slot = Slot(field)
    var own = MessageField(path: path, content: .text)
    own.isList = field.isRepeated || place.isInList
    own.group = place.group
    func leave(_ why: String) -> Slot? {
      if !place.isDropped { type.leftOut.append((path, why)) }
      return nil
    }
    let isNested = field.isRepeated && place.isInList
    switch field.type {
    case 9: own.isKey = own.group >= 0 && ["name", "child_frame_id"].contains(field.name)
    case 14:
      slot.action = .label(types.enums[field.typeName] ?? [:])
    case 12:
      if own.isList { return leave("is a list of byte strings") }
      slot.action = .bytes
      own.content = .number(.uint8)
      own.isList = true
    case 10: return leave("is a group")
    case 11:
      if ["google.protobuf.Timestamp", "google.protobuf.Duration"].contains(
        String(field.typeName.dropFirst()))
      {
        slot.action = .time
        own.content = .number(.int64)
        own.isTime = true
      } else if let (numbers, wire) = vector(types.messages[field.typeName]) {
        slot.action = .vector(numbers, wire)
        own.content = .number(wire == 1 ? .float64 : .float32)
        own.shape = [numbers.count]
      } else {
        if isNested { return leave("is a list within a list") }
        guard !above.contains(field.typeName), above.count < deepest else {
          return leave("is of a type that holds itself")
        }
        var inner = place
        if field.isRepeated {
          inner = Place(isInList: true, group: type.groups)
          type.groups += 1
        }
        slot.action = .message(
          try table(types, field.typeName, path, inner, above, &type))
        return slot
      }
    default:
      guard let element = element(field.type) else {
        return leave("is of the unknown type \(field.type)")
      }
      slot.action = .number(field.type)
      own.content = .number(element)
    }
    if isNested { return leave("is a list within a list") }
    guard type.fields.count < mostFields else {
      throw TrajpackError(.data, "the type \(type.name) has more than \(mostFields) fields")
    }
    FieldMeanings.apply(
      &own, parent: String(parent.dropFirst()), name: field.name, type: field.typeName)
    slot.field = type.add(own)
    return slot
  }

  static func element(_ type: Int) -> ElementType? {
    switch type {
    case 1: .float64
    case 2: .float32
    case 3, 16, 18: .int64
    case 4, 6: .uint64
    case 5, 15, 17: .int32
    case 7, 13: .uint32
    case 8: .bool
    default: nil
    }
  }

  /// The fields of a message that is a vector, in the order x, y, z, w.
  private static func vector(_ message: ProtobufTypes.Message?) -> ([Int], Int)? {
    guard let fields = message?.fields, (2...4).contains(fields.count),
      let wire = fields.first?.type, wire == 1 || wire == 2,
      fields.allSatisfy({ $0.type == wire && !$0.isRepeated && !$0.hasPresence })
    else { return nil }
    var numbers: [Int] = []
    for name in ["x", "y", "z", "w"].prefix(fields.count) {
      guard let field = fields.first(where: { $0.name == name }) else { return nil }
      numbers.append(field.number)
    }
    return (numbers, wire)
  }
}
