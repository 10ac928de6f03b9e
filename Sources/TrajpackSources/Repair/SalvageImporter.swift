import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// What can be read of a damaged dataset, as a source of a new one: what `trajpack repair DAMAGED DST` and
/// `trajpack validate --fix DST` convert from. The damaged files are not touched.
public struct SalvageImporter: Importer {
  /// What a dataset that was repaired says of its source.
  public static let format = FormatDescription(
    name: "repair", summary: "what could be read of a damaged dataset",
    carries: "rows that are whole, with their numbers and times", reads: false, writes: false)

  /// What is done about damage.
  public enum Mode: String, Sendable {
    /// Of each episode the longest run of rows that is whole in all streams.
    case cut
    /// All rows, and what cannot be read is not observed.
    case mask
    /// Nothing may be damaged: statistics and index are made anew, and signs of quaternions continuous.
    case fix
  }

  /// What became of an episode.
  public struct Fate: Sendable {
    /// Its id.
    public var id: String
    /// The file that has it.
    public var shard: String
    /// Rows that are kept, over all tracks.
    public var kept: Int
    /// Rows that there are.
    public var rows: Int
    /// Values that are not observed now.
    public var masked = 0
    /// What is not kept, a sentence each.
    public var losses: [String] = []

    /// Whether all of it is as it was.
    public var isWhole: Bool { losses.isEmpty && masked == 0 && kept == rows }
  }

  /// An episode that is written.
  struct Item: Sendable {
    var shard: Int
    var episode: Int
    /// For each track of the episode the rows that are kept, and for whole videos the frames that are meant.
    var rows: [[Range<Int>]]
    var layout: Int
    var isWhole: Bool
  }

  let shards: [Shard]
  let damages: [ShardDamage]
  let mode: Mode
  let items: [Item]
  let schemas: [Schema]
  let values: CarriedValues
  /// The channels that can have values that were not observed now: `stream/channel`.
  let masked: Set<String>
  /// What became of each episode, in order; episodes of which nothing is left, too.
  public let fates: [Fate]
  /// Shards that cannot be opened, and other files that could not be used: a sentence each.
  public let losses: [(name: String, what: String)]
  /// The recordings: episodes of which something is left.
  public let recordings: [Recording]
  /// What identifies the repair.
  public let options: JSONValue
  private let numbers: [String: Int]
  /// Masked channels that have the smallest number of their stored type among their values.
  private let lowest: Set<String>
  /// Masked channels that have another type in the new dataset, so that they can say that a value was not observed.
  public let retyped: [(channel: String, from: ElementType, to: ElementType)]
  let dataset: Dataset?

