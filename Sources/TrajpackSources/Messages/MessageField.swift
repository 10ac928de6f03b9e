import TrajpackFormat

/// A part of a message type that holds numbers or text, with its place in nested types.
struct MessageField: Sendable, Equatable {
  /// What an item is.
  enum Content: Sendable, Equatable {
    case number(ElementType)
    case text
    /// Lists that were empty so far.
    case unknown
  }

  /// The names that lead to it, with points between them.
  var path: String
  var content: Content
  /// The shape of one item.
  var shape: [Int] = []
  /// Whether a message holds any number of items.
  var isList = false
  /// The list of structs in which it lies, by a number in its message type; -1 for none.
  var group = -1
  /// Whether it names the items of its group.
  var isKey = false
  /// Whether the type of its numbers is that of each message's ``MessageRow/Values/type``.
  var isDynamic = false
  /// Whether its text is JSON.
  var isJSON = false
  /// Whether it is a time or a duration in ns.
  var isTime = false
  var kind = Kind.scalar
  var units: String?
  var conventions: [JSONValue.Member] = []
  /// What trajpack's exporter has said of it.
  var fact: MessageFact?

  /// Numbers of one item.
  var elements: Int { shape.reduce(1, *) }

  /// Whether it is a member of the objects of a list.
  func isMember(of list: String) -> Bool { group >= 0 && path.hasPrefix(list + ".") }
}

/// The fields of a message type, as a decoder fills them.
struct MessageType: Sendable {
  /// The name of the type.
  var name: String
  var fields: [MessageField] = []
  /// Parts that are not read: their paths, and why.
  var leftOut: [(path: String, why: String)] = []
  /// Lists of structs so far.
  var groups = 0
  /// Structs within structs so far, so that hostile definitions end.
  var parts = 0
  /// Changes when fields are added, or become known better.
  var revision = 0

  /// Adds a field.
  ///
  /// - Returns: Its number.
  mutating func add(_ field: MessageField) -> Int {
    fields.append(field)
    revision += 1
    return fields.count - 1
  }

  /// Counts a struct.
  ///
  /// - Throws: A data error where there are too many.
  mutating func countPart() throws(TrajpackError) {
    parts += 1
    guard parts <= 1 << 14 else {
      throw TrajpackError(.data, "the type \(name) has more than 16384 structs within it")
    }
  }

  /// The last part of the name of a type.
  static func bareName(_ name: String) -> String {
    String(name.split { $0 == "/" || $0 == "." }.last ?? "")
  }
}

/// What is known of fields by the names of their types, from the definitions of ROS (REP 103, comments of the message
/// types) and of Foxglove.
enum FieldMeanings {
  /// Units of fields that are numbers or vectors.
  private static let units: [String: String] = [
    "Twist.linear": "m/s", "Twist.angular": "rad/s", "Accel.linear": "m/s2",
    "Accel.angular": "rad/s2", "Wrench.force": "N", "Wrench.torque": "N.m",
    "Transform.translation": "m", "FrameTransform.translation": "m",
    "Imu.angular_velocity": "rad/s", "Imu.linear_acceleration": "m/s2",
    "MagneticField.magnetic_field": "T", "Range.range": "m", "Range.min_range": "m",
    "Range.max_range": "m", "Range.field_of_view": "rad", "LaserScan.angle_min": "rad",
    "LaserScan.angle_max": "rad", "LaserScan.angle_increment": "rad", "LaserScan.ranges": "m",
    "LaserScan.time_increment": "s", "LaserScan.scan_time": "s", "LaserScan.range_min": "m",
    "LaserScan.range_max": "m", "Temperature.temperature": "Cel",
    "FluidPressure.fluid_pressure": "Pa", "Illuminance.illuminance": "lx",
    "NavSatFix.latitude": "deg", "NavSatFix.longitude": "deg", "NavSatFix.altitude": "m",
    "LocationFix.latitude": "deg", "LocationFix.longitude": "deg", "LocationFix.altitude": "m",
    "BatteryState.voltage": "V", "BatteryState.current": "A", "BatteryState.temperature": "Cel",
    "MultiDOFJointState.translation": "m",
  ]

  /// What a field is that lies in struct `parent`, where its own type is `type`.
  static func apply(_ field: inout MessageField, parent: String, name: String, type: String) {
    let bare = MessageType.bareName(type)
    let key = "\(MessageType.bareName(parent)).\(name)"
    field.units = units[key]
    switch (bare, field.shape) {
    case ("Point", [3]), ("Point32", [3]), ("Point3", [3]):
      field.kind = .position
      field.units = "m"
    case ("Quaternion", [4]):
      field.kind = .quaternion
      field.conventions = [.init("order", "xyzw")]
    default:
      if ["position", "translation"].contains(name), field.shape == [3] { field.kind = .position }
    }
    if field.isTime {
      field.kind = .label
      field.units = "ns"
    }
  }
}
