import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// Reads recordings in WildWorld's layout: a sample folder with `state.csv`, `skeleton.npz`, `rgb.mp4`
/// and `depth.mkv` (any may be missing; instead of a video there may be a folder of pictures, `rgb` or `depth`), a `data_part<x>` folder of samples, or a folder of parts.
///
/// Layout and conventions: README of https://github.com/AlayaLab/WildWorld, read 2026-07-20.
public struct WildWorldImporter: VideoImporter {
  /// What happens where the files of a sample differ in frames.
  public enum Mismatch: String, Sendable, CaseIterable {
    /// The conversion stops.
    case refuse
    /// The frames that all files have are taken.
    case truncate
    /// Videos keep all of their frames, at the times that their containers state.
    case time
    /// The sample is left out.
    case skip
  }

  /// What the command line says.
  public struct Settings: Sendable {
    /// What becomes of the videos.
    public var video = VideoMode.embed
    /// Streams that are taken in whatever is said of videos: they are transcoded.
    public var embedded: Set<String> = []
    /// What happens where files differ in frames.
    public var mismatch = Mismatch.refuse
    /// Whether a checksum of each decoded frame is kept.
    public var hashesFrames = false
    /// Frames a second; the data set's README says 30.
    public var rate = Rational(30) ?? .one

    /// The defaults.
    public init() {}

    /// What becomes of the video of a stream.
    func mode(of stream: String) -> VideoMode { embedded.contains(stream) ? .embed : video }

    /// Reads what a manifest keeps of a conversion, but for what became of the videos.
    public init(json: JSONValue) {
      if let rule = json["on_mismatch"]?.string.flatMap(Mismatch.init) { mismatch = rule }
      hashesFrames = json["frame_hashes"]?.bool ?? false
      if let rate = json["rate"]?.string.flatMap({ Rational(decimal: $0) }) { self.rate = rate }
    }
  }

  struct Sample: Sendable {
    var folder: String
    var edges: [String: [[Int]]]
    /// The folder as it is called below the source, for links.
    var place: String
    /// By the name of a stream the picture files that stand for its video.
    var pictures: [String: [String]]
  }

  /// What `trajpack formats` says of it.
  public static let format = FormatDescription(
    name: "wildworld", summary: "WildWorld samples: state.csv, skeleton.npz, rgb.mp4, depth.mkv",
    carries:
      "every column, joint, packet; entities as tracks; camera, quaternion and axis conventions",
    reads: true, writes: true)

  /// The files beside those of the samples.
  public let leftOut: [LeftOut]

  /// The samples, in the order of their folders.
  public let recordings: [Recording]
  let samples: [String: Sample]
  let settings: Settings
  let watch = ReadWatch()

  static let fileNames = ["state.csv", "skeleton.npz", "rgb.mp4", "depth.mkv"]
  /// The streams of its videos, and their files.
  static let videoFiles = [("rgb", "rgb.mp4"), ("depth", "depth.mkv")]
  /// The names of its videos.
  public static let videoNames: Set<String> = ["rgb.mp4", "depth.mkv"]

  /// The streams that they become.
  public static let videoStreams = ["rgb", "depth"]

  /// The settings that change what is written.
  public var options: JSONValue {
    .record([
      "video": .string(settings.video.rawValue), "on_mismatch": .string(settings.mismatch.rawValue),
      "rate": .string(settings.rate.description),
      "frame_hashes": settings.hashesFrames ? true : nil,
    ])
  }

  /// Whether there is a sample, a part or a folder of parts at `path`. A `state.csv` by itself makes a sample
  /// only with columns of the camera, an npc or a monster: other recorders write files of that name.
  public static func recognises(_ path: String) -> Bool {
    ((try? sampleFolders(of: path))?.contains(where: isSample)) ?? false
  }

  /// Whether a folder has files of a sample, by their content where their names are not enough.
  static func isSample(_ folder: String) -> Bool {
    if fileNames.dropFirst().contains(where: { FileSystem.item(at: "\(folder)/\($0)") == .file }) {
      return true
    }
    for (stream, _) in videoFiles
    where (try? PictureFiles.names(in: "\(folder)/\(stream)"))?.isEmpty == false { return true }
    let path = "\(folder)/state.csv"
    guard FileSystem.item(at: path) == .file, let file = try? LocalFile(path) else { return false }
    // A file that cannot be read is named by the importer.
    guard let header = (try? TableReader(csv: file))?.form.header else { return true }
    return header.contains { name in
      ["camera.", "npc.", "monster."].contains { name.hasPrefix($0) }
    }
  }

