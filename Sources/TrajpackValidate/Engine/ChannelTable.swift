import TrajpackFormat
import TrajpackStore

/// Gives each channel that a validation meets a number, by the names of stream and channel: shards have schemas of their own.
/// Several threads at once; which number a channel gets says nothing. More than ``most`` get none, -1.
final class ChannelNumbers: @unchecked Sendable {
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }
  static let most = 1 << 17
  private let lock = ConditionLock()
  private var numbers: [Key: Int] = [:]

  func number(of channel: String, in stream: String) -> Int {
    lock.locked {
      let key = Key(stream: stream, channel: channel)
      if let known = numbers[key] { return known }
      guard numbers.count < Self.most else { return -1 }
      numbers[key] = numbers.count
      return numbers.count - 1
    }
  }
}

/// What is remembered of each channel of a dataset, in the order in which they were first remembered. An object, whose values lie
/// where they stay: rules change them for each channel of each episode.
final class ChannelTable<Value> {
  /// A channel.
  struct Entry {
    let stream: String
    let channel: String
    let value: Value
  }
  private var names: [(stream: String, channel: String)] = []
  private var values: UnsafeMutablePointer<Value>
  private var room = 0
  /// Whether a channel came that is not remembered.
  private(set) var isFull = false
  private let most: Int
  private let mostColumns: Int
  /// Columns of the channels that are remembered.
  private var columns = 0
  /// The entry of each number of ``ChannelNumbers``, -1 where there is none.
  private var places: [Int] = []

  /// - Parameters:
  ///   - most: Channels that are remembered; whatever the dataset has, what is kept of them has room in a few MiB.
  ///   - mostColumns: Columns that these have together, where something is kept of each.
  init(most: Int = 8192, mostColumns: Int = .max) {
    self.most = most
    self.mostColumns = mostColumns
    values = .allocate(capacity: 0)
  }

  deinit {
    values.deinitialize(count: names.count)
    values.deallocate()
  }

  /// All of them.
  var entries: [Entry] {
    names.enumerated().map {
      Entry(stream: $1.stream, channel: $1.channel, value: values[$0])
    }
  }

  /// The entry of a channel; `nil` where nothing is remembered of it.
  func place(_ columns: TrackContext.Columns) -> Int? {
    guard places.indices.contains(columns.number), places[columns.number] >= 0 else { return nil }
    return places[columns.number]
  }

  /// The entry of a channel, which is made where there is none; `nil` where there is no room for another one.
  func place(
    _ track: TrackContext, _ columns: TrackContext.Columns, orElse first: @autoclosure () -> Value
  ) -> Int? {
    if let known = place(columns) { return known }
    guard columns.number >= 0, names.count < most, columns.count <= mostColumns - self.columns
    else {
      isFull = true
      return nil
    }
    self.columns += columns.count
    while places.count <= columns.number { places.append(-1) }
    places[columns.number] = names.count
    if names.count == room {
      room = max(2 * room, 16)
      let larger = UnsafeMutablePointer<Value>.allocate(capacity: room)
      larger.moveInitialize(from: values, count: names.count)
      values.deallocate()
      values = larger
    }
    (values + names.count).initialize(to: first())
    names.append((track.stream.name, track.stream.channels[columns.channel].name))
    return names.count - 1
  }

  /// The value of an entry. The table must not grow while one is being changed: its values then lie elsewhere.
  subscript(place: Int) -> Value {
    unsafeAddress { UnsafePointer(values + place) }
    unsafeMutableAddress { values + place }
  }
}
