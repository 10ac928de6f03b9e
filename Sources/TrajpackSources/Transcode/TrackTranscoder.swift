import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

/// Makes of a video track that is about to be written one that is stored in another way.
struct TrackTranscoder {
  let target: VideoTarget
  /// Threads of a decoder.
  let threads: Int
  let proof: FrameProof
  let isStopped: @Sendable () -> Bool

  /// - Parameters:
  ///   - bytes: The video's bytes, of the archive or of a file of its own.
  ///   - key: What its frames are called in the proof.
  /// - Throws: A usage error where its frames cannot be stored so; a machine error where frames that come out are not
  ///   those that went in.
  func run(
    _ draft: TrackDraft, _ bytes: TrackDraft.Bytes, _ schema: Schema, name: String, key: String
  ) throws(TrajpackError) -> (TrackDraft, remarks: [String]) {
    let metadata = JSONReader(draft.metadata, at: "\(name): metadata")
    var packets = try PacketColumns(draft, schema)
    let source = try SourceFrames(
      bytes, metadata, packets: packets, name: name, asGray: target == .chunks, threads: threads)
    var draft = draft
    note(&draft.metadata, metadata)
    let remarks = remarks(draft, name)
    switch target {
    case .keep: return (draft, [])
    case .chunks:
      try chunk(&draft, source, &packets, name, key)
      try packets.put(into: &draft, schema)
    case .lossless, .lossy:
      let encoding = try encoding(source, draft, packets, name)
      let encoded = try encode(source, encoding, packets, count: packets.count, name)
      let index = try VideoFile.index(encoded)
      try check(encoded, index, source, &packets, name)
      try draft.describe(index, encoded)
      try packets.fill(index)
      if let frame = encoding.times.difference(
        from: packets.pts,
        tick: Double(index.stream.timeBase.num) / Double(max(index.stream.timeBase.den, 1)))
      {
        throw fail("another time of frame \(frame)", name)
      }
      try packets.put(into: &draft, schema)
      draft.bytes = .made(encoded)
    }
    // Whatever decodes what was made gives these frames.
    if var hash = draft.metadata["frame_hash"] {
      hash.set("decoder", nil)
      draft.metadata.set("frame_hash", hash)
    }
    return (draft, remarks)
  }

  /// What the file had besides the rows' frames, which stays behind.
  private func remarks(_ draft: TrackDraft, _ name: String) -> [String] {
    var remarks: [String] = []
    if let frames = draft.metadata["file_frames"]?.int, frames > draft.count {
      remarks.append(
        "\(name): the \(counted(frames - draft.count, "frame")) of the file that no row belongs to are not kept"
      )
    }
    for other in draft.metadata["other_streams"]?.array ?? [] {
      let (kind, codec) = (other["kind"]?.string ?? "other", other["codec"]?.string ?? "unknown")
      remarks.append("\(name): the \(kind) of the file (\(codec)) is not kept")
    }
    if target != .chunks, draft.metadata["rotation"] != nil {
      remarks.append("\(name): its rotation is kept in the metadata, not in the new video file")
    }
    return remarks
  }

  static func differs(_ frame: Int, _ name: String) -> TrajpackError {
    TrajpackError(
      .data,
      "\(name): frame \(frame) decodes to other pixels than when it was converted, by its checksum; run "
        + "'trajpack verify --frames' on the source")
  }

  func fail(_ why: String, _ name: String) -> TrajpackError {
    TrajpackError(
      .machine,
      "\(name): the encoder gave \(why), so '\(target.text)' cannot be used for it; nothing was written; take 'chunks' "
        + "or 'intra:ffv1'")
  }

  /// What the video was, for whoever wants to know.
  private func note(_ metadata: inout JSONValue, _ old: JSONReader) {
    var from = JSONValue.object([])
    for name in ["codec", "container", "pixel_format", "bytes", "sha256", "stored", "time_base"] {
      from.set(name, old.value[name])
    }
    metadata.set("transcoded", .record(["to": .string(target.text), "from": from]))
  }

  private func chunk(
    _ draft: inout TrackDraft, _ source: SourceFrames, _ packets: inout PacketColumns,
    _ name: String, _ key: String
  ) throws(TrajpackError) {
    let frames = try Self.stored(source, count: packets.count, name: name)
    frames.describe(
      &draft.metadata, bits: Int(source.stream.bitsPerComponent), count: packets.count)
    if source.isSwapped, !packets.hashes.isEmpty {
      // The checksums that are kept are of samples of the other byte order.
      let kept = packets.hashes
      let count = packets.count
      var sums: [Int64] = []
      let swapped = ByteBuffer(source.frameBytes)
      try source.forEach(count: count) { (frame, bytes) throws(TrajpackError) in
        for i in stride(from: 0, to: bytes.count - 1, by: 2) {
          (swapped.bytes[i], swapped.bytes[i + 1]) = (bytes[i + 1], bytes[i])
        }
        guard Int64(CRC32C.of(UnsafeRawBufferPointer(swapped.bytes))) == kept[frame] else {
          throw Self.differs(frame, name)
        }
        sums.append(Int64(CRC32C.of(bytes)))
      }
      packets.hashes = sums
    }
    draft.bytes = .made(
      ChunkedFrames(
        source, frames, count: packets.count, kept: packets.hashes, proof: proof, key: key,
        name: name))
    for frame in 0..<packets.count {
      packets.offset[frame] = Int64(frame * frames.bytes)
      packets.size[frame] = Int64(frames.bytes)
      packets.dts[frame] = PacketColumns.absent
      packets.keyframe[frame] = 1
    }
  }

