import TrajpackFormat
import TrajpackStore

/// A channel that is looked at as numbers, and its columns. One object for all tracks of a stream: rules keep many.
final class Quantity: Sendable {
  let channel: Channel
  let columns: TrackContext.Columns

  /// Whether it is a position: by its kind, or, where a source does not say kinds, numbers in twos or threes whose name says so.
  let isPosition: Bool
  /// Whether it has quaternions: by its kind, or four numbers whose name says so.
  let isQuaternion: Bool
  /// Whether it has whole numbers of which nothing says whether they are measured: the writer of Python takes arrays of integers for labels.
  let isCount: Bool

  init(_ channel: Channel, _ columns: TrackContext.Columns) {
    (self.channel, self.columns) = (channel, columns)
    let name = channel.name.lowercased()
    let words = name.split { !$0.isLetter && !$0.isNumber }
    let isPlain = channel.kind == .scalar && channel.type.isFloat
    isPosition =
      channel.kind == .position
      || isPlain && (channel.shape.last == 2 || channel.shape.last == 3)
        && words.contains {
          ["pos", "position", "xyz", "eef", "location", "translation"].contains($0)
        }
    isCount =
      channel.kind == .label && channel.categories == nil
      && channel.type.range != nil && channel.type != .bool
    isQuaternion =
      channel.kind == .quaternion && channel.shape.last == 4
      || isPlain && channel.shape.last == 4 && words.contains { $0 == "quat" || $0 == "quaternion" }
  }
}

/// A track whose rows are looked at.
final class TrackContext {
  /// How the values of a channel lie in a run.
  struct Columns: Sendable {
    /// The channel, by number.
    var channel: Int
    /// The channel among all that the validation met: see ``ChannelNumbers``.
    var number: Int
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

    /// Whether whole numbers of 64 bits are stored.
    var isWhole: Bool { reading.isPlain && (reading.type == .int64 || reading.type == .uint64) }
  }

  /// Neighbouring columns of float32 that lie side by side in the rows of a block: they are looked at as they lie.
  struct Group: Sendable {
    var block: Int
    /// The byte of a row at which it begins.
    var offset: Int
    /// The first column, and how many.
    var first: Int
    var count: Int

    /// Columns from which on a group is made.
    static let least = 4
  }

  let about: EpisodeAbout
  /// The track, by its place in the episode.
  let number: Int
  let streamNumber: Int
  let clock: Clock
  let entity: Entity?
  let rows: Int
  /// How fast things move at most, and how many rows windows have, as far as the user has said.
  let speeds: (position: Double?, angle: Double?)
  let window: Int?
  /// How its channels lie in columns.
  let layout: Layout
  /// The channel of explicit times.
  let timeChannel: Int?
  /// The channels whose values mean something on a scale, with their columns; not the times.
  let quantities: [Quantity]
  /// These, and whole numbers that may be measured: see ``Quantity/isCount``.
  private(set) lazy var numbers: [Quantity] =
    timeChannel == nil
    ? layout.measurable : layout.measurable.filter { $0.columns.channel != timeChannel }

  /// The stream of its rows.
  var stream: TrajpackFormat.Stream { _read { yield layout.stream } }
  /// The channels that are looked at as numbers.
  var columns: [Columns] { layout.columns }
  /// The columns of each channel, -1 for those that are not looked at.
  var columnsOfChannel: [Int] { layout.columnsOfChannel }
  /// Columns of all channels together.
  var columnCount: Int { layout.columnCount }

  /// What of the configuration it is looked at by.
  struct Settings: Sendable {
    var speeds: (position: Double?, angle: Double?) = (nil, nil)
    var window: Int?
  }

  /// Elements of a row from which on a channel is looked at as a whole.
  static let mostElements = 4096

  /// How the channels of a stream lie in columns: the same for all of its tracks.
  final class Layout: Sendable {
    let stream: TrajpackFormat.Stream
    let columns: [Columns]
    let columnsOfChannel: [Int]
    let columnCount: Int
    let groups: [Group]
    /// The group of each of ``columns``, -1 where it is in none.
    let groupOfColumns: [Int]
    /// The blocks that have rows of the stream.
    let blocks: [Int]
    /// Those whose values mean something on a scale.
    fileprivate let measures: [Quantity]
    /// Those, and whole numbers that may be measured.
    fileprivate let measurable: [Quantity]
    /// All of them.
    let all: [Quantity]

    init(_ schema: Schema, stream number: Int, _ numbers: ChannelNumbers) {
      let stream = schema.streams[number]
      self.stream = stream
      var columns: [Columns] = []
      var places = [Int](repeating: -1, count: stream.channels.count)
      var next = 0
      for (c, channel) in stream.channels.enumerated() where TrackContext.isNumeric(channel) {
        let block = schema.blocks[channel.storage.block]
        let isField = channel.elements > TrackContext.mostElements
        places[c] = columns.count
        columns.append(
          Columns(
            channel: c, number: numbers.number(of: channel.name, in: stream.name), first: next,
            count: isField ? 1 : channel.elements,
            elements: channel.elements,
            isField: isField, reading: ElementReading(channel, stored: block.type),
            block: channel.storage.block, offset: channel.storage.column * block.type.size,
            size: block.type.size))
        next += isField ? 1 : channel.elements
      }
      self.columns = columns
      columnsOfChannel = places
      columnCount = next
      (groups, groupOfColumns) = Self.groups(of: columns)
      blocks = schema.rowBlocks(of: number)
      all = columns.map { Quantity(stream.channels[$0.channel], $0) }
      measures = all.filter(Self.isMeasure)
      measurable = all.filter { $0.isCount || Self.isMeasure($0) }
    }

    private static func isMeasure(_ item: Quantity) -> Bool {
      switch item.channel.kind {
      case .scalar, .position, .direction, .quaternion, .angle, .matrix, .intrinsics:
        return item.channel.type != .bool
      default: return false
      }
    }

    private static func groups(of columns: [Columns]) -> ([Group], [Int]) {
      var groups: [Group] = []
      var places = [Int](repeating: -1, count: columns.count)
      var i = 0
      while i < columns.count {
        var group = Group(
          block: columns[i].block, offset: columns[i].offset, first: columns[i].first, count: 0)
        var end = i
        while end < columns.count, columns[end].reading.isFloat32, !columns[end].isField,
          columns[end].block == group.block, columns[end].offset == group.offset + 4 * group.count
        {
          group.count += columns[end].count
          end += 1
        }
        if group.count >= Group.least {
          for c in i..<end { places[c] = groups.count }
          groups.append(group)
        }
        i = max(end, i + 1)
      }
      return (groups, places)
    }
  }

  init(_ about: EpisodeAbout, track number: Int, _ layout: Layout, _ settings: Settings) {
    let track = about.tracks[number]
    self.about = about
    self.number = number
    (speeds, window) = (settings.speeds, settings.window)
    self.layout = layout
    streamNumber = track.stream
    (clock, entity, rows) = (track.clock, track.entity, track.count)
    timeChannel = layout.stream.timeChannel(on: track.clock)
    let time = timeChannel
    quantities =
      time == nil ? layout.measures : layout.measures.filter { $0.columns.channel != time }
  }

  /// Whether a channel's elements are looked at as numbers: not pictures, packets and text.
  static func isNumeric(_ channel: Channel) -> Bool {
    channel.type != .bytes && channel.kind != .image && channel.kind != .depth
      && channel.kind != .packet && channel.kind != .text
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
  var rate: Rational? { clock.rate }
}
