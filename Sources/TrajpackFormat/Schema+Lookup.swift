extension Schema {
  /// The position of the stream of that name.
  public func stream(named name: String) -> Int? { streams.firstIndex { $0.name == name } }

  /// The joint graph of that name.
  public func skeleton(named name: String) -> Skeleton? { skeletons.first { $0.name == name } }

  /// Every stream and channel name as `stream/channel`.
  public var channelPaths: [String] {
    streams.flatMap { stream in stream.channels.map { "\(stream.name)/\($0.name)" } }
  }
}

extension Stream {
  /// The attribute of streams of which some track has its frames as samples in chunks instead of packets.
  public static let chunkedFramesName = "chunked_frames"

  /// Whether a reader has to know how frames are stored as samples.
  public var hasChunkedFrames: Bool { attributes[Self.chunkedFramesName] == .bool(true) }
}

extension Schema {
  /// The most a chunk may hold before compression. A header that claims more is refused before
  /// anything is allocated.
  public static let maximumChunkBytes = 64 << 20
  /// The most dimensions of a row.
  public static let maximumRank = 8

  /// Checks every rule that a reader relies on, so that it can index without looking again.
  ///
  /// - Parameter chunks: Rows of the chunk table.
  /// - Throws: A data error naming the stream, channel or block that breaks a rule.
  public func validate(chunks: Int) throws(TrajpackError) {
    func refuse(_ what: String) -> TrajpackError {
      TrajpackError(.data, "the schema is damaged: \(what); convert the source again")
    }
    var expected = 0
    for block in blocks {
      let name = "block '\(block.path)'"
      guard streams.indices.contains(block.stream) else { throw refuse("\(name) has no stream") }
      guard block.type != .bytes else { throw refuse("\(name) has no fixed element size") }
      guard let row = Self.product(block.shape, times: block.type.size) else {
        throw refuse("\(name) has an impossible row shape \(block.shape)")
      }
      guard block.chunkRows >= 1, row <= Self.maximumChunkBytes,
        block.chunkRows <= Self.maximumChunkBytes / row
      else { throw refuse("\(name) has chunks over \(Self.maximumChunkBytes) bytes") }
      guard [0, 1, block.type.size, row].contains(block.shuffle) else {
        throw refuse("\(name) has shuffle \(block.shuffle)")
      }
      guard block.rows >= 0, block.rows <= 1 << 48, block.firstChunk == expected else {
        throw refuse("\(name) has rows or chunks out of place")
      }
      let (next, overflow) = expected.addingReportingOverflow(block.chunks)
      guard !overflow, next <= chunks else {
        throw refuse("\(name) has more chunks than the table")
      }
      expected = next
    }
    guard expected == chunks else {
      throw refuse("the chunk table has \(chunks) rows, not \(expected)")
    }
    var names: Set<String> = []
    for (number, stream) in streams.enumerated() {
      guard !stream.name.isEmpty, names.insert(stream.name).inserted else {
        throw refuse("stream name '\(stream.name)' is empty or comes twice")
      }
      if let skeleton = stream.skeleton, self.skeleton(named: skeleton) == nil {
        throw refuse("stream '\(stream.name)' names the unknown skeleton '\(skeleton)'")
      }
      if let blob = stream.blob {
        guard blocks.indices.contains(blob), blocks[blob].stream == number,
          blocks[blob].type == .uint8, blocks[blob].shape.isEmpty
        else { throw refuse("stream '\(stream.name)' has no blob of bytes") }
      }
      var channels: Set<String> = []
      for channel in stream.channels {
        guard !channel.name.isEmpty, channels.insert(channel.name).inserted else {
          throw refuse("channel name '\(channel.name)' of '\(stream.name)' is empty or comes twice")
        }
        if let fault = fault(of: channel, stream: number) {
          throw refuse("channel '\(stream.name)/\(channel.name)' \(fault)")
        }
      }
    }
  }

  private func fault(of channel: Channel, stream: Int) -> String? {
    let storage = channel.storage
    guard let elements = Self.product(channel.shape, times: 1) else {
      return "has an impossible shape"
    }
    guard blocks.indices.contains(storage.block), blocks[storage.block].stream == stream else {
      return "lies in no block of its stream"
    }
    guard streams[stream].blob != storage.block else { return "lies in the blob" }
    let block = blocks[storage.block]
    let width = channel.type == .bytes ? 2 : elements
    guard storage.column >= 0, width <= block.elements, storage.column <= block.elements - width
    else {
      return "lies outside its block"
    }
    if channel.type == .bytes {
      guard streams[stream].blob != nil, block.type == .int64, channel.shape.isEmpty else {
        return "has no blob of bytes"
      }
      guard storage.decimals == nil, channel.categories == nil else {
        return "is bytes with a code"
      }
      return nil
    }
    if let decimals = storage.decimals {
      guard (0...DecimalCode.maximumDecimals).contains(decimals), channel.type == .float64,
        block.type == .int32 || block.type == .int64
      else { return "has a decimal code that does not fit its types" }
    } else {
      guard block.type.widened(with: channel.type) == channel.type else {
        return "is \(channel.type.rawValue) but is stored as \(block.type.rawValue)"
      }
    }
    if channel.missing == .sentinel, block.type != .int32, block.type != .int64 {
      return "marks missing values by a sentinel in \(block.type.rawValue)"
    }
    return nil
  }

  /// The product of the dimensions, `nil` where it is not at least 1 or exceeds the chunk limit.
  private static func product(_ shape: [Int], times size: Int) -> Int? {
    guard shape.count <= maximumRank, size > 0 else { return nil }
    var total = size
    for dimension in shape {
      guard dimension >= 1, dimension <= maximumChunkBytes / total else { return nil }
      total *= dimension
    }
    return total
  }
}
