import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// A stream of a dataset: channels that share one clock.
public struct Stream: Sendable {
  /// The name, like `npc` or `left/wrist`.
  public var name: String
  /// What it is, where that was said.
  public var description: String?
  /// The unit of its times, usually `s`.
  public var timeUnit: String
  /// Rows in all episodes.
  public var rows: Int
  /// The channels.
  public var channels: [Channel]

  /// The channel of that name, or `nil`.
  public func channel(_ name: String) -> Channel? { channels.first { $0.name == name } }

  /// The streams of all shards, each with every channel that a shard has.
  static func all(of dataset: OpenDataset) -> [Stream] {
    var out: [Stream] = []
    for shard in dataset.shards {
      for (number, stream) in shard.schema.streams.enumerated() {
        let rows = shard.index.streamRows[number]
        let channels = stream.channels.map(Channel.init)
        guard let known = out.firstIndex(where: { $0.name == stream.name }) else {
          out.append(
            Stream(
              name: stream.name, description: stream.description, timeUnit: stream.timeUnit,
              rows: rows, channels: channels))
          continue
        }
        out[known].rows += rows
        let names = Set(out[known].channels.map(\.name))
        out[known].channels += channels.filter { !names.contains($0.name) }
      }
    }
    return out
  }
}

/// A channel of a stream.
public struct Channel: Sendable {
  /// The name, without that of the stream.
  public var name: String
  /// What its numbers are: `scalar`, `rotation`, `category`, ...
  public var kind: String
  /// The type of its elements; `bytes` for text and packets of a video.
  public var type: ElementType
  /// The shape of one row; empty for one number a row.
  public var shape: [Int]
  /// The unit, where it is known.
  public var units: String?
  /// What it is, where that was said.
  public var description: String?
  /// The names of a category's codes, from 0 on.
  public var categories: [String]?

  init(_ channel: TrajpackFormat.Channel) {
    name = channel.name
    kind = channel.kind.rawValue
    type = channel.type
    shape = channel.shape
    units = channel.units
    description = channel.description
    categories = channel.categories
  }
}
