import TrajpackFormat
import TrajpackStore

/// A topic that is written: the type of its messages, and which channels of a track they are made of.
struct MCAPTopic {
  /// A channel as a field of a message of its stream's own type.
  struct Field {
    var channel: Int
    var field: ProtobufSchema.Field
    /// The field that says which elements were observed, of a list of integers some of which were not.
    var mask: Int?
  }

  /// What a message holds.
  enum Content {
    /// A field a channel.
    case plain([Field])
    /// `foxglove.PoseInFrame`: `order` has the places of x, y, z, w.
    case pose(position: Int, quaternion: Int, order: [Int])
    /// `foxglove.CameraCalibration`, of fx, fy, cx, cy or a matrix.
    case calibration(Int, isMatrix: Bool, width: Int, height: Int)
    /// `foxglove.RawImage` of a channel.
    case image(Int, RawForm)
    /// `foxglove.RawImage` of frames that are stored as samples.
    case samples(RawForm)
    /// `foxglove.CompressedImage`: the packets of a channel.
    case pictures(Int, format: String)
    /// `foxglove.CompressedVideo`: packets of a channel, with start codes.
    case video(Int, format: String)
  }

  /// What pixels are.
  struct RawForm: Equatable {
    var encoding: String
    var width: Int
    var height: Int
    var step: Int
  }

  var name: String
  var schema: ProtobufSchema
  var content: Content
  /// The names of the channels by the fields that hold them, with what a field does not say of them.
  var facts: [JSONValue.Member] = []
  /// The fields that no channel has given.
  var added: [String] = []
  /// The channel that is the time of a message; `nil` where that is the row's.
  var stamp: Int?
  /// The text of `frame_id`, of a type that has it; or the channel that has it.
  var frame = (text: "", channel: Int?.none)

  /// The name of the member of a channel's metadata that says what its fields are.
  static let member = "trajpack"

  /// What the record of the channel says besides.
  func metadata(_ stream: Stream) -> [(String, String)] {
    [
      (
        Self.member,
        JSONValue.record([
          "stream": .string(stream.name), "fields": .object(facts),
          "added": added.isEmpty ? nil : .array(added.map { .string($0) }),
        ]).text()
      )
    ]
  }

  /// What a field does not say of its channel.
  static func fact(_ channel: Channel, isWhole: Bool = true) -> JSONValue {
    .record([
      "name": .string(channel.name), "kind": .string(channel.kind.rawValue),
      "type": isWhole && channel.type != .bytes ? .string(channel.type.rawValue) : nil,
      "shape": channel.shape.isEmpty ? nil : .array(channel.shape.map { .int(Int64($0)) }),
      "units": channel.units.map { .string($0) },
      "description": channel.description.map { .string($0) },
      "conventions": channel.conventions.isEmpty ? nil : .object(channel.conventions),
    ])
  }

  /// A name as protocol buffers have them, none of `taken`.
  static func identifier(_ name: String, _ taken: inout Set<String>) -> String {
    var out = String(
      name.unicodeScalars.map { scalar -> Character in
        let isPlain =
          ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
          || ("0"..."9").contains(scalar)
        return isPlain ? Character(scalar) : "_"
      })
    if out.first.map({ ("0"..."9").contains($0) }) ?? true { out = "_" + out }
    while !taken.insert(out).inserted { out += "_" }
    return out
  }
}