  /// Frames that a prediction is chosen by.
  private static let trialFrames = 8

  /// How frames of a source are stored: with the prediction by which some of them become smaller.
  ///
  /// - Throws: A usage error where frames are more than brightness.
  static func stored(
    _ source: SourceFrames, count: Int, name: String
  ) throws(TrajpackError) -> StoredFrames {
    let bits = source.stream.bitsPerComponent
    guard source.stream.pixelFormat.hasPrefix("gray"), (8...16).contains(bits) else {
      throw colours(name, source.stream.pixelFormat)
    }
    var frames = StoredFrames(
      prediction: .none, width: Int(source.stream.width), height: Int(source.stream.height),
      sampleBytes: bits > 8 ? 2 : 1)
    let compressor = try Compressor(.zstd, level: ShardWriter.framesLevel)
    var best = Int.max
    var chosen = StoredFrames.Prediction.none
    for prediction in StoredFrames.Prediction.allCases {
      frames.prediction = prediction
      var size = 0
      let room = ByteBuffer(frames.bytes)
      let predicted = ByteBuffer(frames.bytes)
      let packed = ByteBuffer(Compressor.bound(frames.bytes))
      guard let from = room.bytes.baseAddress, let to = predicted.bytes.baseAddress else { break }
      for frame in 0..<min(count, trialFrames) {
        try source.read(frame..<frame + 1, into: room.bytes)
        frames.predict(from, into: to)
        size +=
          try compressor.compress(UnsafeRawBufferPointer(predicted.bytes), into: packed.bytes)
          ?? frames.bytes
      }
      if size < best { (best, chosen) = (size, prediction) }
    }
    frames.prediction = chosen
    return frames
  }

  static func colours(_ name: String, _ pixelFormat: String) -> TrajpackError {
    TrajpackError(
      .usage,
      "\(name): its pixel format is '\(pixelFormat)', and 'chunks' are for videos that have nothing but brightness "
        + "(gray): take 'intra' or 'gop:N', which are lossless too")
  }

  func encoding(
    _ source: SourceFrames, _ draft: TrackDraft, _ packets: PacketColumns, _ name: String
  ) throws(TrajpackError) -> VideoEncoding {
    let pixels = source.stream.pixelFormat
    let base = try JSONReader(draft.metadata, at: "\(name): metadata").timeBase()
    let times = try FrameTimes(packets.pts, base: base, clock: draft.clock, name: name)
    var codec = VideoEncoding.Codec.h264(crf: 0)
    var gop = 1
    switch target {
    case .lossless(let length, let wanted):
      (gop, codec) = (length, .lossless(wanted ?? VideoTarget.Codec(for: pixels, gop: length)))
    case .lossy(let length, let crf):
      guard !pixels.hasPrefix("gray") else { throw Self.lossyDepth(name, target) }
      (gop, codec) = (length, .h264(crf: crf))
    case .keep, .chunks: break
    }
    if case .own(_, _, let frame) = times, codec != .lossless(.ffv1) {
      throw TrajpackError(
        .usage,
        "\(name): its frames are not evenly spaced in time (the first step that differs leads to frame \(frame)), and the "
          + "program 'ffmpeg' would encode them at a constant rate: take 'chunks', 'intra:ffv1', 'gop:N,codec=ffv1' or "
          + "'keep', which keep their times")
    }
    let file = draft.metadata["file"]?.string ?? ""
    let isMP4 =
      [".mp4", ".mov", ".m4v"].contains { file.hasSuffix($0) } && codec != .lossless(.ffv1)
    return VideoEncoding(
      codec: codec, gop: gop, stream: source.stream, times: times, isMP4: isMP4)
  }

  static func lossyDepth(_ name: String, _ target: VideoTarget) -> TrajpackError {
    TrajpackError(
      .usage,
      "\(name): is depth, or has nothing but brightness, and '\(target.text)' is lossy: an error of one step in depth is no "
        + "small error; take 'chunks', 'intra' or 'gop:N'")
  }

  func encode(
    _ source: SourceFrames, _ encoding: VideoEncoding, _ packets: PacketColumns, count: Int,
    _ name: String
  ) throws(TrajpackError) -> EncodedVideo {
    let isStopped = isStopped
    let kept = packets.hashes
    return try encoding.encode(name) { (write) throws(TrajpackError) in
      try source.forEach(count: count) { (frame, bytes) throws(TrajpackError) in
        guard !isStopped() else { throw TrajpackError(.usage, "stopped") }
        guard kept.isEmpty || kept[frame] == Int64(CRC32C.of(bytes)) else {
          throw Self.differs(frame, name)
        }
        try write(bytes)
      }
    }
  }
}

extension StoredFrames {
  /// Says in the metadata of a track that its bytes are these frames, of so many bits, and no file of a video codec.
  func describe(_ metadata: inout JSONValue, bits: Int, count: Int) {
    for (name, value) in [
      ("stored", "embed"), ("container", .string(Self.codec)), ("codec", .string(Self.codec)),
      ("prediction", .string(prediction.rawValue)), ("bits", .int(Int64(bits))),
      ("bytes", .int(Int64(count * bytes))),
      ("pixel_format", .string(bits == 8 ? "gray" : "gray\(bits)le")),
    ] as [(String, JSONValue)] {
      metadata.set(name, value)
    }
    for name in [
      "codec_tag", "bits_per_coded_sample", "extradata", "needs_container", "hidden_packets",
      "other_streams", "file_frames",
    ] {
      metadata.set(name, nil)
    }
  }
}
