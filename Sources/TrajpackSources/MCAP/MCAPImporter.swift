import TrajpackFormat
import TrajpackStore

/// Reads MCAP files and ROS bags: every topic as a stream. See `docs/formats/mcap.md`.
public struct MCAPImporter: Importer {
  /// What a first reading of a recording has shown; its content is the importer's.
  public struct Examination: Sendable {
    let topics: [TopicProfile]
    /// The clock of each topic.
    let clocks: [MessageClock]
    /// The first time of the recording, in ns, from which the times of rows count.
    let origin: Int64
    let contents: [MCAPContents]
    /// Topics that are not read: how many messages they have, and why.
    let skipped: [(topic: String, count: Int, why: String)]
    let remarks: [String]
  }

  /// The format.
  public static let format = FormatDescription(
    name: "mcap", summary: "MCAP files, ROS 2 bags (MCAP, SQLite) and ROS 1 bags",
    carries:
      "every topic as a stream, with log times and stamps; messages of ROS 2 and ROS 1, protocol buffers, JSON; topics "
      + "that are not read are named",
    reads: true, writes: true)

  /// The recordings, a file each.
  public let recordings: [Recording]
  /// The files that are not read.
  public let leftOut: [LeftOut]
  /// The options that change what is written.
  public var options: JSONValue { settings.json }

  let settings: MappingOptions
  let items: [String: MessageFiles.Item]
  let wanted: MessageClock?
  let watch = ReadWatch()
  let helpers = TopicHelpers()

  /// Whether a path holds recordings of this format.
  public static func recognises(_ path: String) -> Bool { MessageFiles.recognises(path) }

  /// Finds the recordings of a source.
  ///
  /// - Throws: A usage error where options are given that mean nothing here.
  public init(_ sources: [String], _ options: MappingOptions) throws(TrajpackError) {
    guard !options.isMapping, options.timeUnit == nil else {
      throw TrajpackError(
        .usage,
        "--episodes, --ends, --terminals, --axes, --map and --time-unit are not for recordings of messages"
      )
    }
    guard options.rate == nil else {
      throw TrajpackError(
        .usage, "--rate is not for recordings of messages, each of which has its own time")
    }
    if let name = options.time {
      guard let clock = MessageClock(rawValue: name) else {
        throw TrajpackError(
          .usage,
          "--time: '\(name)' is not stamp (the message's own time), log_time or publish_time")
      }
      wanted = clock
    } else {
      wanted = nil
    }
    settings = options
    let files = try MessageFiles(sources)
    guard !files.items.isEmpty else {
      throw TrajpackError(.data, "\(sources.first ?? ""): holds no MCAP file and no ROS bag")
    }
    leftOut = files.leftOut
    recordings = files.items.map { item in
      Recording(
        id: item.id, path: item.path,
        bytes: max(item.files.reduce(0) { $0 + FileSystem.size(of: $1) }, 1),
        fingerprint: item.files.map { Recording.fingerprint(of: $0) }.joined(separator: ";"))
    }
    var items: [String: MessageFiles.Item] = [:]
    for item in files.items { items[item.id] = item }
    self.items = items
  }

  /// Tells of bytes that are read.
  public func watchReads(_ body: @escaping @Sendable (Int) -> Void) { watch.tell(body) }

  /// Lets idle threads read some of the topics of a recording.
  public func use(_ threads: IdleThreads, isInterrupted: @escaping @Sendable () -> Bool) {
    helpers.use(threads, isInterrupted: isInterrupted)
  }

  /// How the source was read.
  public func reading(of streams: [String: [Stream]]) -> [JSONValue] {
    [
      .record([
        "type": .string(Self.format.name), "count": .int(Int64(recordings.count)),
        "files": .array(
          recordings.prefix(3).map { .string(FileSystem.name(of: $0.path)) }),
        "note": .string("\(streams.count) topic\(streams.count == 1 ? "" : "s")"),
      ])
    ]
  }

  func item(_ recording: Recording) throws(TrajpackError) -> MessageFiles.Item {
    guard let item = items[recording.id] else {
      throw TrajpackError(.usage, "the recording is not of this source")
    }
    return item
  }

  /// Reads the files of a recording.
  ///
  /// Only part 0 tells of progress and, where `checks` says so, compares checksums: the others read the same bytes.
  func read(
    _ item: MessageFiles.Item, checks: Bool, _ decoding: MessageDecoding,
    _ message: (MessageRecord) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> [MCAPContents] {
    if let failure = item.failure {
      throw TrajpackError(
        failure.fault, String(failure.message.dropFirst(item.path.count + 2)))
    }
    let isFirst = decoding.share.part == 0
    func pass(_ record: MessageRecord) throws(TrajpackError) {
      try message(record)
      decoding.passed += 1
    }
    var all: [MCAPContents] = []
    for path in item.files {
      decoding.begin()
      let source = isFirst ? try watch.file(path) : try LocalFile(path)
      do throws(TrajpackError) {
        if ROSBagDatabase.recognises(path) {
          all.append(
            try ROSBagDatabase(source).read(
              channel: { (number, channel) throws(TrajpackError) in decoding.add(number, channel) },
              message: pass))
          continue
        }
        if ROS1Bag.recognises(path) {
          var bag = ROS1Bag(source)
          all.append(
            try bag.read(
              channel: { (number, channel) throws(TrajpackError) in decoding.add(number, channel) },
              message: pass))
          continue
        }
        var file = MCAPFile(source, checks: checks && isFirst)
        all.append(
          try file.read(
            channel: { (number, channel) throws(TrajpackError) in decoding.add(number, channel) },
            message: pass))
      } catch {
        guard item.files.count > 1 else { throw error }
        throw TrajpackError(
          error.fault, "\(FileSystem.name(of: path)): \(error.message)", at: error.place)
      }
    }
    return all
  }
}
