import TrajpackFormat

/// The channels that the messages of a topic become.
struct TopicLayout {
  /// The channels, the clock first.
  var channels: [ChannelPlan] = []
  /// Lists of texts that every message has; members of the stream's attributes.
  var constants: [JSONValue.Member] = []
  /// Lists that are empty in every message.
  var empty: [String] = []
  /// Fields that are no channel, and why.
  var leftOut: [(path: String, why: String)] = []

  /// The most items of a list that is filled up to its greatest length, and the most bytes of a row of a channel.
  static let (mostPadded, mostRowBytes) = (4096, 64 << 20)
  /// The description of a channel of lists of texts.
  static let texts = "a list of texts, as JSON"
  /// The convention that names the channel of the lengths of lists.
  static let lengths = "lengths"
  /// The convention that has the names of the items of a list.
  static let names = "names"

  /// Whether the stream is a video.
  var isVideo: Bool { profile.video != nil }

  private let profile: TopicProfile
  private var taken: Set<String> = ["time", "log_time", "publish_time"]

  /// Channels for everything that was seen of a topic.
  init(_ seen: TopicProfile, kinds: [String: Kind], units: [String: String], stream: String) {
    var profile = seen
    profile.resolveEmptyLists()
    self.profile = profile
    leftOut = profile.leftOut
    add(
      Channel(
        name: "time", kind: .scalar, type: .int64,
        description: "ns since the time that the episode's metadata call start_time_ns"))
    add(
      Channel(
        name: "log_time", kind: .label, type: .int64, units: "ns",
        description: "when the message was written down"))
    if profile.publishDiffers {
      add(
        Channel(
          name: "publish_time", kind: .label, type: .int64, units: "ns",
          description: "when the message was sent"))
    }
    if isVideo { for channel in MessageVideo.channels { add(channel) } }
    for field in profile.fields {
      taken.insert(Self.channelName(field.field, isVideo: isVideo))
    }
    var names: Set<String> = []
    for field in profile.fields {
      let name = Self.channelName(field.field, isVideo: isVideo)
      guard names.insert(name).inserted else {
        leftOut.append((field.field.path, "is called '\(name)', as another field is"))
        continue
      }
      let first = channels.count
      plan(field)
      guard let fact = field.field.fact else { continue }
      for i in first..<channels.count where channels[i].channel.name == name {
        fact.restore(&channels[i].channel)
      }
    }
    for i in channels.indices {
      let name = channels[i].channel.name
      if let kind = kinds[name] ?? kinds["\(stream)/\(name)"] { channels[i].channel.kind = kind }
      if let unit = units[name] ?? units["\(stream)/\(name)"] { channels[i].channel.units = unit }
    }
  }

  /// The name of the channel of a field.
  static func channelName(_ field: MessageField, isVideo: Bool) -> String {
    let path = field.fact?.name ?? field.path
    let isTaken =
      ["time", "log_time", "publish_time"].contains(path)
      || (isVideo && MessageVideo.channels.contains { $0.name == path })
    return isTaken ? "message.\(path)" : path
  }

  private mutating func add(_ channel: Channel) {
    var channel = channel
    if channel.type.isFloat { channel.missing = .nan }
    channels.append(ChannelPlan(channel))
  }

  private mutating func plan(_ seen: FieldProfile) {
    let field = seen.field
    if field.fact?.isAdded == true { return }
    guard !seen.conflicts else {
      leftOut.append(
        (
          field.path,
          "is of different kinds or shapes in different messages, absent from items of a list, or twice in a message"
        ))
      return
    }
    if isVideo, field.path == MessageVideo.field { return }
    let name = Self.channelName(field, isVideo: isVideo)
    switch field.content {
    case .unknown: empty.append(field.path)
    case .text: planText(seen, name)
    case .number:
      guard seen.present > 0 else { return }
      guard var type = seen.numberType else {
        leftOut.append(
          (
            field.path,
            "has whole numbers beyond 2^53 beside numbers with a point or a sign, which no type holds"
          ))
        return
      }
      if isMask(seen) { return }
      if let fact = field.fact { type = fact.narrowed(seen, type) }
      if field.isList, seen.items == nil { return empty.append(field.path) }
      var channel = Channel(
        name: name, kind: field.kind, type: type, shape: field.shape, units: field.units,
        conventions: field.conventions)
      if let image = image(seen) {
        add(image)
      } else if !field.isList {
        addNumbers(&channel, seen, isPartial: seen.present < profile.rows)
      } else {
        planList(seen, &channel, type)
      }
    }
  }

