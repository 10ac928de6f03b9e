import TrajpackFormat

extension SpecimenSource {
  /// The streams: every element type, kind of storage, sort of clock and mark of absence.
  static let streams: [StreamPlan] = [
    StreamPlan(
      Stream(
        name: "state", description: "narrow channels", attributes: .record(["origin": "made up"])),
      channels: [
        plan("decimal", .float64, .int32, missing: .nan, decimals: 2, units: "hp"),
        plan("long decimal", .float64, .int64, missing: .nan, decimals: 17),
        plan("whole decimal", .float64, .int32, decimals: 0),
        plan("sentinel", .int32, missing: .sentinel),
        plan("widened sentinel", .int64, .int32, missing: .sentinel),
        plan("long sentinel", .int64, missing: .sentinel),
        plan("i1", .int8, kind: .label), plan("i2", .int64, .int16, kind: .label),
        plan("u1", .uint8),
        plan("u2", .uint16, shape: [3]), plan("u4", .uint32), plan("u8", .uint64),
        plan("flag", .bool, kind: .event),
        plan("f4", .float32, missing: .nan), plan("f8", .float64, missing: .nan),
        plan("from f4", .float64, .float32),
        plan(
          "rotation", .float32, shape: [4], kind: .quaternion,
          conventions: [.init("order", "xyzw"), .init("pose", "camera-to-world")]),
        plan("mood", .uint8, kind: .categorical, categories: ["calm", "angry", "angry|tired"]),
        plan("100% a/b", .float64, shape: [2], kind: .angle, units: "rad"),
      ]),
    StreamPlan(
      Stream(name: "body", skeleton: "stick"),
      channels: [
        plan("position", .float32, shape: [12, 3], kind: .position, missing: .nan, units: "m"),
        plan("present", .uint8, kind: .label),
      ]),
    StreamPlan(
      Stream(name: "pictures/wide"),
      channels: [
        plan("depth", .uint16, shape: [40, 60], kind: .depth),
        plan("small", .uint8, shape: [6, 8, 3], kind: .image),
        plan("matrix", .float64, shape: [4, 4], kind: .matrix),
      ]),
    StreamPlan(
      Stream(name: "log"),
      channels: [
        plan("time", .int64, kind: .label), plan("line", .bytes, kind: .text),
        plan("packet", .bytes, kind: .packet),
      ], blobBytes: 20_000),
    StreamPlan(
      Stream(name: "lorenz", timeUnit: "1"),
      channels: [plan("time", .float64), plan("x", .float64, shape: [3], kind: .position)]),
    StreamPlan(Stream(name: "nothing"), channels: [plan("never", .float32)]),
  ]

  private static func plan(
    _ name: String, _ type: ElementType, _ stored: ElementType? = nil, shape: [Int] = [],
    kind: Kind = .scalar, missing: Channel.Missing = .never, decimals: Int? = nil,
    units: String? = nil, conventions: [JSONValue.Member] = [], categories: [String]? = nil
  ) -> ChannelPlan {
    ChannelPlan(
      Channel(
        name: name, kind: kind, type: type, shape: shape, units: units, conventions: conventions,
        categories: categories, missing: missing,
        storage: .init(block: 0, column: 0, decimals: decimals)), stored: stored)
  }
}
