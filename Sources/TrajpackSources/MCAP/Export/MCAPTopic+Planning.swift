import TrajpackFormat
import TrajpackLoader
import TrajpackStore
import TrajpackVideo

extension MCAPTopic {
  /// The topics of a track, and sentences on what of it is not written.
  ///
  /// - Parameter label: What the track is called in its episode.
  static func topics(
    of track: TrackReader, label: String
  ) throws(TrajpackError) -> (topics: [MCAPTopic], leftOut: [String]) {
    let stream = track.stream
    let base = topicName(stream, label)
    if track.isVideo { return try video(track, base) }
    var rest = stream.channels.indices.filter { !track.isTime(channel: $0) }
    let all = rest
    var topics: [MCAPTopic] = []
    for (position, quaternion) in TUMExporter.poses(stream) {
      let (place, turn) = (stream.channels[position], stream.channels[quaternion])
      guard let order = places(turn.convention("order")),
        (turn.convention("pose") ?? place.convention("pose")) != "world-to-camera"
      else { continue }
      topics.append(
        MCAPTopic(
          name: base, schema: FoxgloveSchemas.pose,
          content: .pose(position: position, quaternion: quaternion, order: order),
          facts: [
            .init("pose.position", fact(place)),
            .init("pose.orientation", order == [0, 1, 2, 3] ? fact(turn) : named(turn, "xyzw")),
          ], added: ["timestamp", "frame_id"]))
      rest.removeAll { $0 == position || $0 == quaternion }
    }
    for number in rest {
      let channel = stream.channels[number]
      if var form = rawForm(channel) {
        if isOf(["RawImage"], stream), let encoding = stream.channel(named: "encoding"),
          let names = stream.channels[encoding].categories, names.count == 1
        {
          form.encoding = names[0]
        }
        topics.append(
          MCAPTopic(
            name: base, schema: FoxgloveSchemas.image, content: .image(number, form),
            facts: [.init("data", fact(channel, isWhole: false))],
            added: ["timestamp", "frame_id", "width", "height", "encoding", "step"]))
      } else if channel.kind == .packet, let format = format(channel) {
        topics.append(
          MCAPTopic(
            name: base, schema: FoxgloveSchemas.picture,
            content: .pictures(number, format: format),
            facts: [.init("data", fact(channel, isWhole: false))],
            added: ["timestamp", "frame_id", "format"]))
      } else if channel.kind == .intrinsics, channel.type.isFloat,
        channel.shape == [3, 3]
          || (channel.shape == [4] && channel.convention("order") == "fx fy cx cy")
      {
        func size(_ name: String) -> Int {
          channel.conventions.first { $0.name == name }?.value.int ?? 0
        }
        topics.append(
          MCAPTopic(
            name: base, schema: FoxgloveSchemas.calibration,
            content: .calibration(
              number, isMatrix: channel.shape.count == 2, width: size("width"),
              height: size("height")),
            facts: channel.shape.count == 2 ? [.init("K", fact(channel))] : [],
            added: ["timestamp", "frame_id", "width", "height", "distortion_model", "D", "R", "P"]))
      } else {
        continue
      }
      rest.removeAll { $0 == number }
    }
    if topics.count == 1 { topics[0].takeHead(of: stream, &rest) }
    if stream.attributes["topic"] != nil, topics.count > 1 || (!topics.isEmpty && !rest.isEmpty) {
      // What was one message of a recorder stays one.
      (topics, rest) = ([], all)
    }
    if topics.count > 1 || (!topics.isEmpty && !rest.isEmpty) {
      for i in topics.indices { topics[i].name += "/\(topics[i].suffix(stream))" }
    }
    if !rest.isEmpty || topics.isEmpty {
      var taken: Set<String> = []
      topics.append(
        plain(base, stream, channels: rest, typeName: identifier(stream.name, &taken)))
    }
    return (topics, [])
  }

  /// Whether a stream was read from messages of these types.
  private static func isOf(_ names: [String], _ stream: Stream) -> Bool {
    let types = stream.attributes["message_types"]?.array?.compactMap(\.string) ?? []
    return !types.isEmpty && types.allSatisfy { names.contains(MessageType.bareName($0)) }
  }

  /// Takes from `rest` the channels that the messages of the type say themselves.
  private mutating func takeHead(of stream: Stream, _ rest: inout [Int]) {
    let isOwn = Self.isOf([schema.name], stream)
    for name in added {
      guard let number = rest.first(where: { stream.channels[$0].name == name }) else { continue }
      let channel = stream.channels[number]
      switch name {
      case "timestamp":
        guard channel.isTime else { continue }
        stamp = number
      case "frame_id":
        guard channel.isText else { continue }
        frame.channel = number
      case "format": guard isOwn, channel.isText else { continue }
      case "encoding", "width", "height", "step": guard isOwn else { continue }
      default: continue
      }
      added.removeAll { $0 == name }
      rest.removeAll { $0 == number }
    }
  }

