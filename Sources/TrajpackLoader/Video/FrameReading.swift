import CPlatform
import CVideoTable
import Synchronization
import TrajpackFormat
import TrajpackStore

/// Where those who read episodes have frames from: one source a dataset, and another one after a fork.
final class FrameReading: Sendable {
  private struct State {
    var generation: UInt64 = 0
    var source: FrameSource?
  }
  private let state = Mutex(State())

  /// Bytes of decoded pictures that are kept: none, since an episode is read in pieces that do not overlap.
  func source() -> FrameSource {
    tp_fork_install()
    // No child is born while the lock is held.
    tp_fork_gate_enter()
    defer { tp_fork_gate_leave() }
    let now = tp_fork_generation()
    let known = state.withLock { state -> FrameSource? in
      if state.generation == now { return state.source }
      // A lost thread may hold its locks.
      if let old = state.source { _ = Unmanaged.passRetained(old) }
      state.source = nil
      state.generation = now
      return nil
    }
    if let known { return known }
    let made = FrameSource(frameBytes: 0)
    state.withLock { $0.source = made }
    return made
  }
}

/// Frames of one video track, for those who read an episode instead of windows.
public struct TrackFrames {
  /// Frames in the track.
  public let count: Int
  /// The type of a frame's elements: uint8 or uint16.
  public let type: ElementType
  /// The shape of a frame; of native planes, their bytes.
  public let shape: [Int]
  /// `rgb24`, `gray8`, `gray16`, `native`, or `depth`: distances.
  public let format: String
  /// Bytes of a frame.
  public let bytes: Int
  private let source: FrameSource
  private let video: OpenVideo
  private let output: tpv_output
  private let crop: FrameCrop?
  private let depth: DepthRequest?
  private let sampleBytes: Int
  /// The unit of distances, where frames are distances in a known unit.
  public let units: String?

  /// Opens the video of a track. `options`: the JSON of ``FrameOptions``.
  ///
  /// - Throws: A usage error where the track is no video or the output cannot be made; ``VideoLibrary/missing``.
  public init(
    _ dataset: OpenDataset, track: Int, options: String = "{}"
  ) throws(TrajpackError) {
    let (shard, number) = try dataset.track(track)
    let stream = shard.schema.streams[shard.index.numbers(ofTrack: number).stream]
    guard stream.isVideo else {
      throw TrajpackError(.usage, "stream '\(stream.name)' is no video, so it has no frames")
    }
    let asked = try FrameOptions(json: options)
    let (crop, depth) = (asked.crop, asked.depth)
    var output = asked.output
    source = dataset.frames.source()
    // Tracks are numbered through the dataset, so that these do.
    video = try source.video(
      shard, VideoKey(shard: 0, track: track), local: number, media: dataset.media)
    count = video.frames
    if let cut = crop {
      guard let at = cut.fixed, at.left + cut.width <= video.facts.width,
        at.top + cut.height <= video.facts.height
      else {
        throw TrajpackError(
          .usage, file: video.name,
          "a crop of \(cut.width) × \(cut.height) pixels does not lie inside frames of "
            + "\(video.facts.width) × \(video.facts.height)")
      }
      (output.crop_width, output.crop_height) = (Int32(cut.width), Int32(cut.height))
    }
    self.crop = crop
    let layout = try video.facts.layout(output, name: video.name)
    output = layout.output
    self.output = output
    let format =
      FrameOptions.formats.first { Int32(bitPattern: $0.1.rawValue) == output.format }?.0
      ?? "native"
    self.depth = depth
    guard format != "native" else {
      guard depth == nil else {
        throw TrajpackError(
          .usage, file: video.name, "native planes are no distances: leave out 'format' or 'depth'")
      }
      (type, shape, bytes) = (.uint8, [Int(layout.bytes)], Int(layout.bytes))
      (self.format, sampleBytes, units) = (format, 1, nil)
      return
    }
    var frames = FrameSelection.Stream(output, stream.name)
    if let depth { try frames.setDepth(depth, video.depth, video.name) }
    (type, shape) = (frames.channel.type, frames.channel.shape)
    sampleBytes = frames.sampleBytes
    bytes = frames.channel.elements * type.size
    self.format = depth == nil ? format : "depth"
    units = frames.channel.units
  }

  /// Decodes frames, in any order and with repetitions, one after the other into `out`.
  ///
  /// - Throws: A usage error where there is no such frame or too little room; a data error naming frame and packet.
  public func read(
    _ frames: some Collection<Int>, into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    if let wrong = frames.first(where: { $0 < 0 || $0 >= count }) {
      throw TrajpackError(
        .usage, file: video.name,
        "there is no frame \(wrong): the video has \(count), counted from 0")
    }
    let (needed, overflow) = frames.count.multipliedReportingOverflow(by: bytes)
    guard !overflow, out.count >= needed else {
      throw TrajpackError(
        .usage, "\(counted(frames.count, "frame")) of \(bytes) bytes do not fit into \(out.count)")
    }
    guard let start = out.baseAddress, needed > 0 else { return }
    let wanted = frames.enumerated().map { number, frame in
      tpv_frame(
        frame: Int64(frame), memory: start + number * bytes, left: Int32(crop?.fixed?.left ?? 0),
        top: Int32(crop?.fixed?.top ?? 0), mirrored: 0)
    }
    // Threads of the codec pay off over many frames.
    let threads = wanted.count < 16 ? 1 : min(Int(tp_processors()), 8)
    try source.decode(video, wanted, as: output, threads: threads, goesOn: true)
    guard let depth else { return }
    let table = try video.distances(depth)
    for frame in wanted {
      guard let memory = frame.memory else { continue }
      table.expand(memory, count: bytes / 4, sampleBytes: sampleBytes)
    }
  }

  /// The shard, stream and episode, for errors.
  var name: String { video.name }

  /// What has decoded the frames whose checksums are kept, where decoders may differ.
  var hashDecoder: String? { video.facts.hashDecoder }

  /// What is known of the video: members of a JSON object.
  public var description: JSONValue {
    .record([
      "frames": .int(Int64(count)), "dtype": .string(type.rawValue),
      "shape": .array(shape.map { .int(Int64($0)) }), "format": .string(format),
      "bytes": .int(Int64(bytes)), "codec": .string(video.facts.codec),
      "width": .int(Int64(video.facts.width)), "height": .int(Int64(video.facts.height)),
      "pixel_format": .string(video.facts.pixelFormat),
      "color_range": .string(video.facts.colorRange),
      "color_space": .string(video.facts.colorSpace),
      "channel_order": video.facts.isSwapped ? "bgr" : nil,
      "rotation": video.facts.rotation.map { .double($0) } ?? .null,
      "groups": .int(
        Int64(video.facts.stored == nil ? (video.groups.max() ?? -1) + 1 : Int32(clamping: count))),
      "bits": .int(Int64(video.facts.bits)), "depth": video.depth?.json,
      "units": units.map { .string($0) },
      "prediction": video.facts.stored.map { .string($0.prediction.rawValue) },
    ])
  }
}
