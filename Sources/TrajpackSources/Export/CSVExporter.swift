import TrajpackFormat
import TrajpackStore

/// Writes an episode as one CSV file a track, named `stream[entity].csv`: `time` first, as dates where the
/// source wrote dates (in its form where that gives every time back, else in ISO 8601), then a column an element. What was not observed is an empty cell. Videos are files
/// beside them.
public struct CSVExporter: Exporter {
  /// What `trajpack formats` says of it.
  public static let format = FormatDescription(
    name: "csv", summary: "one CSV file a track, one folder an episode",
    carries: "every channel of every track, a column an element, with its times", reads: false,
    writes: true)
  /// The folder in which videos that were linked are looked for; `nil` to leave them out.
  public var mediaFolder: String?

  /// Whether texts that a spreadsheet would compute get an apostrophe in front.
  public var escapesFormulas: Bool

  /// An exporter.
  public init(mediaFolder: String? = nil, escapesFormulas: Bool = false) {
    self.mediaFolder = mediaFolder
    self.escapesFormulas = escapesFormulas
  }

  /// As a table; see ``Exporter``.
  public var valueTable: (isWritten: Bool, escapesFormulas: Bool) { (true, escapesFormulas) }

  /// Writes an episode; see ``Exporter``.
  public func write(
    _ episode: ShardIndex.Episode, of shard: Shard, reader: BlockReader, into folder: ExportFolder
  ) throws(TrajpackError) {
    let tracks = episode.tracks.map { TrackReader(shard, track: $0, reader: reader) }
    for (name, track) in labelled(tracks) {
      if track.isVideo { try VideoExport.write(track, mediaFolder: mediaFolder, in: folder) }
      let file = try OutputFile("\(try Export.fileName(name)).csv", in: folder)
      let channels = track.stream.channels.indices.filter {
        $0 != track.timeChannel && !(track.isVideo && track.stream.channels[$0].type == .bytes)
      }
      let names = ColumnNames.of(track.stream, channels, taken: ["time"], in: folder)
      let header =
        ["time"]
        + zip(channels, names).flatMap { number, name in
          let channel = track.stream.channels[number]
          let count = channel.type == .bytes ? 1 : channel.elements
          return count == 1 ? [name] : (0..<count).map { "\(name).\($0)" }
        }
      try file.write(header.map(quoted).joined(separator: ",") + "\n")
      let times = TrackTimes(track)
      let form = try times.dateForm()
      try track.forEachRun { (rows) throws(TrajpackError) in
        var lines = try times.texts(rows, as: form).map { $0.csvCell() }
        for number in channels {
          let values = try track.read(channel: number, rows: rows)
          for row in 0..<rows.count { try append(values, row, track, to: &lines[row]) }
        }
        try file.write(lines.joined(separator: "\n") + "\n")
      }
      try file.finish()
    }
  }

  private func quoted(_ text: String) -> String {
    text.csvCell(escapingFormulas: escapesFormulas)
  }

  /// A text; an empty one is quoted, so that it is not taken for one that was not observed.
  private func cell(_ text: String?) -> String {
    guard let text else { return "" }
    return text.isEmpty ? "\"\"" : quoted(text)
  }

  /// Appends the cells of a row of a channel, a comma before each.
  private func append(
    _ values: ChannelValues, _ row: Int, _ track: TrackReader, to line: inout String
  ) throws(TrajpackError) {
    if values.channel.type == .bytes {
      let text = try track.bytes(values, row).map { String(decoding: $0, as: UTF8.self) }
      line += ",\(cell(text))"
    } else if values.channel.categories != nil {
      line += ",\(cell(values.category(row)))"
    } else {
      for element in 0..<values.channel.elements {
        line += ","
        let value = values.value(row, element)
        if value != .missing { line += value.description }
      }
    }
  }
}
