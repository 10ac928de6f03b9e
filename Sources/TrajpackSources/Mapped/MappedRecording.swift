import TrajpackFormat
import TrajpackStore

/// A recording of another format, before its rows are read: its streams, and where their rows come from.
struct MappedRecording: Sendable {
  var id: String
  var path: String
  var bytes = 0
  var fingerprint = ""
  var split = ""
  /// What is known of the recording: texts, numbers, truth values and lists of numbers.
  var values: [JSONValue.Member] = []
  var metadata: [JSONValue.Member] = []
  var streams: [MappedStream] = []
  /// Why it cannot be read.
  var failure: TrajpackError?
}

/// Rows that share a clock.
struct MappedStream: Sendable {
  /// How rows map to time.
  enum Time: Sendable {
    /// By a rate, or by the number of the row.
    case regular(Clock, unit: String)
    /// Each has its own, as doubles or whole numbers of an array; those of integers are `tick` units each.
    case array(RowSource, ElementType, tick: Rational, unit: String)
  }

  var name: String
  var count: Int
  var time: Time
  var channels: [MappedChannel]
  var attributes: [JSONValue.Member] = []
  /// The name of the joint graph of its rows; see ``MappedSource/skeletons``.
  var skeleton: String?
  /// Where its frames come from, of a stream that is a video; it has no channels of its own.
  var video: (any MappedVideo)?

  /// The count of rows that are as many as their times, or as the frames of their video, known when they are read.
  static let asTimes = -1

  /// Rows that have no times.
  static let steps = Time.regular(.regular(start: .zero, rate: .one), unit: "step")

  /// The time of rows at a rate; steps where there is none.
  static func time(rate: Rational?, start: Rational = .zero) -> Time {
    rate.map { .regular(.regular(start: start, rate: $0), unit: "s") } ?? steps
  }
}

/// A named array of a stream.
struct MappedChannel: Sendable {
  var channel: Channel
  var source: RowSource
  /// The type of the rows as the source gives them.
  var sourceType: ElementType
  /// What its first row is, where rows are files of pictures.
  var picture: FirstPicture?

  init(_ channel: Channel, _ source: RowSource) {
    self.channel = channel
    self.source = source
    sourceType = channel.type
  }

  /// Whether another is the same but for its type.
  func isLike(_ other: MappedChannel) -> Bool {
    channel.shape == other.channel.shape
      && (channel.type == .bytes) == (other.channel.type == .bytes)
  }
}

/// Where rows come from.
enum RowSource: Sendable {
  /// A part of an array of a tree.
  case tree(TreePart)
  /// Made when they are asked for: packed rows, little-endian.
  case made(@Sendable () throws(TrajpackError) -> [UInt8])
  /// Packed rows, little-endian.
  case spool(RowSpool)
  /// Offset and length of each row's text or bytes in a second spool, 16 bytes a row; the offset is -1 where there
  /// is none.
  case pointers(RowSpool, RowSpool)
  /// Texts or bytes, one a row, made when they are asked for; `nil` where there is none.
  case texts(@Sendable () throws(TrajpackError) -> [[UInt8]?])
}

/// What a format has found in a source.
struct MappedSource: Sendable {
  var recordings: [MappedRecording]
  /// Sentences that a user should know.
  var remarks: [String] = []
  var leftOut: [LeftOut] = []
  /// What is said of the source as a whole; members of the schema's attributes.
  var attributes: [JSONValue.Member] = []
  /// How it was read, in a sentence.
  var note = ""
  /// The joint graphs that streams name.
  var skeletons: [Skeleton] = []
}

/// A format that is read by mapping its arrays to streams. To add one is a file with such a type, and a line in
/// ``MappedFormats``.
protocol MappedFormat: Sendable {
  /// What `trajpack formats` says of it.
  static var format: FormatDescription { get }

  /// Whether the files are of this format, by their content. Errors of damaged files are thrown by ``read(_:_:)``.
  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool

  /// Finds the recordings.
  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource
}

