import TrajpackFormat
import TrajpackStore

/// What a channel is to formats of reinforcement and robot learning, by the names that these formats have.
enum StepRole: Hashable {
  case action(String)
  case observation(String)
  case nextObservation(String)
  case reward
  case terminated
  case truncated
  case done
  /// None of these, with its path.
  case other(String)

  /// The names that the formats themselves have, of roles that one array can have.
  private static let own: Set<String> = [
    "actions", "observations", "obs", "rewards", "terminations", "truncations", "dones",
  ]

  /// Whether a path is the very name of a role.
  static func isOwn(_ path: String) -> Bool { own.contains(path) }

  /// What the array of this role is called in a sentence; `nil` where several arrays can have the role.
  fileprivate var title: String? {
    switch self {
    case .action(""): "the actions"
    case .observation(""): "the observations"
    case .reward: "the rewards"
    case .terminated: "the terminations"
    case .truncated: "the truncations"
    case .done: "the ends ('dones')"
    default: nil
    }
  }

  /// The path of a channel below its episode: the reverse of ``TreeLayout``.
  static func path(_ stream: String, _ channel: String) -> String {
    if stream == TreeLayout.main { return channel }
    let last = stream.pathComponents.last.map { String($0) }
    return last == channel ? stream : "\(stream)/\(channel)"
  }

  init(path: String) {
    let whole = path.lowercased()
    switch whole {
    case "action", "actions": self = .action("")
    case "observation", "observations", "obs": self = .observation("")
    case "reward", "rewards", "next.reward": self = .reward
    case "terminated", "terminations", "termination", "terminals", "terminal": self = .terminated
    case "truncated", "truncations", "truncation", "timeouts", "timeout": self = .truncated
    case "done", "dones", "next.done": self = .done
    default:
      for (prefix, make) in [
        ("actions/", Self.action), ("action/", Self.action), ("action.", Self.action),
        ("observations/", Self.observation), ("observation/", Self.observation),
        ("obs/", Self.observation), ("next_obs/", Self.nextObservation),
      ] where whole.hasPrefix(prefix) {
        self = make(String(path.dropFirst(prefix.utf8.count)))
        return
      }
      let lerobot = "observation."
      self =
        whole.hasPrefix(lerobot)
        ? .observation(String(path.dropFirst(lerobot.utf8.count)).replacing(".", with: "_"))
        : .other(path)
    }
  }
}

/// A channel of an episode, or the frames of a video, that becomes an array of a tree.
struct StepArray {
  var track: TrackReader
  /// The channel; `nil` for the frames of a video.
  var channel: Int?
  var path: String
  var role: StepRole
  /// Whether a user asked for this path, and so for what it means.
  var isAsked = false
}

extension StepArray {
  /// Whether a user means it by a path, with or without its stream.
  fileprivate func isCalled(_ name: String) -> Bool { name == path || name == place }

  /// Where it is in the dataset: the stream, and the channel where it is one.
  fileprivate var place: String {
    guard let channel else { return track.stream.name }
    return "\(track.stream.name)/\(track.stream.channels[channel].name)"
  }
}

/// The channels of an episode by their roles.
struct StepArrays {
  private(set) var arrays: [StepArray] = []
  /// Rows that the actions have.
  private(set) var steps = 0
  /// Sentences on what is not written, or not as what it is called.
  private(set) var remarks: [String] = []
  /// Texts that were attributes of the episode, too long for a value.
  private(set) var texts: [(name: String, text: String)] = []

