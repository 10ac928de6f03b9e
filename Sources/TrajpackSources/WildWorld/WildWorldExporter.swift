import TrajpackFormat
import TrajpackStore

/// Writes episodes that came from WildWorld samples as such samples again: the same values in
/// `state.csv`, the same bits in `skeleton.npz`, the same bytes in the videos.
public struct WildWorldExporter: Exporter {
  /// What `trajpack formats` says of it.
  public static let format = WildWorldImporter.format
  /// The folder in which videos that were linked are looked for; `nil` to leave them out.
  public var mediaFolder: String?

  /// An exporter.
  public init(mediaFolder: String? = nil) { self.mediaFolder = mediaFolder }

  /// Writes an episode; see ``Exporter``.
  public func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError) {
    guard shard.schema.attributes["source"]?.string == "wildworld" else {
      throw TrajpackError(
        .usage,
        "was not made from WildWorld samples, so it cannot be written as one; use --to npz or csv")
    }
    let metadata = JSONReader(
      try JSONValue(parsing: episode.metadata.isEmpty ? "{}" : episode.metadata), at: "metadata")
    let frames = try metadata.integer("frames")
    guard let rate = Rational(decimal: try metadata.text("rate")), rate.numerator > 0 else {
      throw metadata.wrong("a rate")
    }
    let tracks = episode.tracks.map { TrackReader(shard, track: $0, reader: reader) }
    // Frames of a video may count by times of their own.
    let videos = tracks.filter(\.stream.isVideo)
    let placed = try tracks.filter { !$0.stream.isVideo }.map { (track) throws(TrajpackError) in
      FrameTrack(reader: track, first: try Self.frame(of: track, rate))
    }
    // Frames in which nothing is there have no rows. The count ends at the last row: metadata may
    // claim more.
    let last = placed.reduce(0) { max($0, $1.first + $1.reader.count) }
    let longest = (placed.map(\.reader) + videos).reduce(0) { max($0, $1.count) }
    guard frames >= last, frames - longest <= Self.maximumAbsent else {
      throw metadata.wrong("a number of frames that fits the tracks, not \(frames)")
    }
    if let number = try metadata.optionalInteger("layout") {
      guard let names = shard.schema.attributes["layouts"]?.array, names.indices.contains(number),
        let columns = names[number].array
      else { throw metadata.wrong("a known layout") }
      try StateExport(
        columns: columns.compactMap(\.string), absent: metadata.value["absent"], frames: frames,
        tracks: placed
      ).write("state.csv", in: folder)
    }
    if metadata.value["skeleton"] != nil {
      try writeSkeleton(metadata, placed, frames: frames, folder)
    }
    for (stream, name) in WildWorldImporter.videoFiles {
      guard let track = videos.first(where: { $0.stream.name == stream }) else { continue }
      try VideoExport.write(track, mediaFolder: mediaFolder, as: name, in: folder)
    }
  }

  /// The most frames beyond those of the longest track: six days.
  private static let maximumAbsent = 1 << 24

  /// The frame at which a track begins.
  private static func frame(of track: TrackReader, _ rate: Rational) throws(TrajpackError) -> Int {
    guard case .regular(let start, _) = track.track.clock,
      let frame = Rational(Instant(start) * Instant(rate)), frame.denominator == 1,
      (0...1 << 48).contains(frame.numerator)
    else {
      throw TrajpackError(
        .data,
        "a track of stream '\(track.stream.name)' does not begin at a frame; the metadata is damaged"
      )
    }
    return Int(frame.numerator)
  }

  private func writeSkeleton(
    _ metadata: JSONReader, _ tracks: [FrameTrack], frames: Int, _ folder: ExportFolder
  ) throws(TrajpackError) {
    let writer = try NPZWriter("skeleton.npz", in: folder)
    let arrays = try metadata.list("skeleton") { (r) throws(TrajpackError) in
      guard
        let array = WildWorldExamination.Array(
          key: try r.text("key"), joints: try r.integer("joints"),
          of: r.value["type"]?.string == "float64" ? .float64 : .float32)
      else { throw r.wrong("the key of an array") }
      return array
    }
    for array in arrays {
      guard array.joints > 0, array.joints <= 1 << 20, frames <= Int.max / (array.joints * 24 + 1)
      else {
        throw TrajpackError(.data, "metadata.skeleton is damaged: \(array.joints) joints")
      }
      let rowBytes = array.joints * 3 * array.type.size
      let absent = [UInt8](
        (0..<array.joints * 3).flatMap { _ in
          array.type == .float64 ? le(SkeletonRows.longNaN) : le(SkeletonRows.nan)
        })
      let runs = tracks.filter {
        $0.reader.stream.name.hasPrefix("skeleton/") && $0.reader.track.entity == array.entity
      }
      try writer.add(array.key, type: array.type, shape: [frames, array.joints, 3]) {
        (write) throws(TrajpackError) in
        var frame = 0
        func fill(to end: Int) throws(TrajpackError) {
          while frame < end {
            try absent.withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
            frame += 1
          }
        }
        for run in runs {
          guard run.first >= frame, run.first + run.reader.count <= frames,
            run.reader.stream.channels.first?.elements == array.joints * 3
          else {
            throw TrajpackError(
              .data, "the tracks of '\(array.key)' overlap; the metadata is damaged")
          }
          try fill(to: run.first)
          try run.reader.forEachRun { (rows) throws(TrajpackError) in
            let values = try run.reader.read(channel: 0, rows: rows)
            var bytes = values.bytes
            if values.stored == .float64, array.type == .float32 { bytes = Self.narrowed(bytes) }
            guard values.stored.isFloat, bytes.count == rows.count * rowBytes else {
              throw TrajpackError(.data, "the joints of '\(array.key)' are no \(array.type)")
            }
            try bytes.withBytes { (bytes) throws(TrajpackError) in try write(bytes) }
          }
          frame = run.first + run.reader.count
        }
        try fill(to: frames)
      }
    }
    try writer.finish()
  }

  /// The float32 of each float64, which was one when it was converted.
  private static func narrowed(_ bytes: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: bytes.count / 2)
    out.withUnsafeMutableBytes { out in
      bytes.withUnsafeBytes { bytes in
        for at in stride(from: 0, to: out.count, by: 4) {
          let bits = bytes.loadUnaligned(fromByteOffset: 2 * at, as: UInt64.self)
          let value = Float(Double(bitPattern: UInt64(littleEndian: bits)))
          out.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: at, as: UInt32.self)
        }
      }
    }
    return out
  }

  /// Writes what belongs to all episodes; see ``Exporter``.
  public func finish(_ shards: [Shard], into folder: String) throws(TrajpackError) {
    var graphs: [JSONValue.Member] = []
    for shard in shards {
      for skeleton in shard.schema.skeletons
      where !graphs.contains(where: { $0.name == skeleton.name }) {
        graphs.append(
          .init(
            skeleton.name, .array(skeleton.edges.map { .array($0.map { .int(Int64($0)) }) })))
      }
    }
    guard !graphs.isEmpty else { return }
    try FileSystem.replace(
      "\(folder)/skeleton_edges.json", with: Array((JSONValue.object(graphs).text() + "\n").utf8))
  }
}

/// A track and the frame at which it begins.
struct FrameTrack {
  var reader: TrackReader
  var first: Int
}
