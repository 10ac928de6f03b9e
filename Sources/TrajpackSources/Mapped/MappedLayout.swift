import TrajpackFormat

/// One layout for all recordings of a source: a channel that some recordings lack, or have in another shape, is a
/// stream of its own, so that the recordings that have it can say so.
struct MappedLayout {
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }

  private struct Facts {
    var shapes: Set<[Int]> = []
    var isBytes: Set<Bool> = []
    var types: [ElementType] = []
    var count = 0
    var first: Channel?

    /// The type that holds all numbers; `nil` where there is none.
    var wide: ElementType? {
      types.dropFirst().reduce(types.first) { wide, type in wide?.widened(with: type) }
    }

    /// Whether no one channel holds them all.
    var isApart: Bool { shapes.count > 1 || isBytes.count > 1 || wide == nil }
  }

  /// Brings the streams of all recordings into one layout.
  static func unify(_ recordings: inout [MappedRecording]) {
    split(&recordings) { key, facts, streams in
      facts.count < streams[key.stream, default: 0]
    }
    split(&recordings) { _, facts, _ in facts.isApart }
    nameShapes(&recordings)
    widen(&recordings)
  }

  private static func facts(
    _ recordings: [MappedRecording]
  ) -> (channels: [Key: Facts], streams: [String: Int]) {
    var channels: [Key: Facts] = [:]
    var streams: [String: Int] = [:]
    for recording in recordings {
      for stream in recording.streams {
        streams[stream.name, default: 0] += 1
        for channel in stream.channels {
          let key = Key(stream: stream.name, channel: channel.channel.name)
          channels[key, default: Facts()].shapes.insert(channel.channel.shape)
          channels[key, default: Facts()].isBytes.insert(channel.channel.type == .bytes)
          if channels[key]?.types.contains(channel.channel.type) == false {
            channels[key]?.types.append(channel.channel.type)
          }
          channels[key]?.count += 1
          if channels[key]?.first == nil { channels[key]?.first = channel.channel }
        }
      }
    }
    return (channels, streams)
  }

  /// The stream of its own that a channel is moved to, and what it is called there.
  static func moved(_ channel: String, _ stream: String) -> (stream: String, channel: String) {
    let last = String(channel.pathComponents.last ?? "")
    if stream.pathComponents.last.map({ String($0) }) == channel { return (stream, last) }
    return (stream == TreeLayout.main ? channel : "\(stream)/\(channel)", last)
  }

  /// What the stream of a channel whose shape differs between recordings is called besides.
  static func suffix(_ channel: Channel) -> String {
    let shape = channel.shape.map(String.init).joined(separator: "x")
    return "/\(channel.type.rawValue)\(shape.isEmpty ? "" : " \(shape)")"
  }

  /// Moves channels into streams of their own.
  private static func split(
    _ recordings: inout [MappedRecording], _ isMoved: (Key, Facts, [String: Int]) -> Bool
  ) {
    let (channels, streams) = facts(recordings)
    let moved = Set(channels.filter { isMoved($0.key, $0.value, streams) }.map(\.key))
    guard !moved.isEmpty else { return }
    for number in recordings.indices {
      var out: [MappedStream] = []
      for stream in recordings[number].streams {
        var rest = stream
        rest.channels.removeAll {
          moved.contains(Key(stream: stream.name, channel: $0.channel.name))
        }
        if !rest.channels.isEmpty || rest.video != nil { out.append(rest) }
        for var channel in stream.channels
        where moved.contains(Key(stream: stream.name, channel: channel.channel.name)) {
          var own = stream
          (own.name, channel.channel.name) = Self.moved(channel.channel.name, stream.name)
          own.channels = [channel]
          out.append(own)
        }
      }
      recordings[number].streams = out
    }
  }

  /// Streams of one channel whose shape differs between recordings say the shape in their names.
  private static func nameShapes(_ recordings: inout [MappedRecording]) {
    let different = Set(
      facts(recordings).channels.filter(\.value.isApart).map(\.key))
    guard !different.isEmpty else { return }
    for number in recordings.indices {
      for i in recordings[number].streams.indices {
        let stream = recordings[number].streams[i]
        guard let channel = stream.channels.first?.channel,
          different.contains(Key(stream: stream.name, channel: channel.name))
        else { continue }
        recordings[number].streams[i].name += Self.suffix(channel)
      }
    }
  }

  /// Gives each channel the type that holds the numbers of all recordings.
  private static func widen(_ recordings: inout [MappedRecording]) {
    let (channels, _) = facts(recordings)
    for number in recordings.indices {
      for i in recordings[number].streams.indices {
        let stream = recordings[number].streams[i].name
        for c in recordings[number].streams[i].channels.indices {
          var channel = recordings[number].streams[i].channels[c].channel
          guard let facts = channels[Key(stream: stream, channel: channel.name)],
            let first = facts.first
          else { continue }
          if facts.types.count > 1 {
            channel.type = facts.wide ?? channel.type
            if channel.type.isFloat { channel.missing = .nan }
          }
          if channel.categories != first.categories { channel.categories = nil }
          (channel.kind, channel.units) = (first.kind, first.units)
          (channel.description, channel.conventions) = (first.description, first.conventions)
          recordings[number].streams[i].channels[c].channel = channel
        }
      }
    }
  }
}