/// What the command line says of how arrays are mapped.
public struct MappingOptions: Sendable, Equatable {
  /// A pattern of the groups that are one episode each; `/` for a file an episode.
  public var episodes: String?
  /// The array of the rows behind which episodes end.
  public var ends: String?
  /// The axes of arrays, as `env,traj,time,dim` or `X=env,traj,time,dim`.
  public var axes: [String] = []
  /// The array of times.
  public var time: String?
  /// The unit of times.
  public var timeUnit: String?
  /// Arrays and the channels that they become, as `stream/channel=path`.
  public var map: [String] = []
  /// Rows in a second.
  public var rate: Rational?
  /// Patterns of arrays that are read; all where empty.
  public var members: [String] = []
  /// Patterns of arrays that are left out.
  public var excluded: [String] = []
  /// Patterns of arrays whose true rows end an episode.
  public var terminals: [String] = []
  /// The kind of a channel, by its name.
  public var kinds: [String: Kind] = [:]
  /// The units of a channel, by its name.
  public var units: [String: String] = [:]
  /// What becomes of videos.
  public var video = VideoMode.embed
  /// Whether frames of videos get checksums.
  public var hashesFrames = false
  /// Whether some option says how a table is to be read, so that a text is one.
  public var isTabular = false
  /// The column by whose changes the rows of a table are cut into episodes.
  public var episodeColumn: String?
  /// Whether some option says how the text of a table is written.
  public var hasTextOptions = false
  /// Whether files that cannot be read are recordings that fail.
  public var skipsErrors = false
  /// The source in Python that has read, of a conversion that is repeated.
  public var source: String?
  /// The Python that has sources; found by itself where `nil`. It does not change what is read.
  public var python: String?

  /// None.
  public init() {}

  /// Whether anything says how arrays of an unknown file are to be mapped.
  public var isMapping: Bool {
    episodes != nil || ends != nil || !terminals.isEmpty || isOfTrees
  }

  /// Whether some option is for trees alone, and not for tables and archives of arrays.
  public var isOfTrees: Bool { episodes != nil || !axes.isEmpty || !map.isEmpty }

  /// For the plan of a conversion.
  public var json: JSONValue {
    func list(_ texts: [String]) -> JSONValue? {
      texts.isEmpty ? nil : .array(texts.map { .string($0) })
    }
    func object(_ pairs: [String: String]) -> JSONValue? {
      pairs.isEmpty
        ? nil : .object(pairs.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }
    return .record([
      "episodes": episodes.map { .string($0) }, "ends": ends.map { .string($0) },
      "axes": list(axes), "time": time.map { .string($0) },
      "time_unit": timeUnit.map { .string($0) }, "map": list(map),
      "episode_column": episodeColumn.map { .string($0) },
      "rate": rate.map { .string($0.description) }, "members": list(members),
      "exclude_members": list(excluded), "terminals": list(terminals),
      "kinds": object(kinds.mapValues(\.rawValue)), "units": object(units),
      "video": video == .embed ? nil : .string(video.rawValue),
      "frame_hashes": hashesFrames ? true : nil,
    ])
  }

  /// What ``json`` has kept.
  public init(json: JSONValue) {
    func list(_ name: String) -> [String] { (json[name]?.array ?? []).compactMap(\.string) }
    episodes = json["episodes"]?.string
    ends = json["ends"]?.string
    axes = list("axes")
    time = json["time"]?.string
    timeUnit = json["time_unit"]?.string
    map = list("map")
    episodeColumn = json["episode_column"]?.string
    rate = json["rate"]?.string.flatMap { Rational(decimal: $0) }
    members = list("members")
    excluded = list("exclude_members")
    terminals = list("terminals")
    for member in json["kinds"]?.members ?? [] {
      kinds[member.name] = member.value.string.flatMap { Kind(rawValue: $0) }
    }
    video = json["video"]?.string.flatMap { VideoMode(rawValue: $0) } ?? .embed
    hashesFrames = json["frame_hashes"]?.bool ?? false
    for member in json["units"]?.members ?? [] { units[member.name] = member.value.string }
    source = json["source"]?.string
  }

  /// Whether every array is to be read.
  var takesAll: Bool { members.isEmpty && excluded.isEmpty }

  /// Whether an array of that path is to be read.
  func takes(_ path: String) -> Bool {
    let name = path.hasPrefix("/") ? String(path.dropFirst()) : path
    func isNamed(_ patterns: [String]) -> Bool {
      patterns.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }.contains {
        Pattern($0).matches(name) || Pattern("*/\($0)").matches(name)
      }
    }
    return (members.isEmpty || isNamed(members)) && !isNamed(excluded)
  }
}
