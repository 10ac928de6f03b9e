import TrajpackFormat
import TrajpackLoader

/// The channels of an episode that an input is by default: by kind and shape, never by guess.
enum ChannelChoice {
  /// The entries, or why there are none.
  enum Choice {
    case entries([Entry])
    case none(String)
  }

  static func entries(_ content: MetricBinding.Content, of recording: ArchiveEpisode) -> Choice {
    func all(_ fits: (Entry, Channel) -> Bool) -> [Entry] {
      recording.entries.filter { entry in
        recording.channel(entry).map { fits(entry, $0) } ?? false
      }
    }
    func choice(_ entries: [Entry], _ what: String) -> Choice {
      entries.isEmpty ? .none("the truth has no \(what)") : .entries(entries)
    }
    switch content {
    case .cameraPosition: return camera(recording, "position of a camera") { $0.isPoint }
    case .cameraRotation: return camera(recording, "rotation of a camera") { $0.isRotation }
    case .intrinsics:
      return camera(recording, "intrinsics of a camera") {
        $0.kind == .intrinsics && $0.shape == [4]
      }
    case .joints: return choice(joints(recording), "joints of a skeleton")
    case .values:
      return choice(
        all { entry, channel in
          channel.name != "time" && [.scalar, .position, .direction, .angle].contains(channel.kind)
        }, "channel of numbers on a continuous scale")
    case .states:
      return choice(all { $0.channel != "time" && $1.kind == .scalar }, "channel of kind scalar")
    case .actions: return actions(recording)
    case .keys:
      return choice(all { $0.channel == "keys" && $1.shape == [6] }, "channel 'keys' of 6 numbers")
    case .mouse:
      return choice(
        all { $0.channel == "mouse" && $1.shape == [2] }, "channel 'mouse' of 2 numbers")
    case .depth:
      return depth(recording, all { !$0.isFrames && $1.kind == .depth && $1.shape.count == 2 })
    case .named: return .none("no channel is mapped to it; use --map")
    }
  }

  /// The first channel of depth images in rows, or else the first video of depth of which it is known what samples mean.
  private static func depth(_ recording: ArchiveEpisode, _ rows: [Entry]) -> Choice {
    if let first = rows.first { return .entries([first]) }
    let videos = recording.entries.filter(\.isFrames)
    if let known = videos.first(where: recording.isMetric) { return .entries([known]) }
    if let video = videos.first {
      return .none(
        "what the samples of the video '\(video.label)' mean as depth is not known; say it by 'trajpack transcode "
          + "--depth \(video.stream)=linear:scale=0.001,units=m'")
    }
    return .none("the truth has no depth images in rows and no video of depth")
  }

  /// The stream without entities that has a position, a rotation and intrinsics, or is called camera.
  private static func camera(
    _ recording: ArchiveEpisode, _ what: String, _ fits: (Channel) -> Bool
  ) -> Choice {
    let streams = recording.tracks.filter { item in
      guard item.track.track.entity == nil else { return false }
      let channels = item.track.stream.channels
      return channels.contains { $0.isPoint }
        && (channels.contains { $0.kind == .intrinsics }
          || item.track.stream.name.contains("camera"))
    }
    let names = Set(streams.map(\.track.stream.name))
    guard names.count == 1, let stream = streams.first else {
      return .none(
        names.isEmpty
          ? "the truth has no stream of a camera" : "the truth has several cameras; use --map")
    }
    let found = stream.track.stream.channels.filter(fits)
    guard found.count == 1, let channel = found.first else {
      return .none(
        found.isEmpty
          ? "the truth has no \(what)" : "the truth has more than one \(what); use --map")
    }
    return .entries([
      Entry(label: stream.label, stream: stream.track.stream.name, channel: channel.name)
    ])
  }

  private static func joints(_ recording: ArchiveEpisode) -> [Entry] {
    let points = recording.entries.filter { entry in
      guard let channel = recording.channel(entry) else { return false }
      return channel.kind == .position && channel.shape.count == 2 && channel.shape[1] == 3
    }
    let skeletons = Set(
      recording.tracks.filter { $0.track.stream.skeleton != nil }.map(\.track.stream.name))
    let named = points.filter { skeletons.contains($0.stream) }
    return named.isEmpty ? points : named
  }

  /// WildWorld's triplet of the first character, or the one channel that is called action.
  private static func actions(_ recording: ArchiveEpisode) -> Choice {
    let triplet = ["weapon_id", "motion_bank_id", "motion_id"]
    let entries = recording.entries
    for label in recording.tracks.map(\.label) {
      let found = triplet.compactMap { name in
        entries.first { $0.label == label && $0.channel == name }
      }
      if found.count == triplet.count { return .entries(found) }
    }
    let named = entries.filter { entry in
      ["action", "action_id", "actions"].contains(entry.channel)
        && (recording.channel(entry)?.type.isFloat == false)
    }
    guard named.count == 1 else {
      return .none(
        named.isEmpty
          ? "the truth has no weapon_id, motion_bank_id and motion_id of an entity, and no channel 'action'; use --map"
          : "the truth has several channels called action; use --map")
    }
    return .entries(named)
  }
}

extension Channel {
  var isPoint: Bool { kind == .position && shape == [3] }
  var isRotation: Bool {
    kind == .quaternion && shape == [4] || kind == .matrix && shape == [3, 3]
  }
}
