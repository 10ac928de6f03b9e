import CZlib
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// What was read of an MCAP file, beside its messages.
struct MCAPContents: Sendable {
  var profile = ""
  var library = ""
  /// Messages that were read.
  var messages = 0
  /// Chunks that were read, by their compression.
  var chunks: [String: Int] = [:]
  /// Metadata records: a name, and texts by names.
  var metadata: [JSONValue.Member] = []
  /// Attachments: their names, media types and sizes.
  var attachments: [JSONValue] = []
  /// Where the file ends too early and how; `nil` for a whole one.
  var cut: String?
  /// The topics of channels, those without messages among them.
  var topics: [String] = []
}

/// Reads the records of an MCAP file forward, in memory that its length does not change. Format after the
/// specification of version 0.
struct MCAPFile {
  private static let magic: [UInt8] = [0x89, 0x4D, 0x43, 0x41, 0x50, 0x30, 0x0D, 0x0A]
  /// The largest chunk and the largest message that are read.
  private static let mostBytes = 1 << 30

  private let file: LocalFile
  private let checks: Bool
  private var contents = MCAPContents()
  private var hasAttachments = false
  private var schemas: [UInt16: (name: String, encoding: String, data: [UInt8])] = [:]
  /// Whether there is a channel of each number; looked up for every message.
  private var channels = Array(repeating: false, count: Int(UInt16.max) + 1)
  private var window = ByteBuffer(1 << 20)
  private var filled = 0..<0
  private var inflated = ByteBuffer(0)
  private let decompressor = Decompressor()

