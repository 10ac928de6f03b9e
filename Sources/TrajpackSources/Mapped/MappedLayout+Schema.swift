import TrajpackFormat
import TrajpackStore

/// The streams of the recordings of a shard, in the order in which they come.
struct StreamsOfRecordings {
  private var streams: [(first: MappedStream, isRegular: Bool, bytes: Int)] = []
  private var places: [String: Int] = [:]

  /// Takes in a stream of a recording.
  ///
  /// - Parameter isRegular: Whether a clock gives all of its times.
  mutating func add(_ stream: MappedStream, isRegular: Bool) {
    if let place = places[stream.name] {
      streams[place].isRegular = streams[place].isRegular && isRegular
      streams[place].bytes += stream.video?.bytes ?? 0
      // The one with times says how they are counted.
      if case .array = stream.time, case .regular = streams[place].first.time {
        streams[place].first.time = stream.time
      }
    } else {
      places[stream.name] = streams.count
      streams.append((stream, isRegular, stream.video?.bytes ?? 0))
    }
  }

  /// The skeletons that the streams name.
  var skeletons: Set<String> { Set(streams.compactMap(\.first.skeleton)) }

  /// The streams as a schema has them.
  func plans(bytes: Int, hashes: Bool) -> [StreamPlan] {
    streams.map { item -> StreamPlan in
      var own: ElementType?
      if case .array(_, let type, _, _) = item.first.time, !item.isRegular {
        own = type.isFloat ? .float64 : .int64
      }
      let unit: String
      switch item.first.time {
      case .regular(_, let name): unit = name
      case .array(_, _, _, let name): unit = name
      }
      if item.first.video != nil {
        var plan = SourceVideo.plan(
          item.first.name, bytes: item.bytes, hashes: hashes, times: false, own: own,
          what: "pictures")
        plan.stream.timeUnit = unit
        for member in item.first.attributes {
          plan.stream.attributes.set(member.name, member.value)
        }
        return plan
      }
      let time = own.map { ChannelPlan(Channel(name: "time", kind: .scalar, type: $0)) }
      let stream = Stream(
        name: item.first.name, timeUnit: unit, skeleton: item.first.skeleton,
        attributes: .object(item.first.attributes))
      return StreamPlan(
        stream,
        channels: [time].compactMap(\.self) + item.first.channels.map { ChannelPlan($0.channel) },
        blobBytes: bytes,
        blobIsText: item.first.channels.allSatisfy {
          $0.channel.kind != .packet && $0.channel.kind != .image
        })
    }
  }
}

extension MappedLayout {
  /// Where a channel of a recording's stream lies in a schema that ``unify(_:)`` has laid out.
  static func place(
    of channel: Channel, in stream: MappedStream, _ schema: Schema
  ) -> (stream: Int, channel: Channel)? {
    let (own, moved) = Self.moved(channel.name, stream.name)
    let suffix = Self.suffix(channel)
    let names = [
      (stream.name, channel.name), (own, moved), (stream.name + suffix, channel.name),
      (own + suffix, moved),
    ]
    for (name, last) in names {
      guard let number = schema.stream(named: name),
        let place = schema.streams[number].channel(named: last)
      else { continue }
      let found = schema.streams[number].channels[place]
      if found.shape == channel.shape, (found.type == .bytes) == (channel.type == .bytes) {
        return (number, found)
      }
    }
    return nil
  }

  /// Gives a channel that some recording has not observed everywhere a value for that in all of them.
  static func unifyMissing(_ recordings: inout [MappedRecording]) {
    var sentinels: [String: ElementType] = [:]
    func forEach(_ body: (String, inout Channel) -> Void) {
      for number in recordings.indices {
        for i in recordings[number].streams.indices {
          let stream = recordings[number].streams[i].name
          for c in recordings[number].streams[i].channels.indices {
            let name = recordings[number].streams[i].channels[c].channel.name
            body("\(stream)/\(name)", &recordings[number].streams[i].channels[c].channel)
          }
        }
      }
    }
    forEach { path, channel in
      if channel.missing == .sentinel { sentinels[path] = channel.type }
    }
    forEach { path, channel in
      guard sentinels[path] != nil, !channel.type.isFloat else { return }
      channel.missing = .sentinel
      switch channel.type {
      case .int32, .int64: break
      case .uint32, .uint64: channel.type = .int64
      default: channel.type = .int32
      }
    }
  }

  /// Refuses kinds and units of channels that no recording has.
  static func check(
    _ options: MappingOptions, _ recordings: [MappedRecording]
  ) throws(TrajpackError) {
    var names: Set<String> = []
    for recording in recordings {
      for stream in recording.streams {
        for channel in stream.channels {
          names.formUnion([channel.channel.name, "\(stream.name)/\(channel.channel.name)"])
        }
        names.insert(stream.name)
      }
    }
    for name in options.kinds.keys.sorted() + options.units.keys.sorted()
    where !names.contains(name) {
      throw TrajpackError(
        .usage,
        "there is no channel '\(name)' to give a kind or units; there are "
          + names.sorted().prefix(12).map { "'\($0)'" }.joined(separator: ", "))
    }
  }

  /// The fields of all values; those that cannot be values go to the metadata.
  static func fields(_ recordings: inout [MappedRecording]) -> [ValueField] {
    var fields: [ValueField] = []
    var places: [String: Int] = [:]
    for number in recordings.indices {
      var kept: [JSONValue.Member] = []
      for member in recordings[number].values {
        guard let plain = Self.plain(member) else {
          recordings[number].metadata.append(member)
          continue
        }
        kept.append(member)
        if let place = places[member.name] {
          fields[place] = fields[place].joined(plain.field)
        } else {
          places[member.name] = fields.count
          fields.append(plain.field)
        }
      }
      recordings[number].values = kept
    }
    return fields
  }

  private static func plain(_ member: JSONValue.Member) -> (field: ValueField, value: EpisodeValue)?
  {
    guard ValueField.isName(member.name),
      let plain = EpisodeValue.plain(member.value, named: member.name),
      plain.field.elements <= 1024
    else { return nil }
    return plain
  }

  /// The values of a recording, as the fields have them.
  static func values(_ recording: MappedRecording, _ fields: [ValueField]) -> [JSONValue.Member] {
    recording.values.compactMap { member -> JSONValue.Member? in
      guard let plain = EpisodeValue.plain(member.value, named: member.name),
        plain.value != .missing,
        let field = fields.first(where: { $0.name == member.name })
      else { return nil }
      return .init(member.name, plain.value.cast(to: field).json)
    }
  }

  /// The values and the metadata of a recording whose fields a schema declares.
  static func written(
    _ recording: MappedRecording, _ schema: Schema
  ) throws(TrajpackError) -> (values: [JSONValue.Member], metadata: [JSONValue.Member]) {
    var fields: [ValueField] = []
    for json in schema.attributes[ValueTable.member]?.array ?? [] {
      fields.append(try ValueField(JSONReader(json, at: "schema.values")))
    }
    return (
      values(recording, fields),
      recording.metadata + recording.values.filter { Self.plain($0) == nil }
    )
  }
}
