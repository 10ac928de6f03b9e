import CPlatform
import CVideoTable
import Glibc
import Synchronization
import TrajpackFormat
import TrajpackStore

/// What tracks of videos are: which shard, which track of it.
struct VideoKey: Hashable, Sendable {
  var shard: Int
  var track: Int
}

/// A video that is open: its packets, and where their bytes lie.
final class OpenVideo: @unchecked Sendable {
  // All is set by the initialiser; the handle may be used by any number of threads.
  let name: String
  let facts: VideoFacts
  let frames: Int
  /// For each frame the number of the keyframe that it is decoded from.
  let groups: [Int32]
  /// Bytes of memory that it takes, decoders aside.
  let bytes: Int
  /// `nil` for frames that are stored as samples, which have `places` instead.
  fileprivate let handle: OpaquePointer?
  /// Where each of the stored frames begins among the track's bytes.
  fileprivate let places: [Int64]
  fileprivate let shard: Shard
  fileprivate let track: Int
  fileprivate let linked: LinkedVideo?
  private let engine: VideoEngine?
  /// What its samples mean as depth, where the dataset says it, and the distances that were asked for last.
  let depth: DepthEncoding?
  private let known = Mutex<(request: DepthRequest, table: DepthTable)?>(nil)

  fileprivate init(
    _ shard: Shard, track: Int, media: MediaFolder,
    _ engine: () throws(TrajpackError) -> VideoEngine
  ) throws(TrajpackError) {
    let numbers = shard.index.track(track)
    name =
      "\(shard.name): stream '\(shard.schema.streams[numbers.stream].name)', episode "
      + "'\(shard.index.episode(numbers.episode).id)'"
    self.shard = shard
    self.track = track
    let facts = try VideoFacts(numbers.metadata, at: name)
    depth = try shard.schema.streams[numbers.stream].depthEncoding()
    self.facts = facts
    let reader = TrackReader(shard, track: track, reader: BlockReader(shard, cache: 4 << 20))
    let table = try VideoPacketTable(reader, facts, place: name)
    frames = reader.count
    bytes = table.bytes
    if let stored = facts.stored {
      (handle, self.engine, linked) = (nil, nil, nil)
      places = try Self.places(table, stored, name)
      groups = (0..<Int32(frames)).map { $0 / Self.storedGroup }
      return
    }
    places = []
    let engine = try engine()
    self.engine = engine
    let (functions, pool) = (engine.functions, engine.pool)
    linked = facts.isLinked ? try media.open(facts, place: name) : nil
    let length = linked.map { $0.file.length } ?? numbers.blob.count
    var opened: OpaquePointer?
    try facts.withStream(name: name) { (stream) throws(TrajpackError) in
      var packets = tpv_packets()
      packets.count = table.offset.count
      packets.bytes = Int64(length)
      packets.by_container = facts.needsContainer ? 1 : 0
      try VideoLibrary.call { error in
        table.offset.withUnsafeBufferPointer { offset in
          table.size.withUnsafeBufferPointer { size in
            table.pts.withUnsafeBufferPointer { pts in
              table.frame.withUnsafeBufferPointer { frame in
                table.keyframe.withUnsafeBufferPointer { keyframe in
                  packets.offset = offset.baseAddress
                  packets.size = size.baseAddress
                  packets.pts = pts.baseAddress
                  packets.frame = frame.baseAddress
                  packets.keyframe = keyframe.baseAddress
                  return functions.open(pool.pointer, stream, &packets, &opened, error)
                }
              }
            }
          }
        }
      }
    }
    guard let opened else {
      throw TrajpackError(.machine, "\(name): the video library gave no video")
    }
    handle = opened
    var found = [Int32](repeating: 0, count: frames)
    do throws(TrajpackError) {
      try VideoLibrary.call { error in
        found.withUnsafeMutableBufferPointer {
          functions.groups(opened, $0.baseAddress, $0.count, error)
        }
      }
    } catch {
      functions.free(opened)
      throw error
    }
    groups = found
  }

  /// The distances of its samples.
  ///
  /// - Throws: A usage error where the encoding or the unit is not known.
  func distances(_ request: DepthRequest) throws(TrajpackError) -> DepthTable {
    let last = known.withLock { $0 }
    if let last, last.request == request { return last.table }
    let table = try DepthTable(request, depth, bits: facts.bits, name)
    known.withLock { $0 = (request, table) }
    return table
  }

  deinit { if let handle { engine?.functions.free(handle) } }

  /// Stored frames that a thread reads together.
  private static let storedGroup: Int32 = 8

  private static func places(
    _ table: VideoPacketTable, _ stored: StoredFrames, _ name: String
  ) throws(TrajpackError) -> [Int64] {
    var places = [Int64](repeating: -1, count: table.frame.count)
    for (packet, frame) in table.frame.enumerated() {
      guard places.indices.contains(Int(frame)), table.offset[packet] >= 0,
        Int(table.size[packet]) == stored.bytes
      else {
        throw TrajpackError(
          .data,
          "\(name), frame \(frame): has \(table.size[packet]) bytes at \(table.offset[packet]), where stored frames of "
            + "\(stored.width) × \(stored.height) have \(stored.bytes)")
      }
      places[Int(frame)] = table.offset[packet]
    }
    return places
  }
}

