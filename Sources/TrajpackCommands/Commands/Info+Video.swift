import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

extension Info {
  /// A line for each video of a recording: codec, size, frames, groups of pictures, and where its bytes are.
  static func videos(
    _ episode: ShardIndex.Episode, _ shard: Shard, _ reader: BlockReader
  ) throws(TrajpackError) -> [String] {
    var lines: [String] = []
    for number in episode.tracks {
      let track = TrackReader(shard, track: number, reader: reader)
      guard track.stream.isVideo else { continue }
      let metadata = JSONReader(
        try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata),
        at: "metadata of '\(track.stream.name)'")
      let (keys, cost) = try groups(track)
      let size = "\(try metadata.integer("width")) × \(try metadata.integer("height"))"
      let pixels = try metadata.optionalText("pixel_format") ?? ""
      let bytes = Human.bytes(try metadata.integer("bytes"))
      let isLinked = try metadata.text("stored") == "link"
      let isChunked = try metadata.text("codec") == "chunks"
      let rotation = metadata.value["rotation"]?.double
      lines.append(
        ("\(track.stream.name): \(try metadata.text("codec")), \(size) \(pixels), "
          + "\(Human.count(track.count, "frames")), "
          + (isChunked
            ? "each by itself"
            : keys > 0
              ? "a keyframe every \(Human.figure(Double(track.count) / Double(keys))), "
                + "a random frame decodes \(Human.figure(cost)) on average"
              : "no keyframe")
          + ", \(bytes) \(isLinked ? "linked" : isChunked ? "before compression" : "embedded")"
          + (track.stream.channel(named: "frame_crc32c") == nil
            ? "" : ", checksums of frames")
          + (rotation.map { ", rotation by \(Human.figure($0))° not applied" } ?? "")).printable)
      if let depth = try track.stream.depthEncoding() {
        lines.append("  depth: \(depth.sentence)".printable)
      } else if track.stream.isDepth {
        lines.append("  depth: what its samples mean is not known ('transcode --depth' says it)")
      }
      if let said = remark(track.track, track.stream, metadata.value) {
        lines.append("  \(said)".printable)
      }
    }
    return lines
  }

  /// Where the times of a video's frames are not those of its rows, or its file has more frames; `nil` where neither
  /// is so.
  private static func remark(
    _ track: ShardIndex.Track, _ stream: Stream, _ metadata: JSONValue
  ) -> String? {
    let file = FileSystem.name(of: metadata["file"]?.string ?? stream.name)
    var said: [String] = []
    if let rate = track.clock.rate,
      let spacing = FrameSpacing(json: metadata[FrameSpacing.member]),
      let text = spacing.sentence(of: file, at: rate)
    {
      said.append(text)
    }
    if let frames = metadata["file_frames"]?.int, frames > track.rows.count {
      said.append(
        "\(file): the file has \(frames) frames and the recording \(track.rows.count) rows")
    }
    return said.isEmpty ? nil : said.joined(separator: "; ")
  }

  /// What a user should know of the videos of a dataset, each sentence once with the first recording that it is true
  /// of and their number. Only metadata is read.
  static func videoRemarks(_ dataset: Dataset) throws(TrajpackError) -> [String] {
    var texts: [String] = []
    var ids: [String: (first: String, count: Int)] = [:]
    for number in dataset.shardPaths.indices {
      let shard = try dataset.shard(number)
      let videos = shard.schema.streams.map(\.isVideo)
      guard videos.contains(true) else { continue }
      for number in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(number)
        for track in episode.tracks.map(shard.index.track) where videos[track.stream] {
          // Most videos have nothing to say.
          guard
            track.metadata.contains("\"\(FrameSpacing.member)\"")
              || track.metadata.contains("\"file_frames\""),
            let text = remark(
              track, shard.schema.streams[track.stream], try JSONValue(parsing: track.metadata))
          else { continue }
          if ids[text] == nil { texts.append(text) }
          ids[text, default: (episode.id, 0)].count += 1
        }
      }
    }
    return texts.map { text in
      let (first, count) = ids[text] ?? ("", 1)
      return "\(first)\(count > 1 ? " and \(count - 1) more" : ""): \(text)"
    }
  }

  /// Frames at which decoding may begin, and how many frames are decoded for one on average: those from the keyframe
  /// before it on.
  private static func groups(_ track: TrackReader) throws(TrajpackError) -> (
    keys: Int, cost: Double
  ) {
    guard let channel = track.stream.channel(named: "keyframe") else { return (0, 0) }
    var (keys, sum, length) = (0, 0.0, 0.0)
    try track.forEachRun { (rows) throws(TrajpackError) in
      let values = try track.read(channel: channel, rows: rows)
      for row in 0..<rows.count {
        if values.value(row, 0) == .int(1) {
          keys += 1
          length = 0
        }
        length += 1
        sum += length
      }
    }
    return (keys, sum / Double(max(track.count, 1)))
  }
}
