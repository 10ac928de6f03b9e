import CZlib
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Writes an MCAP file front to back (mcap.dev/spec): chunks packed by zstd with their checksums and indexes, then a
/// summary with statistics.
final class MCAPWriter {
  /// Bytes of messages from which on a chunk is closed.
  private static let chunkBytes = 1 << 20

  private struct Channel {
    var sequence: UInt32 = 0
    var messages: UInt64 = 0
  }

  private struct ChunkEntry {
    var (first, last) = (UInt64.max, UInt64(0))
    var (at, length) = (0, 0)
    /// Where the index of each channel lies.
    var indexes: [(channel: UInt16, at: Int)] = []
    var indexBytes = 0
    var compression = ""
    var (packed, raw) = (0, 0)
  }

  private let file: OutputFile
  private let compressor: Compressor
  private var room = ByteBuffer(0)
  private var sum = crc32(0, nil, 0)
  private var schemas: [[UInt8]] = []
  private var channelRecords: [[UInt8]] = []
  private var channels: [Channel] = []
  private var chunk: [UInt8] = []
  private var entry = ChunkEntry()
  private var places: [UInt16: [UInt8]] = [:]
  private var chunks: [ChunkEntry] = []
  private var metadata: [(at: Int, length: Int, name: String)] = []
  private var attachments: [[UInt8]] = []
  private var (first, last) = (UInt64.max, UInt64(0))

  init(_ name: String, library: String, in folder: ExportFolder) throws(TrajpackError) {
    file = try OutputFile(name, in: folder)
    compressor = try Compressor(.zstd)
    try put(Self.magic)
    var header = Fields()
    header.add(text: "")
    header.add(text: library)
    try put(record(.header, header.bytes))
  }

  private static let magic: [UInt8] = [0x89] + Array("MCAP0\r\n".utf8)

  // MARK: Records

  /// The fields of a record.
  private struct Fields {
    var bytes: [UInt8] = []

    mutating func add<Number: FixedWidthInteger>(_ number: Number) {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    mutating func add(text: String) {
      add(UInt32(text.utf8.count))
      bytes.append(contentsOf: text.utf8)
    }
    /// A list or a map of so many bytes.
    mutating func add(list body: [UInt8]) {
      add(UInt32(body.count))
      bytes += body
    }
  }

  private func record(_ opcode: MCAPOpcode, _ body: [UInt8]) -> [UInt8] {
    var out = Fields()
    out.bytes.reserveCapacity(9 + body.count)
    out.add(opcode.rawValue)
    out.add(UInt64(body.count))
    return out.bytes + body
  }

