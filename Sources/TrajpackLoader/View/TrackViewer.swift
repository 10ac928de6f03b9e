import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Makes rows of tracks as a plan leaves them. One thread at a time.
final class TrackViewer {
  private let view: ShardView
  private let prepared: PreparedTracks
  private let reader: BlockReader
  private var episode: (number: Int, rows: EpisodeRows)?
  private struct Whole: Hashable {
    var track: Int
    var epoch: UInt64
  }
  /// Tracks of the episode that could only be made whole: their next rows are likely to be asked for. Others
  /// are in the loader's cache, where their bytes are counted.
  private var whole: [Whole: PlanTrack] = [:]
  /// Their bytes: at most ``maximumWhole``, or those of one track.
  private(set) var wholeBytes = 0
  static let maximumWhole = 64 << 20
  /// The most rows of a track that is made whole: more would take all memory before anything is said.
  private static let mostWhole = 1 << 26
  /// The most recently made whole track, kept until its first chunk is read.
  private var fresh: Whole?

  init(_ view: ShardView, _ prepared: PreparedTracks) {
    self.view = view
    self.prepared = prepared
    reader = BlockReader(view.shard)
  }

  private func rows(of track: Int) -> EpisodeRows {
    let number = prepared.tracks[track].episode
    if let episode, episode.number == number { return episode.rows }
    forget()
    let rows = EpisodeRows(
      view.shard, episode: number, streams: prepared.streams, programs: prepared.programs,
      reader: reader)
    episode = (number, rows)
    return rows
  }

  /// The times of a track's rows, where they are explicit.
  func clock(_ track: Int) throws(TrajpackError) -> TrackClock {
    var clock = try rows(of: track).outputClock(track)
    if let sort = prepared.explicit[prepared.tracks[track].stream] {
      clock = try clock.listed(as: sort)
    }
    switch clock {
    case .regular(let clock, let first, let count):
      return TrackClock(start: try clock.time(ofRow: first), rate: clock.rate, rows: count)
    case .ticks(let ticks, let unit, _, _): return .ticks(ticks, tick: Instant(unit))
    case .floats(let times, _, _): return .real(times)
    }
  }

  /// Makes the rows of a chunk as they are in an epoch, a block after the other.
  ///
  /// - Throws: A data error where a chunk is damaged, or a step's rule is broken by the data.
  func fill(
    chunk: Int, stream: Int, _ blocks: [BlockRead], epoch: UInt64,
    into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    let (track, range) = prepared.rows(ofChunk: chunk, stream: stream)
    let first = prepared.firstRows[track]
    let made = try make(
      track, first + range.lowerBound..<first + range.upperBound, epoch: epoch)
    for block in blocks {
      guard let column = prepared.columns[block.block] else { continue }
      let bytes: [UInt8]
      if column < 0 {
        guard let sort = prepared.explicit[stream] else { continue }
        bytes = try made.clock.listed(as: sort).storedTimes
      } else {
        bytes = try made.columns[column].stored()
      }
      bytes.withUnsafeBytes { from in
        UnsafeMutableRawBufferPointer(
          rebasing: out[block.offset..<block.offset + block.bytes]
        ).copyMemory(from: UnsafeRawBufferPointer(rebasing: from.prefix(block.bytes)))
      }
    }
  }

  /// Rows of channels, by their names, as numbers; none where there is no name.
  ///
  /// - Throws: As ``fill(chunk:stream:_:epoch:into:)``.
  func values(
    _ track: Int, _ rows: Range<Int>, _ names: [String?]
  ) throws(TrajpackError) -> [[Double]] {
    let first = prepared.firstRows[track]
    let made = try make(track, first + rows.lowerBound..<first + rows.upperBound, epoch: 0)
    var out: [[Double]] = []
    for name in names {
      if let column = made.columns.first(where: { $0.channel.name == name }) {
        out.append(column.doubles())
      } else if name == "time", let sort = prepared.explicit[prepared.tracks[track].stream] {
        switch try made.clock.listed(as: sort) {
        case .ticks(let ticks, _, _, _): out.append(ticks.map { Double($0) })
        case .floats(let times, _, _): out.append(times)
        case .regular: out.append([])
        }
      } else {
        out.append([])
      }
    }
    return out
  }

  private func make(
    _ track: Int, _ rows: Range<Int>, epoch: UInt64
  ) throws(TrajpackError) -> PlanTrack {
    let key = Whole(
      track: track, epoch: prepared.varies(prepared.tracks[track].stream) ? epoch : 0)
    if let known = whole[key] { return known.trimmed(to: rows) }
    let episode = self.rows(of: track)
    if episode.epoch != key.epoch { forget() }
    episode.epoch = key.epoch
    if let part = try episode.output(track, rows: rows) { return part }
    guard prepared.tracks[track].count <= Self.mostWhole else {
      throw TrajpackError(
        .usage, file: view.shard.name,
        "stream '\(prepared.streams[prepared.tracks[track].stream].stream.name)', episode "
          + "'\(episode.episode.id)': the plan makes the whole track at once, and "
          + "\(prepared.tracks[track].count) rows are too many for that; use a lower rate")
    }
    let made = try episode.output(track)
    let bytes = made.clock.count * 8 + made.columns.reduce(0) { $0 + $1.bytes }
    if wholeBytes + bytes > Self.maximumWhole { forget() }
    whole[key] = made
    wholeBytes += bytes
    fresh = key
    return made.trimmed(to: rows)
  }

  /// Lets whole tracks go.
  func forget() {
    whole.removeAll()
    wholeBytes = 0
  }

  /// The chunks of a chunk's track where it was just now made whole, so that they are at hand.
  func siblings(ofChunk chunk: Int, stream: Int) -> Range<Int>? {
    let (track, rows) = prepared.rows(ofChunk: chunk, stream: stream)
    guard fresh?.track == track else { return nil }
    fresh = nil
    let size = prepared.chunkRows[stream]
    let first = chunk - rows.lowerBound / size
    return first..<first + (prepared.tracks[track].count + size - 1) / size
  }
}

extension PlanColumn {
  /// Bytes in memory.
  fileprivate var bytes: Int {
    switch values {
    case .float32(let x): 4 * x.count
    case .float64(let x): 8 * x.count
    case .opaque(let bytes, _): bytes.count
    }
  }
}
