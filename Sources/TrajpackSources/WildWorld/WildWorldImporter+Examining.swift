import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

extension WildWorldImporter {
  /// A first pass over a sample; `nil` where it is to be left out.
  public func examine(_ recording: Recording) throws(TrajpackError) -> WildWorldExaminationResult? {
    let sample = try sample(recording)
    var seen = WildWorldExamination()
    var counts: [(file: String, frames: Int?)] = []
    func path(_ name: String) throws(TrajpackError) -> String? {
      let path = "\(sample.folder)/\(name)"
      guard try FileSystem.hasFile(path) else { return nil }
      if try GitLFS.isPointer(LocalFile(path)) {
        throw TrajpackError(.data, "\(name): \(GitLFS.refusal)")
      }
      return path
    }
    if let csv = try path("state.csv") {
      let (columns, rows) = try WildWorldExamination.columns(of: watch.file(csv))
      guard rows > 0 else {
        throw TrajpackError(.data, "state.csv has a header but no row")
      }
      seen.columns = columns
      counts.append(("state.csv", rows))
    } else {
      counts.append(("state.csv", nil))
    }
    if let npz = try path("skeleton.npz") {
      let (arrays, frames, others) = try WildWorldExamination.arrays(
        of: npz, edges: sample.edges)
      seen.arrays = arrays
      if !others.isEmpty {
        seen.remarks.append(
          "skeleton.npz: left out "
            + others.prefix(6).map { "'\($0)'" }.joined(separator: ", ")
            + (others.count > 6 ? " and \(others.count - 6) more" : "") + " (no joints)")
      }
      counts.append(("skeleton.npz", frames))
    } else {
      counts.append(("skeleton.npz", nil))
    }
    for (stream, name) in WildWorldImporter.videoFiles {
      if let names = sample.pictures[stream] {
        let video = try pictures(stream, names, sample)
        seen.videos.append(video)
        counts.append(("\(stream)/", video.frames))
        continue
      }
      guard settings.mode(of: stream) != .drop, let file = try path(name) else {
        counts.append((name, nil))
        continue
      }
      let video = try within(name, at: ErrorPlace(file: file)) { () throws(TrajpackError) in
        // Its name says it.
        try withoutPath(file) { () throws(TrajpackError) in
          try SourceVideo(stream: stream, path: file, watch)
        }
      }
      seen.videos.append(video)
      counts.append((name, video.frames))
    }
    let known = counts.compactMap(\.frames)
    seen.frames = known.min() ?? 0
    if Set(known).count > 1 {
      switch settings.mismatch {
      case .skip: return nil
      case .truncate:
        let list = counts.compactMap { file, frames in frames.map { "\(file) \($0)" } }
        seen.remarks.append(
          "the files differ in frames: \(list.joined(separator: ", ")); the first \(seen.frames) are taken"
            + (seen.videos.contains { $0.frames > seen.frames }
              ? ", and videos are kept whole" : ""))
      case .time:
        let rows = Set(
          counts.filter {
            !Self.videoNames.contains($0.file) && !$0.file.hasSuffix("/")
          }.compactMap(\.frames))
        guard rows.count < 2 else { throw Self.differ(counts) }
        guard let rows = rows.first else {
          // Nothing but videos: each has its own count.
          seen.frames = known.max() ?? 0
          seen.isByTime = true
          break
        }
        seen.frames = rows
        seen.isByTime = true
      case .refuse: throw Self.differ(counts)
      }
    }
    if !seen.isByTime {
      for video in seen.videos {
        if let said = video.spacing.flatMap({ $0.sentence(of: video.name, at: settings.rate) }) {
          seen.remarks.append(said)
        }
      }
    }
    return WildWorldExaminationResult(seen)
  }

  /// The pictures of a folder as a video, a frame each.
  func pictures(
    _ stream: String, _ names: [String], _ sample: Sample
  ) throws(TrajpackError) -> SourceVideo {
    guard settings.mode(of: stream) == .embed else {
      throw TrajpackError(
        .usage,
        "--video link: the pictures in '\(stream)' are no video file to link to; use embed or drop")
    }
    return try within("\(stream)/") { () throws(TrajpackError) in
      let files = try PictureFiles("\(sample.folder)/\(stream)", names, watch)
      let movie = try PictureMovie.file(files, rate: settings.rate, name: "\(stream).mov")
      let video = try SourceVideo(stream: stream, movie, watch)
      guard video.frames == names.count else {
        throw TrajpackError(
          .data, "of the \(names.count) pictures, \(video.frames) can be read")
      }
      return video
    }
  }

  static func differ(_ counts: [(file: String, frames: Int?)]) -> TrajpackError {
    let list = counts.map { file, frames in
      "\(file) \(frames.map(String.init) ?? "(absent or left out)")"
    }
    return TrajpackError(
      .data,
      "the files differ in frames: \(list.joined(separator: ", ")); mend them, or use "
        + "--on-mismatch truncate, time (videos, by the times of their frames) or skip")
  }
}
