import TrajpackFormat

/// The bytes of a message of protocol buffers. Encoding after protobuf.dev/programming-guides/encoding.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  mutating func clear() { bytes.removeAll(keepingCapacity: true) }

  mutating func varint(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func tag(_ field: Int, _ form: Int) { varint(UInt64(field << 3 | form)) }

  mutating func add(_ field: Int, varint number: UInt64) {
    tag(field, 0)
    varint(number)
  }

  mutating func add(_ field: Int, double: Double) {
    tag(field, 1)
    append(double.bitPattern)
  }

  mutating func add(_ field: Int, fixed32: UInt32) {
    tag(field, 5)
    append(fixed32)
  }

  mutating func add(_ field: Int, text: String) {
    tag(field, 2)
    varint(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func add(_ field: Int, bytes other: some Collection<UInt8>) {
    tag(field, 2)
    varint(UInt64(other.count))
    bytes.append(contentsOf: other)
  }

  /// A message within the message.
  mutating func add(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
    var inner = ProtobufWriter()
    body(&inner)
    add(field, bytes: inner.bytes)
  }

  /// A `google.protobuf.Timestamp`, of ns since 1970.
  mutating func add(_ field: Int, nanoseconds: Int64) {
    var (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    if rest < 0 { (seconds, rest) = (seconds - 1, rest + 1_000_000_000) }
    add(field) { stamp in
      stamp.add(1, varint: UInt64(bitPattern: seconds))
      stamp.add(2, varint: UInt64(rest))
    }
  }

  /// Numbers of a type, little-endian: one, or a packed list.
  mutating func add(
    _ field: Int, numbers: UnsafeRawBufferPointer, _ type: ElementType, isList: Bool
  ) {
    if type.isFloat {
      tag(field, isList ? 2 : type == .float64 ? 1 : 5)
      if isList { varint(UInt64(numbers.count)) }
      return bytes.append(contentsOf: numbers)
    }
    guard isList else {
      tag(field, 0)
      return varint(Self.bits(numbers, 0, type))
    }
    var inner = ProtobufWriter()
    inner.bytes.reserveCapacity(numbers.count)
    for i in 0..<numbers.count / type.size { inner.varint(Self.bits(numbers, i, type)) }
    add(field, bytes: inner.bytes)
  }

  private mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    Swift.withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func bits(
    _ numbers: UnsafeRawBufferPointer, _ i: Int, _ type: ElementType
  ) -> UInt64 {
    guard case .whole(let n) = StoredNumber(numbers, i, type) else { return 0 }
    return UInt64(truncatingIfNeeded: n)
  }
}

/// A message type of protocol buffers that is written, and its descriptor (`google/protobuf/descriptor.proto`).
struct ProtobufSchema: Sendable {
  /// What a field is; raw values are those of `FieldDescriptorProto.Type`.
  enum Form: UInt64, Sendable {
    case double = 1
    case float, int64, uint64, int32, fixed64, fixed32, bool, string, group, message, bytes, uint32
  }

  struct Field: Sendable {
    var name: String
    var number: Int
    var form: Form
    /// The type of a message.
    var type: String?
    var isRepeated = false
    /// Whether a message says if it has the field.
    var isOptional = false

    init(
      _ name: String, _ number: Int, _ form: Form, type: String? = nil, isRepeated: Bool = false,
      isOptional: Bool = false
    ) {
      (self.name, self.number, self.form, self.type) = (name, number, form, type)
      (self.isRepeated, self.isOptional) = (isRepeated, isOptional)
    }
  }

  var package: String
  var name: String
  var fields: [Field]

  /// The name with its package.
  var fullName: String { "\(package).\(name)" }
  private var file: String {
    package == "google.protobuf"
      ? "google/protobuf/\(name.lowercased()).proto" : "\(package)/\(name).proto"
  }

  /// A `FileDescriptorSet` with a file for this type and for each of the others, which it and they may be made of; those
  /// that a type is made of come before it.
  func descriptorSet(with others: [ProtobufSchema]) -> [UInt8] {
    var needed: [ProtobufSchema] = []
    func add(_ schema: ProtobufSchema) {
      guard !needed.contains(where: { $0.fullName == schema.fullName }) else { return }
      for field in schema.fields {
        if let part = others.first(where: { $0.fullName == field.type }) { add(part) }
      }
      needed.append(schema)
    }
    add(self)
    var set = ProtobufWriter()
    for schema in needed { set.add(1) { schema.describe(&$0, needed) } }
    return set.bytes
  }

  private func describe(_ out: inout ProtobufWriter, _ all: [ProtobufSchema]) {
    out.add(1, text: file)
    out.add(2, text: package)
    var named: Set<String> = []
    for field in fields {
      if let part = all.first(where: { $0.fullName == field.type }),
        named.insert(part.file).inserted
      {
        out.add(3, text: part.file)
      }
    }
    out.add(4) { message in
      message.add(1, text: name)
      // Each optional field is a choice of its own.
      var choices: [String] = []
      for field in fields {
        message.add(2) { out in
          out.add(1, text: field.name)
          out.add(3, varint: UInt64(field.number))
          out.add(4, varint: field.isRepeated ? 3 : 1)
          out.add(5, varint: field.form.rawValue)
          if let type = field.type { out.add(6, text: ".\(type)") }
          guard field.isOptional else { return }
          out.add(9, varint: UInt64(choices.count))
          choices.append("_\(field.name)")
          out.add(17, varint: 1)
        }
      }
      for choice in choices { message.add(8) { $0.add(1, text: choice) } }
    }
    out.add(12, text: "proto3")
  }
}
