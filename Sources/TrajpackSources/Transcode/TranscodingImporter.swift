import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

/// An importer whose videos are stored in another way than its recordings have them.
public struct TranscodingImporter<Source: VideoImporter>: Importer {
  /// What the importer finds, and its videos.
  public struct Examination: Sendable {
    let own: Source.Examination
    let videos: [VideoSummary]
  }

  /// The format of the recordings.
  public static var format: FormatDescription { Source.format }

  let source: Source
  /// What each stream is stored as; those that are kept are not here.
  let targets: [String: VideoTarget]
  private let isStopped: @Sendable () -> Bool
  private let threads: Int
  private let proof = FrameProof()

  /// - Parameters:
  ///   - targets: What each stream is to be stored as.
  ///   - threads: Of a decoder.
  ///   - isStopped: Whether the user wants to stop.
  /// - Throws: A usage error where depth would be stored lossily.
  public init(
    _ source: Source, _ targets: [String: VideoTarget], threads: Int,
    isStopped: @escaping @Sendable () -> Bool = { false }
  ) throws(TrajpackError) {
    self.source = source
    self.targets = targets.filter { $0.value != .keep }
    self.threads = min(max(threads, 1), 16)
    self.isStopped = isStopped
    for (stream, target) in self.targets where !target.isLossless {
      if stream.split(separator: "/").contains(where: { $0.hasPrefix("depth") }) {
        throw TrackTranscoder.lossyDepth("stream '\(stream)'", target)
      }
    }
    for (stream, target) in self.targets {
      switch target {
      case .keep, .chunks, .lossless(_, .ffv1), .lossless(_, nil): continue
      case .lossless, .lossy: break
      }
      // Better now than after the first hour.
      _ = try FFmpegProgram(for: "stream '\(stream)' as '\(target.text)'")
    }
  }

  /// See ``Importer``.
  public var recordings: [Recording] { source.recordings }
  /// See ``Importer``.
  public var remarks: [String] { source.remarks }
  /// See ``Importer``.
  public var leftOut: [LeftOut] { source.leftOut }

  /// See ``Importer``.
  public func beginsShard(_ number: Int) -> Bool { source.beginsShard(number) }

  /// Tells of the bytes of recordings; see ``Importer``.
  public func watchReads(_ body: @escaping @Sendable (Int) -> Void) { source.watchReads(body) }

  /// Lets idle threads take a share of a recording of the source.
  public func use(_ threads: IdleThreads, isInterrupted: @escaping @Sendable () -> Bool) {
    source.use(threads, isInterrupted: isInterrupted)
  }

  /// How the recordings were read.
  public func reading(of streams: [String: [Stream]]) -> [JSONValue] { source.reading(of: streams) }

  /// The importer's options, and what the videos are stored as.
  public var options: JSONValue {
    var options = source.options
    options.set(
      "transcode",
      .object(targets.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value.text)) }))
    return options
  }

  /// See ``Importer``.
  public func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    guard let own = try source.examine(recording) else { return nil }
    let videos = try source.videos(recording, own)
    for video in videos {
      guard let target = targets[video.stream] else { continue }
      let name = "stream '\(video.stream)'"
      let isGray = video.pixelFormat.hasPrefix("gray")
      if !target.isLossless, isGray { throw TrackTranscoder.lossyDepth(name, target) }
      if target == .chunks, !isGray { throw TrackTranscoder.colours(name, video.pixelFormat) }
    }
    return Examination(own: own, videos: videos)
  }

  /// The importer's schema, with the blobs of stored samples compressed.
  public func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema {
    var schema = try source.schema(for: examined.map { ($0.0, $0.1.own) }, layout)
    for (number, stream) in schema.streams.enumerated() {
      guard let target = targets[stream.name], let blob = stream.blob else { continue }
      guard target == .chunks else {
        schema.streams[number].attributes.set(Stream.chunkedFramesName, nil)
        schema.blocks[blob].codec = .none
        continue
      }
      let frames = examined.flatMap(\.1.videos).filter { $0.stream == stream.name }.map {
        $0.width * $0.height * ($0.pixelFormat == "gray" ? 1 : 2)
      }
      schema.streams[number].attributes.set(Stream.chunkedFramesName, true)
      schema.blocks[blob].codec = layout.codec == .lz4 ? .zstd : layout.codec
      schema.blocks[blob].chunkRows = Self.chunkBytes(frames)
    }
    return schema
  }

  /// Bytes of a chunk: whole frames where all have one size, some 256 KiB to 1 MiB, since a window reads whole chunks.
  static func chunkBytes(_ frames: [Int]) -> Int {
    guard let least = frames.min(), least > 0 else { return 256 << 10 }
    if least >= 1 << 20 {
      // The largest of equal parts of a frame.
      return (least + (least - 1) / (1 << 20)) / ((least - 1) / (1 << 20) + 1)
    }
    return least * max((256 << 10) / least, 1)
  }

  /// The importer's recording, its videos stored as the targets say.
  public func draft(
    _ recording: Recording, _ examination: Examination, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    var draft = try source.draft(recording, examination.own, schema)
    let isStopped = isStopped
    for (number, track) in draft.tracks.enumerated() {
      let stream = schema.streams[track.stream].name
      guard let target = targets[stream], track.count > 0 else { continue }
      let name = "stream '\(stream)', episode '\(recording.id)'"
      guard schema.streams[track.stream].blob != nil else { continue }
      let bytes: TrackDraft.Bytes
      if let own = track.bytes {
        bytes = own
      } else {
        bytes = try source.linked(track.metadata, name: name)
      }
      let transcoder = TrackTranscoder(
        target: target, threads: threads, proof: proof, isStopped: isStopped)
      let (changed, remarks) = try transcoder.run(
        track, bytes, schema, name: name, key: FrameProof.key(recording.id, stream, number))
      draft.tracks[number] = changed
      draft.remarks += remarks
    }
    return draft
  }

  /// Compares the stored frames of a shard with those that were decoded; see ``Importer``.
  public func check(shard path: String) throws(TrajpackError) { try proof.check(path) }
}