  /// Looks for samples; only names and sizes are read, and the joint graphs.
  public init(_ sources: [String], settings: Settings = Settings()) throws(TrajpackError) {
    self.settings = settings
    var recordings: [Recording] = []
    var samples: [String: Sample] = [:]
    var leftOut: [LeftOut] = []
    for source in sources {
      guard FileSystem.item(at: source) == .folder else {
        throw TrajpackError(
          .usage, file: source, "is no folder; name a WildWorld sample or data_part folder")
      }
      let folders = try Self.sampleFolders(of: source)
      guard !folders.isEmpty else {
        throw TrajpackError(
          .data, file: source,
          "holds no WildWorld sample (a folder with "
            + "\(Self.fileNames.joined(separator: ", ")))")
      }
      var graphs: [String: [String: [[Int]]]] = [:]
      for folder in folders {
        let part = FileSystem.parent(of: folder)
        if graphs[part] == nil { graphs[part] = try Self.edges(inPart: part) }
        let edges = graphs[part] ?? [:]
        let files = Self.fileNames.filter { name in
          WildWorldImporter.videoFiles.first { $0.1 == name }.map {
            settings.mode(of: $0.0) == .embed
          }
            ?? true
        }.map { "\(folder)/\($0)" }
        let id = FileSystem.name(of: folder)
        var lines = Self.fileNames.map { Recording.fingerprint(of: "\(folder)/\($0)") }
        // The joint graphs are part of the schema, so a resumed run must find the same ones.
        lines.append(Recording.fingerprint(of: "\(part)/skeleton_edges.json"))
        recordings.append(
          Recording(
            id: id, path: folder, bytes: files.reduce(0) { $0 + FileSystem.size(of: $1) },
            fingerprint: lines.joined(separator: "; ")))
        var pictures: [String: [String]] = [:]
        for (stream, file) in Self.videoFiles
        where settings.mode(of: stream) != .drop
          && FileSystem.item(at: "\(folder)/\(file)") != .file
        {
          let names = try PictureFiles.names(in: "\(folder)/\(stream)")
          if !names.isEmpty { pictures[stream] = names }
        }
        for (stream, names) in pictures.sorted(by: { $0.key < $1.key }) {
          var hash = SHA256()
          for name in names {
            let path = "\(folder)/\(stream)/\(name)"
            recordings[recordings.count - 1].bytes += FileSystem.size(of: path)
            Array("\(Recording.fingerprint(of: path));".utf8).withUnsafeBytes { hash.add($0) }
          }
          recordings[recordings.count - 1].fingerprint +=
            "; \(stream) \(names.count) \(hash.hexadecimal())"
        }
        for name in try FileSystem.names(in: folder)
        where !Self.fileNames.contains(name) && !name.hasPrefix(".") && pictures[name] == nil {
          leftOut.append(
            LeftOut(path: "\(id)/\(name)", why: "is no file of a WildWorld sample"))
        }
        samples[folder] = Sample(
          folder: folder, edges: edges, place: "\(FileSystem.name(of: part))/\(id)",
          pictures: pictures)
      }
    }
    self.recordings = recordings
    self.samples = samples
    self.leftOut = leftOut
  }

  /// Tells of bytes that are read; see ``Importer``.
  public func watchReads(_ body: @escaping @Sendable (Int) -> Void) { watch.tell(body) }

  /// How the samples were read.
  public func reading(of streams: [String: [Stream]]) -> [JSONValue] {
    let names = recordings.prefix(3).map { JSONValue.string($0.id) }
    return [
      .record([
        "type": "WildWorld samples", "files": .array(names), "count": .int(Int64(recordings.count)),
        "rate": .string(settings.rate.description),
        "note": .string("\(settings.rate) frames a second"),
      ])
    ]
  }

  /// What is known of the videos of a sample.
  public func videos(
    _ recording: Recording, _ examination: WildWorldExaminationResult
  ) -> [VideoSummary] {
    examination.seen.videos.map { video in
      VideoSummary(
        stream: video.stream, width: Int(video.index.stream.width),
        height: Int(video.index.stream.height), pixelFormat: video.index.stream.pixelFormat,
        frames: min(video.frames, examination.seen.frames), bytes: Int(video.index.byteCount))
    }
  }

  /// There is none: what is transcoded is embedded; see ``VideoImporter``.
  public func linked(
    _ metadata: JSONValue, name: String
  ) throws(TrajpackError) -> TrackDraft.Bytes {
    throw TrajpackError(.usage, "\(name): the video is not taken in, so it cannot be transcoded")
  }

  func sample(_ recording: Recording) throws(TrajpackError) -> Sample {
    guard let sample = samples[recording.path] else {
      throw TrajpackError(.usage, "the recording is not of this source")
    }
    return sample
  }
}

/// What an examination has found; its content is the importer's.
public struct WildWorldExaminationResult: Sendable {
  let seen: WildWorldExamination

  init(_ seen: WildWorldExamination) { self.seen = seen }
}
