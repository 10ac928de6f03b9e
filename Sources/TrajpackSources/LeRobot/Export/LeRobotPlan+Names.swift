import TrajpackFormat
import TrajpackStore

extension LeRobotPlan {
  /// Gives columns the names that were asked for; one name of several channels is the column of all their numbers. Channels
  /// are meant by the names that they have in the dataset, whatever else is named.
  ///
  /// - Throws: A usage error where there is no such channel, a channel or a name is given twice, or no column has the numbers.
  mutating func rename(_ names: [ChannelName]) throws(TrajpackError) {
    var choices: [(wanted: ChannelName, places: [Int])] = []
    for wanted in names {
      guard !wanted.name.contains("/") else {
        throw wanted.wrong("'\(wanted.name)' has a slash, which LeRobot does not allow")
      }
      try wanted.checkAlone(choices.map(\.wanted))
      var places: [Int] = []
      for source in wanted.channels {
        guard let place = features.firstIndex(where: { $0.isCalled(source) }) else {
          let known = features.filter { !$0.isMask }.map { "'\($0.path)'" }
          throw wanted.wrong(
            "there is no channel '\(source)' that is written; there are "
              + known.prefix(12).joined(separator: ", "))
        }
        guard !places.contains(place) else { throw wanted.wrong("'\(source)' is named twice") }
        guard !choices.contains(where: { $0.places.contains(place) }) else {
          throw wanted.wrong("'\(source)' has a name already, and a channel is written once")
        }
        places.append(place)
      }
      choices.append((wanted, places))
    }
    let masks = features.map { feature in
      features.firstIndex {
        $0.isMask && !feature.isMask && $0.stream == feature.stream
          && $0.channel == feature.channel
      }
    }
    var joined: [LeRobotFeature] = []
    var gone: Set<Int> = []
    for (wanted, places) in choices {
      let own = places.map { masks[$0] }
      if places.count == 1 {
        try rename(places[0], mask: own[0], wanted)
      } else {
        joined += try join(places, isMasked: own.contains { $0 != nil }, wanted)
        gone.formUnion(places)
        gone.formUnion(own.compactMap { $0 })
      }
    }
    features = features.indices.filter { !gone.contains($0) }.map { features[$0] } + joined
  }

  private mutating func rename(
    _ place: Int, mask: Int?, _ wanted: ChannelName
  ) throws(TrajpackError) {
    switch features[place].content {
    case .task: throw wanted.wrong("the task of rows is 'task_index' in every LeRobot dataset")
    case .category where wanted.name == "task":
      (features[place].key, features[place].content) = ("task_index", .task)
    case .category: features[place].key = "\(wanted.name)_index"
    default: features[place].key = wanted.name
    }
    if let mask {
      features[mask].key = "\(wanted.name).observed"
      features[mask].setMask(of: wanted.name)
    }
  }

  /// The column of the numbers of several channels, and its mask where one of them has one.
  private func join(
    _ places: [Int], isMasked: Bool, _ wanted: ChannelName
  ) throws(TrajpackError) -> [LeRobotFeature] {
    let parts = places.map { features[$0] }
    var (type, length, names): (ElementType?, Int, [JSONValue]) = (nil, 0, [])
    for (part, source) in zip(parts, wanted.channels) {
      guard case .numbers(let own, let shape) = part.content, shape.count < 2 else {
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
    guard let type else { return [] }
    var made = LeRobotFeature(
      key: wanted.name, stream: parts[0].stream, channel: parts[0].channel,
      content: .numbers(type, [length]), parts: parts,
      json: LeRobotFeature.json(type.rawValue, [length], names: .array(names)))
    guard isMasked else { return [made] }
    let column = made
    made.key = "\(wanted.name).observed"
    made.content = .mask([length])
    made.json = LeRobotFeature.json("bool", [length])
    made.setMask(of: wanted.name)
    return [column, made]
  }
}

extension LeRobotFeature {
  /// The path of the channel, or of the video.
  fileprivate var path: String { content == .video ? stream : "\(stream)/\(channel)" }

  fileprivate var isMask: Bool { if case .mask = content { true } else { false } }

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
