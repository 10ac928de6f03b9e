import TrajpackFormat

/// Decodes messages of protocol buffers by the descriptors of their schema.
final class ProtobufDecoder: MessageDecoder {
  var type: MessageType
  var revision: Int { type.revision }
  private let root: Table
  /// Which slots of a table a message has, and behind them those of the tables in it.
  private let seen: UnsafeMutablePointer<Bool>

  /// A decoder of the type `name` of a `FileDescriptorSet`.
  ///
  /// - Throws: A data error where the descriptors lack a type.
  init(_ descriptors: [UInt8], _ name: String) throws(TrajpackError) {
    let types: ProtobufTypes
    do throws(TrajpackError) {
      types = try ProtobufTypes(descriptors)
    } catch {
      throw TrajpackError(.data, "its schema is no set of descriptors: it \(error.message)")
    }
    var type = MessageType(name: name)
    root = try Self.table(types, ".\(name)", "", Place(), [], &type)
    seen = .allocate(capacity: max(root.depthOfSlots, 1))
    self.type = type
  }

  deinit { seen.deallocate() }

  func decode(_ bytes: UnsafeRawBufferPointer, into row: MessageRow) throws(TrajpackError) {
    try read(root, bytes, row, seen)
  }

  /// Reads a message. Messages nest as their tables do, so that what is in one finds room in `seen` behind it.
  private func read(
    _ table: Table, _ bytes: UnsafeRawBufferPointer, _ row: MessageRow,
    _ seen: UnsafeMutablePointer<Bool>
  ) throws(TrajpackError) {
    let inner = seen + table.slots.count
    seen.initialize(repeating: false, count: table.slots.count)
    // An empty list is there, too.
    for field in table.lists { row.values[field].isPresent = true }
    var unseen = table.singles
    var wire = ProtobufWire(bytes)
    while wire.hasMore {
      let (number, form) = try wire.tag()
      guard let place = table.slot(number) else {
        try wire.skip(number, form)
        continue
      }
      let slot = table.slots[place]
      if !slot.isRepeated {
        guard !seen[place] else {
          throw TrajpackError(.data, "has its field '\(slot.name)' twice, which is not read")
        }
        unseen -= 1
      }
      seen[place] = true
      try value(slot, form, &wire, row, inner)
    }
    if unseen > 0 {
      for (place, slot) in table.slots.enumerated()
      where !seen[place] && !slot.isRepeated {
        if !slot.hasPresence {
          fill(slot, row)
        } else if table.isInList {
          absent(slot, row)
        }
      }
    }
  }

  /// The default of a field that has no presence.
  private func fill(_ slot: Slot, _ row: MessageRow) {
    guard slot.field >= 0 else { return }
    switch slot.action {
    case .number(let wire):
      add(slot.field, 0, Self.element(wire) ?? .float64, row)
    case .label(let labels): label(slot.field, 0, labels, row)
    case .text: row.add(slot.field, text: UnsafeRawBufferPointer(start: nil, count: 0))
    case .bytes: row.values[slot.field].isPresent = true
    case .message, .time, .vector: break
    }
  }

  /// Holds the place of a field that an item of a list lacks.
  private func absent(_ slot: Slot, _ row: MessageRow) {
    if case .message(let table) = slot.action {
      for inner in table.slots { absent(inner, row) }
      return
    }
    guard slot.field >= 0 else { return }
    row.values[slot.field].isPresent = true
    switch type.fields[slot.field].content {
    case .number(.float64):
      for _ in 0..<type.fields[slot.field].elements {
        row.add(slot.field, bits: Double.nan.bitPattern)
      }
    case .number(.float32):
      for _ in 0..<type.fields[slot.field].elements {
        add(slot.field, UInt64(Float.nan.bitPattern), .float32, row)
      }
    default: row.values[slot.field].isBroken = true
    }
  }

  private func add(_ field: Int, _ bits: UInt64, _ type: ElementType, _ row: MessageRow) {
    withUnsafeBytes(of: bits.littleEndian) {
      row.add(field, $0.baseAddress.unsafelyUnwrapped, 1, size: type.size, swaps: false)
    }
  }

  private func label(
    _ field: Int, _ number: Int64, _ labels: [Int64: String], _ row: MessageRow
  ) {
    var text = labels[number] ?? String(number)
    text.withUTF8 { row.add(field, text: UnsafeRawBufferPointer($0)) }
  }

