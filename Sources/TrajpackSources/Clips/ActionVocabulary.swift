import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// The actions of a dataset, numbered: a tuple, how many rows have it, and its name.
public struct ActionVocabulary: Sendable {
  /// What its documents say of themselves: `schemas/vocabulary.schema.json`.
  public static let format = "trajpack.vocabulary/1"

  /// One action.
  public struct Entry: Sendable {
    /// The numbers, one a channel.
    public var action: [Int64]
    /// Rows that have it.
    public var rows: Int
    /// Episodes in which it occurs.
    public var episodes: Int
    /// Runs of rows in which it lasts.
    public var runs: Int
    /// What it is called; `nil` where no table says so.
    public var name: String?
  }

  /// The channels that make up an action.
  public let channels: [String]
  /// The actions, in ascending order of their numbers; the place of an entry is the action's id.
  public private(set) var entries: [Entry] = []
  /// Rows without an action, because a number of it was not observed.
  public private(set) var missing = 0
  /// Episodes that were counted.
  public private(set) var episodes = 0
  /// The digest of the dataset's shards.
  public let dataDigest: String

  /// Counts the actions of a dataset.
  ///
  /// - Parameters:
  ///   - entity: Only those of entities of that index; of all where `nil`.
  ///   - isInterrupted: Asked between episodes; what is left then is not counted.
  public init(
    _ data: OpenDataset, _ reader: ActionReader, entity: Int?, names: ActionNames?,
    keeps: (_ shard: Int, _ episode: Int) throws(TrajpackError) -> Bool,
    isInterrupted: () -> Bool = { false }
  ) throws(TrajpackError) {
    channels = reader.channels
    dataDigest = data.digest
    if let names { try names.check(channels) }
    var tallies: [[Int64]: (rows: Int, episodes: Int, runs: Int, last: Int)] = [:]
    for (place, shard) in data.shards.enumerated() {
      let blocks = BlockReader(shard)
      for number in 0..<shard.index.episodeCount {
        guard !isInterrupted() else { return }
        guard try keeps(place, number) else { continue }
        episodes += 1
        for track in try reader.tracks(shard, episode: number, entity: entity, blocks) {
          var before: [Int64]?
          for action in track.rows {
            defer { before = action }
            guard let action else {
              missing += 1
              continue
            }
            var tally = tallies[action] ?? (0, 0, 0, 0)
            tally.rows += 1
            if tally.last != episodes {
              (tally.episodes, tally.last) = (tally.episodes + 1, episodes)
            }
            if action != before { tally.runs += 1 }
            tallies[action] = tally
          }
        }
      }
    }
    entries = tallies.keys.sorted { $0.lexicographicallyPrecedes($1) }.map { action in
      let tally = tallies[action] ?? (0, 0, 0, 0)
      return Entry(
        action: action, rows: tally.rows, episodes: tally.episodes, runs: tally.runs,
        name: names?.name(action))
    }
  }

  /// Rows that have an action.
  public var rows: Int { entries.reduce(0) { $0 + $1.rows } }

  /// The document of `schemas/vocabulary.schema.json`.
  public var json: JSONValue {
    .record([
      "format": .string(Self.format), "channels": .array(channels.map { .string($0) }),
      "entries": .array(
        entries.enumerated().map { id, entry in
          .record([
            "id": .int(Int64(id)), "action": .array(entry.action.map { .int($0) }),
            "rows": .int(Int64(entry.rows)), "episodes": .int(Int64(entry.episodes)),
            "runs": .int(Int64(entry.runs)), "name": entry.name.map { .string($0) },
          ])
        }),
      "missing_rows": .int(Int64(missing)), "data_digest": .string(dataDigest),
    ])
  }

  /// How an action is written where it has no name: `3/1/12`.
  public static func text(_ action: [Int64]) -> String {
    action.map(String.init).joined(separator: "/")
  }
}
