import TrajpackFormat

extension PythonImporter {
  /// The recordings of a source, and the streams and channels of the first.
  func inspection() throws(TrajpackError) -> [TreeInspection.Line] {
    var lines = [
      TreeInspection.Line(
        path: "/", level: 0, what: counted(recordings.count, "recording"),
        more: "by the source '\(source)' in \(python.path)")
    ]
    guard let first = recordings.first, let found = try examine(first) else { return lines }
    lines.append(
      TreeInspection.Line(
        path: "/\(first.id)", level: 1, what: "recording", more: first.path, name: first.id))
    for stream in found.recording.streams {
      let base = "/\(first.id)/\(stream.name)"
      let isVideo = stream.video != nil
      let rows = stream.count < 0 ? "all frames" : counted(stream.count, isVideo ? "frame" : "row")
      lines.append(
        TreeInspection.Line(
          path: base, level: 2, what: rows, more: isVideo ? "video" : Self.time(stream),
          name: stream.name))
      for channel in stream.channels.map(\.channel) {
        let shape = channel.shape.isEmpty ? "" : "\(channel.shape)"
        let type = channel.type == .bytes ? "" : "\(channel.type.rawValue)\(shape) "
        lines.append(
          TreeInspection.Line(
            path: "\(base)/\(channel.name)", level: 3, what: type + channel.kind.rawValue,
            more: channel.units ?? "", name: channel.name))
      }
    }
    return lines
  }

  private static func time(_ stream: MappedStream) -> String {
    switch stream.time {
    case .regular(.regular(_, let rate), let unit):
      unit == "step" ? "steps" : "\(rate) rows a second"
    case .regular: ""
    case .array(_, let type, let tick, _):
      type.isFloat ? "times of its own" : "times of its own, in ticks of \(tick) s"
    }
  }
}
