import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Reads the actions of episodes: tuples of whole numbers, one a channel of a stream.
public struct ActionReader: Sendable {
  /// WildWorld's: which weapon, which bank of motions, which motion.
  public static let wildWorld = ["npc/weapon_id", "npc/motion_bank_id", "npc/motion_id"]

  /// The channels, as `stream/channel`.
  public let channels: [String]
  /// Their stream.
  public let stream: String
  private let names: [String]

  /// The actions of a track: a tuple for each row, `nil` where a number of it was not observed.
  public struct Track {
    let number: Int
    let entity: Entity?
    let rows: [[Int64]?]
  }

  /// Binds channels to a dataset.
  ///
  /// - Parameter channels: One or more of one stream; WildWorld's where there are none.
  /// - Throws: A usage error for channels that are not there, of several streams, or of more than a number a row.
  public init(_ data: OpenDataset, _ channels: [String]) throws(TrajpackError) {
    let given = channels.isEmpty ? Self.wildWorld : channels
    var all: [String] = []
    var found: [String: Channel] = [:]
    for shard in data.shards {
      for stream in shard.schema.streams {
        for channel in stream.channels where found["\(stream.name)/\(channel.name)"] == nil {
          all.append("\(stream.name)/\(channel.name)")
          found["\(stream.name)/\(channel.name)"] = channel
        }
      }
    }
    var streams: [String] = []
    for path in given {
      guard let channel = found[path] else {
        throw TrajpackError(
          .usage,
          channels.isEmpty
            ? "\(data.dataset.path): there are no channels \(Self.wildWorld.joined(separator: ", ")) of WildWorld's "
              + "actions; name the channels that make up an action"
            : "there is no channel '\(path)'\(Suggestion.text(for: path, among: all))")
      }
      guard channel.elements == 1, channel.type != .bytes else {
        throw TrajpackError(
          .usage,
          "channel '\(path)' has no single number a row, and an action is made of whole numbers")
      }
      let stream = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
      if !streams.contains(stream) { streams.append(stream) }
    }
    guard streams.count == 1, Set(given).count == given.count else {
      throw TrajpackError(
        .usage,
        "an action is made of different channels of one stream, not of \(given.joined(separator: ", "))"
      )
    }
    self.channels = given
    stream = streams[0]
    names = given.map { String($0.dropFirst(streams[0].utf8.count + 1)) }
  }

  /// The actions of an episode of a shard, track by track.
  ///
  /// - Parameter entity: Only those of the entity of that index; of all where `nil`.
  /// - Throws: A usage error where a number is not whole; a data error where a chunk is damaged.
  public func tracks(
    _ shard: Shard, episode: Int, entity: Int?, _ reader: BlockReader
  ) throws(TrajpackError) -> [Track] {
    var out: [Track] = []
    for number in shard.index.tracks(ofEpisode: episode) {
      let track = TrackReader(shard, track: number, reader: reader)
      guard track.stream.name == stream else { continue }
      if let entity, let own = track.track.entity, own.index != entity { continue }
      var columns: [Int] = []
      for name in names {
        guard let column = track.stream.channel(named: name) else { continue }
        columns.append(column)
      }
      guard columns.count == names.count else { continue }
      var rows: [[Int64]?] = []
      rows.reserveCapacity(track.count)
      try track.forEachRun { (run) throws(TrajpackError) in
        var values: [ChannelValues] = []
        for column in columns { values.append(try track.read(channel: column, rows: run)) }
        for row in 0..<run.count {
          var action: [Int64]? = []
          for (place, column) in values.enumerated() {
            guard let number = try whole(column, row, place, run.lowerBound, shard, episode) else {
              action = nil
              break
            }
            action?.append(number)
          }
          rows.append(action)
        }
      }
      out.append(Track(number: number, entity: track.track.entity, rows: rows))
    }
    return out
  }

  private func whole(
    _ values: ChannelValues, _ row: Int, _ place: Int, _ first: Int, _ shard: Shard, _ episode: Int
  ) throws(TrajpackError) -> Int64? {
    let number: Double
    switch values.value(row, 0) {
    case .missing: return nil
    case .int(let number): return number
    case .uint(let value): number = Double(value)
    case .double(let value): number = value
    case .float(let value): number = Double(value)
    }
    if number.isNaN { return nil }
    guard let whole = Int64(exactly: number), whole.magnitude <= 1 << 53 else {
      throw TrajpackError(
        .usage,
        "episode '\(shard.index.episode(episode).id)': an action is made of whole numbers, and '\(channels[place])' "
          + "is \(number) in row \(first + row)")
    }
    return whole
  }
}
