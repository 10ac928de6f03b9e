import TrajpackFormat

/// Reads the rows of a track, channel by channel. One thread at a time.
public struct TrackReader {
  /// The shard.
  public let shard: Shard
  /// The track.
  public let track: ShardIndex.Track
  /// The track's stream.
  public let stream: TrajpackFormat.Stream
  /// The track's number in the shard.
  package let number: Int
  private let reader: BlockReader

  /// A reader of track `number` of a shard; `reader` is shared between tracks that are read in turn.
  public init(_ shard: Shard, track number: Int, reader: BlockReader) {
    self.shard = shard
    self.reader = reader
    self.number = number
    track = shard.index.track(number)
    stream = shard.schema.streams[track.stream]
  }

  /// The most bytes that a row of a bytes channel may have.
  public static let maximumBytes = 1 << 28

  /// Rows in the track.
  public var count: Int { track.rows.count }

  /// Rows `rows` of a channel, counted from the track's first.
  public func read(channel number: Int, rows: Range<Int>) throws(TrajpackError) -> ChannelValues {
    var bytes = [UInt8](repeating: 0, count: rows.count * rowBytes(ofChannel: number))
    try read(channel: number, rows: rows, into: &bytes, at: 0)
    return values(ofChannel: number, count: rows.count, bytes)
  }

  /// Rows `rows` of several channels. They are read run by run, all channels of a run, so that a chunk is inflated
  /// once for all channels that lie in it, however long the track is.
  public func read(
    channels numbers: [Int], rows: Range<Int>
  ) throws(TrajpackError) -> [ChannelValues] {
    let widths = numbers.map { rowBytes(ofChannel: $0) }
    var bytes = widths.map { [UInt8](repeating: 0, count: rows.count * $0) }
    let size = runLength
    var first = rows.lowerBound
    while first < rows.upperBound {
      let run = first..<min(first + size, rows.upperBound)
      for (i, number) in numbers.enumerated() {
        try read(
          channel: number, rows: run, into: &bytes[i], at: (first - rows.lowerBound) * widths[i])
      }
      first = run.upperBound
    }
    return numbers.indices.map { i in
      values(ofChannel: numbers[i], count: rows.count, bytes[i])
    }
  }

  /// Stored bytes of a row of a channel.
  private func rowBytes(ofChannel number: Int) -> Int {
    let channel = stream.channels[number]
    let size = shard.schema.blocks[channel.storage.block].type.size
    return channel.storedElements * size
  }

  private func values(ofChannel number: Int, count: Int, _ bytes: [UInt8]) -> ChannelValues {
    let channel = stream.channels[number]
    return ChannelValues(
      channel: channel, stored: shard.schema.blocks[channel.storage.block].type, count: count,
      bytes: bytes)
  }

  private func read(
    channel number: Int, rows: Range<Int>, into bytes: inout [UInt8], at offset: Int
  ) throws(TrajpackError) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= count)
    let storage = stream.channels[number].storage
    let width = rowBytes(ofChannel: number)
    let first = storage.column * shard.schema.blocks[storage.block].type.size
    let base = track.rows.lowerBound
    let failure = bytes.withUnsafeMutableBytes { buffer -> TrajpackError? in
      guard let out = buffer.baseAddress, !rows.isEmpty else { return nil }
      do throws(TrajpackError) {
        try reader.read(
          block: storage.block, rows: base + rows.lowerBound..<base + rows.upperBound,
          columns: first..<first + width, into: out + offset, stride: width)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
  }

  /// The bytes of row `row` of a bytes channel, whose rows are `values`; `nil` where there are none.
  ///
  /// - Throws: A usage error where the bytes lie in a linked file, a data error where the row points outside the
  ///   track's bytes.
  public func bytes(_ values: ChannelValues, _ row: Int) throws(TrajpackError) -> [UInt8]? {
    guard case .int(let offset) = values.value(row, 0), case .int(let size) = values.value(row, 1),
      offset >= 0
    else { return nil }
    guard size >= 0, offset <= track.blob.count, size <= Int64(track.blob.count) - offset else {
      if isLinked {
        throw TrajpackError(
          .usage, file: shard.name,
          "stream '\(stream.name)', channel '\(values.channel.name)': the video is linked, so "
            + "its packets lie in its own file and not in the archive; read that file, or convert again "
            + "and leave --video at embed")
      }
      throw TrajpackError(
        .data, file: shard.name,
        "stream '\(stream.name)', channel '\(values.channel.name)', row "
          + "\(track.rows.lowerBound + row): points outside the track's bytes")
    }
    guard size <= Self.maximumBytes else {
      throw TrajpackError(
        .data, file: shard.name,
        "stream '\(stream.name)', channel '\(values.channel.name)', row "
          + "\(track.rows.lowerBound + row): claims \(size) bytes, more than a row may have")
    }
    return try bytes(Int(offset)..<Int(offset + size))
  }

  /// Whether the offsets of the rows are those in a file of its own.
  private var isLinked: Bool {
    (try? JSONValue(parsing: track.metadata))?["stored"]?.string == "link"
  }

  /// Bytes of the track's part of the stream's blob.
  public func bytes(_ range: Range<Int>) throws(TrajpackError) -> [UInt8] {
    guard stream.blob != nil, !range.isEmpty else { return [] }
    var out = [UInt8](repeating: 0, count: range.count)
    let failure = out.withUnsafeMutableBytes { buffer -> TrajpackError? in
      guard let to = buffer.baseAddress else { return nil }
      do throws(TrajpackError) {
        try read(bytes: range, into: to)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
    return out
  }

  /// Copies bytes of the track's part of the stream's blob to `out`, which has room for them.
  package func read(
    bytes range: Range<Int>, into out: UnsafeMutableRawPointer
  ) throws(TrajpackError) {
    guard let blob = stream.blob, !range.isEmpty else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= track.blob.count)
    let base = track.blob.lowerBound
    try reader.read(
      block: blob, rows: base + range.lowerBound..<base + range.upperBound, columns: 0..<1,
      into: out, stride: 1)
  }

  /// How many rows of the stream's widest block make some 4 MiB, so that a ``BlockReader`` keeps the chunks of
  /// a run of several blocks: 1 to 4096.
  public var runLength: Int {
    let widest = stream.channels.reduce(1) {
      max($0, shard.schema.blocks[$1.storage.block].rowBytes)
    }
    return min(max((4 << 20) / widest, 1), 4096)
  }

  /// Calls `body` with runs of ``runLength`` rows, so that a track of any length is read in flat memory.
  public func forEachRun(
    _ body: (Range<Int>) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var first = 0
    let size = runLength
    while first < count {
      let end = min(first + size, count)
      try body(first..<end)
      first = end
    }
  }
}
