import TrajpackFormat

/// Reads the wire format of protocol buffers.
struct ProtobufWire {
  private let bytes: UnsafeRawBufferPointer
  private(set) var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Whether anything is left.
  var hasMore: Bool { at < bytes.count }

  /// The next field: its number and the form of its value.
  mutating func tag() throws(TrajpackError) -> (field: Int, form: UInt8) {
    let tag = try varint()
    guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw Self.damaged("has a field of no number") }
    return (Int(tag >> 3), UInt8(tag & 7))
  }

  /// The next varint.
  @inline(__always)
  mutating func varint() throws(TrajpackError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
      guard shift < 70 else { throw Self.damaged("has a number of more than ten bytes") }
    }
    throw Self.damaged("ends within a number")
  }

  /// The next `size` bytes as a number.
  @inline(__always)
  mutating func fixed(_ size: Int) throws(TrajpackError) -> UInt64 {
    guard bytes.count - at >= size else { throw Self.damaged("ends within a number") }
    defer { at += size }
    return size == 8
      ? UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      : UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
  }

  /// The next bytes with their length.
  @inline(__always)
  mutating func delimited() throws(TrajpackError) -> UnsafeRawBufferPointer {
    let count = try varint()
    guard count <= UInt64(bytes.count - at) else {
      throw Self.damaged("has a part of \(count) bytes where \(bytes.count - at) are left")
    }
    defer { at += Int(count) }
    return UnsafeRawBufferPointer(rebasing: bytes[at..<at + Int(count)])
  }

  /// Passes over a value.
  mutating func skip(_ field: Int, _ form: UInt8, _ depth: Int = 0) throws(TrajpackError) {
    switch form {
    case 0: _ = try varint()
    case 1: _ = try fixed(8)
    case 2: _ = try delimited()
    case 5: _ = try fixed(4)
    case 3:
      guard depth < 32 else { throw Self.damaged("nests too deep") }
      while true {
        let (inner, form) = try tag()
        if form == 4 {
          guard inner == field else { throw Self.damaged("ends another group than it begins") }
          return
        }
        try skip(inner, form, depth + 1)
      }
    default: throw Self.damaged("has a value of the unknown form \(form)")
    }
  }

  static func damaged(_ what: String) -> TrajpackError { TrajpackError(.data, what) }
}

/// The message types of a `FileDescriptorSet` (descriptor.proto).
struct ProtobufTypes {
  struct Field {
    var name = ""
    var number = 0
    /// FieldDescriptorProto.Type: 1 double, 2 float, 3 int64, ... 18 sint64.
    var type = 0
    var isRepeated = false
    /// Whether its absence can be told from its default.
    var hasPresence = false
    var typeName = ""
    var defaultText = ""
  }

  struct Message {
    var fields: [Field] = []
    var isMap = false
  }

  private(set) var messages: [String: Message] = [:]
  private(set) var enums: [String: [Int64: String]] = [:]

  /// Reads the descriptors.
  ///
  /// - Throws: A data error where the bytes are none.
  init(_ descriptors: [UInt8]) throws(TrajpackError) {
    try descriptors.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
      var wire = ProtobufWire(bytes)
      while wire.hasMore {
        let (field, form) = try wire.tag()
        if field == 1, form == 2 {
          try file(try wire.delimited())
        } else {
          try wire.skip(field, form)
        }
      }
    }
  }

  private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// Hands over the fields of a message of a length each.
  private static func parts(
    _ bytes: UnsafeRawBufferPointer,
    _ delimited: (Int, UnsafeRawBufferPointer) throws(TrajpackError) -> Void,
    _ number: (Int, UInt64) throws(TrajpackError) -> Void = { (_, _) throws(TrajpackError) in }
  ) throws(TrajpackError) {
    var wire = ProtobufWire(bytes)
    while wire.hasMore {
      let (field, form) = try wire.tag()
      switch form {
      case 0: try number(field, try wire.varint())
      case 2: try delimited(field, try wire.delimited())
      default: try wire.skip(field, form)
      }
    }
  }

  private mutating func file(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    var package = ""
    var syntax = "proto2"
    var inner: [(Int, UnsafeRawBufferPointer)] = []
    try Self.parts(bytes) { (field, part) throws(TrajpackError) in
      switch field {
      case 2: package = Self.text(part)
      case 12: syntax = Self.text(part)
      case 4, 5: inner.append((field, part))
      default: break
      }
    }
    for (field, part) in inner {
      if field == 4 {
        try message(part, package.isEmpty ? "" : ".\(package)", syntax, 0)
      } else {
        try enumeration(part, package.isEmpty ? "" : ".\(package)")
      }
    }
  }

  private mutating func message(
    _ bytes: UnsafeRawBufferPointer, _ scope: String, _ syntax: String, _ depth: Int
  ) throws(TrajpackError) {
    guard depth < 32 else { throw TrajpackError(.data, "its descriptors nest too deep") }
    var name = ""
    var out = Message()
    var inner: [(Int, UnsafeRawBufferPointer)] = []
    try Self.parts(bytes) { (field, part) throws(TrajpackError) in
      switch field {
      case 1: name = Self.text(part)
      case 2: out.fields.append(try Self.field(part, syntax))
      case 3, 4: inner.append((field, part))
      case 7:
        try Self.parts(part, { (_, _) throws(TrajpackError) in }) {
          (option, value) throws(TrajpackError) in
          if option == 7 { out.isMap = value != 0 }
        }
      default: break
      }
    }
    let whole = "\(scope).\(name)"
    messages[whole] = out
    for (field, part) in inner {
      if field == 3 {
        try message(part, whole, syntax, depth + 1)
      } else {
        try enumeration(part, whole)
      }
    }
  }

  private static func field(
    _ bytes: UnsafeRawBufferPointer, _ syntax: String
  ) throws(TrajpackError) -> Field {
    var out = Field()
    var (isOptional, isInOneof, label) = (false, false, 1)
    try parts(bytes) { (field, part) throws(TrajpackError) in
      switch field {
      case 1: out.name = text(part)
      case 6: out.typeName = text(part)
      case 7: out.defaultText = text(part)
      default: break
      }
    } _: { (field, value) throws(TrajpackError) in
      switch field {
      case 3: out.number = Int(truncatingIfNeeded: value)
      case 4: label = Int(truncatingIfNeeded: value)
      case 5: out.type = Int(truncatingIfNeeded: value)
      case 9: isInOneof = true
      case 17: isOptional = value != 0
      default: break
      }
    }
    guard (1..<1 << 29).contains(out.number) else {
      throw ProtobufWire.damaged("has a field of the number \(out.number)")
    }
    out.isRepeated = label == 3
    // Fields of proto3 have no presence but by 'optional' and in a oneof; those of proto2 and of editions have.
    out.hasPresence = !out.isRepeated && (syntax != "proto3" || isOptional || isInOneof)
    return out
  }

  private mutating func enumeration(
    _ bytes: UnsafeRawBufferPointer, _ scope: String
  ) throws(TrajpackError) {
    var name = ""
    var values: [Int64: String] = [:]
    try Self.parts(bytes) { (field, part) throws(TrajpackError) in
      if field == 1 { name = Self.text(part) }
      guard field == 2 else { return }
      var (label, number) = ("", Int64(0))
      try Self.parts(part) { (field, text) throws(TrajpackError) in
        if field == 1 { label = Self.text(text) }
      } _: { (field, value) throws(TrajpackError) in
        if field == 2 { number = Int64(bitPattern: value) }
      }
      if values[number] == nil { values[number] = label }
    }
    enums["\(scope).\(name)"] = values
  }
}
