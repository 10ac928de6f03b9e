import TrajpackFormat
import TrajpackStore

/// Reads recordings through a source in Python. Each is read twice, as every importer reads: once for what it holds and
/// its times, of which the rows stay in Python, and once for its rows, which come in pieces.
struct PythonImporter: Importer {
  /// What a first reading of a recording has shown.
  struct Examination: Sendable {
    /// Its streams, without where their rows come from.
    let recording: MappedRecording
    /// The times of each stream.
    let times: [RecordedTimes]
    let remarks: [String]
  }

  static var format: FormatDescription { PythonSources.format }

  let recordings: [Recording]
  private(set) var remarks: [String] = []
  private(set) var leftOut: [LeftOut] = []
  let settings: MappingOptions
  let python: PythonInterpreter
  /// The source's name.
  let source: String
  private let version: String
  private let package: String
  /// The recordings as the source has given them.
  private let told: [String: JSONValue]

  /// Has a source list its recordings.
  ///
  /// - Parameter about: What ``PythonInterpreter/hello`` says of it.
  init(
    _ paths: [String], _ python: PythonInterpreter, _ about: JSONValue, _ options: MappingOptions
  ) throws(TrajpackError) {
    guard !options.isMapping, options.time == nil, options.timeUnit == nil, options.rate == nil
    else {
      throw TrajpackError(
        .usage,
        "--episodes, --ends, --terminals, --axes, --map, --time, --time-unit and --rate are not for sources in Python, "
          + "which say all of it")
    }
    let name = about["name"]?.string ?? ""
    (self.python, source, settings) = (python, name, options)
    (version, package) = (about["version"]?.string ?? "", about["package"]?.string ?? "")
    var recordings: [Recording] = []
    var told: [String: JSONValue] = [:]
    var (remarks, leftOut): ([String], [LeftOut]) = ([], [])
    let request = JSONValue.record([
      "do": "recordings", "source": .string(name), "paths": .array(paths.map { .string($0) }),
    ])
    try python.with { (process) throws(TrajpackError) in
      try process.ask(request, about: paths.first ?? "") { (item) throws(TrajpackError) in
        if let remark = item["remark"]?.string { return remarks.append(remark) }
        if let path = item["left_out"]?.string {
          return leftOut.append(LeftOut(path: path, why: item["why"]?.string ?? ""))
        }
        let recording = try Self.recording(item)
        guard told.updateValue(item, forKey: recording.id) == nil else {
          throw TrajpackError(
            .data, file: recording.path, "two recordings are called '\(recording.id)'")
        }
        recordings.append(recording)
      }
    }
    guard !recordings.isEmpty else {
      throw TrajpackError(
        .data, file: paths.first ?? "", "holds no recording, as the source '\(name)' says")
    }
    (self.recordings, self.told) = (recordings, told)
    (self.remarks, self.leftOut) = (remarks, leftOut)
  }

  private static func recording(_ item: JSONValue) throws(TrajpackError) -> Recording {
    let reader = JSONReader(item, at: "what the source says of a recording")
    let path = try reader.text("path")
    let files = (item["files"]?.array ?? []).compactMap(\.string)
    var fingerprint = item["fingerprint"]?.string ?? ""
    for file in files {
      guard FileSystem.item(at: file) != nil else {
        if fingerprint.isEmpty { throw FileSystem.noFile(at: file) }
        continue
      }
      fingerprint +=
        (fingerprint.isEmpty ? "" : ";") + Recording.fingerprint(of: file).replacing(";", with: ",")
    }
    return Recording(
      id: try reader.text("id"), path: path,
      bytes: max(
        item["bytes"]?.int
          ?? files.reduce(0) {
            $0 + (FileSystem.item(at: $1) == .file ? FileSystem.size(of: $1) : 0)
          }, 1),
      fingerprint: fingerprint)
  }

  /// The options that change what is written, and which source has read it.
  var options: JSONValue {
    var options = settings.json
    options.set("source", .string(source))
    options.set("source_version", .string(version))
    return options
  }

  func reading(of streams: [String: [Stream]]) -> [JSONValue] {
    [
      .record([
        "type": .string(source), "count": .int(Int64(recordings.count)),
        "files": .array(
          Array(Set(recordings.map { FileSystem.name(of: $0.path) })).sorted().prefix(3).map {
            .string($0)
          }),
        "note": .string("by the source '\(source)' of \(package) \(version) in \(python.path)"),
      ])
    ]
  }

