import TrajpackFormat

/// Decodes attachments of MCAP files as if they were messages of a topic of their own: name, type, time and bytes.
final class AttachmentDecoder: MessageDecoder {
  /// The topic, its encoding and the name of its type.
  static let (topic, encoding, typeName) = ("attachments", "attachment", "mcap.Attachment")
  /// The number of its channel, which no channel of a file has.
  static let channel = Int(UInt16.max) + 1
  /// The most bytes of an attachment that is read.
  static let mostBytes = 256 << 20

  private(set) var type: MessageType
  var revision: Int { type.revision }

  init() {
    type = MessageType(name: Self.typeName)
    var data = MessageField(path: "data", content: .number(.uint8))
    data.isList = true
    _ = type.add(MessageField(path: "name", content: .text))
    _ = type.add(MessageField(path: "media_type", content: .text))
    _ = type.add(data)
  }

  func decode(_ bytes: UnsafeRawBufferPointer, into row: MessageRow) throws(TrajpackError) {
    var fields = MCAPFields(bytes, "attachment")
    let (_, _) = (try fields.integer(UInt64.self), try fields.integer(UInt64.self))
    for field in 0..<2 {
      row.add(field, text: try fields.bytes(try fields.integer(UInt32.self)))
    }
    let data = try fields.bytes(try fields.integer(UInt64.self))
    row.values[2].isPresent = true
    if let base = data.baseAddress, !data.isEmpty {
      row.add(2, base, data.count, size: 1, swaps: false)
    }
  }
}
