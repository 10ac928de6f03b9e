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

  /// A class, because a copy of its parts costs more than what is decoded. Its parts are constants, because Swift checks
  /// exclusive access to variables of a class at run time.
  final class Slot {
    let name: String
    let number: Int
    let action: Action
    /// The field of the row; -1 where it is dropped or a message.
    let field: Int
    let isRepeated: Bool
    let hasPresence: Bool

    init(_ part: ProtobufTypes.Field, _ action: Action, field: Int = -1) {
      name = part.name
      number = part.number
      (self.action, self.field) = (action, field)
      isRepeated = part.isRepeated
      hasPresence = part.hasPresence || part.type == 11
    }
  }

  final class Table {
    let slots: [Slot]
    /// Slots by the number of their field, where these are small.
    private let places: [Int16]
    private let others: [Int: Int]
    let isInList: Bool
    /// The fields of lists, which are there though they are empty.
    let lists: [Int]
    /// How many slots are no lists.
    let singles: Int
    /// The most slots of it and of the tables in it, one within the other.
    let depthOfSlots: Int

    init(_ slots: [Slot], isInList: Bool) {
      var places: [Int16] = []
      var others: [Int: Int] = [:]
      for (place, slot) in slots.enumerated() {
        guard slot.number < 256 else {
          others[slot.number] = place
          continue
        }
        while places.count <= slot.number { places.append(-1) }
        places[slot.number] = Int16(place)
      }
      (self.slots, self.places, self.others, self.isInList) = (slots, places, others, isInList)
      lists = slots.filter(\.isRepeated).flatMap { Self.fields($0) }
      singles = slots.count { !$0.isRepeated }
      let inner = slots.map { slot -> Int in
        if case .message(let table) = slot.action { return table.depthOfSlots }
        return 0
      }
      depthOfSlots = slots.count + (inner.max() ?? 0)
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
    var slots: [Slot] = []
    for field in message.fields {
      let path = prefix.isEmpty ? field.name : "\(prefix).\(field.name)"
      if let slot = try slot(types, field, name, path, place, above + [name], &type) {
        slots.append(slot)
      }
    }
    // The name of a map's entry is its key.
    if message.isMap, place.isInList {
      for slot in slots where slot.name == "key" && slot.field >= 0 {
        if type.fields[slot.field].content == .text { type.fields[slot.field].isKey = true }
      }
    }
    return Table(slots, isInList: place.isInList)
  }

  private static func slot(
    _ types: ProtobufTypes, _ field: ProtobufTypes.Field, _ parent: String, _ path: String,
    _ place: Place, _ above: [String], _ type: inout MessageType
  ) throws(TrajpackError) -> Slot? {
    var action = Action.text
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
      action = .label(types.enums[field.typeName] ?? [:])
    case 12:
      if own.isList { return leave("is a list of byte strings") }
      action = .bytes
      own.content = .number(.uint8)
      own.isList = true
    case 10: return leave("is a group")
    case 11:
      if ["google.protobuf.Timestamp", "google.protobuf.Duration"].contains(
        String(field.typeName.dropFirst()))
      {
        action = .time
        own.content = .number(.int64)
        own.isTime = true
      } else if let (numbers, wire) = vector(types.messages[field.typeName]) {
        action = .vector(numbers, wire)
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
        return Slot(
          field, .message(try table(types, field.typeName, path, inner, above, &type)))
      }
    default:
      guard let element = element(field.type) else {
        return leave("is of the unknown type \(field.type)")
      }
      action = .number(field.type)
      own.content = .number(element)
    }
    if isNested { return leave("is a list within a list") }
    guard type.fields.count < mostFields else {
      throw TrajpackError(.data, "the type \(type.name) has more than \(mostFields) fields")
    }
    FieldMeanings.apply(
      &own, parent: String(parent.dropFirst()), name: field.name, type: field.typeName)
    return Slot(field, action, field: type.add(own))
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
