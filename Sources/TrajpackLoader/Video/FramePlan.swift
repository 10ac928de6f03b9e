import CPlatform
import CVideoTable
import TrajpackFormat
import TrajpackStore

/// What a loader needs to have frames of videos.
struct FrameSetup: Sendable {
  /// Where linked videos of each shard are, by the number of the shard.
  var media: [MediaFolder]
  /// How the frames of each channel of the layout are written, by the number of the channel.
  var outputs: [Int: tpv_output]
  /// What is cut out of the frames of each channel.
  var crops: [Int: FrameCrop?]
  /// The pictures of each channel, of the first episode that has them.
  var geometries: [Int: PictureGeometry] = [:]
  /// What the samples of the frames of a channel become, and their bytes.
  var conversions: [Int: (conversion: FrameConversion, sampleBytes: Int)] = [:]
  /// How likely a window is mirrored.
  var flip: Double
  var seed: UInt64
  /// The channels of frames whose pixels other channels hold, and whether any channel follows pictures.
  var followed: [Int]
  var follows: Bool
  /// Bytes of decoded pictures to keep.
  var cache: Int
  /// Whether windows that follow are likely to want the frames that follow.
  var goesOn: Bool
  /// Threads of a decoder: one, since others have videos of their own, but where a pool has fewer groups of pictures than the
  /// loader has threads.
  var decoderThreads = 1

  init(
    _ selection: FrameSelection, _ layout: Layout, media: [MediaFolder], _ options: LoaderOptions,
    _ blocks: FrameBlocks?
  ) {
    self.media = media
    outputs = [:]
    crops = [:]
    (flip, seed) = (options.flip, options.seed)
    for (number, channel) in layout.channels.enumerated() where channel.isFrames {
      outputs[number] = selection.streams[channel.stream]?.output
      geometries[number] = selection.streams[channel.stream]?.geometry
      if let stream = selection.streams[channel.stream], let conversion = stream.conversion {
        conversions[number] = (conversion, stream.sampleBytes)
      }
      crops[number] = FrameCrop(
        options.crop.value(stream: channel.stream, channel: channel.channel.name))
    }
    followed = Set(
      layout.channels.compactMap {
        guard case .pixels(let channel, _)? = $0.following else { return nil }
        return channel
      }
    ).sorted()
    follows = layout.channels.contains { $0.following != nil }
    goesOn = options.shuffle != .global
    cache = blocks?.cache ?? options.frameCache ?? 0
    if let groups = blocks?.groups {
      let threads = options.threads > 0 ? options.threads : Int(tp_processors())
      decoderThreads = min(max(threads / groups.count, 1), Self.mostDecoderThreads)
    }
  }

  private static let mostDecoderThreads = 8

  /// Where frames come from, for those who read together.
  func source() -> FrameSource { FrameSource(frameBytes: cache) }
}

extension Planner {
  /// Orders frames `rows` of a video for the rows of a window: a segment for those that are neighbours and are decoded
  /// from the same keyframe, so that one decoding serves all windows of the batch.
  func frames(
    _ rows: [(out: Int, row: Int)], _ program: GroupProgram, _ track: Int,
    _ numbers: ShardIndex.TrackRecord, slot: Int, _ window: WindowContext, _ plan: BatchPlan
  ) throws(TrajpackError) {
    guard let setup = setup.frames, let frameSource else { throw VideoLibrary.missing }
    let video = try frameSource.video(
      window.shard.shard, VideoKey(shard: window.shard.number, track: track),
      media: setup.media[window.shard.number])
    // A window of a split may see some rows of the track only, and counts them from the first of these.
    let whole = window.shard.numbers(ofTrack: track)
    guard video.frames == whole.count else {
      throw TrajpackError(
        .data, file: video.name, "has \(video.frames) frames for \(counted(whole.count, "row"))")
    }
    let cut = numbers.first - whole.first
    let rows = rows.map { (out: $0.out, row: $0.row + cut) }
    var at = 0
    while at < rows.count {
      let first = rows[at]
      let group = video.groups[first.row]
      var count = 1
      while at + count < rows.count, rows[at + count].row == first.row + count,
        rows[at + count].out == first.out + count, video.groups[first.row + count] == group
      {
        count += 1
      }
      plan.segments.append(
        Segment(
          key: Segment.key(
            shard: window.shard.number, read: program.read,
            chunk: Segment.framesBit | (whole.first + Int(group))),
          program: .passUnretained(program), row: Int32(first.row), count: Int32(count),
          window: Int32(window.number), slot: Int32(slot), outRow: Int32(first.out),
          isStaged: false, staging: track))
      at += count
    }
  }

  /// The row of a video that each place of a window takes, of those in the planner's scratch: the nearest in time, or the
  /// last one where `align` says "asof".
  func frameRows(_ program: GroupProgram, length: Int) -> [(out: Int, row: Int)] {
    guard let channel = program.frames else { return [] }
    let blend = setup.layout.channels[channel].blend
    var out: [(out: Int, row: Int)] = []
    for t in 0..<length where rows[t] >= 0 {
      let isNext = blend == .asOf ? isDue[t] : rests[t] > 0.5
      out.append((t, rows[t] + (rests[t] > 0 && isNext ? 1 : 0)))
    }
    return out
  }
}