  /// A request for a recording.
  func request(
    _ what: String, _ recording: Recording, _ more: [JSONValue.Member] = []
  ) throws(TrajpackError) -> JSONValue {
    guard let item = told[recording.id] else {
      throw TrajpackError(.usage, "the recording is not of this source")
    }
    var request = JSONValue.record([
      "do": .string(what), "source": .string(source), "recording": item,
    ])
    for member in more { request.set(member.name, member.value) }
    return request
  }

  /// What was there when a recording was read first, and is not any more.
  static func changed(_ what: String) -> TrajpackError {
    TrajpackError(
      .data,
      "\(what) than when the recording was read before; read() must give the same on every run, and files must not change"
    )
  }

  func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    var times: [String: RecordedTimesReader] = [:]
    var current = (stream: "", type: ElementType.float64)
    var facts = JSONValue.object([])
    let request = try request("examine", recording)
    try withoutPath(recording.path) { () throws(TrajpackError) in
      try python.with { (process) throws(TrajpackError) in
        try process.ask(request, about: recording.path) { (item) throws(TrajpackError) in
          guard item["streams"] == nil else { return facts = item }
          current = (
            item["stream"]?.string ?? "", item["type"]?.string == "int64" ? .int64 : .float64
          )
        } bytes: { (bytes) throws(TrajpackError) in
          var seen = times.removeValue(forKey: current.stream) ?? RecordedTimesReader()
          for i in 0..<bytes.count / 8 where !seen.add(StoredNumber(bytes, i, current.type)) {
            throw TrajpackError(
              .data,
              "the times of stream '\(current.stream)' go back, or are none, at row \(seen.count)",
              at: ErrorPlace(
                file: recording.path, episode: recording.id, stream: current.stream, row: seen.count
              ))
          }
          times[current.stream] = seen
        }
      }
    }
    var mapped = MappedRecording(id: recording.id, path: recording.path)
    mapped.split = told[recording.id]?["split"]?.string ?? ""
    mapped.values = facts["values"]?.members ?? []
    mapped.metadata = facts["metadata"]?.members ?? []
    var axes: [RecordedTimes] = []
    for item in facts["streams"]?.array ?? [] {
      let (stream, axis) = try stream(item, times)
      guard let stream else { continue }
      mapped.streams.append(stream)
      axes.append(axis)
    }
    guard !mapped.streams.isEmpty else {
      throw TrajpackError(.data, "the source gives no rows that are to be read")
    }
    return Examination(
      recording: mapped, times: axes,
      remarks: (facts["remarks"]?.array ?? []).compactMap(\.string))
  }

  /// A stream as the facts of a first reading have it; `nil` where the options leave it out.
  private func stream(
    _ item: JSONValue, _ times: [String: RecordedTimesReader]
  ) throws(TrajpackError) -> (MappedStream?, RecordedTimes) {
    let reader = JSONReader(item, at: "what the source says of a stream")
    let name = try reader.text("name")
    let unit = try reader.text("time_unit")
    let time: MappedStream.Time
    var axis = RecordedTimes.none
    if let rate = item["time"]?["rate"]?.string.flatMap({ Rational(decimal: $0) }) {
      let start = item["time"]?["start"]?.string.flatMap { Rational(decimal: $0) } ?? .zero
      time = .regular(.regular(start: start, rate: rate), unit: unit)
    } else {
      let isFloat = item["time"]?["type"]?.string != "int64"
      let tick = item["time"]?["tick"]?.string.flatMap { Rational(decimal: $0) } ?? .one
      if isFloat || tick == .one {
        axis = (times[name] ?? RecordedTimesReader()).found(isFloat: isFloat)
      }
      time = .array(.spool(RowSpool()), isFloat ? .float64 : .int64, tick: tick, unit: unit)
    }
    var stream = MappedStream(
      name: name, count: try reader.integer("count"), time: time, channels: [],
      attributes: item["attributes"]?.members ?? [])
    if let video = item["video"] {
      guard settings.takes(name), settings.video != .drop else { return (nil, axis) }
      stream.video = try PythonVideo(video)
      return (stream, axis)
    }
    for item in item["channels"]?.array ?? [] {
      var channel = try Channel(JSONReader(item, at: "what the source says of a channel"))
      guard settings.takes("\(name)/\(channel.name)") else { continue }
      let names = [channel.name, "\(name)/\(channel.name)"]
      if let kind = names.compactMap({ settings.kinds[$0] }).first { channel.kind = kind }
      if let units = names.compactMap({ settings.units[$0] }).first { channel.units = units }
      stream.channels.append(MappedChannel(channel, .spool(RowSpool())))
    }
    return (stream.channels.isEmpty ? nil : stream, axis)
  }
}