  @inline(__always)
  private func number(
    _ field: Int, _ wireType: Int, _ form: UInt8, _ wire: inout ProtobufWire, _ row: MessageRow
  ) throws(TrajpackError) {
    switch (wireType, form) {
    case (1, 1), (6, 1), (16, 1): add(field, try wire.fixed(8), .float64, row)
    case (2, 5), (7, 5), (15, 5): add(field, try wire.fixed(4), .float32, row)
    case (3, 0), (4, 0): add(field, try wire.varint(), .int64, row)
    case (5, 0), (13, 0): add(field, try wire.varint() & 0xFFFF_FFFF, .int32, row)
    case (8, 0): add(field, try wire.varint() == 0 ? 0 : 1, .bool, row)
    case (17, 0), (18, 0):
      let bits = try wire.varint()
      let value = (bits >> 1) ^ (0 &- (bits & 1))
      add(field, value, wireType == 17 ? .int32 : .int64, row)
    default: throw Self.wrongForm(form)
    }
  }

  private static func wrongForm(_ form: UInt8) -> TrajpackError {
    TrajpackError(.data, "has a value of the form \(form) in a field of another type")
  }

  private func value(
    _ slot: Slot, _ form: UInt8, _ wire: inout ProtobufWire, _ row: MessageRow,
    _ inner: UnsafeMutablePointer<Bool>
  ) throws(TrajpackError) {
    switch slot.action {
    case .number(let type):
      guard slot.isRepeated, form == 2 else {
        return try number(slot.field, type, form, &wire, row)
      }
      let size: Int? =
        switch type {
        case 1, 6, 16: 8
        case 2, 7, 15: 4
        default: nil
        }
      let part = try wire.delimited()
      if let size {
        guard part.count % size == 0 else {
          throw TrajpackError(.data, "has a list that ends within a number")
        }
        if let base = part.baseAddress {
          row.add(slot.field, base, part.count / size, size: size, swaps: false)
        }
        return
      }
      var packed = ProtobufWire(part)
      while packed.hasMore { try number(slot.field, type, 0, &packed, row) }
    case .label(let labels):
      if form == 2, slot.isRepeated {
        var packed = ProtobufWire(try wire.delimited())
        while packed.hasMore {
          label(slot.field, Int64(bitPattern: try packed.varint()), labels, row)
        }
        return
      }
      guard form == 0 else { throw Self.wrongForm(form) }
      label(slot.field, Int64(bitPattern: try wire.varint()), labels, row)
    case .text:
      guard form == 2 else { throw Self.wrongForm(form) }
      row.add(slot.field, text: try wire.delimited())
    case .bytes:
      guard form == 2 else { throw Self.wrongForm(form) }
      let part = try wire.delimited()
      row.values[slot.field].isPresent = true
      if let base = part.baseAddress {
        row.add(slot.field, base, part.count, size: 1, swaps: false)
      }
    case .message(let table):
      guard form == 2 else { throw Self.wrongForm(form) }
      try read(table, try wire.delimited(), row, inner)
    case .time:
      guard form == 2 else { throw Self.wrongForm(form) }
      try time(slot, try wire.delimited(), row)
    case .vector(let numbers, let type):
      guard form == 2 else { throw Self.wrongForm(form) }
      try vector(slot, numbers, type, try wire.delimited(), row)
    }
  }

  private func time(
    _ slot: Slot, _ bytes: UnsafeRawBufferPointer, _ row: MessageRow
  ) throws(TrajpackError) {
    var wire = ProtobufWire(bytes)
    var (seconds, rest) = (Int64(0), Int64(0))
    while wire.hasMore {
      let (number, form) = try wire.tag()
      switch (number, form) {
      case (1, 0): seconds = Int64(bitPattern: try wire.varint())
      case (2, 0): rest = Int64(Int32(truncatingIfNeeded: try wire.varint()))
      default: try wire.skip(number, form)
      }
    }
    let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let sum = whole.partialValue.addingReportingOverflow(rest)
    guard !whole.overflow, !sum.overflow else {
      throw TrajpackError(.data, "has a time of \(seconds) s, which 64 bits of ns do not hold")
    }
    row.add(slot.field, bits: UInt64(bitPattern: sum.partialValue))
  }

  private func vector(
    _ slot: Slot, _ numbers: [Int], _ type: Int, _ bytes: UnsafeRawBufferPointer, _ row: MessageRow
  ) throws(TrajpackError) {
    var wire = ProtobufWire(bytes)
    var parts: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    while wire.hasMore {
      let (number, form) = try wire.tag()
      guard let place = numbers.firstIndex(of: number) else {
        try wire.skip(number, form)
        continue
      }
      guard form == (type == 1 ? 1 : 5) else { throw Self.wrongForm(form) }
      let bits = try wire.fixed(type == 1 ? 8 : 4)
      switch place {
      case 0: parts.0 = bits
      case 1: parts.1 = bits
      case 2: parts.2 = bits
      default: parts.3 = bits
      }
    }
    let element: ElementType = type == 1 ? .float64 : .float32
    add(slot.field, parts.0, element, row)
    add(slot.field, parts.1, element, row)
    if numbers.count > 2 { add(slot.field, parts.2, element, row) }
    if numbers.count > 3 { add(slot.field, parts.3, element, row) }
  }
}
