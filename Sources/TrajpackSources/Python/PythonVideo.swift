import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// Frames of a video file that a source in Python has named.
struct PythonVideo: MappedVideo {
  private let path: String
  private let first: Int
  /// The time of presentation of each row's frame, in nanoseconds, where it is said.
  private let times: [Int64]?

  init(_ item: JSONValue) throws(TrajpackError) {
    let reader = JSONReader(item, at: "what the source says of a video")
    path = try reader.text("path")
    first = try reader.integer("first")
    times = item["pts"]?.array?.compactMap { $0.int.map { Int64($0) } }
    guard FileSystem.item(at: path) == .file else {
      throw TrajpackError(.data, file: path, "the source names this video, which is no file")
    }
  }

  var bytes: Int { FileSystem.size(of: path) }

  func open(
    _ stream: MappedStream, _ recording: MappedRecording, _ mode: VideoMode
  ) throws(TrajpackError) -> PlacedVideo {
    let video = try within(path) { () throws(TrajpackError) in
      try SourceVideo(stream: stream.name, path: path, ReadWatch())
    }
    guard first >= 0, first <= video.frames else {
      throw TrajpackError(
        .data, file: path, "has \(counted(video.frames, "frame")), and rows begin at frame \(first)"
      )
    }
    let start = try within(path) { () throws(TrajpackError) in try frame(video, stream.count) }
    return PlacedVideo(video: video, first: start, place: FileSystem.name(of: path))
  }

  /// The frame of the first row; the frames of all rows are compared with their times.
  private func frame(_ video: SourceVideo, _ rows: Int) throws(TrajpackError) -> Int {
    guard let times, let wanted = times.first else { return first }
    let base = video.index.stream.timeBase
    func time(_ frame: Int) -> Double {
      let ticks = video.index.packets.pts[Int(video.order.packetOfFrame[frame])]
      return Double(ticks) * Double(base.num) / Double(base.den)
    }
    // Times are rounded to ticks of the container when frames are written.
    let room = 0.5 * Double(base.num) / Double(base.den) + 1e-6
    var start = first
    while start < video.frames, time(start) < Double(wanted) / 1e9 - room { start += 1 }
    guard start + times.count <= video.frames else {
      throw TrajpackError(
        .data,
        "has \(counted(video.frames, "frame")), too few for \(counted(rows, "row")) from frame \(start) on"
      )
    }
    for (row, nanoseconds) in times.enumerated() {
      let seconds = Double(nanoseconds) / 1e9
      guard abs(time(start + row) - seconds) <= room else {
        throw TrajpackError(
          .data,
          "the frame of row \(row) is shown at \(time(start + row)) s, and the recording says \(seconds) s; frames of "
            + "rows follow each other without a gap, or the video is left out with --video drop",
          at: ErrorPlace(stream: video.stream, row: row))
      }
    }
    return start
  }
}
