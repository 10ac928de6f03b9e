import TrajpackFormat
import TrajpackStore

/// Recordings of VPT's contractors: `NAME.jsonl` with the actions of each frame beside `NAME.mp4`. Layout after
/// openai/Video-Pre-Training.
enum VPT: MappedFormat {
  static let format = FormatDescription(
    name: "vpt", summary: "VPT recordings of Minecraft (.jsonl beside .mp4)",
    carries:
      "every column of the actions as it was recorded, held keys and buttons as truth values, the video as it is",
    reads: true, writes: false)

  private static let endings = [".jsonl"]
  private static let rate = Rational(20, 1) ?? .one

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && files.named(endings).prefix(16).contains { VPTLines.recognises($0.path) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let own = files.files(endings) { VPTLines.recognises($0) }
    guard !own.isEmpty else {
      throw TrajpackError(.data, "\(files.sources.first ?? ""): holds no recording of format 'vpt'")
    }
    var source = MappedSource(recordings: [])
    var facts = VPTLines.Facts()
    var read: [(file: SourceFiles.File, lines: VPTLines)] = []
    for file in own {
      do throws(TrajpackError) {
        let lines = try within(file: file.path) { () throws(TrajpackError) in
          try VPTLines(file.path, &facts)
        }
        read.append((file, lines))
      } catch {
        guard options.skipsErrors, error.fault == .data else { throw error }
        source.recordings.append(MappedRecording(file, id: file.stem, failure: error))
      }
    }
    var used = Set(own.map(\.path))
    let recent = RecentlyUsed<VPTLines>(most: 4) { $0.forget() }
    for (file, lines) in read {
      var recording = MappedRecording(file, id: file.stem)
      let stem = String(file.path.dropLast(".jsonl".count))
      recording.streams = [stream(lines, facts, recent, options)]
      let settings = "\(stem)-options.json"
      if FileSystem.item(at: settings) == .file {
        used.insert(settings)
        recording.fingerprint += ";" + Recording.fingerprint(of: settings)
        try add(settings, to: &recording)
      }
      let video = "\(stem).mp4"
      if FileSystem.item(at: video) == .file {
        used.insert(video)
        if options.video == .drop {
          source.leftOut.append(
            LeftOut(path: "\(file.stem).mp4", why: "is a video, and --video is drop"))
        } else {
          recording.bytes += FileSystem.size(of: video)
          recording.fingerprint += ";" + Recording.fingerprint(of: video)
          var stream = MappedStream(
            name: "video", count: MappedStream.asTimes,
            time: MappedStream.time(rate: options.rate ?? rate), channels: [])
          stream.video = VPTVideo(
            path: video, lines: lines.count, bytes: FileSystem.size(of: video))
          recording.streams.append(stream)
        }
      } else {
        source.remarks.append(
          "\(file.place): has no video beside it (\(FileSystem.name(of: video)))")
      }
      source.recordings.append(recording)
    }
    source.leftOut += files.all.filter { !used.contains($0.path) }.map {
      LeftOut(path: $0.place, why: "is no recording with actions")
    }
    return source
  }

  private static func add(
    _ path: String, to recording: inout MappedRecording
  ) throws(TrajpackError) {
    let json = try within(file: path) { () throws(TrajpackError) in
      let file = try LocalFile(path)
      return try JSONValue(parsing: try file.bytes(0..<file.length), mostValues: 1 << 20)
    }
    for member in json.members ?? [] {
      if member.value.members == nil, member.value.array == nil {
        recording.values.append(.init("options/\(member.name)", member.value))
      } else {
        recording.metadata.append(.init("options/\(member.name)", member.value))
      }
    }
  }

