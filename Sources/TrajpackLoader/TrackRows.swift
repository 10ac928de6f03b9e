import TrajpackFormat
import TrajpackStore

/// Rows of one channel of one track, for those who read an episode instead of windows.
public struct TrackRows {
  private let reader: TrackReader
  private let channel: Int
  private let rows: Range<Int>

  /// Rows `first ..< first + count` of a channel.
  ///
  /// - Throws: A usage error where the track has no such channel or rows.
  public init(
    _ dataset: OpenDataset, track: Int, channel name: String, first: Int, count: Int
  ) throws(TrajpackError) {
    let (shard, number) = try dataset.track(track)
    reader = TrackReader(shard, track: number, reader: BlockReader(shard))
    rows = try Self.rows(reader, first, count)
    guard let channel = reader.stream.channel(named: name) else {
      throw TrajpackError(
        .usage,
        "stream '\(reader.stream.name)' has no channel '\(name)'"
          + Suggestion.text(for: name, among: reader.stream.channels.map(\.name)))
    }
    self.channel = channel
  }

  private static func rows(
    _ reader: TrackReader, _ first: Int, _ count: Int
  ) throws(TrajpackError) -> Range<Int> {
    guard first >= 0, count >= 0, first <= reader.count, count <= reader.count - first else {
      throw TrajpackError(
        .usage,
        "\(counted(count, "row")) from \(first) on \(count == 1 ? "is" : "are") asked for; the track of '\(reader.stream.name)' has "
          + "\(reader.count)")
    }
    return first..<first + count
  }

  /// Copies the rows into `out`, as `type` or as the channel's own; a run at a time, so that little more
  /// than `out` is held.
  ///
  /// - Throws: A usage error where there is too little room, a data error where a chunk is damaged.
  public func read(
    as type: ElementType?, into out: UnsafeMutableRawBufferPointer,
    observed: UnsafeMutableBufferPointer<UInt8>?
  ) throws(TrajpackError) {
    let info = reader.stream.channels[channel]
    guard info.type != .bytes else {
      throw TrajpackError(
        .usage, "channel '\(info.name)' has rows of bytes of any length; read them as bytes")
    }
    let type = type ?? info.type
    let (needed, overflow) = rows.count.multipliedReportingOverflow(by: info.elements * type.size)
    guard !overflow, out.count >= needed,
      observed.map({ $0.count >= rows.count * info.elements }) ?? true
    else {
      throw TrajpackError(
        .usage,
        "\(counted(rows.count, "row")) of '\(info.name)' \(rows.count == 1 ? "needs" : "need") \(needed) bytes, not \(out.count), and a byte an "
          + "element of what was observed")
    }
    guard let to = out.baseAddress else { return }
    var first = rows.lowerBound
    while first < rows.upperBound {
      let part = first..<min(first + 4096, rows.upperBound)
      let values = try reader.read(channel: channel, rows: part)
      let start = (first - rows.lowerBound) * info.elements
      let isPlain = values.stored == type && info.storage.decimals == nil
      if isPlain {
        values.bytes.withUnsafeBytes { from in
          UnsafeMutableRawBufferPointer(rebasing: out[(start * type.size)...]).copyMemory(
            from: from)
        }
      }
      let isWhole = !type.isFloat && !info.type.isFloat && !isPlain
      let doubles = isPlain && (observed == nil || info.missing == .never) ? [] : values.doubles()
      if isWhole {
        Self.widen(values, as: type, to: to + start * type.size)
      } else if !isPlain {
        doubles.withUnsafeBufferPointer { x in
          guard let x = x.baseAddress else { return }
          ElementWriting.write(x, count: doubles.count, as: type, to: to + start * type.size)
        }
      }
      if let observed {
        for i in 0..<part.count * info.elements {
          let isMissing = info.missing != .never && i < doubles.count && doubles[i].isNaN
          observed[start + i] = isMissing ? 0 : 1
        }
      }
      first = part.upperBound
    }
  }

  /// Whole numbers stay exact, however large.
  private static func widen(
    _ values: ChannelValues, as type: ElementType, to out: UnsafeMutableRawPointer
  ) {
    guard let range = type.range else { return }
    let count = values.channel.elements
    for i in 0..<values.count * count {
      let number: Int128 =
        switch values.value(i / count, i % count) {
        case .int(let n): Int128(n)
        case .uint(let n): Int128(n)
        default: type == .bool ? 1 : range.lowerBound
        }
      let clamped =
        type == .bool ? (number == 0 ? 0 : 1) : min(max(number, range.lowerBound), range.upperBound)
      StoredNumber.whole(clamped).store(as: type, at: out + i * type.size)
    }
  }

  /// The bytes of each row of a bytes channel; `nil` where it was not observed.
  public func bytes() throws(TrajpackError) -> [[UInt8]?] {
    let info = reader.stream.channels[channel]
    guard info.type == .bytes else {
      throw TrajpackError(
        .usage, "channel '\(info.name)' has rows of numbers; read them as numbers")
    }
    let values = try reader.read(channel: channel, rows: rows)
    var out: [[UInt8]?] = []
    for row in 0..<rows.count { out.append(try reader.bytes(values, row)) }
    return out
  }

  /// The times of the first `count` rows of a track.
  public static func times(
    _ dataset: OpenDataset, track: Int, count: Int
  ) throws(TrajpackError) -> [Double] {
    var out = [Double](repeating: 0, count: count)
    try out.withUnsafeMutableBufferPointer { (buffer) throws(TrajpackError) in
      guard let start = buffer.baseAddress else { return }
      try times(dataset, track: track, first: 0, count: count, into: start)
    }
    return out
  }

  /// Writes the times of rows of a track.
  public static func times(
    _ dataset: OpenDataset, track: Int, first: Int, count: Int,
    into out: UnsafeMutablePointer<Double>
  ) throws(TrajpackError) {
    let (shard, number) = try dataset.track(track)
    let reader = TrackReader(shard, track: number, reader: BlockReader(shard))
    let rows = try rows(reader, first, count)
    for (i, time) in try reader.times(rows).enumerated() { out[i] = time }
  }
}