/// The library of video codecs and a pool of its decoders.
private final class VideoEngine: Sendable {
  let functions: tpv_functions
  let pool: PoolHandle

  init(frameBytes: Int, decoderBytes: Int) throws(TrajpackError) {
    functions = try VideoLibrary.functions()
    pool = try PoolHandle(functions, frameBytes: frameBytes, decoderBytes: decoderBytes)
  }
}

/// The pool of decoders, freed with the last video of it.
private final class PoolHandle: Sendable {
  nonisolated(unsafe) let pointer: OpaquePointer
  private let free: @convention(c) (OpaquePointer?) -> Void

  init(_ functions: tpv_functions, frameBytes: Int, decoderBytes: Int) throws(TrajpackError) {
    var limits = tpv_limits(frames: Int64(frameBytes), decoders: Int64(decoderBytes))
    guard let pool = functions.pool_create(&limits), let free = functions.pool_free else {
      throw TrajpackError(.machine, "there is no memory for decoders of videos")
    }
    pointer = pool
    self.free = free
  }

  deinit { free(pointer) }
}

/// Decoded frames of the videos of a dataset or a mixture. Any number of threads may use it.
final class FrameSource: Sendable {
  private struct State: ~Copyable {
    var videos: [VideoKey: (video: OpenVideo, used: UInt64)] = [:]
    var bytes = 0
    var clock: UInt64 = 0
    var readers: [BlockReaderOf] = []
    /// Made for the first video that is packets.
    var engine: VideoEngine?
    /// Frames that were stored as samples and given out.
    var storedFrames: Int64 = 0
  }
  private struct BlockReaderOf: @unchecked Sendable {
    // One thread has it at a time.
    var shard: ObjectIdentifier
    var reader: BlockReader
  }

  private let frameBytes: Int
  private let state = Mutex(State())

  /// Bytes of packet tables that are kept, and of idle decoders.
  static let tableBytes = 32 << 20
  static let decoderBytes = 64 << 20

  /// - Parameter frameBytes: Bytes of decoded pictures to keep.
  init(frameBytes: Int) { self.frameBytes = frameBytes }

  /// - Throws: ``VideoLibrary/missing`` where the library is not loaded.
  private func engine() throws(TrajpackError) -> VideoEngine {
    if let known = state.withLock({ $0.engine }) { return known }
    let made = try VideoEngine(frameBytes: frameBytes, decoderBytes: Self.decoderBytes)
    return state.withLock { state in
      if let other = state.engine { return other }
      state.engine = made
      return made
    }
  }

  /// Opens the video of a track, or finds it open. `local`: the track's number in the shard, where the key has another.
  ///
  /// - Throws: A data error where its rows or metadata are damaged; what ``MediaFolder`` says of linked files.
  func video(
    _ shard: Shard, _ key: VideoKey, local: Int? = nil, media: MediaFolder
  ) throws(TrajpackError) -> OpenVideo {
    let known = state.withLock { state -> OpenVideo? in
      state.clock += 1
      guard let video = state.videos[key]?.video else { return nil }
      state.videos[key]?.used = state.clock
      return video
    }
    if let known { return known }
    let made = try OpenVideo(
      shard, track: local ?? key.track, media: media, engine)
    var gone: [OpenVideo] = []
    let kept = state.withLock { state -> OpenVideo in
      if let other = state.videos[key]?.video { return other }
      state.bytes += made.bytes
      if state.bytes > Self.tableBytes {
        for (old, entry) in state.videos.sorted(by: { $0.value.used < $1.value.used }) {
          guard state.bytes > Self.tableBytes - Self.tableBytes / 8 else { break }
          state.bytes -= entry.video.bytes
          state.videos[old] = nil
          gone.append(entry.video)
        }
      }
      state.videos[key] = (made, state.clock)
      return made
    }
    // Freed outside of the lock.
    gone.removeAll()
    return kept
  }

