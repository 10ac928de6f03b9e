import TrajpackFormat

/// One recording as it comes in: rows of tracks, kept in spools until all of it is written.
/// One thread at a time; several recorders may be filled by as many threads.
public final class EpisodeRecorder {
  /// Rows of one channel, as they come in.
  public struct Column {
    /// Packed rows of the channel's type; for text, a pair of int64 a row: offset and length in `text`.
    public var values: UnsafeRawBufferPointer
    /// The bytes of text; empty for other channels.
    public var text: UnsafeRawBufferPointer

    /// Rows of one channel.
    public init(values: UnsafeRawBufferPointer, text: UnsafeRawBufferPointer) {
      self.values = values
      self.text = text
    }
  }

  private struct Track {
    var stream: Int
    var entity: Entity?
    var clock: Clock
    var metadata: JSONValue
    var count = 0
    var channels: [RowSpool]
    var text: RowSpool?
    var last = -Double.infinity
  }

  /// The id, unique in the dataset.
  public let id: String
  private let split: String
  private let metadata: JSONValue
  private let schema: AppendSchema
  private var tracks: [Track] = []
  private var videos: [(stream: Int, clock: Clock, track: any WholeTrack)] = []
  /// Of 64 MiB: an episode that has more goes through temporary files.
  private let budget = RowSpool.Budget(64 << 20)

  /// Rows of all tracks.
  public var rows: Int {
    tracks.reduce(0) { $0 + $1.count } + videos.reduce(0) { $0 + $1.track.count }
  }

  init(id: String, split: String, metadata: JSONValue, schema: AppendSchema) {
    self.id = id
    self.split = split
    self.metadata = metadata
    self.schema = schema
  }

  private func refused(_ stream: Int, _ what: String) -> TrajpackError {
    TrajpackError(
      .usage, "episode '\(id)', stream '\(schema.plans[stream].stream.name)': \(what)")
  }

  /// Begins a track and gives its number.
  ///
  /// - Throws: A usage error where there is no such stream, or the clock needs a channel `time` that the
  ///   stream has not.
  public func begin(
    stream name: String, entity: Entity?, clock: Clock, metadata: JSONValue = .object([])
  ) throws(TrajpackError) -> Int {
    guard let stream = schema.stream(named: name) else {
      throw TrajpackError(.usage, "episode '\(id)': there is no stream '\(name)'")
    }
    guard !schema.plans[stream].isVideo else {
      throw refused(stream, "its rows are frames of a video, which is added as a whole")
    }
    try check(clock, stream)
    if let entity {
      guard AppendSchema.isName(entity.kind), (0..<1 << 32).contains(entity.index) else {
        throw refused(stream, "an entity is a name and an index from 0 to 4294967295")
      }
    }
    let plan = schema.plans[stream]
    guard tracks.allSatisfy({ $0.stream != stream || ($0.entity == nil) == (entity == nil) }) else {
      throw refused(
        stream, "some rows are of an entity and some of none; name it for each or for none")
    }
    tracks.append(
      Track(
        stream: stream, entity: entity, clock: clock, metadata: metadata,
        channels: plan.channels.map { _ in RowSpool(limit: 1 << 20, budget: budget) },
        text: plan.channels.contains { $0.channel.type == .bytes }
          ? RowSpool(limit: 1 << 20, budget: budget) : nil,
        last: try end(of: stream, entity, before: clock)))
    return tracks.count - 1
  }

  private func check(_ clock: Clock, _ stream: Int) throws(TrajpackError) {
    let times = schema.plans[stream].channels.first { $0.channel.name == "time" }?.channel
    switch clock {
    case .regular(_, let rate):
      guard rate.numerator > 0 else { throw refused(stream, "a rate of \(rate) is not above 0") }
    case .ticks(let tick):
      guard tick.numerator > 0 else { throw refused(stream, "a tick of \(tick) is not above 0") }
      guard times?.type == .int64, times?.shape == [] else {
        throw refused(stream, "times in ticks need the channel 'time' of int64")
      }
    case .float64:
      guard times?.type == .float64, times?.shape == [] else {
        throw refused(stream, "explicit times need the channel 'time' of float64")
      }
    }
  }

  /// Adds the video of a stream, a row a frame.
  ///
  /// - Throws: A usage error where the stream holds no videos, or has one in this episode already, or the clock does not
  ///   fit its channels.
  public func add(
    _ video: any WholeTrack, stream name: String, clock: Clock
  ) throws(TrajpackError) {
    let stream = try videoStream(name)
    try check(clock, stream)
    let isTimed = schema.plans[stream].channels.contains { $0.channel.name == "time" }
    guard !isTimed || clock.time(ofRow: 0) == nil else {
      throw refused(stream, "its frames have explicit times; give the time of each")
    }
    videos.append((stream, clock, video))
  }

  /// The number of a stream that may get a video.
  public func videoStream(_ name: String) throws(TrajpackError) -> Int {
    guard let stream = schema.stream(named: name) else {
      throw TrajpackError(.usage, "episode '\(id)': there is no stream '\(name)'")
    }
    guard schema.plans[stream].isVideo else { throw refused(stream, "it holds no videos") }
    guard !videos.contains(where: { $0.stream == stream }) else {
      throw refused(stream, "the episode has a video of it already")
    }
    return stream
  }

