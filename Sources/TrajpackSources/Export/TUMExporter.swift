import TrajpackFormat
import TrajpackStore

/// Writes the poses of an episode as TUM trajectories, a file `stream[entity].tum` for each track that has a position of
/// three numbers and a quaternion: `timestamp tx ty tz qx qy qz qw` a line, each number with the digits that give it back.
public struct TUMExporter: Exporter {
  /// What `trajpack formats` says of it.
  public static let format = TUM.format

  /// An exporter.
  public init() {}

  /// Writes an episode; see ``Exporter``.
  ///
  /// - Throws: A data error where no track has poses, or a quaternion's order is not said.
  public func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError) {
    let tracks = episode.tracks.map { TrackReader(shard, track: $0, reader: reader) }
    var isWritten = false
    for (name, track) in labelled(tracks) {
      let pairs = Self.poses(track.stream)
      for (position, quaternion) in pairs {
        isWritten = true
        // Several poses of a stream are told apart by the channels' names.
        let suffix = pairs.count > 1 ? "-\(track.stream.channels[position].name)" : ""
        let file = try OutputFile("\(try Export.fileName(name + suffix)).tum", in: folder)
        try write(track, position, quaternion, to: file)
        try file.finish()
      }
    }
    guard isWritten else {
      throw TrajpackError(
        .data,
        "has no stream with a position of three numbers and one quaternion, which TUM trajectories are made of"
      )
    }
  }

  /// The positions and quaternions of a stream that belong together: the only one of each, or those before whose last
  /// word the names are the same.
  static func poses(_ stream: Stream) -> [(position: Int, quaternion: Int)] {
    let positions = stream.channels.indices.filter {
      stream.channels[$0].kind == .position && stream.channels[$0].shape == [3]
    }
    let quaternions = stream.channels.indices.filter {
      stream.channels[$0].kind == .quaternion && stream.channels[$0].shape == [4]
    }
    if positions.count == 1, quaternions.count == 1 { return [(positions[0], quaternions[0])] }
    func stem(_ number: Int) -> Substring {
      let name = stream.channels[number].name
      let end = name.lastIndex { "_./".contains($0) }
      return end.map { name[..<$0] } ?? ""
    }
    return positions.compactMap { position in
      let own = quaternions.filter { stem($0) == stem(position) && !stem($0).isEmpty }
      return own.count == 1 ? (position, own[0]) : nil
    }
  }

  private func write(
    _ track: TrackReader, _ position: Int, _ quaternion: Int, to file: OutputFile
  ) throws(TrajpackError) {
    let channel = track.stream.channels[quaternion]
    let isScalarFirst: Bool
    switch channel.convention("order") {
    case "xyzw": isScalarFirst = false
    case "wxyz": isScalarFirst = true
    default:
      throw TrajpackError(
        .data,
        "the quaternion '\(channel.name)' of '\(track.stream.name)' does not say its order (convention 'order': xyzw or wxyz), "
          + "so it cannot be written",
        at: ErrorPlace(stream: track.stream.name, channel: channel.name))
    }
    let places = isScalarFirst ? [1, 2, 3, 0] : [0, 1, 2, 3]
    try file.write("# timestamp tx ty tz qx qy qz qw\n")
    let times = TrackTimes(track)
    try track.forEachRun { (rows) throws(TrajpackError) in
      let at = try times.texts(rows, as: nil)
      let positions = try track.read(channel: position, rows: rows)
      let quaternions = try track.read(channel: quaternion, rows: rows)
      var lines = ""
      for row in 0..<rows.count {
        let words =
          [at[row]] + (0..<3).map { positions.value(row, $0).description }
          + places.map { quaternions.value(row, $0).description }
        lines += words.joined(separator: " ") + "\n"
      }
      try file.write(lines)
    }
  }
}
