import CPlatform
import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

/// Size and cost of random access of a video before and after, measured on a sample.
public struct TranscodeEstimate: Sendable {
  /// The stream.
  public var stream: String
  /// What it is to be stored as.
  public var target: VideoTarget
  /// The recording that the sample is of.
  public var episode: String
  /// Frames of the sample.
  public var frames: Int
  /// Bytes of these frames.
  public var bytes: (before: Int, after: Int)
  /// Seconds of a random window of 16 frames.
  public var seconds: (before: Double, after: Double)

  /// The size of the result as a share of the source's.
  public var ratio: Double { Double(bytes.after) / Double(max(bytes.before, 1)) }

  /// A line for people.
  public var line: String {
    func milliseconds(_ seconds: Double) -> String {
      let tenths = Int((seconds * 10_000).rounded())
      return "\(tenths / 10).\(tenths % 10) ms"
    }
    let hundredths = Int((ratio * 100).rounded())
    let cents = hundredths % 100
    return
      "\(stream) as \(target.text): \(hundredths / 100).\(cents < 10 ? "0" : "")\(cents) times the size, a random window of "
      + "\(Self.window) frames in \(milliseconds(seconds.after)) instead of \(milliseconds(seconds.before)) "
      + "(\(frames) frames of '\(episode)')"
  }

  /// The same for programs.
  public var json: JSONValue {
    .record([
      "stream": .string(stream), "to": .string(target.text), "episode": .string(episode),
      "frames": .int(Int64(frames)), "bytes_before": .int(Int64(bytes.before)),
      "bytes_after": .int(Int64(bytes.after)), "seconds_before": .double(seconds.before),
      "seconds_after": .double(seconds.after),
    ])
  }

  /// Frames of a window.
  static let window = 16
  /// The most frames of a sample, and the most bytes of its samples.
  static let most = (frames: 256, bytes: 256 << 20)
}

extension TranscodingImporter {
  /// Measures each stream on its first recording.
  public func estimates() throws(TrajpackError) -> [TranscodeEstimate] {
    var wanted = Set(targets.keys)
    var found: [TranscodeEstimate] = []
    for recording in recordings {
      guard !wanted.isEmpty else { break }
      guard let examination = try examine(recording) else { continue }
      let here = examination.videos.filter { wanted.contains($0.stream) && $0.frames > 0 }
      guard !here.isEmpty else { continue }
      let layout = try source.schema(for: [(recording, examination.own)], LayoutOptions())
      let draft = try source.draft(recording, examination.own, layout)
      for track in draft.tracks {
        let stream = layout.streams[track.stream].name
        guard wanted.contains(stream), let target = targets[stream], track.count > 0 else {
          continue
        }
        wanted.remove(stream)
        let name = "stream '\(stream)', episode '\(recording.id)'"
        let bytes: TrackDraft.Bytes
        if let own = track.bytes {
          bytes = own
        } else {
          bytes = try source.linked(track.metadata, name: name)
        }
        found.append(
          try estimate(track, bytes, layout, stream, target, episode: recording.id, name))
      }
    }
    return found
  }