  private static func stream(
    _ lines: VPTLines, _ facts: VPTLines.Facts, _ recent: RecentlyUsed<VPTLines>,
    _ options: MappingOptions
  ) -> MappedStream {
    var channels: [MappedChannel] = []
    let keys = NaturalOrder.sorted(Array(facts.keys))
    let buttons = facts.buttons.sorted()
    for name in VPTLines.lists.sorted() where lines.columns[name] != nil && options.takes(name) {
      let isKeys = name.hasPrefix("keyboard")
      let names: [JSONValue] =
        isKeys ? keys.map { .string($0) } : buttons.map { .int(Int64($0)) }
      guard !names.isEmpty else { continue }
      var channel = Channel(
        name: name, kind: options.kinds[name] ?? .label, type: .bool, shape: [names.count],
        description: name.contains("new") ? "pressed in this frame" : "held in this frame")
      channel.conventions = [.init(isKeys ? "keys" : "buttons", .array(names))]
      channels.append(
        MappedChannel(
          channel,
          .made { () throws(TrajpackError) in
            var out: [UInt8] = []
            for value in try recent.column(lines, name) {
              let held = value?.array ?? []
              for name in names { out.append(held.contains(name) ? 1 : 0) }
            }
            return out
          }))
    }
    for name in facts.order where lines.columns[name] != nil && options.takes(name) {
      channels.append(column(name, facts.forms[name] ?? .json, lines, recent, options))
    }
    return MappedStream(
      name: "actions", count: lines.count, time: MappedStream.time(rate: options.rate ?? rate),
      channels: channels)
  }

  private static func column(
    _ name: String, _ form: VPTLines.Facts.Form, _ lines: VPTLines,
    _ recent: RecentlyUsed<VPTLines>,
    _ options: MappingOptions
  ) -> MappedChannel {
    let isWhole = lines.columns[name] == lines.count
    let units = options.units[name] ?? ["yaw": "deg", "pitch": "deg", "milli": "ms"][name]
    switch form {
    case .whole, .number, .truth:
      // A line that lacks a number leaves a gap, which only floats have.
      let type: ElementType =
        form == .number || !isWhole ? .float64 : form == .truth ? .bool : .int64
      let kind =
        options.kinds[name] ?? (name == "yaw" ? .angle : type == .float64 ? .scalar : .label)
      return MappedChannel(
        Channel(
          name: name, kind: kind, type: type, units: units,
          missing: type == .float64 ? .nan : .never),
        .made { () throws(TrajpackError) in
          var out: [UInt8] = []
          for value in try recent.column(lines, name) {
            switch type {
            case .bool: out.append(value?.bool == true ? 1 : 0)
            case .int64: out += littleEndian([Int64(value?.int ?? 0)])
            default:
              let number = value?.double ?? value?.bool.map { $0 ? 1 : 0 } ?? .nan
              out += littleEndian([number.bitPattern])
            }
          }
          return out
        })
    case .text, .json:
      return MappedChannel(
        Channel(
          name: name, kind: .text, type: .bytes,
          description: form == .json ? "as JSON" : nil),
        .texts { () throws(TrajpackError) in
          try recent.column(lines, name).map { value in
            value.map { Array((form == .text ? $0.string ?? $0.text() : $0.text()).utf8) }
          }
        })
    }
  }
}

extension RecentlyUsed<VPTLines> {
  /// The values of a column of a file.
  fileprivate func column(
    _ file: VPTLines, _ name: String
  ) throws(TrajpackError) -> [JSONValue?] {
    let column = try file.column(name)
    use(file)
    return column
  }
}

/// The video beside the lines; it may be shorter.
private struct VPTVideo: MappedVideo {
  let path: String
  let lines: Int
  let bytes: Int

  func open(
    _ stream: MappedStream, _ recording: MappedRecording, _ mode: VideoMode
  ) throws(TrajpackError) -> PlacedVideo {
    let video = try SourceVideo(stream: stream.name, path: path, ReadWatch())
    let name = FileSystem.name(of: path)
    let remarks =
      video.frames == lines
      ? []
      : [
        "\(name): has \(video.frames) frames for \(lines) lines of actions; frame i belongs to line i"
      ]
    return PlacedVideo(video: video, place: name, remarks: remarks)
  }
}
