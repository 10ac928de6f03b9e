import TrajpackFormat
import TrajpackStore

/// What a channel is to formats of reinforcement and robot learning, by the names that these formats have.
enum StepRole: Equatable {
  case action(String)
  case observation(String)
  case nextObservation(String)
  case reward
  case terminated
  case truncated
  case done
  /// None of these, with its path.
  case other(String)

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
}

/// The channels of an episode by their roles.
struct StepArrays {
  private(set) var arrays: [StepArray] = []
  /// Rows that the actions have.
  private(set) var steps = 0
  /// Sentences on what is not written.
  private(set) var leftOut: [String] = []

  /// - Throws: A data error where the episode has no actions.
  init(_ tracks: [(name: String, track: TrackReader)], format: String) throws(TrajpackError) {
    for (name, track) in tracks {
      guard track.track.entity == nil, name == track.stream.name else {
        leftOut.append("'\(track.stream.name)' is left out: \(format) has no entities")
        continue
      }
      if track.isVideo {
        let path = StepRole.path(track.stream.name, "")
        let place = path.hasSuffix("/") ? String(path.dropLast()) : path
        arrays.append(.init(track: track, channel: nil, path: place, role: StepRole(path: place)))
        continue
      }
      var isRegular = false
      if case .regular = track.track.clock { isRegular = true }
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
    guard let actions = arrays.first(where: { if case .action = $0.role { true } else { false } })
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
      guard case .other(let path) = arrays[i].role, path != "time",
        [steps, steps + 1].contains(arrays[i].track.count)
      else { continue }
      arrays[i].role = .observation(path)
    }
  }

  /// The arrays of a role.
  func of(_ isWanted: (StepRole) -> Bool) -> [StepArray] { arrays.filter { isWanted($0.role) } }
}
