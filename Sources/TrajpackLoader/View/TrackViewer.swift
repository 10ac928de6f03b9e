import TrajpackFormat
import TrajpackPrepare
import TrajpackSignal
import TrajpackStore

/// Makes rows of tracks as a plan leaves them. One thread at a time.
final class TrackViewer {
  private let view: ShardView
  private let prepared: PreparedTracks
  private let reader: BlockReader
  private var episode: (number: Int, rows: EpisodeRows)?
  /// Tracks that can only be made whole, while they are likely to be asked for again.
  private var whole: [Int: PlanTrack] = [:]
  private var wholeBytes = 0
  private static let maximumWhole = 64 << 20

  init(_ view: ShardView, _ prepared: PreparedTracks) {
    self.view = view
    self.prepared = prepared
    reader = BlockReader(view.shard)
  }

  private func rows(of track: Int) -> EpisodeRows {
    let number = prepared.tracks[track].episode
    if let episode, episode.number == number { return episode.rows }
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

  /// Makes the rows of a chunk, a block after the other.
  ///
  /// - Throws: A data error where a chunk is damaged, or a step's rule is broken by the data.
  func fill(
    chunk: Int, stream: Int, _ blocks: [BlockRead], into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    let (track, range) = prepared.rows(ofChunk: chunk, stream: stream)
    let first = prepared.firstRows[track]
    let made = try make(track, first + range.lowerBound..<first + range.upperBound)
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

  private func make(_ track: Int, _ rows: Range<Int>) throws(TrajpackError) -> PlanTrack {
    if let known = whole[track] { return known.trimmed(to: rows) }
    let episode = self.rows(of: track)
    if let part = try episode.output(track, rows: rows) { return part }
    let made = try episode.output(track)
    let bytes = made.clock.count * 8 + made.columns.reduce(0) { $0 + $1.bytes }
    if wholeBytes + bytes > Self.maximumWhole {
      whole.removeAll()
      wholeBytes = 0
    }
    if bytes <= Self.maximumWhole {
      whole[track] = made
      wholeBytes += bytes
    }
    return made.trimmed(to: rows)
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
