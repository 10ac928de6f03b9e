import TrajpackFormat

/// Decodes messages of ROS: CDR of ROS 2, or the plain encoding of ROS 1, by a list of steps that is compiled from the
/// definition once.
final class CDRDecoder: MessageDecoder {
  private enum Step {
    /// `count` numbers; dropped where the field is -1.
    case numbers(field: Int, size: Int, count: Int)
    /// A length and as many numbers.
    case list(field: Int, size: Int)
    case truths(field: Int, count: Int)
    case truthList(field: Int)
    /// `count` texts, or as many as a length says where that is -1.
    case texts(field: Int, count: Int)
    /// Times, likewise.
    case times(field: Int, count: Int)
    /// The steps up to `end` as often, likewise.
    case loop(count: Int, end: Int)
    /// A byte that stands for a struct without fields.
    case filler
  }

  private(set) var type: MessageType
  var revision: Int { type.revision }
  private var steps: [Step] = []
  private let isROS1: Bool

  /// The most fields of a type, and the deepest nesting.
  private static let (mostFields, deepest) = (4096, 24)

  /// A decoder of the type `name` of a schema.
  ///
  /// - Throws: A data error where the definition lacks a type or nests without end.
  init(_ types: StructTypes, _ name: String, isROS1: Bool) throws(TrajpackError) {
    type = MessageType(name: name)
    self.isROS1 = isROS1
    try compile(types, StructTypes.full(name), "", Place(), 0)
  }

  /// Where fields lie: in which lists.
  private struct Place {
    /// Sizes of the arrays of structs around it.
    var fixed: [Int] = []
    var lists = 0
    var group = -1
    /// Why nothing of it is kept.
    var dropped = false
  }

  private func compile(
    _ types: StructTypes, _ name: String, _ prefix: String, _ place: Place, _ depth: Int
  ) throws(TrajpackError) {
    guard depth < Self.deepest else {
      throw TrajpackError(.data, "the definition of \(type.name) nests without end")
    }
    try type.countPart()
    guard let fields = types.types[name] else {
      throw TrajpackError(.data, "the definition of \(type.name) lacks the type '\(name)'")
    }
    if fields.isEmpty, !isROS1 { steps.append(.filler) }
    var own = place
    let joints = MessageType.bareName(name) == "JointState" && place.lists == 0
    if joints {
      own.group = type.groups
      type.groups += 1
    }
    for field in fields { try compile(types, field, name, prefix, own, depth, joints) }
  }

