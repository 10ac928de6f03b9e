import TrajpackFormat

/// The channels of a recording, with what decodes their messages.
final class MessageDecoding {
  /// A channel.
  final class Entry {
    let channel: MessageChannel
    /// What decodes its messages; `nil` where they are not read.
    let decoder: (any MessageDecoder)?
    /// Why not, where it is not the options that leave the topic out.
    let why: String?
    let row: MessageRow
    /// The field that holds the time of a message.
    let stamp: Int?
    /// Whether its topic is of the share that is read.
    let isOwn: Bool
    /// The places of its fields in the profile of its topic.
    var map: [FieldProfile.Place] = []
    /// Whether its type has lists of structs.
    var hasGroups = false
    /// The revision of the type for which that was done.
    var revision = -1
    var topic = -1
    var rows = -1

    /// A channel; what its messages hold is asked for where it `isOwn` and the options take it.
    init(_ channel: MessageChannel, isOwn: Bool, isTaken: Bool) {
      (self.channel, self.isOwn) = (channel, isOwn)
      guard isOwn, isTaken else {
        (decoder, row, stamp, why) = (nil, MessageRow(0), nil, nil)
        return
      }
      do throws(TrajpackError) {
        let decoder = try MessageDecoding.decoder(channel)
        self.decoder = decoder
        row = MessageRow(decoder.type.fields.count)
        stamp = TopicProfile.stampField(decoder.type)
        why = nil
      } catch {
        decoder = nil
        row = MessageRow(0)
        stamp = nil
        why = error.message
      }
    }
  }

  let share: TopicShare
  /// Messages of the recording, of any share, that were passed without an error.
  var passed = 0
  private let settings: MappingOptions
  private var known: [MessageChannel: Entry] = [:]
  /// The numbers of the topics that the options take, in the order of their first messages.
  private var numbers: [TopicKey: Int] = [:]
  private var channels: [Int: MessageChannel] = [:]
  /// The entries of channels by their numbers, an array where these are small: one is looked up for every message.
  private var small: [Entry?] = []
  private var others: [Int: Entry] = [:]
  /// Numbers below this are small.
  private static let smallNumbers = 1024

  /// The channels of a recording of which the topics of a share are read.
  init(_ share: TopicShare, _ settings: MappingOptions) {
    (self.share, self.settings) = (share, settings)
  }

  /// Takes a channel of the file that is read in.
  func add(_ number: Int, _ channel: MessageChannel) {
    channels[number] = channel
    set(number, known[channel])
  }

  /// Another file begins, which numbers its channels anew.
  func begin() {
    (small, others, channels) = ([], [:], [:])
  }

  private func set(_ number: Int, _ entry: Entry?) {
    guard 0..<Self.smallNumbers ~= number else {
      others[number] = entry
      return
    }
    while small.count <= number { small.append(nil) }
    small[number] = entry
  }

  /// The channel of a message.
  func entry(_ number: Int) throws(TrajpackError) -> Entry {
    if number >= 0, number < small.count {
      if let entry = small[number] { return entry }
    } else if let entry = others[number] {
      return entry
    }
    guard let channel = channels[number] else {
      throw TrajpackError(.data, "a message is of channel \(number), which is not there")
    }
    let entry = known[channel] ?? entry(of: channel)
    known[channel] = entry
    set(number, entry)
    return entry
  }

  private func entry(of channel: MessageChannel) -> Entry {
    guard settings.takes(channel.topic) else {
      return Entry(channel, isOwn: share.part == 0, isTaken: false)
    }
    let number = numbers[channel.key] ?? numbers.count
    numbers[channel.key] = number
    return Entry(channel, isOwn: share.owns(channel.key, number), isTaken: true)
  }

  /// Decodes a message into the row of its channel.
  func decode(_ message: MessageRecord, _ entry: Entry) throws(TrajpackError) {
    guard let decoder = entry.decoder else { return }
    entry.row.clear()
    do throws(TrajpackError) {
      try decoder.decode(message.data, into: entry.row)
    } catch {
      throw TrajpackError(
        error.fault,
        "a message of '\(entry.channel.topic)' (\(entry.channel.typeName)) \(error.message); "
          + "--exclude-members '\(entry.channel.topic)' leaves the topic out",
        at: error.place.completed(by: ErrorPlace(stream: entry.channel.topic)))
    }
    guard !entry.row.lacksMemory else {
      throw TrajpackError(
        .machine,
        "there is no memory for a message of '\(entry.channel.topic)' of \(message.data.count) bytes; "
          + "--exclude-members '\(entry.channel.topic)' leaves the topic out")
    }
  }

  /// What decodes the messages of a channel.
  ///
  /// - Throws: A data error that says why they are not read.
  private static func decoder(_ channel: MessageChannel) throws(TrajpackError)
    -> any MessageDecoder
  {
    switch (channel.encoding, channel.schemaEncoding) {
    case ("cdr", "ros2msg"):
      let types = try StructTypes.ros(try text(channel), channel.typeName, isROS1: false)
      return try CDRDecoder(types, channel.typeName, isROS1: false)
    case ("ros1", "ros1msg"):
      let types = try StructTypes.ros(try text(channel), channel.typeName, isROS1: true)
      return try CDRDecoder(types, channel.typeName, isROS1: true)
    case ("cdr", "ros2idl"):
      let types = try StructTypes.idl(try text(channel), channel.typeName)
      return try CDRDecoder(types, channel.typeName, isROS1: false)
    case ("protobuf", "protobuf"):
      let decoder = try ProtobufDecoder(channel.schema, channel.typeName)
      if let facts = JSONValue(document: channel.facts) { decoder.type.apply(facts) }
      return decoder
    case ("json", _): return JSONMessageDecoder(channel.typeName)
    case (AttachmentDecoder.encoding, AttachmentDecoder.encoding): return AttachmentDecoder()
    case (_, ""):
      throw TrajpackError(
        .data, "has messages of the encoding '\(channel.encoding)' and no schema")
    default:
      throw TrajpackError(
        .data,
        "has messages of the encoding '\(channel.encoding)' with a schema of '\(channel.schemaEncoding)'; "
          + "read are cdr with ros2msg or ros2idl, protobuf, json, and ros1 with ros1msg")
    }
  }

  private static func text(_ channel: MessageChannel) throws(TrajpackError) -> String {
    guard let text = String(validating: channel.schema, as: UTF8.self) else {
      throw TrajpackError(.data, "has a schema that is no text")
    }
    return text
  }
}
