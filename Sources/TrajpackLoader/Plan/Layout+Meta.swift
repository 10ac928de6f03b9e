import TrajpackFormat
import TrajpackStore

extension Layout {
  mutating func addMasks(_ options: LoaderOptions) {
    for i in channels.indices where options.observed && channels[i].channel.missing != .never {
      let channel = channels[i]
      let group = groups[channel.group]
      let shape =
        [options.batch, group.length] + (group.entities > 0 ? [group.entities] : [])
        + channel.channel.shape
      channels[i].observed = mask(
        "observed:\(channel.path)", .observed, .bool, shape, channel.stream, group,
        [channel.channel.name], row: channel.channel.elements, slots: group.slots)
    }
    for i in groups.indices {
      let group = groups[i]
      let time = [options.batch, group.length]
      if options.padding {
        groups[i].padding = masks("padding", .padding, .bool, time, i, row: 1, slots: 1)
      }
      if options.present, group.entities > 0 {
        groups[i].present = masks(
          "present", .present, .bool, time + [group.entities], i, row: 1, slots: group.slots)
      }
      if options.time {
        // At their own rates, entities have times of their own.
        let isEach = group.isNative && group.entities > 0
        groups[i].time = masks(
          "time", .time, .float64, time + (isEach ? [group.entities] : []), i, row: 8,
          slots: isEach ? group.slots : 1)
      }
    }
  }

  /// The names of a group's masks: that of the stream, where it is the only one or the one of the window's own
  /// rows, and where there are several that of each channel, too: all of one array.
  private func maskNames(_ number: Int) -> [String] {
    let group = groups[number]
    let all = groups.filter { $0.stream == group.stream }
    guard all.count > 1 else { return [group.stream] }
    let isPlain = group.offsets == nil && !group.isNative && group.hold == nil
    return (isPlain ? [group.stream] : []) + group.channels.map { channels[$0].path }
  }

  private mutating func masks(
    _ prefix: String, _ role: Output.Role, _ type: ElementType, _ shape: [Int], _ number: Int,
    row: Int, slots: Int
  ) -> OutputStride {
    let names = maskNames(number).map { "\(prefix):\($0)" }
    let group = groups[number]
    let place = mask(
      names[0], role, type, shape, group.stream, group,
      group.channels.map { channels[$0].channel.name }, row: row, slots: slots)
    // The others look at the same bytes.
    let first = outputs[outputs.count - 1]
    for name in names.dropFirst() {
      var alias = first
      alias.name = name
      outputs.append(alias)
    }
    return place
  }

  mutating func addMeta(_ facts: Facts, _ options: LoaderOptions) {
    var places: [OutputStride] = []
    for (name, type) in [
      ("dataset", ElementType.int64), ("episode", .int64), ("row", .int64), ("time", .float64),
      ("window", .int64),
    ] {
      places.append(
        append(
          Output(
            name: "meta:\(name)", role: .meta, type: type, shape: [options.batch], offset: 0,
            bytes: 0, stream: "", channels: [], entities: 0, units: nil, kind: nil),
          row: 8, slots: 1, length: 1))
    }
    var clip: OutputStride?
    if options.clips != nil {
      clip = append(
        Output(
          name: "meta:clip", role: .meta, type: .int64, shape: [options.batch], offset: 0, bytes: 0,
          stream: "", channels: [], entities: 0, units: nil, kind: nil),
        row: 8, slots: 1, length: 1)
    }
    let split = append(
      Output(
        name: "meta:split", role: .meta, type: .int32, shape: [options.batch], offset: 0, bytes: 0,
        stream: "", channels: [], entities: 0, units: nil, kind: nil, categories: facts.splits),
      row: 4, slots: 1, length: 1)
    meta = MetaPlaces(
      dataset: places[0], episode: places[1], row: places[2], time: places[3], window: places[4],
      clip: clip, split: split, kinds: codes(of: facts.kinds))
    var named: Set<String> = []
    for i in groups.indices where groups[i].entities > 0 {
      guard named.insert(groups[i].stream).inserted else { continue }
      groups[i].entity = append(
        Output(
          name: "meta:entity:\(groups[i].stream)", role: .meta, type: .int64,
          shape: [options.batch, groups[i].entities, 3], offset: 0, bytes: 0,
          stream: groups[i].stream, channels: [], entities: 0, units: nil, kind: nil,
          categories: facts.kinds), row: 24, slots: groups[i].entities, length: 1)
    }
  }

  func codes(of names: [String]) -> [String: Int] {
    Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  mutating func addValues(
    _ facts: Facts, _ options: LoaderOptions
  ) throws(TrajpackError) {
    var names = Set(outputs.map(\.name))
    for name in facts.values.map(\.field.name) + facts.texts
    where !names.insert(name).inserted {
      throw TrajpackError(
        .usage, option: "values",
        "the batch has an array '\(name)' already; name the feature matrix otherwise"
      )
    }
    for (field, type) in facts.values {
      let value = try add(
        Output(
          name: field.name, role: .value, type: type, shape: [options.batch] + field.shape,
          offset: 0, bytes: 0, stream: "", channels: [], entities: 0, units: field.units, kind: nil,
          categories: field.type == .category ? field.categories : nil),
        row: field.elements * type.size, slots: 1, length: 1)
      var observed: OutputStride?
      if options.observed {
        observed = append(
          Output(
            name: "observed:\(field.name)", role: .observed, type: .bool, shape: [options.batch],
            offset: 0, bytes: 0, stream: "", channels: [], entities: 0, units: nil, kind: nil),
          row: 1, slots: 1, length: 1)
      }
      values.append((value, observed))
    }
  }

  private mutating func mask(
    _ name: String, _ role: Output.Role, _ type: ElementType, _ shape: [Int], _ stream: String,
    _ group: Group, _ members: [String], row: Int, slots: Int
  ) -> OutputStride {
    append(
      Output(
        name: name, role: role, type: type, shape: shape, offset: 0, bytes: 0, stream: stream,
        channels: members,
        entities: slots > 1 || role == .present ? group.entities : 0,
        units: nil, kind: nil), row: row, slots: slots, length: group.length)
  }
}