  private func estimate(
    _ track: TrackDraft, _ bytes: TrackDraft.Bytes, _ schema: Schema, _ stream: String,
    _ target: VideoTarget, episode: String, _ name: String
  ) throws(TrajpackError) -> TranscodeEstimate {
    let packets = try PacketColumns(track, schema)
    let metadata = JSONReader(track.metadata, at: name)
    func open() throws(TrajpackError) -> SourceFrames {
      // One thread, as a loader decodes.
      try SourceFrames(
        bytes, metadata, packets: packets, name: name, asGray: target == .chunks, threads: 1)
    }
    let source = try open()
    let count = min(
      packets.count,
      max(min(TranscodeEstimate.most.frames, TranscodeEstimate.most.bytes / source.frameBytes), 1))
    let window = min(TranscodeEstimate.window, count)
    let before = try seconds(windows: packets.count, window, source.frameBytes) {
      (frames, room) throws(TrajpackError) in try source.read(frames, into: room)
    }
    let size = packets.size[..<count].reduce(0) { $0 + Int($1) }
    let after: (bytes: Int, seconds: Double)
    switch target {
    case .keep: after = (size, before)
    case .chunks: after = try chunked(source, count: count, window, name)
    case .lossless, .lossy:
      let transcoder = TrackTranscoder(
        target: target, threads: 1, proof: FrameProof(), isStopped: { false })
      let encoding = try transcoder.encoding(source, track, packets, name)
      let encoded = try transcoder.encode(source, encoding, packets, count: count, name)
      let decoder = try VideoDecoder(
        index: VideoFile.index(encoded), source: encoded, threads: 1)
      let bytes = try decoder.frameBytes(VideoOutput(.native))
      after = (
        encoded.count,
        try seconds(windows: count, window, bytes) { (frames, room) throws(TrajpackError) in
          try decoder.decode(frames: Array(frames), as: VideoOutput(.native), into: room)
        }
      )
    }
    return TranscodeEstimate(
      stream: stream, target: target, episode: episode, frames: count,
      bytes: (size, after.bytes), seconds: (before, after.seconds))
  }

  /// Sizes of chunks, and the time of reading windows out of them.
  private func chunked(
    _ source: SourceFrames, count: Int, _ window: Int, _ name: String
  ) throws(TrajpackError) -> (bytes: Int, seconds: Double) {
    let frames = try TrackTranscoder.stored(source, count: count, name: name)
    let compressor = try Compressor(.zstd, level: ShardWriter.framesLevel)
    let decompressor = Decompressor()
    var chunks: [[UInt8]] = []
    var isPacked: [Bool] = []
    let predicted = ByteBuffer(frames.bytes)
    let packed = ByteBuffer(Compressor.bound(frames.bytes))
    try source.forEach(count: count) { (_, bytes) throws(TrajpackError) in
      guard let from = bytes.baseAddress, let to = predicted.bytes.baseAddress else { return }
      frames.predict(from, into: to)
      let size = try compressor.compress(
        UnsafeRawBufferPointer(predicted.bytes), into: packed.bytes)
      isPacked.append(size != nil)
      chunks.append(
        Array(size.map { packed.bytes[..<$0] } ?? predicted.bytes[...]))
    }
    let seconds = try seconds(windows: count, window, frames.bytes) {
      (wanted, room) throws(TrajpackError) in
      guard let out = room.baseAddress, let from = predicted.bytes.baseAddress else { return }
      for (number, frame) in wanted.enumerated() {
        let failure = chunks[frame].withUnsafeBytes { bytes -> TrajpackError? in
          do throws(TrajpackError) {
            if isPacked[frame] {
              try decompressor.decompress(bytes, .zstd, into: predicted.bytes)
            } else {
              predicted.bytes.copyMemory(from: bytes)
            }
            return nil
          } catch { return error }
        }
        if let failure { throw failure }
        frames.restore(from, into: out + number * frames.bytes)
      }
    }
    return (chunks.reduce(0) { $0 + $1.count }, seconds)
  }

  /// The median time of windows at places spread over the video, in an order that goes back and forth.
  private func seconds(
    windows count: Int, _ window: Int, _ frameBytes: Int,
    _ read: (Range<Int>, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Double {
    let room = ByteBuffer(window * frameBytes)
    var times: [Double] = []
    let places = 9
    for number in 0..<places {
      let first = (count - window) * (number * 4 % places) / max(places - 1, 1)
      var begin = timespec()
      var end = timespec()
      clock_gettime(CLOCK_MONOTONIC, &begin)
      try read(first..<first + window, room.bytes)
      clock_gettime(CLOCK_MONOTONIC, &end)
      times.append(
        Double(end.tv_sec - begin.tv_sec) + Double(end.tv_nsec - begin.tv_nsec) / 1e9)
    }
    return times.sorted()[places / 2]
  }
}
