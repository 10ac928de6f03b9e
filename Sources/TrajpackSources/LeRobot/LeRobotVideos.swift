import Synchronization
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// The videos of a LeRobot dataset, of which one file may hold many episodes; what was learned of the last files stays.
final class LeRobotVideos: Sendable {
  /// The packets of a file and their order.
  struct Facts: Sendable {
    var index: VideoIndex
    var order: VideoOrder
  }

  private final class Entry: Sendable {
    let path: String
    let facts = Mutex<Facts?>(nil)
    init(_ path: String) { self.path = path }
  }

  private static let most = 8
  private let entries = Mutex<[Entry]>([])
  let watch = ReadWatch()

  /// Demuxes a file, unless it is known.
  func facts(_ path: String) throws(TrajpackError) -> Facts {
    let entry = entries.withLock { entries -> Entry in
      let entry =
        entries.firstIndex { $0.path == path }.map { entries.remove(at: $0) } ?? Entry(path)
      if entries.count == Self.most { entries.removeFirst() }
      entries.append(entry)
      return entry
    }
    return try entry.facts.withLock { (facts) throws(TrajpackError) in
      if let facts { return facts }
      let index = try VideoFile.index(WatchedVideo(path, watch))
      let found = Facts(index: index, order: try VideoOrder(index.packets))
      facts = found
      return found
    }
  }
}

/// The frames of an episode in a video file.
struct LeRobotVideo: MappedVideo {
  /// Seconds by which a frame may be shown beside the time of its row, as in lerobot.
  private static let tolerance = 1e-4

  /// The feature.
  var key: String
  /// The file below the dataset's folder.
  var file: String
  var folder: String
  /// Seconds of the file at which the episode begins.
  var start: Double
  var fps: Rational
  var bytes: Int
  /// Whether the file is one episode's by the layout.
  var isOwn: Bool
  var files: LeRobotVideos

  func open(
    _ stream: MappedStream, _ recording: MappedRecording, _ mode: VideoMode
  ) throws(TrajpackError) -> PlacedVideo {
    let path = "\(folder)/\(file)"
    let facts = try files.facts(path)
    return try within(file: path) { () throws(TrajpackError) in
      let (first, remark) = try place(facts, stream.count)
      let frames = first..<first + stream.count
      let isWhole = isOwn && first == 0 || frames == 0..<facts.order.frameCount
      let remarks = remark.map { ["\(path): \($0)"] } ?? []
      if mode == .link || isWhole || stream.count == 0 {
        return PlacedVideo(
          video: try SourceVideo(stream: stream.name, path: path, facts.index, files.watch),
          first: stream.count == 0 ? 0 : first,
          place: mode == .link ? file : "\(key).\(file.split(separator: ".").last ?? "mp4")",
          remarks: remarks)
      }
      return try cut(stream, path, facts, frames, remarks)
    }
  }

  /// Frames of a file of several episodes, as a file of their own.
  private func cut(
    _ stream: MappedStream, _ path: String, _ facts: LeRobotVideos.Facts, _ frames: Range<Int>,
    _ remarks: [String]
  ) throws(TrajpackError) -> PlacedVideo {
    let made = try VideoCut.file(path, facts.index, facts.order, frames: frames)
    let video = try SourceVideo(stream: stream.name, made, files.watch)
    guard video.frames == frames.count else {
      throw TrajpackError(
        .data,
        "frames \(frames.lowerBound) to \(frames.upperBound - 1) cannot be cut out at its packets (\(video.frames) are "
          + "left of \(frames.count)); use --video link, or encode it anew")
    }
    var remarks = remarks
    if !facts.index.others.isEmpty {
      let kinds = Set(facts.index.others.map(\.kind)).sorted().joined(separator: ", ")
      remarks.append(
        "\(path): its other streams (\(kinds)) are left out where it is cut into episodes")
    }
    return PlacedVideo(
      video: video, place: "\(key).mp4",
      metadata: [
        .init(
          "cut_from",
          .record(["file": .string(file), "first_frame": .int(Int64(frames.lowerBound))]))
      ], remarks: remarks)
  }

  /// The frame that is shown at the time of the first row; the others must follow, each at the time of its row.
  private func place(
    _ facts: LeRobotVideos.Facts, _ count: Int
  ) throws(TrajpackError) -> (frame: Int, remark: String?) {
    let base = facts.index.stream.timeBase
    guard base.isPositive else { throw TrajpackError(.data, "it states no time base") }
    let tick = Double(base.num) / Double(base.den)
    let (pts, order) = (facts.index.packets.pts, facts.order)
    func time(_ frame: Int) -> Double { Double(pts[Int(order.packetOfFrame[frame])]) * tick }
    let period = Double(fps.denominator) / Double(fps.numerator)
    var (low, high) = (0, order.frameCount)
    while low < high {
      let middle = (low + high) / 2
      if time(middle) < start { low = middle + 1 } else { high = middle }
    }
    // The nearer of the two.
    if low > 0, low == order.frameCount || start - time(low - 1) < time(low) - start { low -= 1 }
    guard count <= order.frameCount - low else {
      throw TrajpackError(
        .data,
        "has \(counted(order.frameCount - low, "frame")) from \(start) s on, and the episode has \(counted(count, "row"))"
      )
    }
    var worst = (row: 0, seconds: 0.0)
    for row in 0..<count {
      let wanted = start + Double(row) * period
      let off = abs(time(low + row) - wanted)
      guard off < period / 2 else {
        throw TrajpackError(
          .data,
          "frame \(low + row) is shown at \(time(low + row)) s, and row \(row) of the episode lies at \(wanted) s: the "
            + "times of its frames are not those of the rows")
      }
      if off > worst.seconds { worst = (row, off) }
    }
    // A container's times are whole ticks.
    guard worst.seconds > Self.tolerance + tick else { return (low, nil) }
    let milliseconds = (worst.seconds * 1e5).rounded() / 100
    return (
      low,
      "the frame of row \(worst.row) is shown \(milliseconds) ms beside the time of the row, more than the 0.1 ms that "
        + "lerobot allows; frames and rows are paired in order"
    )
  }
}
