import CBZip2
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Reads the messages of a ROS 1 bag, forward and chunk by chunk (wiki.ros.org/Bags/Format/2.0). The index at the end of
/// the file is not needed, so that a bag that was cut, or never indexed, is read up to where it ends.
struct ROS1Bag {
  private static let magic = Array("#ROSBAG V".utf8)
  private static let version = Array("#ROSBAG V2.0\n".utf8)
  /// The largest record and the largest chunk that are read.
  private static let mostBytes = 1 << 30

  private enum Operation: UInt8 {
    case message = 2
    case header, index, chunk, chunkInfo, connection
  }

  private let file: LocalFile
  private var contents = MCAPContents()
  private var known: [UInt32: Int] = [:]

  /// Whether a file begins as these files do.
  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), file.length >= magic.count else { return false }
    return (try? file.bytes(0..<magic.count)) == magic
  }

  /// A bag.
  init(_ file: LocalFile) { self.file = file }

  /// Hands over every connection as a channel before its first message, and the messages in the order in which they
  /// were written.
  ///
  /// - Throws: A data error where the file is damaged. A file that ends too early is none: what was read of it is handed
  ///   over, and ``MCAPContents/cut`` says where it ends.
  mutating func read(
    channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> MCAPContents {
    let first = try file.bytes(0..<min(file.length, Self.version.count))
    guard first == Self.version else {
      let said = String(
        decoding: first.dropFirst(Self.magic.count).prefix { $0 != 10 }, as: UTF8.self)
      throw TrajpackError(
        .data,
        "is a ROS bag of version \(said.printable); 2.0 is read ('rosbag fix' makes it of older ones)"
      )
    }
    contents.library = "rosbag 2.0"
    var at = Self.version.count
    while at < file.length {
      guard let record = try record(at) else {
        contents.cut =
          "ends within a record at byte \(at); the \(contents.messages) messages before it are read"
        break
      }
      if record.operation == .chunk {
        try chunk(record, at, channel, message)
      } else {
        try take(record, at, channel, message)
      }
      at = record.end
    }
    return contents
  }

  /// A record of the file or of a chunk.
  private struct Record {
    var operation: Operation?
    var fields: [String: [UInt8]]
    /// Where its data lie, in the file or the chunk.
    var data: Range<Int>
    var end: Int { data.upperBound }

    func number(_ name: String) -> UInt32? {
      fields[name].flatMap { $0.count == 4 ? $0.little(0, as: UInt32.self) : nil }
    }
  }

  private static func damaged(_ at: Int, _ what: String) -> TrajpackError {
    TrajpackError(.data, "the record at byte \(at) \(what)", at: ErrorPlace(byte: at))
  }

  /// Fields of a header: a length, then name, an equal sign and the value.
  private static func fields(
    _ bytes: [UInt8], _ at: Int
  ) throws(TrajpackError) -> [String: [UInt8]] {
    var out: [String: [UInt8]] = [:]
    var place = 0
    while place < bytes.count {
      guard place + 4 <= bytes.count else { throw damaged(at, "has a header that is damaged") }
      let length = Int(bytes.little(place, as: UInt32.self))
      place += 4
      guard length <= bytes.count - place,
        let equal = bytes[place..<place + length].firstIndex(of: UInt8(ascii: "="))
      else { throw damaged(at, "has a header that is damaged") }
      out[String(decoding: bytes[place..<equal], as: UTF8.self)] = Array(
        bytes[equal + 1..<place + length])
      place += length
    }
    return out
  }

  /// The record of the file at a byte; `nil` where the file ends within it.
  private func record(_ at: Int) throws(TrajpackError) -> Record? {
    guard file.length - at >= 8 else { return nil }
    let length = Int(try file.bytes(at..<at + 4).little(0, as: UInt32.self))
    guard length <= 16 << 20 else { throw Self.damaged(at, "claims a header of \(length) bytes") }
    guard length <= file.length - at - 8 else { return nil }
    let head = try file.bytes(at + 4..<at + 8 + length)
    let start = at + 8 + length
    let size = Int(head.little(length, as: UInt32.self))
    let fields = try Self.fields(Array(head[..<length]), at)
    guard size <= file.length - start else { return nil }
    return Record(
      operation: fields["op"]?.first.flatMap { Operation(rawValue: $0) }, fields: fields,
      data: start..<start + size)
  }

  /// Takes in a record that is no chunk.
  private mutating func take(
    _ record: Record, _ at: Int, _ channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard record.operation == .message || record.operation == .connection else {
      guard record.operation != nil else {
        throw Self.damaged(at, "is of a kind that is not known")
      }
      return
    }
    guard record.data.count <= Self.mostBytes else {
      throw Self.damaged(at, "has \(record.data.count) bytes, more than is read")
    }
    let bytes = try file.bytes(record.data)
    try take(record, at, bytes, 0..<bytes.count, channel, message)
  }

  private mutating func take(
    _ record: Record, _ at: Int, _ bytes: [UInt8], _ range: Range<Int>,
    _ channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let number = record.number("conn") else { throw Self.damaged(at, "names no connection") }
    if record.operation == .connection {
      guard known[number] == nil else { return }
      let fields = try Self.fields(Array(bytes[range]), at)
      func text(_ name: String) -> String? {
        fields[name].map { String(decoding: $0, as: UTF8.self) }
      }
      let topic =
        record.fields["topic"].map { String(decoding: $0, as: UTF8.self) } ?? text("topic")
      guard let topic, let type = text("type") else {
        throw Self.damaged(at, "is a connection without a topic or a type")
      }
      let definition = fields["message_definition"] ?? []
      known[number] = Int(number)
      if !contents.topics.contains(topic) { contents.topics.append(topic) }
      try channel(
        Int(number),
        MessageChannel(
          topic: topic, encoding: "ros1", typeName: type,
          schemaEncoding: definition.isEmpty ? "" : "ros1msg", schema: definition))
      return
    }
    guard let time = record.fields["time"], time.count == 8, known[number] != nil else {
      throw Self.damaged(
        at, "is a message without a time, or of connection \(number), which is not there")
    }
    let nanoseconds =
      Int64(time.little(0, as: UInt32.self)) * 1_000_000_000
      + Int64(time.little(4, as: UInt32.self))
    try bytes.withUnsafeBufferPointer { (buffer) throws(TrajpackError) in
      try message(
        MessageRecord(
          channel: Int(number), logTime: nanoseconds, publishTime: nanoseconds,
          data: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[range]))))
    }
    contents.messages += 1
  }

  private mutating func chunk(
    _ record: Record, _ at: Int, _ channel: (Int, MessageChannel) throws(TrajpackError) -> Void,
    _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let size = record.number("size").map({ Int($0) }), size <= Self.mostBytes,
      record.data.count <= Self.mostBytes
    else { throw Self.damaged(at, "is a chunk without a size, or of more than 1 GiB") }
    let name = String(decoding: record.fields["compression"] ?? [], as: UTF8.self)
    let stored = try file.bytes(record.data)
    let bytes = try Self.unpacked(stored, size, name, at)
    contents.chunks[name == "none" ? "" : name, default: 0] += 1
    var place = 0
    while place < bytes.count {
      guard bytes.count - place >= 8 else {
        throw Self.damaged(at, "is a chunk that ends too early")
      }
      let length = Int(bytes.little(place, as: UInt32.self))
      guard length <= bytes.count - place - 8 else {
        throw Self.damaged(at, "is a chunk whose records pass its end")
      }
      let fields = try Self.fields(Array(bytes[place + 4..<place + 4 + length]), at)
      let start = place + 8 + length
      let count = Int(bytes.little(place + 4 + length, as: UInt32.self))
      guard count <= bytes.count - start else {
        throw Self.damaged(at, "is a chunk whose records pass its end")
      }
      let inner = Record(
        operation: fields["op"]?.first.flatMap { Operation(rawValue: $0) }, fields: fields,
        data: start..<start + count)
      if inner.operation == .message || inner.operation == .connection {
        try take(inner, at, bytes, inner.data, channel, message)
      }
      place = inner.end
    }
  }

  private static func unpacked(
    _ stored: [UInt8], _ size: Int, _ name: String, _ at: Int
  ) throws(TrajpackError) -> [UInt8] {
    guard name != "none" else {
      guard stored.count == size else {
        throw damaged(at, "is a chunk of \(stored.count) bytes that says \(size)")
      }
      return stored
    }
    // bzip2 packs rows that are all the same best, some 45,000 to 1; lz4 255 to 1.
    guard size / 50_000 <= stored.count else {
      throw damaged(at, "claims \(size) bytes in \(stored.count)")
    }
    var out = [UInt8](repeating: 0, count: size)
    try out.withUnsafeMutableBufferPointer { (buffer) throws(TrajpackError) in
      let to = UnsafeMutableRawBufferPointer(buffer)
      try stored.withUnsafeBufferPointer { (source) throws(TrajpackError) in
        let from = UnsafeRawBufferPointer(source)
        switch name {
        case "lz4":
          do throws(TrajpackError) { try LZ4Frame.decompress(from, into: to) } catch {
            throw damaged(at, "is a chunk that is damaged: \(error.message)")
          }
        case "bz2":
          var count = UInt32(size)
          let status = BZ2_bzBuffToBuffDecompress(
            to.baseAddress?.assumingMemoryBound(to: CChar.self), &count,
            UnsafeMutablePointer(mutating: from.baseAddress?.assumingMemoryBound(to: CChar.self)),
            UInt32(from.count), 0, 0)
          guard status == BZ_OK, Int(count) == size else {
            throw damaged(at, "is a chunk whose bz2 data are damaged (error \(status))")
          }
        default:
          throw damaged(at, "is a chunk packed by '\(name.printable)'; none, bz2 and lz4 are read")
        }
      }
    }
    return out
  }
}