  /// Looks at every byte of a dataset, of a folder of shards without a list, or of a single shard.
  ///
  /// - Throws: A usage error where there is no shard; a data error where nothing can be read, and for ``Mode/fix`` where
  ///   something is damaged, with the remedy.
  public init(
    _ path: String, mode: Mode, pool: WorkerPool, version: String
  ) throws(TrajpackError) {
    self.mode = mode
    var losses: [(name: String, what: String)] = []
    let (paths, dataset) = try Self.shards(of: path, &losses)
    var shards: [Shard] = []
    var damages: [ShardDamage] = []
    for file in paths {
      do throws(TrajpackError) {
        let shard = try Shard(file)
        damages.append(try ShardDamage(shard, pool: pool))
        shards.append(shard)
      } catch {
        guard error.fault != .machine else { throw error }
        losses.append((FileSystem.name(of: file), error.message))
      }
    }
    if mode == .fix {
      if let loss = losses.first { throw Self.damaged(path, loss.what) }
      if let what = damages.flatMap(\.sentences).first { throw Self.damaged(path, what) }
    }
    do throws(TrajpackError) { values = try CarriedValues(dataset) } catch {
      guard error.fault == .data, mode != .fix else { throw error }
      values = try CarriedValues(nil)
      losses.append(("values", error.message))
    }
    self.shards = shards
    self.damages = damages
    self.dataset = dataset
    var survey = SalvageSurvey(shards, damages, mode)
    try survey.run()
    (items, fates, masked, schemas) = (survey.items, survey.fates, survey.masked, survey.schemas)
    self.losses = losses
    guard !items.isEmpty else {
      throw TrajpackError(
        .data, file: path,
        "nothing of it can be read"
          + (losses.first.map { " (\($0.name): \($0.what))" } ?? "") + "; restore it from a copy")
    }
    lowest = try Self.lowest(of: masked, items, shards, damages)
    retyped = try Self.retyped(schemas, masked, lowest)
    let found = items
    recordings = found.map { item in
      let shard = shards[item.shard]
      return Recording(
        id: shard.index.id(ofEpisode: item.episode), path: path,
        bytes: shard.index.tracks(ofEpisode: item.episode).reduce(0) {
          $0 + shard.index.numbers(ofTrack: $1).count * 64
        },
        fingerprint: "\(shard.name) \(item.episode) \(item.rows)")
    }
    numbers = Dictionary(
      recordings.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    options = .record([
      "mode": .string(mode.rawValue), "source": dataset?.manifest?.source,
      "source_digest": dataset?.manifest.map { .string($0.digest) },
      "trajpack": .string(version), "values": values.digest.map { .string($0) },
    ])
  }

  /// The split schemes, clips, vocabularies and statistics of the dataset, as far as they hold of what is kept; `nil` where
  /// its list cannot be read.
  public func carriedSideFiles() -> CarriedSideFiles? {
    let isWhole =
      fates.allSatisfy { $0.kept == $0.rows && $0.losses.isEmpty }
      && losses.allSatisfy { $0.name == "values" }
    return dataset.map {
      CarriedSideFiles(
        saving: $0, isWhole: isWhole,
        isEqual: isWhole && mode != .fix && fates.allSatisfy { $0.masked == 0 })
    }
  }

  /// See ``lowest``: one more look at channels of int32 and int64 of which some values cannot be read.
  private static func lowest(
    of masked: Set<String>, _ items: [Item], _ shards: [Shard], _ damages: [ShardDamage]
  ) throws(TrajpackError) -> Set<String> {
    var found: Set<String> = []
    guard !masked.isEmpty else { return found }
    for item in items {
      let shard = shards[item.shard]
      let reader = BlockReader(shard)
      for (number, kept) in zip(shard.index.tracks(ofEpisode: item.episode), item.rows) {
        let track = TrackReader(shard, track: number, reader: reader)
        for (c, channel) in track.stream.channels.enumerated() {
          let name = "\(track.stream.name)/\(channel.name)"
          let stored = shard.schema.blocks[channel.storage.block].type
          guard stored == .int32 || stored == .int64, channel.type != .bytes,
            channel.missing == .never, masked.contains(name), !found.contains(name)
          else { continue }
          let mark = [UInt8](repeating: 0, count: stored.size - 1) + [0x80]
          let salvaged = try SalvagedTrack(track, damages[item.shard])
          for range in kept {
            for part in salvaged.damaged[c].parts(of: range) where !part.isInside {
              let bytes = try track.read(channel: c, rows: part.rows).bytes
              for at in stride(from: 0, to: bytes.count, by: stored.size)
              where bytes[at..<at + stored.size].elementsEqual(mark) {
                found.insert(name)
                break
              }
            }
          }
        }
      }
    }
    return found
  }

  private static func retyped(
    _ schemas: [Schema], _ masked: Set<String>, _ lowest: Set<String>
  ) throws(TrajpackError) -> [(channel: String, from: ElementType, to: ElementType)] {
    var found: [(channel: String, from: ElementType, to: ElementType)] = []
    for schema in schemas {
      for stream in schema.streams {
        for channel in stream.channels where channel.missing == .never {
          let name = "\(stream.name)/\(channel.name)"
          guard masked.contains(name), !found.contains(where: { $0.channel == name }) else {
            continue
          }
          let stored = schema.blocks[channel.storage.block].type
          let type = try MissingMark(channel, stored, stream.name, lowest: lowest).type
          if type != channel.type { found.append((name, channel.type, type)) }
        }
      }
    }
    return found
  }

  private static func damaged(_ path: String, _ what: String) -> TrajpackError {
    TrajpackError(
      .data, "\(what); 'trajpack repair \(path) DST' keeps what can be read, and then fix that")
  }

  /// The shards of a dataset, also those that its list does not name, and the dataset, if its list can be read.
  private static func shards(
    of path: String, _ losses: inout [(name: String, what: String)]
  ) throws(TrajpackError) -> (paths: [String], dataset: Dataset?) {
    guard FileSystem.item(at: path) == .folder else { return ([path], try Dataset(path)) }
    let names = try FileSystem.names(in: path)
    let found = names.filter { Manifest.isShard($0) }
    var dataset: Dataset?
    do throws(TrajpackError) { dataset = try Dataset(path, allowingOrphans: true) } catch {
      guard error.fault != .machine else { throw error }
      // Without a list, and with a damaged one, shards speak for themselves.
      if names.contains(Manifest.fileName) || names.contains(Journal.fileName) {
        losses.append(("manifest or journal", error.message))
      }
    }
    guard !found.isEmpty || dataset != nil else {
      throw TrajpackError(.usage, file: path, "has no shards, so there is nothing to repair")
    }
    var paths = dataset?.shardPaths ?? []
    for missing in paths where FileSystem.item(at: missing) == nil {
      losses.append((FileSystem.name(of: missing), "is listed and not there"))
    }
    paths.removeAll { FileSystem.item(at: $0) == nil }
    let listed = Set(paths.map { FileSystem.name(of: $0) })
    let others = found.filter { !listed.contains($0) }.sorted {
      (Manifest.number(ofShard: $0) ?? .max, $0) < (Manifest.number(ofShard: $1) ?? .max, $1)
    }
    return (paths + others.map { "\(path)/\($0)" }, dataset)
  }

  /// Where the layout changes; see ``Importer``.
  public func beginsShard(_ number: Int) -> Bool {
    number > 0 && items[number].layout != items[number - 1].layout
  }

  /// Which of the episodes a recording is.
  public struct ItemNumber: Sendable {
    let value: Int
  }

  /// All has been looked at before; see ``Importer``.
  public func examine(_ recording: Recording) -> ItemNumber? {
    numbers[recording.id].map { ItemNumber(value: $0) }
  }

  /// The streams of the source's layout; see ``Importer``.
  public func schema(
    for examined: [(Recording, ItemNumber)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    guard let first = examined.first?.1.value else { return Schema() }
    let old = schemas[items[first].layout]
    return try Self.schema(
      old, layout, attributes: values.attributes(old.attributes), masked: masked, lowest: lowest)
  }

  /// The layout of the new shards: channels with values that cannot be read have a mark for them.
  private static func schema(
    _ old: Schema, _ layout: LayoutOptions, attributes: JSONValue, masked: Set<String>,
    lowest: Set<String>
  ) throws(TrajpackError) -> Schema {
    var plans: [StreamPlan] = []
    for stream in old.streams {
      var new = stream
      new.blob = nil
      var channels: [ChannelPlan] = []
      for channel in stream.channels {
        var changed = channel
        var stored = old.blocks[channel.storage.block].type
        if masked.contains("\(stream.name)/\(channel.name)"), channel.missing == .never {
          let mark = try MissingMark(channel, stored, stream.name, lowest: lowest)
          (changed.missing, changed.type, stored) = (mark.missing, mark.type, mark.stored)
        }
        channels.append(ChannelPlan(changed, stored: stored))
      }
      new.channels = channels.map(\.channel)
      plans.append(
        StreamPlan(
          new, channels: channels, blobBytes: stream.blob.map { old.blocks[$0].rows } ?? 0,
          blobIsText: stream.blob.map { old.blocks[$0].codec != .none } ?? true))
    }
    return Schema(
      layingOut: plans, skeletons: old.skeletons, attributes: attributes, options: layout)
  }
}

/// How a channel is stored so that it can say that a value was not observed: floats have NaN, of whole numbers it is the
/// smallest of int32 or int64, which none of the channel's own values may be.
private struct MissingMark {
  var missing: Channel.Missing
  var type: ElementType
  var stored: ElementType

  /// - Parameter lowest: The channels that have the smallest number of their stored type among their values.
  init(
    _ channel: Channel, _ old: ElementType, _ stream: String, lowest: Set<String>
  ) throws(TrajpackError) {
    guard !old.isFloat, channel.storage.decimals == nil, channel.type != .bytes else {
      (missing, type, stored) = (channel.type.isFloat ? .nan : .sentinel, channel.type, old)
      return
    }
    let name = "\(stream)/\(channel.name)"
    let hasLowest = lowest.contains(name)
    let wide: ElementType =
      old == .uint32 || old == .int64 || old == .int32 && hasLowest ? .int64 : .int32
    guard old != .uint64, !(old == .int64 && hasLowest), let type = channel.type.widened(with: wide)
    else {
      let why =
        old == .int64 && hasLowest
        ? "it has the smallest number of int64 as a value" : "\(old.rawValue)"
      throw TrajpackError(
        .usage,
        "\(name): has no mark for a value that was not observed (\(why)); repair without --mask")
    }
    (missing, self.type, stored) = (.sentinel, type, wide)
  }
}
