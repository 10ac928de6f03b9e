import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension TrackCopy {
  /// Chosen frames of a video of depth as stored samples, decoded while they are written; rows may come in any order and
  /// several times.
  ///
  /// - Parameter frames: The samples of the video, as `gray8` or `gray16`.
  func samples(
    _ rows: [Int], _ clock: Clock, _ frames: TrackFrames
  ) throws(TrajpackError) -> TrackDraft {
    var channels: [ChannelRows] = []
    for number in track.stream.channels.indices {
      let spool = RowSpool()
      for (place, row) in rows.enumerated() {
        guard track.stream.channels[number].type == .bytes else {
          try spool.append(try track.read(channel: number, rows: row..<row + 1).bytes)
          continue
        }
        var pointer: [UInt8] = []
        for value in [Int64(place * frames.bytes), Int64(frames.bytes)] {
          withUnsafeBytes(of: value.littleEndian) { pointer += $0 }
        }
        try spool.append(pointer)
      }
      channels.append(ChannelRows(spool: spool))
    }
    var metadata = try metadata()
    let bits = frames.description["bits"]?.int ?? frames.type.size * 8
    StoredFrames(frames).describe(&metadata, bits: bits, count: rows.count)
    metadata.set(Self.frames, nil)
    var draft = TrackDraft(
      stream: stream, entity: track.track.entity, clock: clock, count: rows.count,
      metadata: metadata, rows: [])
    draft.rows = try schema.blockRows(of: stream, channels, count: rows.count)
    draft.bytes = .made(FrameSamples(frames, rows))
    return draft
  }
}

extension StoredFrames {
  /// Decoded frames as they are stored without a prediction.
  fileprivate init(_ frames: TrackFrames) {
    self.init(
      prediction: .none, width: frames.shape[1], height: frames.shape[0],
      sampleBytes: frames.type.size)
  }
}

/// The samples of frames, as ``StoredFrames`` lays them without a prediction.
private final class FrameSamples: MadeBytes, @unchecked Sendable {
  // One thread at a time uses it.
  private let frames: TrackFrames
  private let rows: [Int]
  private var pieces: FramePieces

  init(_ frames: TrackFrames, _ rows: [Int]) {
    (self.frames, self.rows) = (frames, rows)
    pieces = FramePieces(frameBytes: frames.bytes, count: rows.count)
  }

  var count: Int { pieces.count }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    let stored = StoredFrames(frames)
    try pieces.read(at: offset, into: buffer) { (piece, out) throws(TrajpackError) in
      let samples = ByteBuffer(out.count)
      try frames.read(rows[piece], into: samples.bytes)
      guard let from = samples.bytes.baseAddress, let to = out.baseAddress else { return }
      for at in stride(from: 0, to: out.count, by: frames.bytes) {
        stored.predict(from + at, into: to + at)
      }
    }
  }
}