  /// - Throws: A data error where the episode has no actions.
  init(
    _ tracks: [(name: String, track: TrackReader)], format: String, names: [ChannelName]
  ) throws(TrajpackError) {
    for (name, track) in tracks {
      guard track.track.entity == nil, name == track.stream.name else {
        remarks.append("'\(track.stream.name)' is left out: \(format) has no entities")
        continue
      }
      if track.stream.attributes[TreeFacts.member]?.bool == true {
        if let text = try Self.text(track) {
          texts.append((name, text))
        } else {
          remarks.append(
            "'\(name)' is left out: it is an attribute, which is one text, and has "
              + counted(track.count, "row"))
        }
        continue
      }
      if track.isVideo {
        let path = StepRole.path(track.stream.name, "")
        let place = path.hasSuffix("/") ? String(path.dropLast()) : path
        arrays.append(.init(track: track, channel: nil, path: place, role: StepRole(path: place)))
        continue
      }
      var isRegular = false
      if track.track.clock.isRegular { isRegular = true }
      for number in track.stream.channels.indices {
        let channel = track.stream.channels[number]
        if channel.name == "time", !isRegular, track.stream.name != TreeLayout.main {
          // Times of a stream of its own stay beside its rows.
          let place = "\(track.stream.name)/time"
          arrays.append(.init(track: track, channel: number, path: place, role: .other(place)))
          continue
        }
        let path = StepRole.path(track.stream.name, channel.name)
        arrays.append(
          .init(track: track, channel: number, path: path, role: StepRole(path: path)))
      }
    }
    try rename(names, format)
    chooseOne()
    guard
      let actions = arrays.first(where: { $0.role == .action("") })
        ?? arrays.first(where: { if case .action = $0.role { true } else { false } })
    else {
      throw TrajpackError(
        .data,
        "has no channel 'actions' or 'action', which \(format) asks for; 'trajpack info' shows what there is"
      )
    }
    steps = actions.track.count
    guard !arrays.contains(where: { if case .observation = $0.role { true } else { false } })
    else { return }
    // Nothing is called an observation: all that is no action, reward or end is one.
    for i in arrays.indices {
      guard case .other(let path) = arrays[i].role, path != "time", isFit(arrays[i]) else {
        continue
      }
      arrays[i].role = .observation(path)
    }
  }

  /// Gives channels the names that were asked for, which say what they are.
  private mutating func rename(
    _ names: [ChannelName], _ format: String
  ) throws(TrajpackError) {
    var choices: [(wanted: ChannelName, place: Int)] = []
    for wanted in names {
      guard wanted.channels.count == 1 else {
        throw wanted.wrong("\(format) has an array a channel: name one")
      }
      try wanted.checkAlone(choices.map(\.wanted))
      let source = wanted.channels[0]
      guard let place = arrays.firstIndex(where: { $0.isCalled(source) }) else {
        throw wanted.wrong(
          "there is no channel '\(source)'; there are "
            + arrays.prefix(12).map { "'\($0.path)'" }.joined(separator: ", "))
      }
      guard !choices.contains(where: { $0.place == place }) else {
        throw wanted.wrong("'\(source)' has a name already, and a channel is written once")
      }
      choices.append((wanted, place))
    }
    for (wanted, place) in choices {
      arrays[place].path = wanted.name
      arrays[place].role = StepRole(path: wanted.name)
      arrays[place].isAsked = true
    }
  }

  /// The text of a stream that has one row.
  private static func text(_ track: TrackReader) throws(TrajpackError) -> String? {
    guard track.count == 1, track.stream.channels.first?.type == .bytes else { return nil }
    let values = try track.read(channel: 0, rows: 0..<1)
    return try track.bytes(values, 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Leaves roles that one array can have to one array: the one that was asked for, else the one that is called as the
  /// formats do, else the first. Others keep their own paths.
  private mutating func chooseOne() {
    var seen: Set<StepRole> = []
    for role in arrays.map(\.role) {
      guard let title = role.title, seen.insert(role).inserted else { continue }
      let places = arrays.indices.filter { arrays[$0].role == role }
      guard places.count > 1,
        let chosen = places.first(where: { arrays[$0].isAsked })
          ?? places.first(where: { StepRole.isOwn(arrays[$0].path) }) ?? places.first
      else { continue }
      for place in places where place != chosen {
        let isSame = arrays[place].path == arrays[chosen].path
        if isSame { arrays[place].path = arrays[place].place }
        arrays[place].role = .other(arrays[place].path)
        remarks.append(
          "'\(arrays[place].path)' is written beside the others, as '\(isSame ? arrays[chosen].place : arrays[chosen].path)' is \(title)"
        )
      }
    }
  }

  /// Whether an array has a row for each step, or one more.
  func isFit(_ array: StepArray) -> Bool { [steps, steps + 1].contains(array.track.count) }

  /// The arrays of a role.
  func of(_ isWanted: (StepRole) -> Bool) -> [StepArray] { arrays.filter { isWanted($0.role) } }
}
