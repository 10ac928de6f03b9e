import TrajpackFormat
import TrajpackStore

/// Writes the rows of a `state.csv`.
struct StateExport {
  let columns: [String]
  let absent: JSONValue?
  let frames: Int
  let tracks: [FrameTrack]

  private struct Column {
    var tracks: [FrameTrack]
    var channel: Int
    var filler: String
  }

  func write(_ name: String, in folder: ExportFolder) throws(TrajpackError) {
    let file = try OutputFile(name, in: folder)
    try file.write(columns.map { $0.csvCell() }.joined(separator: ",") + "\n")
    let plan = try columns.map { (name) throws(TrajpackError) in try column(name) }
    let run = min(tracks.reduce(2048) { min($0, $1.reader.runLength) }, 2048)
    var first = 0
    while first < frames {
      let end = min(first + run, frames)
      let cells = try plan.map { (column) throws(TrajpackError) in
        try self.cells(column, first..<end)
      }
      var text = ""
      for row in 0..<end - first {
        for (i, column) in cells.enumerated() {
          if i > 0 { text += "," }
          text += column[row]
        }
        text += "\n"
      }
      try file.write(text)
      first = end
    }
    try file.finish()
  }

  private func column(_ name: String) throws(TrajpackError) -> Column {
    let place = WildWorldColumn(name)
    let found = tracks.filter {
      $0.reader.stream.name == place.stream && ($0.reader.track.entity?.index ?? -1) == place.slot
    }
    // Every track of a stream has the same channels; an entity that is never there has no track.
    let schema =
      found.first?.reader.stream
      ?? tracks.first?.reader.shard.schema.streams.first {
        $0.name == place.stream
      }
    let number = schema?.channel(named: place.channel) ?? 0
    guard schema?.channel(named: place.channel) != nil || found.isEmpty else {
      throw TrajpackError(
        .data,
        "stream '\(place.stream)' has no channel '\(place.channel)' for column '\(name)'; the layout is "
          + "damaged")
    }
    var filler = "nan"
    if let schema, schema.channels.indices.contains(number) {
      let channel = schema.channels[number]
      if channel.categories != nil || channel.type == .bytes {
        filler = (absent?[name]?.string ?? "").csvCell()
      } else if !channel.shape.isEmpty {
        let list = Array(repeating: "nan", count: channel.elements).joined(separator: ", ")
        filler = "\"(\(list))\""
      }
    }
    return Column(tracks: found, channel: number, filler: filler)
  }

  private func cells(_ column: Column, _ frames: Range<Int>) throws(TrajpackError) -> [String] {
    var out = [String](repeating: column.filler, count: frames.count)
    for track in column.tracks {
      let rows =
        max(
          frames.lowerBound, track.first)..<max(
          min(frames.upperBound, track.first + track.reader.count),
          max(frames.lowerBound, track.first))
      guard !rows.isEmpty else { continue }
      let values = try track.reader.read(
        channel: column.channel, rows: rows.lowerBound - track.first..<rows.upperBound - track.first
      )
      for (row, frame) in rows.enumerated() {
        out[frame - frames.lowerBound] = try cell(values, row, track.reader)
      }
    }
    return out
  }

  private func cell(
    _ values: ChannelValues, _ row: Int, _ reader: TrackReader
  ) throws(TrajpackError) -> String {
    if values.channel.type == .bytes {
      return String(decoding: try reader.bytes(values, row) ?? [], as: UTF8.self).csvCell()
    }
    if values.channel.categories != nil { return (values.category(row) ?? "").csvCell() }
    if values.channel.shape.isEmpty { return values.value(row, 0).description }
    let list = (0..<values.channel.elements).map { values.value(row, $0).description }
    return "\"(\(list.joined(separator: ", ")))\""
  }
}
