import TrajpackFormat
import TrajpackStore

extension LeRobotPlan {
  /// Gives columns the names that were asked for; one name of several channels is the column of all their numbers.
  ///
  /// - Throws: A usage error where there is no such channel, or no column has its numbers.
  mutating func rename(_ names: [ChannelName]) throws(TrajpackError) {
    for wanted in names {
      guard !wanted.name.contains("/") else {
        throw wanted.wrong("'\(wanted.name)' has a slash, which LeRobot does not allow")
      }
      var places: [Int] = []
      for source in wanted.channels {
        guard let place = features.firstIndex(where: { $0.isCalled(source) }) else {
          let known = features.filter { !$0.isMask }.map { "'\($0.path)'" }
          throw wanted.wrong(
            "there is no channel '\(source)' that is written; there are "
              + known.prefix(12).joined(separator: ", "))
        }
        guard !places.contains(place) else { throw wanted.wrong("'\(source)' is named twice") }
        places.append(place)
      }
      if places.count == 1 { try rename(places[0], wanted) } else { try join(places, wanted) }
    }
  }

  private mutating func rename(_ place: Int, _ wanted: ChannelName) throws(TrajpackError) {
    let old = features[place].key
    switch features[place].content {
    case .task: throw wanted.wrong("the task of rows is 'task_index' in every LeRobot dataset")
    case .category: features[place].key = "\(wanted.name)_index"
    default: features[place].key = wanted.name
    }
    for i in features.indices where features[i].masks == old {
      features[i].key = "\(wanted.name).observed"
      features[i].setMask(of: wanted.name)
    }
  }

  private mutating func join(_ places: [Int], _ wanted: ChannelName) throws(TrajpackError) {
    let parts = places.map { features[$0] }
    var (type, length, names): (ElementType?, Int, [JSONValue]) = (nil, 0, [])
    for (part, source) in zip(parts, wanted.channels) {
      guard case .numbers(let own, let shape) = part.content, shape.count < 2, part.parts.isEmpty
      else {
        throw wanted.wrong(
          "'\(source)' is no number or list of numbers, which a column of several channels is made of"
        )
      }
      guard let wide = type == nil ? own : type?.widened(with: own) else {
        throw wanted.wrong("no type holds the numbers of all of these channels")
      }
      let count = shape.first ?? 1
      type = wide
      length += count
      let said = part.json["names"]?.array ?? []
      names +=
        said.count == count
        ? said
        : count == 1
          ? [.string(part.channel)] : (0..<count).map { .string("\(part.channel)_\($0)") }
    }
    guard let type else { return }
    let masked = parts.filter { part in features.contains { $0.masks == part.key } }
    var made = LeRobotFeature(
      key: wanted.name, stream: parts[0].stream, channel: parts[0].channel,
      content: .numbers(type, [length]), parts: parts,
      json: LeRobotFeature.json(type.rawValue, [length], names: .array(names)))
    let keys = Set(parts.map(\.key))
    features.removeAll { keys.contains($0.key) || $0.masks.map { keys.contains($0) } ?? false }
    features.append(made)
    guard !masked.isEmpty else { return }
    made.key = "\(wanted.name).observed"
    made.content = .mask([length])
    made.json = LeRobotFeature.json("bool", [length])
    made.setMask(of: wanted.name)
    features.append(made)
  }
}

extension LeRobotFeature {
  /// The path of the channel, or of the video.
  fileprivate var path: String { content == .video ? stream : "\(stream)/\(channel)" }

  fileprivate var isMask: Bool { if case .mask = content { true } else { false } }

  /// The key of the column whose values it is a mask of.
  fileprivate var masks: String? { isMask ? json["info"]?[Self.maskMember]?.string : nil }

  fileprivate mutating func setMask(of key: String) {
    json.set("info", .record([Self.maskMember: .string(key)]))
  }

  /// Whether a user means it by a path, or by the name that it has by itself.
  fileprivate func isCalled(_ name: String) -> Bool {
    guard !isMask else { return false }
    return name == path || name == key
      || (name == stream && (content == .video || content == .picture))
  }
}