  /// Adds a channel of numbers, with what marks those that are not there.
  private mutating func addNumbers(
    _ channel: inout Channel, _ seen: FieldProfile, isPartial: Bool
  ) {
    if isPartial {
      guard let (type, missing) = Self.missing(channel.type, seen) else {
        leftOut.append(
          (
            seen.field.path,
            "is absent from some messages, and has numbers in others that leave none to say so"
          ))
        return
      }
      (channel.type, channel.missing) = (type, missing)
    }
    add(channel)
  }

  /// A type that holds the numbers of a field and one that stands for none.
  private static func missing(
    _ type: ElementType, _ seen: FieldProfile
  ) -> (ElementType, Channel.Missing)? {
    switch type {
    case .float32, .float64: return (type, .nan)
    case .bool, .int8, .uint8, .int16, .uint16: return (.int32, .sentinel)
    case .int32: return (seen.low == Int64(Int32.min) ? .int64 : type, .sentinel)
    case .uint32: return (.int64, .sentinel)
    case .int64: return seen.low == .min ? nil : (type, .sentinel)
    case .uint64: return seen.isHuge ? nil : (.int64, .sentinel)
    case .bytes: return nil
    }
  }

  private mutating func planList(
    _ seen: FieldProfile, _ channel: inout Channel, _ type: ElementType
  ) {
    let field = seen.field
    guard let items = seen.items else { return }
    let isPartial = seen.present < profile.rows || seen.empty > 0
    let isSame = items.lowerBound == items.upperBound
    let isBytes = type == .uint8 && field.shape.isEmpty
    if let names = profile.names(of: field) {
      channel.shape = [names.count] + field.shape
      channel.conventions.append(.init(Self.names, .array(names.map { .string($0) })))
      addNumbers(
        &channel, seen, isPartial: isPartial || !isSame || items.lowerBound < names.count)
      return
    }
    let bytes = items.upperBound * field.elements * type.size
    if hasMask(seen, type) { channel.missing = .sentinel }
    if isSame, !isPartial, bytes <= Self.mostRowBytes, !(isBytes && isFile(field)) {
      channel.shape = [items.upperBound] + field.shape
      if let fact = field.fact, field.shape.isEmpty, fact.holds(items.upperBound) {
        channel.shape = fact.shape
      }
      add(channel)
      return
    }
    if !isBytes, items.upperBound * field.elements <= Self.mostPadded,
      Self.missing(type, seen) != nil
    {
      var lengths = "\(channel.name).length"
      while !taken.insert(lengths).inserted { lengths += "_" }
      channel.shape = [items.upperBound] + field.shape
      channel.conventions.append(.init(Self.lengths, .string(lengths)))
      addNumbers(&channel, seen, isPartial: true)
      add(
        Channel(
          name: lengths, kind: .label, type: .int32,
          description: "how many items of \(channel.name) the message has",
          missing: seen.present < profile.rows ? .sentinel : .never))
      return
    }
    add(
      Channel(
        name: channel.name, kind: .packet, type: .bytes, units: field.units,
        description: "the bytes of a list of any length, little-endian",
        conventions: [.init("elements", .string(type.rawValue))]
          + (field.shape.isEmpty
            ? [] : [.init("item", .array(field.shape.map { .int(Int64($0)) }))])))
  }

  /// Whether a field says which elements of another are observed, and the channel of the other marks them itself.
  private func isMask(_ seen: FieldProfile) -> Bool {
    guard let other = seen.field.fact?.observes.flatMap({ profile[$0] }),
      let type = other.numberType
    else { return false }
    return hasMask(other, other.field.fact?.narrowed(other, type) ?? type)
  }

  /// Whether another field, of trajpack's exporter, says which elements of a list of whole numbers are observed.
  private func hasMask(_ seen: FieldProfile, _ type: ElementType) -> Bool {
    guard
      let mask = profile.fields.first(where: {
        $0.field.fact?.observes == seen.field.path && $0.numberType == .bool && !$0.conflicts
      }), let range = type.range, range.lowerBound < 0, !seen.conflicts
    else { return false }
    let isWhole = [seen, mask].allSatisfy { $0.present == profile.rows && $0.empty == 0 }
    let bytes = (seen.items?.upperBound ?? 0) * seen.field.elements * type.size
    return isWhole && seen.items == mask.items && seen.items?.count == 1
      && bytes <= Self.mostRowBytes && Int128(seen.low) > range.lowerBound && !seen.isHuge
  }