extension MCAPTopic {
  /// The channels of a stream as fields of a type of its own.
  ///
  /// - Parameter channels: Those that no other topic has taken.
  static func plain(
    _ name: String, _ stream: Stream, channels: [Int], typeName: String
  ) -> MCAPTopic {
    var taken: Set<String> = ["timestamp"]
    // The time that messages had where they came from.
    let stamp = channels.first {
      let channel = stream.channels[$0]
      return channel.name == "timestamp" && channel.isTime && channel.missing == .never
    }
    var fields: [Field] = []
    var facts: [JSONValue.Member] = []
    var parts: [ProtobufSchema.Field] = [
      .init("timestamp", 1, .message, type: FoxgloveSchemas.timestamp.fullName)
    ]
    func add(
      _ name: String, _ form: ProtobufSchema.Form, isRepeated: Bool, isOptional: Bool
    ) -> ProtobufSchema.Field {
      parts.append(
        .init(
          identifier(name, &taken), parts.count + 1, form, isRepeated: isRepeated,
          isOptional: isOptional))
      return parts[parts.count - 1]
    }
    for number in channels where number != stamp {
      let channel = stream.channels[number]
      let isList = !channel.shape.isEmpty
      var field: Field
      if channel.type == .bytes {
        field = Field(
          channel: number,
          field: add(
            channel.name, channel.kind == .packet ? .bytes : .string, isRepeated: false,
            isOptional: true))
      } else if channel.categories != nil, !isList {
        field = Field(
          channel: number,
          field: add(
            channel.name, .string, isRepeated: false, isOptional: channel.missing != .never))
      } else {
        let hasHoles = channel.missing == .sentinel
        let isBytes = channel.type == .uint8 && isList
        field = Field(
          channel: number,
          field: add(
            channel.name, isBytes ? .bytes : form(channel.type), isRepeated: isList && !isBytes,
            isOptional: hasHoles && !isList))
        if hasHoles, isList {
          let mask = add("\(channel.name)_observed", .bool, isRepeated: true, isOptional: false)
          field.mask = mask.number
          facts.append(
            .init(
              mask.name,
              .record([
                "name": .string("\(channel.name).observed"), "kind": "label", "type": "bool",
                "shape": .array(channel.shape.map { .int(Int64($0)) }),
                "observes": .string(field.field.name),
              ])))
        }
      }
      fields.append(field)
      facts.append(.init(field.field.name, fact(channel)))
    }
    return MCAPTopic(
      name: name,
      schema: ProtobufSchema(package: "trajpack", name: typeName, fields: parts),
      content: .plain(fields), facts: facts, added: stamp == nil ? ["timestamp"] : [],
      stamp: stamp)
  }

  private static func form(_ type: ElementType) -> ProtobufSchema.Form {
    switch type {
    case .int8, .int16, .int32: .int32
    case .int64: .int64
    case .uint8, .uint16, .uint32: .uint32
    case .uint64: .uint64
    case .bool: .bool
    case .float32: .float
    case .float64: .double
    case .bytes: .bytes
    }
  }

  /// How Foxglove calls the pixels of a channel; `nil` where they are no picture that it knows.
  static func rawForm(_ channel: Channel) -> RawForm? {
    guard channel.missing == .never || channel.type.isFloat,
      channel.shape.count == 2 || channel.shape.count == 3
    else { return nil }
    let (height, width) = (channel.shape[0], channel.shape[1])
    let samples = channel.shape.count == 3 ? channel.shape[2] : 1
    let order = channel.convention("order")
    let encoding: String
    switch (channel.kind, channel.type, samples) {
    case (.image, .uint8, 1): encoding = "mono8"
    case (.image, .uint8, 3): encoding = order == "bgr" ? "bgr8" : "rgb8"
    case (.image, .uint8, 4) where order == "bgra": encoding = "bgra8"
    case (.image, .uint8, 4) where order == "rgba": encoding = "rgba8"
    case (.image, .uint16, 1): encoding = "mono16"
    case (.depth, .uint16, 1): encoding = channel.units == "mm" ? "16UC1" : "mono16"
    case (.depth, .float32, 1) where channel.units == "m": encoding = "32FC1"
    default: return nil
    }
    return RawForm(
      encoding: encoding, width: width, height: height, step: width * samples * channel.type.size)
  }
}

extension Channel {
  /// Whether it holds ns since 1970, as the importers of messages write them.
  var isTime: Bool { type == .int64 && kind == .label && units == "ns" && shape.isEmpty }
}