  private func put(_ bytes: [UInt8]) throws(TrajpackError) {
    sum = bytes.withUnsafeBytes {
      crc32_z(sum, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
    try file.write(bytes)
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes {
      UInt32(
        truncatingIfNeeded: crc32_z(
          crc32(0, nil, 0), $0.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
    }
  }

  // MARK: Channels and messages

  /// Adds a channel of messages of protocol buffers.
  ///
  /// - Parameters:
  ///   - descriptors: Its `FileDescriptorSet`.
  ///   - metadata: What the channel's record says besides.
  /// - Returns: Its number.
  func addChannel(
    _ topic: String, type: String, descriptors: [UInt8], metadata: [(String, String)]
  ) throws(TrajpackError) -> Int {
    guard channels.count < Int(UInt16.max) - 1 else {
      throw TrajpackError(.data, "an MCAP file has at most 65534 topics")
    }
    var schema = Fields()
    schema.add(text: type)
    schema.add(text: "protobuf")
    schema.add(list: descriptors)
    let known = schemas.firstIndex { $0.dropFirst(11).elementsEqual(schema.bytes) }
    let schemaID = UInt16((known ?? schemas.count) + 1)
    if known == nil {
      var numbered = Fields()
      numbered.add(schemaID)
      schemas.append(record(.schema, numbered.bytes + schema.bytes))
    }
    var fields = Fields()
    fields.add(UInt16(channels.count))
    fields.add(schemaID)
    fields.add(text: topic)
    fields.add(text: "protobuf")
    var map = Fields()
    for (name, text) in metadata {
      map.add(text: name)
      map.add(text: text)
    }
    fields.add(list: map.bytes)
    channelRecords.append(record(.channel, fields.bytes))
    channels.append(Channel())
    return channels.count - 1
  }

  /// Adds a message of a channel. The first message of each chunk is preceded by all schemas and channels.
  func add(
    _ channel: Int, log: UInt64, publish: UInt64, _ message: [UInt8]
  ) throws(TrajpackError) {
    if chunk.isEmpty {
      chunk = schemas.flatMap(\.self) + channelRecords.flatMap(\.self)
      entry = ChunkEntry()
    }
    let id = UInt16(channel)
    var place = Fields()
    place.add(log)
    place.add(UInt64(chunk.count))
    places[id, default: []] += place.bytes
    var fields = Fields()
    fields.bytes.reserveCapacity(31)
    fields.add(MCAPOpcode.message.rawValue)
    fields.add(UInt64(22 + message.count))
    fields.add(id)
    fields.add(channels[channel].sequence)
    fields.add(log)
    fields.add(publish)
    chunk += fields.bytes
    chunk += message
    channels[channel].sequence &+= 1
    channels[channel].messages += 1
    (entry.first, entry.last) = (min(entry.first, log), max(entry.last, log))
    if chunk.count >= Self.chunkBytes { try closeChunk() }
  }

  private func closeChunk() throws(TrajpackError) {
    guard !chunk.isEmpty else { return }
    let bound = Compressor.bound(chunk.count)
    if room.bytes.count < bound { room = ByteBuffer(bound) }
    let count = try chunk.withBytes { (bytes) throws(TrajpackError) in
      try compressor.compress(bytes, into: room.bytes)
    }
    let stored = count.map { Array(room.bytes[..<$0]) } ?? chunk
    entry.compression = count == nil ? "" : "zstd"
    (entry.packed, entry.raw) = (stored.count, chunk.count)
    var head = Fields()
    head.add(entry.first)
    head.add(entry.last)
    head.add(UInt64(chunk.count))
    head.add(Self.crc(chunk))
    head.add(text: entry.compression)
    head.add(UInt64(stored.count))
    entry.at = file.count
    let whole = record(.chunk, head.bytes + stored)
    entry.length = whole.count
    try put(whole)
    for channel in places.keys.sorted() {
      var index = Fields()
      index.add(channel)
      index.add(list: places[channel] ?? [])
      entry.indexes.append((channel, file.count))
      let bytes = record(.messageIndex, index.bytes)
      entry.indexBytes += bytes.count
      try put(bytes)
    }
    (first, last) = (min(first, entry.first), max(last, entry.last))
    chunks.append(entry)
    chunk.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
  }

  /// Adds a record of names and texts.
  func add(metadata name: String, _ members: [(String, String)]) throws(TrajpackError) {
    try closeChunk()
    var map = Fields()
    for (name, text) in members {
      map.add(text: name)
      map.add(text: text)
    }
    var fields = Fields()
    fields.add(text: name)
    fields.add(list: map.bytes)
    let bytes = record(.metadata, fields.bytes)
    metadata.append((file.count, bytes.count, name))
    try put(bytes)
  }

  /// Adds a file beside the messages.
  func add(
    attachment name: String, type: String, log: UInt64, created: UInt64, _ data: [UInt8]
  ) throws(TrajpackError) {
    try closeChunk()
    var fields = Fields()
    fields.add(log)
    fields.add(created)
    fields.add(text: name)
    fields.add(text: type)
    fields.add(UInt64(data.count))
    fields.bytes += data
    fields.add(Self.crc(fields.bytes))
    let bytes = record(.attachment, fields.bytes)
    var index = Fields()
    index.add(UInt64(file.count))
    index.add(UInt64(bytes.count))
    index.add(log)
    index.add(created)
    index.add(UInt64(data.count))
    index.add(text: name)
    index.add(text: type)
    attachments.append(record(.attachmentIndex, index.bytes))
    try put(bytes)
  }

  // MARK: The end

  /// Writes the summary and makes the file durable.
  func finish() throws(TrajpackError) {
    try closeChunk()
    if chunks.isEmpty {
      // Topics without messages are declared, too.
      for bytes in schemas + channelRecords { try put(bytes) }
    }
    var end = Fields()
    end.add(UInt32(truncatingIfNeeded: sum))
    try put(record(.dataEnd, end.bytes))
    let start = file.count
    sum = crc32(0, nil, 0)
    var groups: [(opcode: MCAPOpcode, start: Int, length: Int)] = []
    func group(_ opcode: MCAPOpcode, _ records: [[UInt8]]) throws(TrajpackError) {
      guard !records.isEmpty else { return }
      let at = file.count
      for bytes in records { try put(bytes) }
      groups.append((opcode, at, file.count - at))
    }
    try group(.schema, schemas)
    try group(.channel, channelRecords)
    try group(.statistics, [statistics()])
    try group(.chunkIndex, chunks.map { chunkIndex($0) })
    try group(.attachmentIndex, attachments)
    try group(
      .metadataIndex,
      metadata.map { at, length, name in
        var fields = Fields()
        fields.add(UInt64(at))
        fields.add(UInt64(length))
        fields.add(text: name)
        return record(.metadataIndex, fields.bytes)
      })
    let offsets = file.count
    for (opcode, at, length) in groups {
      var fields = Fields()
      fields.add(opcode.rawValue)
      fields.add(UInt64(at))
      fields.add(UInt64(length))
      try put(record(.summaryOffset, fields.bytes))
    }
    var footer = Fields()
    footer.add(MCAPOpcode.footer.rawValue)
    footer.add(UInt64(20))
    footer.add(UInt64(start))
    footer.add(UInt64(offsets))
    try put(footer.bytes)
    var crc = Fields()
    crc.add(UInt32(truncatingIfNeeded: sum))
    try file.write(crc.bytes + Self.magic)
    try file.finish()
  }

  private func statistics() -> [UInt8] {
    var fields = Fields()
    fields.add(channels.reduce(0) { $0 + $1.messages })
    fields.add(UInt16(schemas.count))
    fields.add(UInt32(channels.count))
    fields.add(UInt32(attachments.count))
    fields.add(UInt32(metadata.count))
    fields.add(UInt32(chunks.count))
    fields.add(chunks.isEmpty ? 0 : first)
    fields.add(last)
    var counts = Fields()
    for (id, channel) in channels.enumerated() {
      counts.add(UInt16(id))
      counts.add(channel.messages)
    }
    fields.add(list: counts.bytes)
    return record(.statistics, fields.bytes)
  }

  private func chunkIndex(_ chunk: ChunkEntry) -> [UInt8] {
    var fields = Fields()
    fields.add(chunk.first)
    fields.add(chunk.last)
    fields.add(UInt64(chunk.at))
    fields.add(UInt64(chunk.length))
    var map = Fields()
    for (channel, at) in chunk.indexes {
      map.add(channel)
      map.add(UInt64(at))
    }
    fields.add(list: map.bytes)
    fields.add(UInt64(chunk.indexBytes))
    fields.add(text: chunk.compression)
    fields.add(UInt64(chunk.packed))
    fields.add(UInt64(chunk.raw))
    return record(.chunkIndex, fields.bytes)
  }
}
