import TrajpackFormat

/// Reads the fields of a record of an MCAP file: little-endian numbers, and texts and bytes with their lengths.
struct MCAPFields {
  private let bytes: UnsafeRawBufferPointer
  private(set) var at = 0
  private let what: String

  /// The fields of a record; `what` is its name, for errors.
  init(_ bytes: UnsafeRawBufferPointer, _ what: String) {
    self.bytes = bytes
    self.what = what
  }

  /// Bytes that are left.
  var left: Int { bytes.count - at }

  /// The next integer.
  mutating func integer<Integer: FixedWidthInteger>(
    _ type: Integer.Type = Integer.self
  ) throws(TrajpackError) -> Integer {
    let size = MemoryLayout<Integer>.size
    guard left >= size else { throw short }
    defer { at += size }
    return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Integer.self))
  }

  /// The next `count` bytes.
  mutating func bytes(_ count: some FixedWidthInteger) throws(TrajpackError)
    -> UnsafeRawBufferPointer
  {
    guard count <= left, count >= 0 else { throw short }
    defer { at += Int(count) }
    return UnsafeRawBufferPointer(rebasing: bytes[at..<at + Int(count)])
  }

  /// The next text.
  mutating func text() throws(TrajpackError) -> String {
    String(decoding: try bytes(try integer(UInt32.self)), as: UTF8.self)
  }

  /// The next map from texts to texts, in its order.
  mutating func map() throws(TrajpackError) -> [JSONValue.Member] {
    let inner = try bytes(try integer(UInt32.self))
    var fields = MCAPFields(inner, what)
    var members: [JSONValue.Member] = []
    var known: Set<String> = []
    while fields.left > 0 {
      let name = try fields.text()
      let text = try fields.text()
      if known.insert(name).inserted {
        members.append(.init(name, .string(text)))
      }
    }
    return members
  }

  private var short: TrajpackError {
    TrajpackError(.data, "a \(what) record ends before its fields do")
  }
}

/// The opcodes of records.
enum MCAPOpcode: UInt8 {
  case header = 1
  case footer, schema, channel, message, chunk, messageIndex, chunkIndex, attachment
  case attachmentIndex, statistics, metadata, metadataIndex, summaryOffset, dataEnd
}

/// What a channel of messages is, before its schema is understood.
struct MessageChannel: Sendable, Hashable {
  /// The topic.
  var topic: String
  /// How messages are encoded: `cdr`, `protobuf`, `json`, `ros1`.
  var encoding: String
  /// The name of the message type; empty where there is none.
  var typeName: String
  /// How the schema is written: `ros2msg`, `ros2idl`, `protobuf`, `jsonschema`, `ros1msg`; empty for none.
  var schemaEncoding: String
  /// The schema.
  var schema: [UInt8]
  /// What trajpack's exporter has said of the fields; empty for none.
  var facts = ""

  /// What becomes one stream: a topic, or the attachments of a file, beside which a topic may have their name.
  var key: TopicKey {
    TopicKey(topic: topic, isAttachments: encoding == AttachmentDecoder.encoding)
  }
}

/// What tells the streams of a recording apart.
struct TopicKey: Hashable, Comparable {
  var topic: String
  /// Whether it is no topic, but the files beside the messages.
  var isAttachments = false

  /// What a stream was read from; `nil` where it was no recording of messages.
  init?(_ stream: Stream) {
    guard let topic = stream.attributes["topic"]?.string else { return nil }
    let encodings = stream.attributes["encodings"]?.array?.compactMap(\.string)
    self.init(topic: topic, isAttachments: encodings == [AttachmentDecoder.encoding])
  }

  init(topic: String, isAttachments: Bool = false) {
    (self.topic, self.isAttachments) = (topic, isAttachments)
  }

  static func < (a: Self, b: Self) -> Bool {
    a.topic == b.topic ? !a.isAttachments && b.isAttachments : a.topic < b.topic
  }
}

/// One message of a recording.
struct MessageRecord {
  /// The number of the channel in its file.
  var channel: Int
  /// When it was written down, in ns.
  var logTime: Int64
  /// When it was sent, in ns.
  var publishTime: Int64
  /// The encoded message.
  var data: UnsafeRawBufferPointer
}