  private func compile(
    _ types: StructTypes, _ field: StructTypes.Field, _ parent: String, _ prefix: String,
    _ place: Place, _ depth: Int, _ isJoints: Bool
  ) throws(TrajpackError) {
    let path = prefix.isEmpty ? field.name : "\(prefix).\(field.name)"
    var (count, isList) = (1, false)
    var shape = place.fixed
    switch field.times {
    case .once: break
    case .fixed(let some):
      count = some
      shape.append(some)
    case .list: (count, isList) = (-1, true)
    }
    let lists = place.lists + (isList ? 1 : 0)
    var base = field.base
    if case .named(let name) = base, types.types[name] == nil || Self.isTime(types.types[name]),
      ["builtin_interfaces/Time", "builtin_interfaces/Duration"].contains(name)
    {
      base = .time
    }
    /// The number of the field for a step; -1 where it is not kept.
    func add(
      _ content: MessageField.Content, _ typeName: String, _ shape: [Int], isTime: Bool = false
    )
      throws(TrajpackError) -> Int
    {
      if place.dropped { return -1 }
      let isNested = lists > 1 || (lists > 0 && !place.fixed.isEmpty)
      if isNested || shape.contains(0) {
        type.leftOut.append(
          (path, isNested ? "is a list within a list" : "is an array of no elements"))
        return -1
      }
      guard type.fields.count < Self.mostFields else {
        throw TrajpackError(
          .data, "the type \(type.name) has more than \(Self.mostFields) fields")
      }
      var own = MessageField(path: path, content: content, shape: shape)
      own.isList = lists > 0
      own.group = place.lists > 0 || (isJoints && isList) ? place.group : -1
      own.isTime = isTime
      own.isKey =
        own.group >= 0 && content == .text && shape.isEmpty
        && (field.name == "name" || field.name == "child_frame_id")
      FieldMeanings.apply(&own, parent: parent, name: field.name, type: typeName)
      return type.add(own)
    }
    switch base {
    case .number(.bool):
      let field = try add(.number(.bool), "", shape)
      steps.append(isList ? .truthList(field: field) : .truths(field: field, count: count))
    case .number(let element):
      let field = try add(.number(element), "", shape)
      steps.append(
        isList
          ? .list(field: field, size: element.size)
          : .numbers(field: field, size: element.size, count: count))
    case .text:
      steps.append(.texts(field: try add(.text, "", shape), count: count))
    case .time:
      steps.append(
        .times(field: try add(.number(.int64), "", shape, isTime: true), count: count))
    case .unread(let what):
      throw TrajpackError(.data, "its field '\(path)' is a \(what), which is not read")
    case .named(let name):
      if !isList, case .once = field.times, let (element, width) = Self.vector(types.types[name]) {
        let field = try add(.number(element), name, shape + [width])
        steps.append(.numbers(field: field, size: element.size, count: width))
        return
      }
      var inner = place
      if case .fixed(let some) = field.times {
        if place.lists > 0 || some == 0 {
          if !place.dropped {
            type.leftOut.append((path, "is an array of structs within a list, or of none"))
          }
          inner.dropped = true
        } else {
          inner.fixed.append(some)
        }
      } else if isList {
        if place.lists > 0 || !place.fixed.isEmpty {
          if !place.dropped { type.leftOut.append((path, "is a list within a list")) }
          inner.dropped = true
        }
        inner.lists += 1
        inner.group = type.groups
        type.groups += 1
      }
      let isRepeated = field.times != .once
      // A list of vectors is one field whose items are vectors.
      if isRepeated, let (element, width) = Self.vector(types.types[name]), !inner.dropped {
        var own = MessageField(path: path, content: .number(element), shape: inner.fixed + [width])
        own.isList = inner.lists > 0
        own.group = place.lists > 0 ? place.group : -1
        FieldMeanings.apply(&own, parent: parent, name: field.name, type: name)
        if isList {
          // The loop makes the items; each is one vector.
          own.shape = [width]
          FieldMeanings.apply(&own, parent: parent, name: field.name, type: name)
        }
        let number = type.add(own)
        let at = steps.count
        steps.append(.filler)
        steps.append(.numbers(field: number, size: element.size, count: width))
        steps[at] = .loop(count: count, end: steps.count)
        return
      }
      let at = steps.count
      if isRepeated { steps.append(.filler) }
      try compile(types, name, path, inner, depth + 1)
      if isRepeated { steps[at] = .loop(count: count, end: steps.count) }
    }
  }

  private static func isTime(_ fields: [StructTypes.Field]?) -> Bool {
    guard let fields, fields.count == 2 else { return true }
    return fields[0].base == .number(.int32) && fields[1].base == .number(.uint32)
  }

  /// The type and width of a struct that is a vector: x, y, and perhaps z and w.
  private static func vector(_ fields: [StructTypes.Field]?) -> (ElementType, Int)? {
    guard let fields, case .number(let element)? = fields.first?.base, element.isFloat,
      (2...4).contains(fields.count),
      fields.map(\.name) == Array(["x", "y", "z", "w"].prefix(fields.count)),
      fields.allSatisfy({ $0.base == .number(element) && $0.times == .once })
    else { return nil }
    return (element, fields.count)
  }

  // MARK: Decoding

  func decode(_ bytes: UnsafeRawBufferPointer, into row: MessageRow) throws(TrajpackError) {
    var input = Input(bytes: bytes, isROS1: isROS1)
    if !isROS1 {
      guard bytes.count >= 4 else { throw TrajpackError(.data, "has no CDR header") }
      guard bytes[0] == 0, bytes[1] <= 1 else {
        throw TrajpackError(
          .data,
          "is encoded as \(UInt16(bytes[0]) << 8 | UInt16(bytes[1])) of CDR; 0 and 1 (plain CDR) are read"
        )
      }
      input.swaps = bytes[1] == 0
      input.start = 4
      input.at = 4
    }
    _ = try steps.withUnsafeBufferPointer { (steps) throws(TrajpackError) in
      try Self.run(steps, 0..<steps.count, &input, row)
    }
  }

