import TrajpackFormat

/// What a dataset holds, gathered from the indexes of its shards; no chunk is read.
public struct DatasetSummary: Sendable {
  /// A channel over all shards.
  public struct ChannelSummary: Sendable {
    /// The channel, as the last shard that has it says.
    public var channel: Channel
    /// The types it is stored as.
    public var stored: Set<ElementType> = []
    /// Bytes before compression.
    public var rawBytes = 0
    /// Bytes in the file. Where narrow channels share a block, the block's bytes are shared out by their
    /// width.
    public var storedBytes = 0
    /// Whether it shares its block with others.
    public var isShared = false
  }

  /// A stream over all shards.
  public struct StreamSummary: Sendable {
    /// The stream, as the last shard that has it says.
    public var stream: TrajpackFormat.Stream
    /// Rows of all tracks.
    public var rows = 0
    /// Tracks.
    public var tracks = 0
    /// Different entities: kind and index.
    public var entityKinds: [String: Int] = [:]
    /// The rates of regular clocks.
    public var rates: Set<Rational> = []
    /// Whether some track has explicit times.
    public var hasExplicitTimes = false
    /// Channels in the order of the first shard.
    public var channels: [ChannelSummary] = []
    /// Where each channel is among them, by name.
    fileprivate var places: [String: Int] = [:]
    /// Bytes of the stream's blob, in the file.
    public var blobBytes = 0
    /// Bytes in the file.
    public var storedBytes: Int { channels.reduce(blobBytes) { $0 + $1.storedBytes } }
    /// Rows of a chunk.
    public var chunkRows: Set<Int> = []
    /// The codecs of its blocks.
    public var codecs: Set<String> = []
  }

  /// Streams in the order of the first shard.
  public private(set) var streams: [StreamSummary] = []
  /// Episodes.
  public private(set) var episodes = 0
  /// Episodes of each split.
  public private(set) var splits: [String: Int] = [:]
  /// Bytes of all shards.
  public private(set) var bytes = 0
  /// The joint graphs.
  public private(set) var skeletons: [Skeleton] = []
  /// The statistics of all channels.
  public private(set) var statistics = DatasetStatistics()
  /// For each unit of time: the sum over episodes of the longest duration of a track with a regular clock
  /// that counts in this unit. A dataset whose streams count in different units has several.
  public private(set) var durations: [String: Double] = [:]
  /// The sum over episodes of the rows of the track with the most rows.
  public private(set) var frames = 0

  /// Gathers.
  public init(_ dataset: Dataset) throws(TrajpackError) {
    for number in dataset.shardPaths.indices { try add(try dataset.shard(number)) }
  }

  private mutating func add(_ shard: Shard) throws(TrajpackError) {
    let index = shard.index
    bytes += shard.file.length
    try statistics.add(shard)
    for skeleton in shard.schema.skeletons
    where !skeletons.contains(where: { $0.name == skeleton.name }) {
      skeletons.append(skeleton)
    }
    let blockBytes = shard.schema.blocks.map { block in
      (0..<block.chunks).reduce(0) { $0 + index.chunk($1, of: block).stored }
    }
    var numbers: [Int] = []
    for (number, stream) in shard.schema.streams.enumerated() {
      let at = streams.firstIndex { $0.stream.name == stream.name } ?? streams.count
      if at == streams.count { streams.append(StreamSummary(stream: stream)) }
      numbers.append(at)
      streams[at].stream = stream
      streams[at].blobBytes += stream.blob.map { blockBytes[$0] } ?? 0
      for channel in stream.channels { add(channel, to: at, shard.schema, blockBytes) }
      for block in shard.schema.blocks where block.stream == number {
        streams[at].codecs.insert(block.codec.name)
        if stream.blob.map({ shard.schema.blocks[$0].path }) != block.path {
          streams[at].chunkRows.insert(block.chunkRows)
        }
      }
    }
    for number in 0..<index.episodeCount {
      let episode = index.episode(number)
      episodes += 1
      splits[episode.split, default: 0] += 1
      var most = 0
      var longest: [String: Double] = [:]
      for trackNumber in episode.tracks {
        let track = index.track(trackNumber)
        let at = numbers[track.stream]
        streams[at].rows += track.rows.count
        streams[at].tracks += 1
        if let entity = track.entity {
          streams[at].entityKinds[entity.kind] = max(
            streams[at].entityKinds[entity.kind] ?? 0, entity.index + 1)
        }
        most = max(most, track.rows.count)
        if let rate = track.clock.rate {
          streams[at].rates.insert(rate)
          let unit = streams[at].stream.timeUnit
          longest[unit] = max(longest[unit] ?? 0, Double(track.rows.count) / rate.value)
        } else {
          streams[at].hasExplicitTimes = true
        }
      }
      frames += most
      durations.merge(longest, uniquingKeysWith: +)
    }
  }

  private mutating func add(
    _ channel: Channel, to stream: Int, _ schema: Schema, _ blockBytes: [Int]
  ) {
    let block = schema.blocks[channel.storage.block]
    let width = channel.storedElements
    let at = streams[stream].places[channel.name] ?? streams[stream].channels.count
    if at == streams[stream].channels.count {
      streams[stream].channels.append(ChannelSummary(channel: channel))
      streams[stream].places[channel.name] = at
    }
    streams[stream].channels[at].channel = channel
    streams[stream].channels[at].stored.insert(block.type)
    streams[stream].channels[at].rawBytes += block.rows * width * block.type.size
    let share = blockBytes[channel.storage.block].multipliedFullWidth(by: width)
    streams[stream].channels[at].storedBytes +=
      max(block.elements, width).dividingFullWidth(share).quotient
    if width < block.elements { streams[stream].channels[at].isShared = true }
  }
}
