import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// The rows of a track, as messages of its topics in the order of its rows.
final class MCAPTrack {
  private let track: TrackReader
  let topics: [MCAPTopic]
  private let ids: [Int]
  private let times: MCAPTimes
  private let video: MCAPVideo?
  private let frames: StoredFrames?
  private let channels: [Int]
  private var rows = 0..<0
  private var values: [Int: ChannelValues] = [:]
  private var numbers: [Int: [UInt8]] = [:]
  private var stamps: [MCAPTimes.Stamp] = []
  private var next = 0
  private var message = ProtobufWriter()

  /// - Parameter ids: The numbers of the topics in the file.
  init(
    _ track: TrackReader, _ topics: [MCAPTopic], ids: [Int], times: MCAPTimes
  ) throws(TrajpackError) {
    (self.track, self.topics, self.ids, self.times) = (track, topics, ids, times)
    let metadata = JSONReader(
      try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata),
      at: "metadata of '\(track.stream.name)'")
    frames = track.isVideo ? try StoredFrames(metadata: metadata) : nil
    let isVideo = topics.contains { if case .video = $0.content { true } else { false } }
    video = isVideo ? try MCAPVideo(metadata) : nil
    var used = Set(topics.flatMap(\.channels))
    if isVideo, let keys = track.stream.channel(named: "keyframe") { used.insert(keys) }
    channels = used.sorted()
    try fill()
  }

  /// The log time of the next message; `nil` behind the last.
  var time: UInt64? { next < stamps.count ? stamps[next].log : nil }

  private func fill() throws(TrajpackError) {
    let step = min(track.runLength, 512)
    rows = rows.upperBound..<min(rows.upperBound + step, track.count)
    next = 0
    stamps = rows.isEmpty ? [] : try times.stamps(track, rows)
    guard !rows.isEmpty else { return }
    let read = try track.read(channels: channels, rows: rows)
    values = Dictionary(uniqueKeysWithValues: zip(channels, read))
    numbers = [:]
    for (number, values) in zip(channels, read) where values.channel.type != .bytes {
      numbers[number] = values.logicalBytes()
    }
  }

  /// Writes the messages of the next row.
  func write(to file: MCAPWriter) throws(TrajpackError) {
    let stamp = stamps[next]
    for (topic, id) in zip(topics, ids) {
      message.clear()
      try encode(topic, stamp.stamp)
      try file.add(id, log: stamp.log, publish: stamp.publish, message.bytes)
    }
    next += 1
    if next == stamps.count { try fill() }
  }

  private func channel(_ number: Int) throws(TrajpackError) -> ChannelValues {
    guard let values = values[number] else {
      throw TrajpackError(.data, "'\(track.stream.name)' has no channel \(number)")
    }
    return values
  }

  /// The numbers of the row, little-endian.
  private func row<Result>(
    _ number: Int, _ body: (UnsafeRawBufferPointer) -> Result
  ) throws(TrajpackError) -> Result {
    let size = try channel(number).channel.elements * (try channel(number).channel.type.size)
    return numbers[number, default: []].withUnsafeBytes {
      body(UnsafeRawBufferPointer(rebasing: $0[next * size..<(next + 1) * size]))
    }
  }

  private func text(_ number: Int) throws(TrajpackError) -> String? {
    let values = try channel(number)
    if values.channel.categories != nil { return values.category(next) }
    return try track.bytes(values, next).map { String(decoding: $0, as: UTF8.self) }
  }

  private func frameID(_ topic: MCAPTopic) throws(TrajpackError) -> String {
    guard let number = topic.frame.channel else { return topic.frame.text }
    return try text(number) ?? ""
  }

  private func encode(_ topic: MCAPTopic, _ stamp: Int64) throws(TrajpackError) {
    if let own = topic.stamp {
      if case .int(let ns) = try channel(own).value(next, 0) { message.add(1, nanoseconds: ns) }
    } else {
      message.add(1, nanoseconds: stamp)
    }
    switch topic.content {
    case .plain(let fields):
      for field in fields { try encode(field) }
    case .pose(let position, let quaternion, let order):
      let (place, turn) = (try channel(position), try channel(quaternion))
      message.add(2, text: try frameID(topic))
      let row = next
      message.add(3) { pose in
        pose.add(1) { out in
          for axis in 0..<3 { out.add(axis + 1, double: place.double(row, axis)) }
        }
        pose.add(2) { out in
          for (axis, place) in order.enumerated() {
            out.add(axis + 1, double: turn.double(row, place))
          }
        }
      }
    case .calibration(let number, let isMatrix, let width, let height):
      let values = try channel(number)
      let all = (0..<values.channel.elements).map { values.double(next, $0) }
      let matrix =
        isMatrix ? all : [all[0], 0, all[2], 0, all[1], all[3], 0, 0, 1]
      message.add(2, fixed32: UInt32(clamping: width))
      message.add(3, fixed32: UInt32(clamping: height))
      message.add(4, text: "")
      let projection = (0..<3).flatMap { matrix[$0 * 3..<$0 * 3 + 3] + [0] }
      for (field, list) in [(6, matrix), (7, [1, 0, 0, 0, 1, 0, 0, 0, 1]), (8, projection)] {
        littleEndian(list.map(\.bitPattern)).withUnsafeBytes {
          message.add(field, numbers: $0, .float64, isList: true)
        }
      }
      message.add(9, text: try frameID(topic))
    case .image(let number, let form):
      try head(topic, form)
      let bytes = try row(number) { Array($0) }
      message.add(6, bytes: bytes)
    case .samples(let form):
      try head(topic, form)
      guard let frames else { return }
      let at = (rows.lowerBound + next) * frames.bytes
      let stored = try track.bytes(at..<at + frames.bytes)
      var samples = [UInt8](repeating: 0, count: frames.bytes)
      stored.withUnsafeBytes { from in
        samples.withUnsafeMutableBytes { to in
          if let from = from.baseAddress, let to = to.baseAddress { frames.restore(from, into: to) }
        }
      }
      message.add(6, bytes: samples)
    case .pictures(let number, let format):
      message.add(2, bytes: try track.bytes(try channel(number), next) ?? [])
      message.add(3, text: format)
      message.add(4, text: try frameID(topic))
    case .video(let number, let format):
      let packet = try track.bytes(try channel(number), next) ?? []
      var isKey = false
      if let keys = track.stream.channel(named: "keyframe"),
        case .int(1) = try channel(keys).value(next, 0)
      {
        isKey = true
      }
      message.add(2, text: try frameID(topic))
      message.add(3, bytes: video?.packet(packet, isKeyframe: isKey) ?? packet)
      message.add(4, text: format)
    }
  }

  /// All of a `RawImage` but its time and pixels.
  private func head(_ topic: MCAPTopic, _ form: MCAPTopic.RawForm) throws(TrajpackError) {
    message.add(2, fixed32: UInt32(form.width))
    message.add(3, fixed32: UInt32(form.height))
    message.add(4, text: form.encoding)
    message.add(5, fixed32: UInt32(form.step))
    message.add(7, text: try frameID(topic))
  }

  private func encode(_ field: MCAPTopic.Field) throws(TrajpackError) {
    let values = try channel(field.channel)
    let (number, channel) = (field.field.number, values.channel)
    if channel.type == .bytes {
      guard let bytes = try track.bytes(values, next) else { return }
      return message.add(number, bytes: bytes)
    }
    if channel.categories != nil, channel.shape.isEmpty {
      guard let text = values.category(next) else { return }
      return message.add(number, text: text)
    }
    if field.field.isOptional, values.value(next, 0) == .missing { return }
    let bytes = try row(field.channel) { Array($0) }
    guard let mask = field.mask else {
      if field.field.form == .bytes { return message.add(number, bytes: bytes) }
      return bytes.withUnsafeBytes {
        message.add(number, numbers: $0, channel.type, isList: field.field.isRepeated)
      }
    }
    var seen = [UInt8](repeating: 1, count: channel.elements)
    var filled = bytes
    let size = channel.type.size
    for element in seen.indices where values.value(next, element) == .missing {
      seen[element] = 0
      for at in element * size..<(element + 1) * size { filled[at] = 0 }
    }
    filled.withUnsafeBytes { message.add(number, numbers: $0, channel.type, isList: true) }
    seen.withUnsafeBytes { message.add(mask, numbers: $0, .bool, isList: true) }
  }
}

extension MCAPTopic {
  /// The channels that its messages are made of.
  fileprivate var channels: [Int] {
    let own: [Int]
    switch content {
    case .plain(let fields): own = fields.map(\.channel)
    case .pose(let position, let quaternion, _): own = [position, quaternion]
    case .calibration(let number, _, _, _), .image(let number, _), .pictures(let number, _),
      .video(let number, _):
      own = [number]
    case .samples: own = []
    }
    return own + [stamp, frame.channel].compactMap(\.self)
  }
}

extension ChannelValues {
  /// An element as a double; NaN where it was not observed.
  fileprivate func double(_ row: Int, _ element: Int) -> Double {
    switch value(row, element) {
    case .missing: .nan
    case .int(let n): Double(n)
    case .uint(let n): Double(n)
    case .double(let x): x
    case .float(let x): Double(x)
    }
  }
}