/// What decoded samples become, in the place where they lie.
enum FrameConversion: Sendable {
  case distances(DepthRequest)
  /// Numbers of a type that is wider than theirs, or as wide.
  case type(ElementType)
}

/// A decoded frame whose samples become something else.
private struct ConvertedFrame {
  var conversion: FrameConversion
  var sampleBytes: Int
  var count: Int
  var fill: Double?
  var samples: UnsafeMutableRawPointer
  var observed: UnsafeMutableRawPointer?

  func finish(_ video: OpenVideo) throws(TrajpackError) {
    let request: DepthRequest
    switch conversion {
    case .type(let type):
      return type.expand(samples, count: count, sampleBytes: sampleBytes)
    case .distances(let asked): request = asked
    }
    // What stands in place of no depth is not observed either.
    let table = try video.distances(request)
    table.expand(samples, count: count, sampleBytes: sampleBytes)
    let distances = samples.assumingMemoryBound(to: Float.self)
    if let observed {
      tp_observed_f32(samples, count, observed.assumingMemoryBound(to: UInt8.self))
    }
    if let fill { for i in 0..<count where distances[i].isNaN { distances[i] = Float(fill) } }
  }
}

extension Segment {
  /// The bit of a chunk's number that says that it is frames.
  static let framesBit = 1 << (Int(chunkBits) - 1)

  /// Whether it is frames of a video: decoded first, because they take longest.
  var isFrames: Bool { chunk & Self.framesBit != 0 }
}

extension ChunkWorker {
  /// Does one item of a plan that is frames: all that windows of the batch want of one group of pictures.
  func decode(
    _ segments: UnsafeBufferPointer<Segment>, _ plan: BatchPlan
  ) throws(TrajpackError) {
    guard let setup = setup.frames, let frameSource else { throw VideoLibrary.missing }
    let shard = self.setup.shards[segments[0].shard]
    let track = segments[0].staging
    let video = try frameSource.video(
      shard.shard, VideoKey(shard: shard.number, track: track), media: setup.media[shard.number])
    // Groups of channels with places of their own may want frames of the same video: they are written alike.
    var frames: [tpv_frame] = []
    var output: tpv_output?
    var placed: (window: Int32, draw: FrameDraw)?
    var converted: [ConvertedFrame] = []
    for segment in segments {
      let channel = segment.program._withUnsafeGuaranteedRef { $0.frames } ?? 0
      output = setup.outputs[channel]
      let place = self.setup.layout.channels[channel].place
      let draw: FrameDraw
      if let placed, placed.window == segment.window {
        draw = placed.draw
      } else {
        draw = setup.draw(Int(segment.window), plan)
        placed = (segment.window, draw)
      }
      let part = setup.place(channel, draw, video.facts)
      for n in 0..<Int(segment.count) {
        let byte = place.byte(Int(segment.window), Int(segment.outRow) + n, Int(segment.slot))
        frames.append(
          tpv_frame(
            frame: Int64(Int(segment.row) + n), memory: plan.memory + byte, left: Int32(part.left),
            top: Int32(part.top), mirrored: draw.isMirrored ? 1 : 0))
        guard let conversion = setup.conversions[channel] else { continue }
        let selected = self.setup.layout.channels[channel]
        converted.append(
          ConvertedFrame(
            conversion: conversion.conversion, sampleBytes: conversion.sampleBytes,
            count: selected.channel.elements, fill: selected.fill?.number,
            samples: plan.memory + byte,
            observed: selected.observed.map {
              plan.memory
                + $0.byte(Int(segment.window), Int(segment.outRow) + n, Int(segment.slot))
            }))
      }
    }
    guard let output else { return }
    try frameSource.decode(
      video, frames, as: output, threads: setup.decoderThreads, goesOn: setup.goesOn)
    for frame in converted { try frame.finish(video) }
  }
}

extension ElementType {
  /// Turns `count` unsigned samples of 1 or 2 bytes at the start of `memory` into as many elements of this type, which holds
  /// them all.
  func expand(_ memory: UnsafeMutableRawPointer, count: Int, sampleBytes: Int) {
    func sample(_ i: Int) -> UInt16 {
      sampleBytes == 1
        ? UInt16(memory.load(fromByteOffset: i, as: UInt8.self))
        : memory.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
    }
    // From the last to the first, because an element takes more room than its sample.
    func each<T>(_ make: (UInt16) -> T) {
      for i in stride(from: count - 1, through: 0, by: -1) {
        memory.storeBytes(of: make(sample(i)), toByteOffset: i * MemoryLayout<T>.size, as: T.self)
      }
    }
    switch self {
    case .float32: each { Float($0) }
    case .float64: each { Double($0) }
    case .int16: each { Int16(truncatingIfNeeded: $0) }
    case .uint16: each { $0 }
    case .int32: each { Int32($0) }
    case .uint32: each { UInt32($0) }
    case .int64: each { Int64($0) }
    case .uint64: each { UInt64($0) }
    case .bool, .int8, .uint8, .bytes: break
    }
  }
}