  private mutating func planText(_ seen: FieldProfile, _ name: String) {
    let field = seen.field
    guard seen.present > 0 else { return }
    if isVideo, field.isList || !field.shape.isEmpty || field.isJSON {
      leftOut.append((field.path, "is a list beside a video"))
      return
    }
    if field.isList || !field.shape.isEmpty {
      if field.isKey, profile.namesOthers(field) { return }
      if field.isList, seen.items == nil { return empty.append(field.path) }
      if seen.present == profile.rows, let texts = seen.constantTexts {
        constants.append(.init(field.path, .array(texts.map { .string($0) })))
        return
      }
      guard seen.isUTF8 else {
        leftOut.append((field.path, "is a list of texts that are no UTF-8"))
        return
      }
      add(
        Channel(
          name: name, kind: .text, type: .bytes, description: Self.texts))
      return
    }
    if field.isJSON {
      add(Channel(name: name, kind: .text, type: .bytes, description: "JSON"))
      return
    }
    if let texts = seen.texts, !texts.isEmpty,
      isVideo || field.fact?.kind == .categorical || texts.count * 2 <= profile.rows,
      field.fact?.kind != .text
    {
      add(
        Channel(
          name: name, kind: .categorical, type: .int32, categories: texts,
          missing: seen.present < profile.rows ? .sentinel : .never))
      return
    }
    if isVideo {
      leftOut.append((field.path, "is text that does not repeat, beside a video"))
      return
    }
    add(
      Channel(
        name: name, kind: seen.isUTF8 ? .text : .packet, type: .bytes,
        description: seen.isUTF8 ? nil : "text that is no UTF-8, byte for byte"))
  }

  // MARK: Pictures

  private func isType(_ names: [String]) -> Bool {
    !profile.types.isEmpty && profile.types.allSatisfy { names.contains(MessageType.bareName($0)) }
  }

  /// Whether a field holds a file or a packet a message.
  private func isFile(_ field: MessageField) -> Bool {
    field.path == "data" && isType(["CompressedImage", "CompressedVideo", "Attachment"])
  }

  /// Pictures of one size as an array; `nil` for everything else.
  private func image(_ seen: FieldProfile) -> Channel? {
    guard seen.field.path == "data", seen.field.isList, isType(["Image", "RawImage"]),
      seen.numberType == .uint8, seen.present == profile.rows, seen.empty == 0,
      let bytes = seen.items, bytes.lowerBound == bytes.upperBound,
      let height = constant("height"), let width = constant("width"), let step = constant("step"),
      let encodings = profile["encoding"]?.texts, encodings.count == 1,
      let form = Self.pixels[encodings[0].lowercased()]
    else { return nil }
    let row = width.multipliedReportingOverflow(by: Int64(form.type.size * form.channels))
    // Bytes behind the pixels of a row, up to its step, are no pixels.
    guard height > 0, width > 0, !row.overflow, row.partialValue <= step,
      height.multipliedReportingOverflow(by: step) == (Int64(bytes.lowerBound), false),
      bytes.lowerBound <= Self.mostRowBytes
    else { return nil }
    let shape = [Int(height), Int(width)] + (form.channels > 1 ? [form.channels] : [])
    return Channel(
      name: Self.channelName(seen.field, isVideo: isVideo),
      kind: form.units == nil ? .image : .depth, type: form.type, shape: shape,
      units: form.units, conventions: form.order.map { [.init("order", .string($0))] } ?? [])
  }

  private func constant(_ path: String) -> Int64? {
    guard let seen = profile[path], seen.present == profile.rows else { return nil }
    if case .number(.bool) = seen.field.content { return nil }
    return seen.low == seen.high ? seen.low : nil
  }

  private static let pixels:
    [String: (type: ElementType, channels: Int, order: String?, units: String?)] = [
      "rgb8": (.uint8, 3, "rgb", nil), "bgr8": (.uint8, 3, "bgr", nil),
      "rgba8": (.uint8, 4, "rgba", nil), "bgra8": (.uint8, 4, "bgra", nil),
      "mono8": (.uint8, 1, nil, nil), "8uc1": (.uint8, 1, nil, nil), "8uc3": (.uint8, 3, nil, nil),
      "mono16": (.uint16, 1, nil, nil), "16uc1": (.uint16, 1, nil, "mm"),
      "32fc1": (.float32, 1, nil, "m"),
    ]
}
