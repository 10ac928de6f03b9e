import TrajpackFormat
import TrajpackStore

/// A track whose rows are looked at.
final class TrackContext {
  /// How the values of a channel lie in a run.
  struct Columns {
    /// The channel, by number.
    var channel: Int
    /// The first of its columns.
    var first: Int
    /// How many: an element of a row each, or one of all elements of all rows.
    var count: Int
    /// Elements of a row.
    var elements: Int
    /// Whether one column has all elements, row by row: rows are too wide to be looked at element by element.
    var isField: Bool
    /// How elements become numbers.
    var reading: ElementReading
    var block: Int
    /// The byte of a block's row at which it begins, and the bytes of an element.
    var offset: Int
    var size: Int
  }

  let about: EpisodeAbout
  /// The track, by its place in the episode.
  let number: Int
  let streamNumber: Int
  let stream: TrajpackFormat.Stream
  let clock: Clock
  let entity: Entity?
  let rows: Int
  let config: ValidateConfig
  /// The channels that are looked at as numbers.
  let columns: [Columns]
  /// The columns of each channel, -1 for those that are not looked at.
  let columnsOfChannel: [Int]
  /// Columns of all channels together.
  let columnCount: Int
  /// The channel of explicit times.
  let timeChannel: Int?

  /// Elements of a row from which on a channel is looked at as a whole.
  static let mostElements = 4096

  init(_ about: EpisodeAbout, track number: Int, _ config: ValidateConfig) {
    let track = about.tracks[number]
    self.about = about
    self.number = number
    self.config = config
    streamNumber = track.stream
    let stream = about.schema.streams[track.stream]
    self.stream = stream
    (clock, entity, rows) = (track.clock, track.entity, track.count)
    var columns: [Columns] = []
    var places = [Int](repeating: -1, count: stream.channels.count)
    var next = 0
    for (c, channel) in stream.channels.enumerated() {
      guard Self.isNumeric(channel) else { continue }
      let block = about.schema.blocks[channel.storage.block]
      let isField = channel.elements > Self.mostElements
      places[c] = columns.count
      columns.append(
        Columns(
          channel: c, first: next, count: isField ? 1 : channel.elements,
          elements: channel.elements,
          isField: isField, reading: ElementReading(channel, stored: block.type),
          block: channel.storage.block, offset: channel.storage.column * block.type.size,
          size: block.type.size))
      next += isField ? 1 : channel.elements
    }
    self.columns = columns
    columnsOfChannel = places
    columnCount = next
    if case .regular = track.clock {
      timeChannel = nil
    } else {
      timeChannel = stream.channel(named: "time")
    }
  }

  /// Whether a channel's elements are looked at as numbers: not pictures, packets and text.
  static func isNumeric(_ channel: Channel) -> Bool {
    channel.type != .bytes && channel.kind != .image && channel.kind != .depth
      && channel.kind != .packet && channel.kind != .text
  }

  /// The channels whose values mean something on a scale, with their columns; not the times.
  var quantities: [(channel: Channel, columns: Columns)] {
    columns.compactMap { columns in
      let channel = stream.channels[columns.channel]
      guard columns.channel != timeChannel else { return nil }
      switch channel.kind {
      case .scalar, .position, .direction, .quaternion, .angle, .matrix, .intrinsics:
        return channel.type == .bool ? nil : (channel, columns)
      default: return nil
      }
    }
  }

  /// The columns of a channel of that name.
  func columns(named name: String) -> Columns? {
    guard let channel = stream.channel(named: name), columnsOfChannel[channel] >= 0 else {
      return nil
    }
    return columns[columnsOfChannel[channel]]
  }

  /// `monster 0`.
  var entityName: String? { entity.map { "\($0.kind) \($0.index)" } }

  /// The rate of a regular clock.
  var rate: Rational? {
    if case .regular(_, let rate) = clock { return rate }
    return nil
  }
}
