/// The message types of Foxglove that are written, with the numbers of their fields (foxglove-sdk, `schemas/proto`).
enum FoxgloveSchemas {
  private static let stamp = "google.protobuf.Timestamp"

  private static func own(_ name: String, _ fields: [ProtobufSchema.Field]) -> ProtobufSchema {
    ProtobufSchema(package: "foxglove", name: name, fields: fields)
  }

  static let timestamp = ProtobufSchema(
    package: "google.protobuf", name: "Timestamp",
    fields: [.init("seconds", 1, .int64), .init("nanos", 2, .int32)])
  static let pose = own(
    "PoseInFrame",
    [
      .init("timestamp", 1, .message, type: stamp), .init("frame_id", 2, .string),
      .init("pose", 3, .message, type: "foxglove.Pose"),
    ])
  static let picture = own(
    "CompressedImage",
    [
      .init("timestamp", 1, .message, type: stamp), .init("frame_id", 4, .string),
      .init("data", 2, .bytes), .init("format", 3, .string),
    ])
  static let video = own(
    "CompressedVideo",
    [
      .init("timestamp", 1, .message, type: stamp), .init("frame_id", 2, .string),
      .init("data", 3, .bytes), .init("format", 4, .string),
    ])
  static let image = own(
    "RawImage",
    [
      .init("timestamp", 1, .message, type: stamp), .init("frame_id", 7, .string),
      .init("width", 2, .fixed32), .init("height", 3, .fixed32), .init("encoding", 4, .string),
      .init("step", 5, .fixed32), .init("data", 6, .bytes),
    ])
  static let calibration = own(
    "CameraCalibration",
    [
      .init("timestamp", 1, .message, type: stamp), .init("frame_id", 9, .string),
      .init("width", 2, .fixed32), .init("height", 3, .fixed32),
      .init("distortion_model", 4, .string), .init("D", 5, .double, isRepeated: true),
      .init("K", 6, .double, isRepeated: true), .init("R", 7, .double, isRepeated: true),
      .init("P", 8, .double, isRepeated: true),
    ])

  /// The types that the others are made of.
  static let parts: [ProtobufSchema] = [
    timestamp,
    own(
      "Vector3", [.init("x", 1, .double), .init("y", 2, .double), .init("z", 3, .double)]),
    own(
      "Quaternion",
      [
        .init("x", 1, .double), .init("y", 2, .double), .init("z", 3, .double),
        .init("w", 4, .double),
      ]),
    own(
      "Pose",
      [
        .init("position", 1, .message, type: "foxglove.Vector3"),
        .init("orientation", 2, .message, type: "foxglove.Quaternion"),
      ]),
  ]
}
