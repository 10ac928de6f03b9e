import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// A column, or the videos, of a LeRobot dataset that is written.
struct LeRobotFeature: Sendable {
  enum Content: Sendable, Equatable {
    case numbers(ElementType, [Int])
    /// Which values of another column were observed.
    case mask([Int])
    case text
    /// Numbers of texts, which are a table of their own.
    case category
    /// The number of the row's task.
    case task
    /// A picture's file a row, of a stream of packets.
    case picture
    case video
  }

  var key: String
  var stream: String
  var channel: String
  var content: Content
  /// The features whose numbers it has one after the other, where it is made of several.
  var parts: [LeRobotFeature] = []
  /// What `info.json` says of it.
  var json: JSONValue

  /// The column of the table; `nil` of videos.
  var column: ParquetOutputColumn? {
    let form: ParquetOutputColumn.Form
    switch content {
    case .numbers(let type, let shape): form = .numbers(type, shape)
    case .mask(let shape): form = .numbers(.bool, shape)
    case .text: form = .text
    case .category, .task: form = .numbers(.int64, [])
    case .picture: form = .picture
    case .video: return nil
    }
    return ParquetOutputColumn(name: key, form: form)
  }

  /// The member of a feature's `info` that names the column whose values a mask is of.
  static let maskMember = "observed_of"

  static func json(
    _ type: String, _ shape: [Int], names: JSONValue? = nil, info: JSONValue? = nil
  ) -> JSONValue {
    .record([
      "dtype": .string(type),
      "shape": .array((shape.isEmpty ? [1] : shape).map { .int(Int64($0)) }),
      "names": names ?? .null, "info": info,
    ])
  }

  /// The features of a stream, and the channels that have no place in a LeRobot dataset, with the reason.
  static func features(
    of stream: Stream, _ metadata: JSONValue
  ) -> (features: [LeRobotFeature], leftOut: [(String, String)]) {
    if stream.attributes["video"]?.bool == true { return video(stream, metadata) }
    var features: [LeRobotFeature] = []
    var leftOut: [(String, String)] = []
    for channel in stream.channels {
      let key = Self.key(stream.name, channel.name)
      func add(_ suffix: String, _ content: Content, _ json: JSONValue) {
        features.append(
          LeRobotFeature(
            key: key + suffix, stream: stream.name, channel: channel.name, content: content,
            json: json))
      }
      let names = channel.conventions.first { $0.name == "names" }?.value
      if channel.type == .bytes {
        if channel.kind == .text {
          add("", .text, json("string", []))
        } else if stream.channels.count == 1, let own = stream.attributes["lerobot"] {
          features.append(
            LeRobotFeature(
              key: Self.key(stream.name, nil), stream: stream.name, channel: channel.name,
              content: .picture, json: own))
        } else {
          leftOut.append(("\(stream.name)/\(channel.name)", "is bytes, which are no text"))
        }
      } else if channel.categories != nil, channel.shape.isEmpty {
        if channel.name == "task" {
          features.append(
            LeRobotFeature(
              key: "task_index", stream: stream.name, channel: channel.name, content: .task,
              json: json("int64", [])))
        } else {
          add("_index", .category, json("int64", []))
        }
      } else {
        let shape = channel.shape == [1] ? [] : channel.shape
        add("", .numbers(channel.type, shape), json(channel.type.rawValue, shape, names: names))
        if channel.missing == .sentinel {
          add(
            ".observed", .mask(shape),
            json("bool", shape, info: .record([maskMember: .string(key)])))
        }
      }
    }
    return (features, leftOut)
  }

  /// The name of a column: LeRobot's may have no slash.
  private static func key(_ stream: String, _ channel: String?) -> String {
    let parts = stream == TreeLayout.main && channel != nil ? [] : [stream]
    return (parts + [channel].compactMap { $0 }).joined(separator: ".").replacing("/", with: ".")
  }

  private static func video(
    _ stream: Stream, _ metadata: JSONValue
  ) -> (features: [LeRobotFeature], leftOut: [(String, String)]) {
    let own = Self.key(stream.name, nil)
    let isNamed = stream.attributes["lerobot"] != nil || own.contains("image")
    let key =
      isNamed || own.hasPrefix("observation.") ? own : "observation.images.\(own)"
    let codec = metadata["codec"]?.string ?? ""
    let isPicture = codec == "png" || codec == "mjpeg"
    let isMovie =
      metadata["container"]?.string?.hasPrefix("mov") == true
      && ["h264", "hevc", "av1", "vp9"].contains(codec)
    if isMovie, ChannelOrder.isSwapped(metadata) {
      return (
        [],
        [
          (
            stream.name,
            "has red and blue swapped in its packets ('channel_order'), which LeRobot has no word for; --to png writes its "
              + "frames"
          )
        ]
      )
    }
    let pixels = metadata["pixel_format"]?.string ?? ""
    let isGray = pixels.hasPrefix("gray")
    guard isPicture || isMovie else {
      return (
        [],
        [
          (
            stream.name,
            "is \(codec.isEmpty ? "a video" : codec) in \(metadata["container"]?.string ?? "no file"), and LeRobot has mp4; "
              + VideoRemedy.sentence(stream, metadata)
          )
        ]
      )
    }
    let (width, height) = (metadata["width"]?.int ?? 0, metadata["height"]?.int ?? 0)
    var json = Self.json(
      isPicture ? "image" : "video", [height, width, isGray ? 1 : 3],
      names: ["height", "width", "channels"],
      info: isPicture
        ? nil
        : .record([
          "video.height": .int(Int64(height)), "video.width": .int(Int64(width)),
          "video.codec": .string(codec), "video.pix_fmt": .string(pixels),
          "video.channels": .int(isGray ? 1 : 3), "has_audio": false, "is_depth_map": .bool(isGray),
        ]))
    // What LeRobot itself has said of it.
    if let said = stream.attributes["lerobot"], said["dtype"] == json["dtype"] { json = said }
    return (
      [
        LeRobotFeature(
          key: key, stream: stream.name, channel: "packet",
          content: isPicture ? .picture : .video, json: json)
      ], []
    )
  }
}
