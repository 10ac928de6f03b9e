import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Reads the messages of a ROS 2 bag in SQLite: tables `topics`, `messages`, and from ROS 2 Iron on
/// `message_definitions`.
struct ROSBagDatabase {
  private let file: LocalFile

  /// Whether a file is such a database.
  static func recognises(_ path: String) -> Bool {
    guard SQLiteFile.recognises(path) else { return false }
    // One that is damaged says so when it is read.
    guard let file = try? LocalFile(path), let database = try? SQLiteFile(file) else { return true }
    return database.has("topics") && database.has("messages")
  }

  /// A bag.
  init(_ file: LocalFile) { self.file = file }

  /// Hands over every topic as a channel, and the messages in the order in which they were written.
  ///
  /// - Throws: A data error where the file is damaged.
  func read(
    channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> MCAPContents {
    let database = try SQLiteFile(file)
    var contents = MCAPContents()
    contents.library = "rosbag2 sqlite3"
    var definitions: [String: (encoding: String, text: [UInt8])] = [:]
    if database.has("message_definitions") {
      try database.rows(
        "message_definitions", ["topic_type", "encoding", "encoded_message_definition"]
      ) { (row) throws(TrajpackError) in
        guard let type = row[0].string, let encoding = row[1].string, let text = row[2].bytes
        else { return }
        if !text.isEmpty { definitions[type] = (encoding, Array(text)) }
      }
    }
    var known: Set<Int64> = []
    try database.rows("topics", ["id", "name", "type", "serialization_format"]) {
      (row) throws(TrajpackError) in
      guard let id = row[0].integer, let name = row[1].string, let type = row[2].string,
        let format = row[3].string, known.insert(id).inserted
      else { throw TrajpackError(.data, "has a topic without an id, a name, a type or a format") }
      let own = definitions[type] ?? CommonDefinitions.schema(type).map { ("ros2msg", $0) }
      contents.topics.append(name)
      try channel(
        Int(id),
        MessageChannel(
          topic: name, encoding: format, typeName: type, schemaEncoding: own?.encoding ?? "",
          schema: own?.text ?? []))
    }
    let decompressor = Decompressor()
    var room = ByteBuffer(0)
    try database.rows("messages", ["topic_id", "timestamp", "data"]) {
      (row) throws(TrajpackError) in
      guard let topic = row[0].integer, known.contains(topic), let time = row[1].integer,
        var data = row[2].bytes
      else {
        throw TrajpackError(
          .data,
          "message \(contents.messages + 1) has no topic, time or data; the \(contents.messages) before it are whole"
        )
      }
      // CDR begins with a zero, so that a frame of zstd is told by its first bytes.
      if let size = ZstdFrame.contentBytes(data) {
        if room.bytes.count <= size { room = ByteBuffer(size + 1) }
        let to = UnsafeMutableRawBufferPointer(rebasing: room.bytes[..<size])
        do throws(TrajpackError) {
          try decompressor.decompress(data, .zstd, into: to)
        } catch {
          throw TrajpackError(.data, "message \(contents.messages + 1): \(error.message)")
        }
        data = UnsafeRawBufferPointer(to)
      }
      try message(
        MessageRecord(channel: Int(topic), logTime: time, publishTime: time, data: data))
      contents.messages += 1
    }
    return contents
  }
}