  /// Decodes frames of a video.
  ///
  /// - Parameter goesOn: Whether what follows is likely to be asked for next.
  /// - Throws: A data error naming shard, stream, episode, frame and packet.
  func decode(
    _ video: OpenVideo, _ frames: [tpv_frame], as output: tpv_output, threads: Int, goesOn: Bool
  ) throws(TrajpackError) {
    try video.linked?.check()
    let reading = PacketReading(video, reader(for: video))
    defer { give(reading.reader, of: video) }
    if let stored = video.facts.stored {
      return try read(video, stored, frames, as: output, reading)
    }
    let functions = try engine().functions
    var request = tpv_request()
    request.output = output
    request.threads = Int32(threads)
    request.goes_on = goesOn ? 1 : 0
    request.read = readPacket
    request.context = Unmanaged.passUnretained(reading).toOpaque()
    try withExtendedLifetime(reading) { () throws(TrajpackError) in
      try VideoLibrary.call { error in
        frames.withUnsafeBufferPointer {
          functions.decode(video.handle, &request, $0.baseAddress, $0.count, error)
        }
      }
    }
    // What was changed meanwhile may have been decoded.
    try video.linked?.check()
    guard video.facts.isSwapped, output.format == Int32(bitPattern: TPV_RGB24.rawValue) else {
      return
    }
    let pixels = Int(output.width) * Int(output.height)
    for frame in frames {
      guard let memory = frame.memory else { continue }
      tp_swap_ends(memory, pixels, output.planar != 0 ? 1 : 3, output.planar != 0 ? pixels : 1)
    }
  }

  /// Reads frames that are stored as samples.
  private func read(
    _ video: OpenVideo, _ stored: StoredFrames, _ frames: [tpv_frame], as output: tpv_output,
    _ reading: PacketReading
  ) throws(TrajpackError) {
    let packed = ByteBuffer(stored.bytes)
    let samples = ByteBuffer(stored.bytes)
    guard let from = packed.bytes.baseAddress, let to = samples.bytes.baseAddress else { return }
    var last: Int64 = -1
    for frame in frames.sorted(by: { $0.frame < $1.frame }) {
      if frame.frame != last {
        guard video.places.indices.contains(Int(frame.frame)) else {
          throw TrajpackError(.usage, file: video.name, "there is no frame \(frame.frame)")
        }
        try within("\(video.name), frame \(frame.frame)") { () throws(TrajpackError) in
          try reading.read(video.places[Int(frame.frame)], into: packed.bytes)
        }
        stored.restore(from, into: to)
        last = frame.frame
      }
      try stored.write(to, as: output, into: frame, name: video.name)
    }
    let count = Int64(frames.count)
    state.withLock { $0.storedFrames += count }
  }

  /// What was decoded and what is held.
  var counts: tpv_counts {
    let (engine, stored) = state.withLock { ($0.engine, $0.storedFrames) }
    var counts = tpv_counts()
    if let engine { engine.functions.pool_counts(engine.pool.pointer, &counts) }
    counts.frames += stored
    counts.packets += stored
    return counts
  }

  // MARK: Bytes of packets

  private func reader(for video: OpenVideo) -> BlockReader? {
    guard video.linked == nil else { return nil }
    let shard = ObjectIdentifier(video.shard)
    let idle = state.withLock { state -> BlockReader? in
      guard let at = state.readers.lastIndex(where: { $0.shard == shard }) else { return nil }
      return state.readers.remove(at: at).reader
    }
    return idle ?? BlockReader(video.shard, cache: 2 << 20)
  }

  private func give(_ reader: BlockReader?, of video: OpenVideo) {
    guard let reader else { return }
    state.withLock { state in
      state.readers.append(BlockReaderOf(shard: ObjectIdentifier(video.shard), reader: reader))
      if state.readers.count > 8 { state.readers.removeFirst() }
    }
  }
}

/// Where the packets of a video are read from during one call.
private final class PacketReading {
  let video: OpenVideo
  let reader: BlockReader?
  private let track: TrackReader?

  init(_ video: OpenVideo, _ reader: BlockReader?) {
    (self.video, self.reader) = (video, reader)
    track = reader.map { TrackReader(video.shard, track: video.track, reader: $0) }
  }

  func read(_ offset: Int64, into room: UnsafeMutableRawBufferPointer) throws(TrajpackError) {
    if let linked = video.linked { return try linked.file.read(at: Int(offset), into: room) }
    guard let track, let start = room.baseAddress else { return }
    guard offset >= 0, offset <= track.track.blob.count - room.count else {
      throw TrajpackError(.data, "points outside the track's bytes")
    }
    try track.read(bytes: Int(offset)..<Int(offset) + room.count, into: start)
  }
}

private func readPacket(
  _ context: UnsafeMutableRawPointer?, _ offset: Int64, _ memory: UnsafeMutableRawPointer?,
  _ bytes: Int, _ error: UnsafeMutablePointer<tpv_error>?
) -> Int32 {
  guard let context, let memory else { return TrajpackError.Fault.usage.rawValue }
  let reading = Unmanaged<PacketReading>.fromOpaque(context).takeUnretainedValue()
  do throws(TrajpackError) {
    try reading.read(offset, into: UnsafeMutableRawBufferPointer(start: memory, count: bytes))
    return 0
  } catch let failure {
    if let error {
      withUnsafeMutableBytes(of: &error.pointee.message) { out in
        let text = Array(failure.message.utf8.prefix(out.count - 1))
        text.withUnsafeBytes { out.copyMemory(from: $0) }
        out[text.count] = 0
      }
    }
    return failure.fault.rawValue
  }
}