  private static func run(
    _ steps: UnsafeBufferPointer<Step>, _ range: Range<Int>, _ input: inout Input, _ row: MessageRow
  ) throws(TrajpackError) {
    var at = range.lowerBound
    while at < range.upperBound {
      switch steps[at] {
      case .numbers(let field, let size, let count):
        let from = try input.take(count, size)
        if field >= 0 { row.add(field, from, count, size: size, swaps: input.swaps) }
      case .list(let field, let size):
        let count = try input.length(size)
        let from = count == 0 ? input.here : try input.take(count, size)
        if field >= 0 { row.add(field, from, count, size: size, swaps: input.swaps) }
      case .truths(let field, let count): try input.truths(field, count, row)
      case .truthList(let field): try input.truths(field, try input.length(1), row)
      case .texts(let field, let count):
        let some = count < 0 ? try input.length(4) : count
        if field >= 0 { row.values[field].isPresent = true }
        for _ in 0..<some {
          let text = try input.text()
          if field >= 0 { row.add(field, text: text) }
        }
      case .times(let field, let count):
        let some = count < 0 ? try input.length(8) : count
        if field >= 0 { row.values[field].isPresent = true }
        for _ in 0..<some {
          let from = try input.take(2, 4)
          var (seconds, rest) = (
            from.loadUnaligned(as: UInt32.self),
            from.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
          )
          if input.swaps { (seconds, rest) = (seconds.byteSwapped, rest.byteSwapped) }
          let whole = input.isROS1 ? Int64(seconds) : Int64(Int32(bitPattern: seconds))
          if field >= 0 {
            row.add(field, bits: UInt64(bitPattern: whole * 1_000_000_000 + Int64(rest)))
          }
        }
      case .loop(let count, let end):
        let some = count < 0 ? try input.length(1) : count
        mark(steps, at + 1..<end, row)
        for _ in 0..<some { try run(steps, at + 1..<end, &input, row) }
        at = end
        continue
      case .filler: _ = try input.take(1, 1)
      }
      at += 1
    }
  }

  /// The fields of a list are there, though it may be empty.
  private static func mark(
    _ steps: UnsafeBufferPointer<Step>, _ range: Range<Int>, _ row: MessageRow
  ) {
    for step in steps[range] {
      switch step {
      case .numbers(let field, _, _), .list(let field, _), .truths(let field, _),
        .truthList(let field), .texts(let field, _), .times(let field, _):
        if field >= 0 { row.values[field].isPresent = true }
      case .loop, .filler: break
      }
    }
  }

  /// The bytes of a message.
  private struct Input {
    let bytes: UnsafeRawBufferPointer
    let isROS1: Bool
    var swaps = false
    var start = 0
    var at = 0

    var here: UnsafeRawPointer { bytes.baseAddress.unsafelyUnwrapped }

    /// The next numbers, after what aligns them.
    @inline(__always)
    mutating func take(_ count: Int, _ size: Int) throws(TrajpackError) -> UnsafeRawPointer {
      var first = at
      if !isROS1 { first = start + (at - start + size - 1) / size * size }
      guard count <= (bytes.count - first) / size, let base = bytes.baseAddress else {
        throw TrajpackError(
          .data,
          "ends at byte \(bytes.count) of its data, where \(count) numbers of \(size) bytes should be"
        )
      }
      at = first + count * size
      return base + first
    }

    /// The length of a list whose items take at least `size` bytes.
    mutating func length(_ size: Int) throws(TrajpackError) -> Int {
      var count = try take(1, 4).loadUnaligned(as: UInt32.self)
      if swaps { count = count.byteSwapped }
      guard Int(count) <= (bytes.count - at) / size else {
        throw TrajpackError(
          .data, "has a list of \(count) items in the \(bytes.count - at) bytes that are left")
      }
      return Int(count)
    }

    /// The next text, without the zero that ends it.
    mutating func text() throws(TrajpackError) -> UnsafeRawBufferPointer {
      let count = try length(1)
      let text = UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
      at += count
      if !isROS1, count > 0 {
        guard text[count - 1] == 0 else {
          throw TrajpackError(.data, "has a text that does not end with a zero")
        }
        return UnsafeRawBufferPointer(rebasing: text.dropLast())
      }
      return text
    }

    mutating func truths(_ field: Int, _ count: Int, _ row: MessageRow) throws(TrajpackError) {
      let from = try take(count, 1)
      guard field >= 0 else { return }
      row.values[field].isPresent = true
      row.values[field].items += count
      guard count > 0 else { return }
      guard let to = row.room(field, count) else { return }
      for i in 0..<count {
        to.storeBytes(
          of: from.load(fromByteOffset: i, as: UInt8.self) == 0 ? 0 : 1, toByteOffset: i,
          as: UInt8.self)
      }
    }
  }
}
