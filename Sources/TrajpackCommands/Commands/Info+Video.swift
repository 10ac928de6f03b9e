import TrajpackFormat
import TrajpackLoader
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
      let keys = try keyframes(track)
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
              ? "a keyframe every \(Human.figure(Double(track.count) / Double(keys)))"
              : "no keyframe")
          + ", \(bytes) \(isLinked ? "linked" : isChunked ? "before compression" : "embedded")"
          + (rotation.map { ", rotation by \(Human.figure($0))° not applied" } ?? "")).printable)
    }
    return lines
  }

  /// Frames at which decoding may begin.
  private static func keyframes(_ track: TrackReader) throws(TrajpackError) -> Int {
    guard let channel = track.stream.channel(named: "keyframe") else { return 0 }
    var count = 0
    try track.forEachRun { (rows) throws(TrajpackError) in
      let values = try track.read(channel: channel, rows: rows)
      count += (0..<rows.count).count { values.value($0, 0) == .int(1) }
    }
    return count
  }
}