  /// Where the entity's rows of a stream end so far.
  private func end(
    of stream: Int, _ entity: Entity?, before clock: Clock
  ) throws(TrajpackError) -> Double {
    guard let i = tracks.lastIndex(where: { $0.stream == stream && $0.entity == entity }) else {
      return -.infinity
    }
    let end = tracks[i].clock.time(ofRow: tracks[i].count - 1) ?? tracks[i].last
    if let start = clock.time(ofRow: 0), start <= end, tracks[i].count > 0 {
      throw refused(stream, "a track begins at \(start), not behind the rows that end at \(end)")
    }
    return end
  }

  /// Adds rows to a track: a column for each channel of its stream, in the schema's order.
  ///
  /// - Throws: A usage error where columns are of other sizes, text lies outside its bytes, or times go
  ///   back or are no numbers; nothing is added then.
  public func append(
    track number: Int, count: Int, columns: [Column]
  ) throws(TrajpackError) {
    guard tracks.indices.contains(number) else {
      throw TrajpackError(.usage, "episode '\(id)': there is no track \(number)")
    }
    let stream = tracks[number].stream
    let channels = schema.plans[stream].channels.map(\.channel)
    guard count >= 0, columns.count == channels.count else {
      throw refused(stream, "\(columns.count) columns for \(channels.count) channels")
    }
    for (channel, column) in zip(channels, columns) {
      let row = channel.type == .bytes ? 16 : channel.elements * channel.type.size
      let (bytes, overflow) = count.multipliedReportingOverflow(by: row)
      guard !overflow, column.values.count == bytes else {
        throw refused(
          stream, "channel '\(channel.name)' has \(column.values.count) bytes for \(count) rows")
      }
      if channel.type == .bytes { try check(text: column, channel, stream) }
    }
    let last = try lastTime(of: number, channels, columns, count)
    let base = Int64(tracks[number].text?.count ?? 0)
    var filled: Int64 = 0
    for (i, (channel, column)) in zip(channels, columns).enumerated() {
      guard channel.type == .bytes else {
        try tracks[number].channels[i].append(column.values)
        continue
      }
      var pairs = [Int64](repeating: 0, count: count * 2)
      for n in 0..<count {
        pairs[2 * n] =
          (column.values.loadUnaligned(fromByteOffset: n * 16, as: Int64.self) + base + filled)
          .littleEndian
        pairs[2 * n + 1] = column.values.loadUnaligned(fromByteOffset: n * 16 + 8, as: Int64.self)
      }
      try pairs.withUnsafeBytes { bytes in
        Result { () throws(TrajpackError) in
          try tracks[number].channels[i].append(bytes)
        }
      }.get()
      try tracks[number].text?.append(column.text)
      filled += Int64(column.text.count)
    }
    tracks[number].count += count
    tracks[number].last = last
  }

  private func check(
    text column: Column, _ channel: Channel, _ stream: Int
  ) throws(TrajpackError) {
    for n in 0..<column.values.count / 16 {
      let offset = column.values.loadUnaligned(fromByteOffset: n * 16, as: Int64.self)
      let length = column.values.loadUnaligned(fromByteOffset: n * 16 + 8, as: Int64.self)
      guard offset >= 0, length >= 0, offset <= column.text.count,
        length <= Int64(column.text.count) - offset, length <= TrackReader.maximumBytes
      else {
        throw refused(
          stream, "channel '\(channel.name)': the text of row \(n) lies outside its bytes")
      }
    }
  }

  /// The last of the new times of a track with explicit ones.
  private func lastTime(
    of number: Int, _ channels: [Channel], _ columns: [Column], _ count: Int
  ) throws(TrajpackError) -> Double {
    let track = tracks[number]
    var last = track.last
    guard !track.clock.isRegular,
      let i = channels.firstIndex(where: { $0.name == "time" })
    else { return last }
    for n in 0..<count {
      let bits = columns[i].values.loadUnaligned(fromByteOffset: n * 8, as: Int64.self)
      let time =
        channels[i].type == .int64
        ? Double(bits) * track.clock.timeScale : Double(bitPattern: UInt64(bitPattern: bits))
      guard time.isFinite else {
        throw refused(
          track.stream, "row \(track.count + n): the time is \(time), which is not finite")
      }
      guard time >= last else {
        throw refused(
          track.stream,
          "row \(track.count + n): time \(time) is earlier than that of the row before, \(last)")
      }
      last = time
    }
    return last
  }

  /// The whole recording, laid out for a shard of `layout`.
  func draft(_ layout: Schema) throws(TrajpackError) -> EpisodeDraft {
    var drafts: [TrackDraft] = []
    for track in tracks where track.count > 0 {
      drafts.append(
        TrackDraft(
          stream: track.stream, entity: track.entity, clock: track.clock, count: track.count,
          metadata: track.metadata,
          rows: try layout.blockRows(
            of: track.stream, track.channels.map { ChannelRows(spool: $0) }, count: track.count),
          bytes: track.text.map { .spool($0, 0..<$0.count) }))
    }
    for video in videos {
      drafts.append(
        try video.track.draft(stream: video.stream, in: layout, clock: video.clock))
    }
    return EpisodeDraft(id: id, split: split, metadata: metadata, tracks: drafts)
  }

  /// Bytes of text in each stream.
  var textBytes: [Int] {
    var bytes = [Int](repeating: 0, count: schema.plans.count)
    for track in tracks { bytes[track.stream] += track.text?.count ?? 0 }
    for video in videos { bytes[video.stream] += video.track.bytes }
    return bytes
  }
}