  /// Whether a file begins as these files do.
  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), file.length >= magic.count else { return false }
    return (try? file.bytes(0..<magic.count)) == magic
  }

  /// A file; its checksums are compared where `checks` says so.
  init(_ file: LocalFile, checks: Bool) {
    self.file = file
    self.checks = checks
  }

  /// Hands over every channel, under the number by which messages name it, before its first message.
  ///
  /// - Throws: A data error where the file is damaged. A file that ends too early is none: what was read of it is
  ///   handed over, and ``MCAPContents/cut`` says where it ends.
  mutating func read(
    channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> MCAPContents {
    guard file.length >= Self.magic.count, try file.bytes(0..<Self.magic.count) == Self.magic else {
      throw TrajpackError(.data, "does not begin as an MCAP file")
    }
    let last = try file.bytes(file.length - Self.magic.count..<file.length)
    let isWhole = file.length >= 2 * Self.magic.count && last == Self.magic
    var at = Self.magic.count
    var hasEnd = false
    records: while at < file.length {
      guard file.length - at >= 9 else {
        try cut(at, "within a record", isWhole)
        break
      }
      let head = try bytes(at, 9)
      let opcode = head[0]
      let length = UInt64(littleEndian: head.loadUnaligned(fromByteOffset: 1, as: UInt64.self))
      guard opcode != 0 else { throw damaged(at, "a record has the opcode 0") }
      guard length <= UInt64(file.length - at - 9) else {
        let name = MCAPOpcode(rawValue: opcode).map { "a \($0)" } ?? "a"
        try cut(at, "within \(name) record of \(length) bytes", isWhole)
        break
      }
      let range = at + 9..<at + 9 + Int(length)
      do throws(TrajpackError) {
        switch MCAPOpcode(rawValue: opcode) {
        case .attachment: try attachment(range, channel, message)
        case .chunk:
          let body = try self.body(range)
          try chunk(body, at, channel, message)
        case .dataEnd:
          var fields = MCAPFields(try body(range), "data end")
          let sum: UInt32 = try fields.integer()
          if sum != 0, checks { try check(sum, at) }
          hasEnd = true
        case .footer:
          hasEnd = true
          at = range.upperBound
          break records
        case .statistics:
          var fields = MCAPFields(try body(range), "statistics")
          let count: UInt64 = try fields.integer()
          guard count == UInt64(contents.messages) else {
            throw TrajpackError(
              .data,
              "the summary counts \(count) messages, and the file holds \(contents.messages)")
          }
        case .header, .schema, .channel, .message, .metadata:
          // What stands behind the data is a copy of what stands in it.
          if !hasEnd { try record(opcode, body(range), channel, message) }
        case .messageIndex, .chunkIndex, .attachmentIndex, .metadataIndex, .summaryOffset, nil:
          break
        }
      } catch {
        guard error.fault == .data, !error.message.hasPrefix("at byte ") else { throw error }
        throw damaged(at, error.message)
      }
      at = range.upperBound
    }
    if contents.cut == nil {
      if !hasEnd {
        try cut(at, "without an end", isWhole)
      } else if !isWhole {
        contents.cut = "ends without its closing mark, behind all of its messages"
      }
    }
    return contents
  }

  private func damaged(_ at: Int, _ why: String) -> TrajpackError {
    TrajpackError(.data, "at byte \(at): \(why); \(contents.messages) messages before it are whole")
  }

  /// Notes that the file ends too early, or refuses one whose end is there.
  private mutating func cut(_ at: Int, _ what: String, _ isWhole: Bool) throws(TrajpackError) {
    guard !isWhole else {
      throw damaged(at, "the records end \(what), and the file has a closing mark; it is damaged")
    }
    contents.cut =
      "was cut: it ends at byte \(file.length) \(what) that begins at byte \(at); the "
      + "\(contents.messages) messages before that are read, what followed is not there"
    if what == "without an end" {
      contents.cut =
        "was cut, or is still written: it ends at byte \(file.length) without the records that close a file; the "
        + "\(contents.messages) messages before that are read"
    }
  }

  // MARK: Bytes

  /// The bytes from `at` on, which are there; they stay until the next call.
  private mutating func bytes(_ at: Int, _ count: Int) throws(TrajpackError)
    -> UnsafeRawBufferPointer
  {
    if at < filled.lowerBound || at + count > filled.upperBound {
      if count > window.bytes.count { window = ByteBuffer(count) }
      let some = min(max(count, window.bytes.count), file.length - at)
      let part = UnsafeMutableRawBufferPointer(rebasing: window.bytes[..<some])
      filled = 0..<0
      try file.read(at: at, into: part)
      filled = at..<at + some
    }
    let first = at - filled.lowerBound
    return UnsafeRawBufferPointer(rebasing: window.bytes[first..<first + count])
  }

  /// The body of a record.
  private mutating func body(_ range: Range<Int>) throws(TrajpackError) -> UnsafeRawBufferPointer {
    guard range.count <= Self.mostBytes else {
      throw TrajpackError(
        .data, "a record has \(range.count) bytes; records of more than 1 GiB are not read")
    }
    return try bytes(range.lowerBound, range.count)
  }

  /// Compares the checksum of everything before byte `end`.
  private mutating func check(_ sum: UInt32, _ end: Int) throws(TrajpackError) {
    let buffer = ByteBuffer(256 << 10)
    var at = 0
    var crc = crc32(0, nil, 0)
    while at < end {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: buffer.bytes[..<min(buffer.bytes.count, end - at)])
      try file.read(at: at, into: part)
      crc = Self.crc(UnsafeRawBufferPointer(part), crc)
      at += part.count
    }
    guard UInt32(truncatingIfNeeded: crc) == sum else {
      throw TrajpackError(.data, "the checksum of the data before it does not agree")
    }
  }

  private static func crc(_ bytes: UnsafeRawBufferPointer, _ crc: UInt) -> UInt {
    crc32_z(crc, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
  }

  // MARK: Records

  private mutating func record(
    _ opcode: UInt8, _ body: UnsafeRawBufferPointer,
    _ channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    switch MCAPOpcode(rawValue: opcode) {
    case .header:
      var fields = MCAPFields(body, "header")
      contents.profile = try fields.text()
      contents.library = try fields.text()
    case .schema:
      var fields = MCAPFields(body, "schema")
      let id: UInt16 = try fields.integer()
      guard id != 0 else { throw TrajpackError(.data, "a schema has the number 0") }
      let (name, encoding) = (try fields.text(), try fields.text())
      let data = Array(try fields.bytes(try fields.integer(UInt32.self)))
      if let known = schemas[id] {
        guard known.name == name, known.encoding == encoding, known.data == data else {
          throw TrajpackError(.data, "two schemas have the number \(id)")
        }
      }
      schemas[id] = (name, encoding, data)
    case .channel:
      var fields = MCAPFields(body, "channel")
      let (id, schema) = (try fields.integer(UInt16.self), try fields.integer(UInt16.self))
      let (topic, encoding) = (try fields.text(), try fields.text())
      if channels[Int(id)] { return }
      let own = schemas[schema]
      let said = fields.left > 0 ? try fields.map() : []
      guard schema == 0 || own != nil else {
        throw TrajpackError(
          .data, "the channel of '\(topic)' names schema \(schema), which is not there")
      }
      channels[Int(id)] = true
      contents.topics.append(topic)
      try channel(
        Int(id),
        MessageChannel(
          topic: topic, encoding: encoding, typeName: own?.name ?? "",
          schemaEncoding: own?.encoding ?? "", schema: own?.data ?? [],
          facts: said.first { $0.name == MCAPTopic.member }?.value.string ?? ""))
    case .message: try self.message(body, message)
    case .metadata:
      var fields = MCAPFields(body, "metadata")
      let name = try fields.text()
      contents.metadata.append(.init(name, .object(try fields.map())))
    default: break
    }
  }

  /// A message: the number of its channel (2 bytes), its own number (4), the time when it was written down and the time
  /// when it was sent (8 each), and its bytes.
  private mutating func message(
    _ body: UnsafeRawBufferPointer, _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard body.count >= 22 else {
      throw TrajpackError(.data, "a message record ends before its fields do")
    }
    let id = UInt16(littleEndian: body.loadUnaligned(as: UInt16.self))
    let log = UInt64(littleEndian: body.loadUnaligned(fromByteOffset: 6, as: UInt64.self))
    let publish = UInt64(littleEndian: body.loadUnaligned(fromByteOffset: 14, as: UInt64.self))
    guard channels[Int(id)] else {
      throw TrajpackError(.data, "a message is of channel \(id), which is not there")
    }
    guard let log = Int64(exactly: log), let publish = Int64(exactly: publish) else {
      throw TrajpackError(.data, "a message has the time \(max(log, publish)) ns, which is none")
    }
    try message(
      MessageRecord(
        channel: Int(id), logTime: log, publishTime: publish,
        data: UnsafeRawBufferPointer(rebasing: body[22...])))
    contents.messages += 1
  }

  private mutating func attachment(
    _ range: Range<Int>, _ channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    // Its names come before its bytes.
    let head = try bytes(range.lowerBound, min(range.count, 64 << 10))
    var fields = MCAPFields(head, "attachment")
    let (log, created) = (try fields.integer(UInt64.self), try fields.integer(UInt64.self))
    let (name, type) = (try fields.text(), try fields.text())
    let size: UInt64 = try fields.integer()
    if range.count <= AttachmentDecoder.mostBytes, let log = Int64(exactly: log),
      let created = Int64(exactly: created)
    {
      let all = try bytes(range.lowerBound, range.count)
      guard range.count >= 4 else {
        throw TrajpackError(.data, "an attachment record ends before its fields do")
      }
      let sum = UInt32(
        littleEndian: all.loadUnaligned(fromByteOffset: range.count - 4, as: UInt32.self))
      let whole = UnsafeRawBufferPointer(rebasing: all[..<(range.count - 4)])
      if checks, sum != 0, UInt32(truncatingIfNeeded: Self.crc(whole, crc32(0, nil, 0))) != sum {
        throw TrajpackError(.data, "the checksum of the attachment '\(name)' does not agree")
      }
      if !hasAttachments {
        hasAttachments = true
        try channel(
          AttachmentDecoder.channel,
          MessageChannel(
            topic: AttachmentDecoder.topic, encoding: AttachmentDecoder.encoding,
            typeName: AttachmentDecoder.typeName, schemaEncoding: AttachmentDecoder.encoding,
            schema: []))
      }
      return try message(
        MessageRecord(
          channel: AttachmentDecoder.channel, logTime: log, publishTime: created, data: whole))
    }
    contents.attachments.append(
      .record([
        "name": .string(name), "media_type": .string(type),
        "bytes": .int(Int64(clamping: size)),
      ]))
  }

  private mutating func chunk(
    _ body: UnsafeRawBufferPointer, _ at: Int,
    _ channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var fields = MCAPFields(body, "chunk")
    let (_, _) = (try fields.integer(UInt64.self), try fields.integer(UInt64.self))
    let size: UInt64 = try fields.integer()
    let sum: UInt32 = try fields.integer()
    let compression = try fields.text()
    let stored = try fields.bytes(try fields.integer(UInt64.self))
    guard size <= UInt64(Self.mostBytes) else {
      throw TrajpackError(
        .data, "a chunk says that it holds \(size) bytes; chunks of more than 1 GiB are not read")
    }
    let records: UnsafeRawBufferPointer
    switch compression {
    case "":
      guard stored.count == Int(size) else {
        throw TrajpackError(.data, "a chunk holds \(stored.count) bytes where it says \(size)")
      }
      records = stored
    case "zstd", "lz4":
      // One byte more, so that an empty chunk has an address, too.
      if inflated.bytes.count <= Int(size) { inflated = ByteBuffer(Int(size) + 1) }
      let room = UnsafeMutableRawBufferPointer(rebasing: inflated.bytes[..<Int(size)])
      if compression == "zstd" {
        try decompressor.decompress(stored, .zstd, into: room)
      } else {
        try LZ4Frame.decompress(stored, into: room)
      }
      records = UnsafeRawBufferPointer(room)
    default:
      throw TrajpackError(
        .data, "a chunk is compressed by '\(compression)', which is not read: zstd and lz4 are")
    }
    contents.chunks[compression, default: 0] += 1
    if checks, sum != 0, UInt32(truncatingIfNeeded: Self.crc(records, crc32(0, nil, 0))) != sum {
      throw TrajpackError(.data, "the checksum of a chunk does not agree")
    }
    var inner = 0
    while inner < records.count {
      guard records.count - inner >= 9 else {
        throw TrajpackError(.data, "the chunk ends within a record")
      }
      let opcode = records[inner]
      let length = UInt64(
        littleEndian: records.loadUnaligned(fromByteOffset: inner + 1, as: UInt64.self))
      guard length <= UInt64(records.count - inner - 9) else {
        throw TrajpackError(.data, "a record of \(length) bytes passes the end of its chunk")
      }
      let end = inner + 9 + Int(length)
      let body = UnsafeRawBufferPointer(rebasing: records[inner + 9..<end])
      if opcode == MCAPOpcode.message.rawValue {
        try self.message(body, message)
      } else {
        try record(opcode, body, channel, message)
      }
      inner = end
    }
  }
}
