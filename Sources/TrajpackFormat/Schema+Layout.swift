/// A channel that has no place yet: what it is, and the type it is to be stored as.
public struct ChannelPlan: Sendable, Equatable {
  /// The channel. The layout fills in `storage`; only `decimals` is read here.
  public var channel: Channel
  /// The type of the stored elements; not used for ``ElementType/bytes``.
  public var stored: ElementType

  /// A channel and its stored type, the channel's own where it is not said.
  public init(_ channel: Channel, stored: ElementType? = nil) {
    self.channel = channel
    self.stored = stored ?? channel.type
  }
}

/// A stream whose channels have no place yet.
public struct StreamPlan: Sendable, Equatable {
  /// The stream; its channels are those of the plan.
  public var stream: Stream
  /// The channels.
  public var channels: [ChannelPlan]
  /// The bytes that the stream's ``ElementType/bytes`` channels are expected to hold in the shard.
  public var blobBytes: Int
  /// Whether those bytes are worth compressing; video is not.
  public var blobIsText: Bool

  /// A stream and its channels.
  public init(
    _ stream: Stream, channels: [ChannelPlan], blobBytes: Int = 0, blobIsText: Bool = true
  ) {
    self.stream = stream
    self.channels = channels
    self.blobBytes = blobBytes
    self.blobIsText = blobIsText
  }
}

/// How rows are cut and compressed.
public struct LayoutOptions: Sendable, Equatable {
  /// The codec of the chunks.
  public var codec: Codec
  /// Its level; the codec's own default where `nil`.
  public var level: Int?
  /// Rows of a chunk; chosen by the size of a row where `nil`.
  public var chunkRows: Int?

  /// Options.
  public init(codec: Codec = .lz4, level: Int? = nil, chunkRows: Int? = nil) {
    self.codec = codec
    self.level = level
    self.chunkRows = chunkRows
  }
}

extension Schema {
  /// Gives every channel a place.
  ///
  /// Narrow channels of one stored type share a block, because a chunk of 32 rows of one scalar would be
  /// all overhead; a channel of 128 bytes a row or more, or of two dimensions or more, has its own.
  /// All blocks of a stream have chunks of the same rows, so that block `k` of each lies together.
  public init(
    layingOut plans: [StreamPlan], skeletons: [Skeleton] = [], attributes: JSONValue = .object([]),
    options: LayoutOptions
  ) {
    self.init(skeletons: skeletons, attributes: attributes)
    let folders = plans.map { "/streams/" + $0.stream.name }
    for (number, plan) in plans.enumerated() {
      var stream = plan.stream
      let bytes = plan.channels.reduce(0) { sum, c in
        sum + (c.channel.type == .bytes ? 16 : c.channel.elements * c.stored.size)
      }
      // The same rows for all blocks of a stream, however wide one is: a writer fills them together.
      let chunkRows = min(
        options.chunkRows ?? Self.chunkRows(rowBytes: bytes),
        max(Self.maximumChunkBytes / max(bytes, 1), 1))
      let folder = "/streams/" + stream.name
      func add(_ wanted: String, _ type: ElementType, _ shape: [Int]) -> Int {
        var path = wanted
        // No dataset lies where the folder of another stream is.
        while blocks.contains(where: { $0.path == path })
          || folders.contains(where: { $0 == path || $0.hasPrefix(path + "/") })
        {
          path += "_"
        }
        let row = shape.reduce(type.size, *)
        let shuffle =
          options.codec == .none ? 0 : (chunkRows >= 16 && row <= 4096 ? row : type.size)
        blocks.append(
          Block(
            path: path, stream: number, type: type, shape: shape,
            chunkRows: chunkRows, codec: options.codec, shuffle: shuffle > 1 ? shuffle : 0))
        return blocks.count - 1
      }
      stream.channels = plan.channels.map(\.channel)
      // Narrow channels, a block a type, in the order in which the types come.
      var widths: [(type: ElementType, width: Int)] = []
      func isNarrow(_ plan: ChannelPlan) -> Bool {
        plan.channel.type == .bytes
          || (plan.channel.elements * plan.stored.size < 128 && plan.channel.shape.count < 2)
      }
      var places: [(type: ElementType, column: Int)?] = []
      for plan in plan.channels {
        guard isNarrow(plan) else {
          places.append(nil)
          continue
        }
        let type = plan.channel.type == .bytes ? .int64 : plan.stored
        let width = plan.channel.storedElements
        if let i = widths.firstIndex(where: { $0.type == type }) {
          places.append((type, widths[i].width))
          widths[i].width += width
        } else {
          places.append((type, 0))
          widths.append((type, width))
        }
      }
      var shared: [ElementType: Int] = [:]
      for (type, width) in widths {
        shared[type] = add("\(folder)/columns_\(type.code)", type, width == 1 ? [] : [width])
      }
      for (i, plan) in plan.channels.enumerated() {
        if let place = places[i] {
          stream.channels[i].storage.block = shared[place.type] ?? 0
          stream.channels[i].storage.column = place.column
        } else {
          stream.channels[i].storage.block = add(
            "\(folder)/\(Self.pathPart(plan.channel.name))", plan.stored, plan.channel.shape)
          stream.channels[i].storage.column = 0
        }
      }
      if plan.channels.contains(where: { $0.channel.type == .bytes }) {
        stream.blob = blocks.count
        blocks.append(
          Block(
            path: folder + "/bytes", stream: number, type: .uint8, shape: [],
            chunkRows: Self.blobChunk(bytes: plan.blobBytes),
            codec: !plan.blobIsText ? .none : options.codec == .lz4 ? .zstd : options.codec,
            shuffle: 0))
      }
      streams.append(stream)
    }
  }

  /// Rows of a chunk for rows of that size: chunks of about 16 KiB, because a random window decodes
  /// `chunk + window − 1` rows, but at least 32 rows, because shorter runs compress badly, unless those
  /// pass 256 KiB.
  static func chunkRows(rowBytes: Int) -> Int {
    let row = max(rowBytes, 1)
    var rows = 32
    while rows < 4096, rows * 2 * row <= 16 << 10 { rows *= 2 }
    while rows > 1, rows * row > 256 << 10 { rows /= 2 }
    return rows
  }

  private static func blobChunk(bytes: Int) -> Int {
    var size = 4 << 10
    while size < 1 << 20, size * 64 < bytes { size *= 2 }
    return size
  }

  /// A channel name as one part of an HDF5 path.
  static func pathPart(_ name: String) -> String {
    name.replacing("%", with: "%25").replacing("/", with: "%2F").replacing("\0", with: "%00")
  }
}
