import TrajpackEvaluate
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Depth of a recording as distances: frames of videos, and rows whose encoding the dataset says.
extension ArchiveEpisode {
  /// Whether a track is a video of depth.
  static func isDepthVideo(_ track: TrackReader) -> Bool {
    track.stream.isVideo && track.stream.isDepth
  }

  /// What the frames of a video are: distances in the unit of the encoding.
  func frameChannel(_ entry: Entry) -> Channel? {
    guard let track = firstTrack(entry.label), Self.isDepthVideo(track),
      let metadata = try? JSONValue(parsing: track.track.metadata),
      let width = metadata["width"]?.int, let height = metadata["height"]?.int
    else { return nil }
    return Channel(
      name: entry.channel, kind: .depth, type: .float32, shape: [height, width],
      units: (try? track.stream.depthEncoding())?.units, missing: .nan)
  }

  /// Whether it is known what the samples of an entry's video mean.
  func isMetric(_ entry: Entry) -> Bool {
    guard let encoding = try? firstTrack(entry.label)?.stream.depthEncoding() else { return false }
    return encoding.form != .unknown
  }

  /// The most numbers of frames that are held: 4 GiB.
  private static let mostNumbers = 1 << 29

  /// The distances in the frames of a video; what is no depth, and frames outside, are NaN.
  ///
  /// - Throws: A usage error where it is not known what samples mean, and where the frames take too much memory.
  func readFrames(
    _ entry: Entry, on frames: ReferenceFrames
  ) throws(TrajpackError) -> (numbers: Numbers, covered: [Bool]) {
    guard let channel = frameChannel(entry) else {
      throw TrajpackError(.data, "episode '\(id)': the video '\(entry.label)' has no size")
    }
    let width = channel.elements
    guard width > 0, frames.count <= Self.mostNumbers / width else {
      throw TrajpackError(
        .usage,
        "episode '\(id)': \(frames.count) frames of '\(entry.label)' of \(channel.shape[1]) × \(channel.shape[0]) are more "
          + "than are evaluated at once; cut the recording (trajpack clip), or evaluate pieces of it from Python"
      )
    }
    let numbers = Numbers(shape: [frames.count] + channel.shape)
    var covered = [Bool](repeating: false, count: frames.count)
    for (label, number, track) in tracks where label == entry.label {
      let places = try self.places(number, track, frames)
      for frame in places where frame >= 0 { covered[frame] = true }
      let reader = try distances(of: number, track)
      guard reader.shape == channel.shape else {
        throw TrajpackError(
          .usage, "episode '\(id)': tracks of '\(entry.label)' have frames of several sizes")
      }
      let run = 8
      let room = ByteBuffer(run * reader.bytes)
      for first in stride(from: 0, to: track.count, by: run) {
        let rows = first..<min(first + run, track.count)
        let wanted = rows.filter { places[$0] >= 0 }
        guard !wanted.isEmpty else { continue }
        try reader.read(wanted, into: room.bytes)
        let values = room.bytes.bindMemory(to: Float.self).prefix(wanted.count * width)
          .map(Double.init)
        numbers.values.scatter(values, width: width, to: wanted.map { places[$0] }[...])
      }
    }
    return (numbers, covered)
  }

  private func distances(of number: Int, _ track: TrackReader) throws(TrajpackError) -> TrackFrames
  {
    let place = "episode '\(id)': stream '\(track.stream.name)'"
    guard let encoding = try track.stream.depthEncoding(), encoding.form != .unknown else {
      throw DepthEncoding.unsaid(place)
    }
    return try TrackFrames(
      data, track: number, options: JSONValue.record(["depth": encoding.json]).text())
  }

  /// Turns rows of a channel whose encoding the dataset says into distances.
  static func makeDistances(_ values: inout [Double], of channel: Channel) throws(TrajpackError) {
    guard channel.kind == .depth,
      channel.conventions.contains(where: { $0.name == DepthEncoding.member })
    else { return }
    let conversion = try DepthConversion(DepthRequest(), channel, "channel '\(channel.name)'")
    values.withUnsafeMutableBufferPointer { buffer in
      if let start = buffer.baseAddress { conversion.apply(start, count: buffer.count) }
    }
  }
}
