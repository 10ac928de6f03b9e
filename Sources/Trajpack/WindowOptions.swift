import TrajpackFormat
import TrajpackLoader

/// What ``Dataset/windows(_:)`` is asked for.
public struct WindowOptions: Sendable {
  /// The channels, by name or pattern (`npc/position`, `npc/*`); `nil` for all that are numbers.
  public var channels: [String]?
  /// Rows of a window on the clock of the reference stream.
  public var length: Int
  /// Rows before the window that come with it.
  public var past: Int
  /// Rows from the start of one window to that of the next.
  public var stride: Int
  /// Windows of a batch.
  public var batchSize: Int
  /// Whether windows come in a random order, another one in each epoch; so it is by default, as in Python.
  public var shuffle: Bool
  /// What the order is made from; equal seeds give equal orders.
  public var seed: Int
  /// Whether the last windows of an epoch that do not fill a batch on every rank are left out; so it is by default.
  public var dropLast: Bool
  /// The split whose windows come; `nil` for all.
  public var split: String?
  /// The ids of episodes, or patterns of them; `nil` for all.
  public var episodes: [String]?
  /// Whether channels are scaled by the statistics of the chosen data: mean 0 and standard deviation 1.
  public var normalize: Bool
  /// The number of this process among those that share the windows, from 0 on.
  public var rank: Int
  /// The number of processes that share the windows.
  public var worldSize: Int
  /// Threads that read and decode; 0 for as many as there are processors.
  public var threads: Int
  /// All other options, a JSON object with the members that `trajpack.h` lists for `tp_loader_create`, like
  /// `{"align": "linear", "masks": true}`. A member here goes before the option of that name above.
  public var more: String

  /// Options, with the defaults of Python's `windows()`.
  public init(
    channels: [String]? = nil, length: Int = 1, past: Int = 0, stride: Int = 1, batchSize: Int = 1,
    shuffle: Bool = true, seed: Int = 0, dropLast: Bool = true, split: String? = nil,
    episodes: [String]? = nil, normalize: Bool = false, rank: Int = 0, worldSize: Int = 1,
    threads: Int = 0, more: String = "{}"
  ) {
    self.channels = channels
    self.length = length
    self.past = past
    self.stride = stride
    self.batchSize = batchSize
    self.shuffle = shuffle
    self.seed = seed
    self.dropLast = dropLast
    self.split = split
    self.episodes = episodes
    self.normalize = normalize
    self.rank = rank
    self.worldSize = worldSize
    self.threads = threads
    self.more = more
  }

  func parsed() throws(TrajpackError) -> LoaderOptions {
    func list(_ items: [String]) -> JSONValue { .array(items.map { .string($0) }) }
    func number(_ value: Int) -> JSONValue { .int(Int64(value)) }
    var json = JSONValue.record([
      "channels": channels.map(list), "length": number(length), "past": number(past),
      "stride": number(stride), "batch": number(batchSize), "shuffle": .bool(shuffle),
      "seed": number(seed), "drop_last": .bool(dropLast),
      "split": split.map { .string($0) }, "episodes": episodes.map(list),
      "normalize": normalize ? .bool(true) : nil, "rank": number(rank),
      "world": number(worldSize), "threads": number(threads),
    ])
    let others: JSONValue
    do throws(TrajpackError) {
      others = try JSONValue(parsing: more)
    } catch {
      throw TrajpackError(.usage, "'more' is no JSON: \(error.message)")
    }
    guard let members = others.members else {
      throw TrajpackError(.usage, "'more' must be an object, like {\"align\": \"linear\"}")
    }
    for member in members {
      if member.name == "duration" { json.set("length", nil) }
      json.set(member.name, member.value)
    }
    return try LoaderOptions(json: json.text())
  }
}