  /// The topic that a stream was, or is called by its name.
  private static func topicName(_ stream: Stream, _ label: String) -> String {
    if let topic = stream.attributes["topic"]?.string, label == stream.name { return topic }
    return "/\(label)"
  }

  /// What tells a topic from others of its stream.
  private func suffix(_ stream: Stream) -> String {
    switch content {
    case .pose(let position, _, _):
      let name = stream.channels[position].name
      return name == "position" ? "pose" : name
    case .calibration(let number, _, _, _), .image(let number, _), .pictures(let number, _),
      .video(let number, _):
      return stream.channels[number].name
    case .plain, .samples: return ""
    }
  }

  private static func places(_ order: String?) -> [Int]? {
    order == "xyzw" ? [0, 1, 2, 3] : order == "wxyz" ? [1, 2, 3, 0] : nil
  }

  private static func named(_ channel: Channel, _ order: String) -> JSONValue {
    var channel = channel
    channel.setConvention("order", .string(order))
    return fact(channel)
  }

  /// How the files of a channel of pictures are packed.
  private static func format(_ channel: Channel) -> String? {
    switch channel.convention("encoding") {
    case "jpeg", "jpg", "mjpeg": "jpeg"
    case "png": "png"
    default: nil
    }
  }

  private static func video(
    _ track: TrackReader, _ base: String
  ) throws(TrajpackError) -> ([MCAPTopic], [String]) {
    let metadata = JSONReader(
      try JSONValue(parsing: track.track.metadata.isEmpty ? "{}" : track.track.metadata),
      at: "metadata of '\(track.stream.name)'")
    let name = track.stream.name
    if let frames = try StoredFrames(metadata: metadata) {
      let form = RawForm(
        encoding: frames.sampleBytes == 1 ? "mono8" : "mono16", width: frames.width,
        height: frames.height, step: frames.width * frames.sampleBytes)
      return (
        [
          MCAPTopic(
            name: base, schema: FoxgloveSchemas.image, content: .samples(form),
            added: ["timestamp", "frame_id", "width", "height", "encoding", "step"])
        ], []
      )
    }
    guard let packets = track.stream.channel(named: MessageVideo.packet) else { return ([], []) }
    let codec = try metadata.text("codec")
    guard try metadata.text("stored") != VideoMode.link.rawValue else {
      return ([], ["'\(name)' is linked and left out; convert again with --video embed"])
    }
    if ChannelOrder.isSwapped(metadata.value) {
      return (
        [],
        [
          "'\(name)' has red and blue swapped in its packets ('channel_order'), which messages have no word for; left out "
            + "(--to png writes its frames)"
        ]
      )
    }
    let own = Set(MessageVideo.channels.map(\.name))
    var rest = track.stream.channels.indices.filter {
      !track.isTime(channel: $0) && !own.contains(track.stream.channels[$0].name)
    }
    func finished(_ topic: MCAPTopic) -> ([MCAPTopic], [String]) {
      var topic = topic
      topic.takeHead(of: track.stream, &rest)
      return (
        [topic],
        rest.isEmpty
          ? []
          : [
            "'\(name)': messages of videos and pictures have no place for "
              + rest.map { "'\(track.stream.channels[$0].name)'" }.joined(separator: ", ")
          ]
      )
    }
    switch codec {
    case "mjpeg", "png":
      return finished(
        MCAPTopic(
          name: base, schema: FoxgloveSchemas.picture,
          content: .pictures(packets, format: codec == "png" ? "png" : "jpeg"),
          added: ["timestamp", "frame_id", "format"]))
    case "h264", "hevc":
      if let why = try MCAPVideo.reason(track, metadata) {
        return (
          [],
          [
            "'\(name)' \(why), which messages of CompressedVideo cannot be; left out ("
              + "\(VideoRemedy.sentence(track.stream, metadata.value)))"
          ]
        )
      }
      return finished(
        MCAPTopic(
          name: base, schema: FoxgloveSchemas.video,
          content: .video(packets, format: codec == "h264" ? "h264" : "h265"),
          added: ["timestamp", "frame_id", "format"]))
    default:
      return (
        [],
        [
          "'\(name)' is \(codec), and messages have videos of H.264 and H.265, JPEG and PNG; left out ("
            + "\(VideoRemedy.sentence(track.stream, metadata.value)))"
        ]
      )
    }
  }
}

extension TrackReader {
  /// Whether a channel is a time that each message has: that of its row, or when it was written down or sent.
  fileprivate func isTime(channel number: Int) -> Bool {
    let channel = stream.channels[number]
    switch channel.name {
    case "time": return number == timeChannel
    case "log_time", "publish_time": return channel.isTime && channel.missing == .never
    default: return false
    }
  }
}

extension Channel {
  fileprivate var isText: Bool {
    categories != nil && shape.isEmpty || type == .bytes && kind == .text
  }
}
