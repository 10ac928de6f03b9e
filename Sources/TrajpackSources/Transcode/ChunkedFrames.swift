import Synchronization
import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// The frames of a video as samples for chunks, decoded while they are written.
final class ChunkedFrames: MadeBytes, @unchecked Sendable {
  // One thread at a time uses it.
  private let source: SourceFrames
  private let frames: StoredFrames
  private let frameCount: Int
  private var pieces: FramePieces
  private let proof: FrameProof
  private let key: String
  /// CRC-32C of each frame as it was when it was converted; empty where none is known.
  private let kept: [Int64]
  private let name: String
  private var hash = SHA256()
  private var hashed = 0
  private var sums: [UInt32] = []

  init(
    _ source: SourceFrames, _ frames: StoredFrames, count: Int, kept: [Int64], proof: FrameProof,
    key: String, name: String
  ) {
    (self.source, self.frames, frameCount) = (source, frames, count)
    (self.proof, self.key, self.kept, self.name) = (proof, key, kept, name)
    pieces = FramePieces(frameBytes: frames.bytes, count: count)
  }

  var count: Int { pieces.count }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    try pieces.read(at: offset, into: buffer) { (piece, out) throws(TrajpackError) in
      try make(piece, into: out)
    }
  }

  /// Decodes frames, and predicts them.
  private func make(
    _ piece: Range<Int>, into room: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    let samples = ByteBuffer(piece.count * frames.bytes)
    try source.read(piece, into: samples.bytes)
    guard let from = samples.bytes.baseAddress, let to = room.baseAddress else { return }
    for (number, frame) in piece.enumerated() {
      let bytes = UnsafeRawBufferPointer(start: from + number * frames.bytes, count: frames.bytes)
      let out = to + number * frames.bytes
      frames.predict(from + number * frames.bytes, into: out)
      // Each frame counts once, in order, however often it is read.
      guard frame == hashed else { continue }
      let sum = CRC32C.of(bytes)
      guard kept.isEmpty || kept[frame] == Int64(sum) else {
        throw TrackTranscoder.differs(frame, name)
      }
      sums.append(sum)
      hash.add(UnsafeRawBufferPointer(start: out, count: frames.bytes))
      hashed += 1
    }
  }

  func facts() throws(TrajpackError) -> [JSONValue.Member] {
    guard hashed == frameCount else {
      throw TrajpackError(.machine, "only \(hashed) of \(frameCount) frames were written")
    }
    proof.note(sums, key)
    return [.init("sha256", .string(hash.hexadecimal()))]
  }
}

/// CRC-32C of the frames of sources, by which what was written is compared with them.
final class FrameProof: Sendable {
  private let sums = Mutex<[String: [UInt32]]>([:])

  static func key(_ episode: String, _ stream: String, _ track: Int) -> String {
    "\(episode)\u{0}\(stream)\u{0}\(track)"
  }

  func note(_ frames: [UInt32], _ key: String) { sums.withLock { $0[key] = frames } }

  /// Reads every frame of the stored tracks of a shard and compares it with what was decoded from the source.
  ///
  /// - Throws: A machine error that names the first frame which is not equal.
  func check(_ path: String) throws(TrajpackError) {
    let shard = try Shard(path)
    let reader = BlockReader(shard, cache: 4 << 20)
    for episode in 0..<shard.index.episodeCount {
      let entry = shard.index.episode(episode)
      for (number, track) in entry.tracks.enumerated() {
        let rows = TrackReader(shard, track: track, reader: reader)
        let key = Self.key(entry.id, rows.stream.name, number)
        guard let expected = sums.withLock({ $0.removeValue(forKey: key) }) else { continue }
        try check(rows, expected, episode: entry.id)
      }
    }
  }

  private func check(
    _ track: TrackReader, _ expected: [UInt32], episode: String
  ) throws(TrajpackError) {
    let metadata = JSONReader(try JSONValue(parsing: track.track.metadata), at: "metadata")
    guard let frames = try StoredFrames(metadata: metadata),
      track.track.blob.count == frames.bytes * expected.count
    else {
      throw TrajpackError(
        .machine, file: track.shard.name, "the frames of episode '\(episode)' were not written")
    }
    let (stored, samples) = (ByteBuffer(frames.bytes), ByteBuffer(frames.bytes))
    guard let from = stored.bytes.baseAddress, let to = samples.bytes.baseAddress else { return }
    for (frame, sum) in expected.enumerated() {
      let first = frame * frames.bytes
      try track.read(bytes: first..<first + frames.bytes, into: from)
      frames.restore(from, into: to)
      guard CRC32C.of(UnsafeRawBufferPointer(samples.bytes)) == sum else {
        throw TrajpackError(
          .machine, file: track.shard.name,
          "frame \(frame) of '\(track.stream.name)', episode '\(episode)', is not the one that was "
            + "decoded; this is a fault of trajpack or of the machine, and the dataset was not written"
        )
      }
    }
  }
}
