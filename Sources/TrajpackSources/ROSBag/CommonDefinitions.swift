import TrajpackFormat

/// The types of the standard messages of ROS 2, for bags that do not hold definitions (before ROS 2 Iron).
enum CommonDefinitions {
  /// The definition of a type with those that it needs, as `ros2msg` has it; `nil` where it is none of these.
  static func schema(_ name: String) -> [UInt8]? {
    let root = StructTypes.full(name)
    guard fields[root] != nil else { return nil }
    var names = [root]
    var at = 0
    var parts: [String] = []
    while at < names.count {
      let own = fields[names[at]] ?? ""
      let lines = own.split(separator: ";").map { $0.trimmingSpaces }
      parts.append(
        (at == 0 ? "" : "MSG: \(names[at])\n") + lines.joined(separator: "\n"))
      for line in lines {
        let type = String(line.prefix { $0 != " " && $0 != "[" })
        if fields[type] != nil, !names.contains(type) { names.append(type) }
      }
      at += 1
    }
    return Array(parts.joined(separator: "\n\(String(repeating: "=", count: 80))\n").utf8)
  }

  /// Type: fields.
  private static let fields: [String: String] = {
    var out: [String: String] = [:]
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      out[String(line[..<colon])] = String(line[line.index(after: colon)...])
    }
    return out
  }()

  private static let text = #"""
    builtin_interfaces/Duration: int32 sec; uint32 nanosec
    builtin_interfaces/Time: int32 sec; uint32 nanosec
    diagnostic_msgs/DiagnosticArray: std_msgs/Header header; diagnostic_msgs/DiagnosticStatus[] \#
    status
    diagnostic_msgs/DiagnosticStatus: byte level; string name; string message; string hardware_id; \#
    diagnostic_msgs/KeyValue[] values
    diagnostic_msgs/KeyValue: string key; string value
    geometry_msgs/Accel: geometry_msgs/Vector3 linear; geometry_msgs/Vector3 angular
    geometry_msgs/AccelStamped: std_msgs/Header header; geometry_msgs/Accel accel
    geometry_msgs/AccelWithCovariance: geometry_msgs/Accel accel; float64[36] covariance
    geometry_msgs/AccelWithCovarianceStamped: std_msgs/Header header; \#
    geometry_msgs/AccelWithCovariance accel
    geometry_msgs/Inertia: float64 m; geometry_msgs/Vector3 com; float64 ixx; float64 ixy; float64 \#
    ixz; float64 iyy; float64 iyz; float64 izz
    geometry_msgs/InertiaStamped: std_msgs/Header header; geometry_msgs/Inertia inertia
    geometry_msgs/Point: float64 x; float64 y; float64 z
    geometry_msgs/Point32: float32 x; float32 y; float32 z
    geometry_msgs/PointStamped: std_msgs/Header header; geometry_msgs/Point point
    geometry_msgs/Polygon: geometry_msgs/Point32[] points
    geometry_msgs/PolygonStamped: std_msgs/Header header; geometry_msgs/Polygon polygon
    geometry_msgs/Pose: geometry_msgs/Point position; geometry_msgs/Quaternion orientation
    geometry_msgs/Pose2D: float64 x; float64 y; float64 theta
    geometry_msgs/PoseArray: std_msgs/Header header; geometry_msgs/Pose[] poses
    geometry_msgs/PoseStamped: std_msgs/Header header; geometry_msgs/Pose pose
    geometry_msgs/PoseWithCovariance: geometry_msgs/Pose pose; float64[36] covariance
    geometry_msgs/PoseWithCovarianceStamped: std_msgs/Header header; \#
    geometry_msgs/PoseWithCovariance pose
    geometry_msgs/Quaternion: float64 x; float64 y; float64 z; float64 w
    geometry_msgs/QuaternionStamped: std_msgs/Header header; geometry_msgs/Quaternion quaternion
    geometry_msgs/Transform: geometry_msgs/Vector3 translation; geometry_msgs/Quaternion rotation
    geometry_msgs/TransformStamped: std_msgs/Header header; string child_frame_id; \#
    geometry_msgs/Transform transform
    geometry_msgs/Twist: geometry_msgs/Vector3 linear; geometry_msgs/Vector3 angular
    geometry_msgs/TwistStamped: std_msgs/Header header; geometry_msgs/Twist twist
    geometry_msgs/TwistWithCovariance: geometry_msgs/Twist twist; float64[36] covariance
    geometry_msgs/TwistWithCovarianceStamped: std_msgs/Header header; \#
    geometry_msgs/TwistWithCovariance twist
    geometry_msgs/Vector3: float64 x; float64 y; float64 z
    geometry_msgs/Vector3Stamped: std_msgs/Header header; geometry_msgs/Vector3 vector
    geometry_msgs/Wrench: geometry_msgs/Vector3 force; geometry_msgs/Vector3 torque
    geometry_msgs/WrenchStamped: std_msgs/Header header; geometry_msgs/Wrench wrench
    nav_msgs/GridCells: std_msgs/Header header; float32 cell_width; float32 cell_height; \#
    geometry_msgs/Point[] cells
    nav_msgs/MapMetaData: builtin_interfaces/Time map_load_time; float32 resolution; uint32 width; \#
    uint32 height; geometry_msgs/Pose origin
    nav_msgs/OccupancyGrid: std_msgs/Header header; nav_msgs/MapMetaData info; int8[] data
    nav_msgs/Odometry: std_msgs/Header header; string child_frame_id; \#
    geometry_msgs/PoseWithCovariance pose; geometry_msgs/TwistWithCovariance twist
    nav_msgs/Path: std_msgs/Header header; geometry_msgs/PoseStamped[] poses
    rosgraph_msgs/Clock: builtin_interfaces/Time clock
    sensor_msgs/BatteryState: std_msgs/Header header; float32 voltage; float32 temperature; \#
    float32 current; float32 charge; float32 capacity; float32 design_capacity; float32 \#
    percentage; uint8 power_supply_status; uint8 power_supply_health; uint8 \#
    power_supply_technology; bool present; float32[] cell_voltage; float32[] cell_temperature; \#
    string location; string serial_number
    sensor_msgs/CameraInfo: std_msgs/Header header; uint32 height; uint32 width; string \#
    distortion_model; float64[] d; float64[9] k; float64[9] r; float64[12] p; uint32 binning_x; \#
    uint32 binning_y; sensor_msgs/RegionOfInterest roi
    sensor_msgs/ChannelFloat32: string name; float32[] values
    sensor_msgs/CompressedImage: std_msgs/Header header; string format; uint8[] data
    sensor_msgs/FluidPressure: std_msgs/Header header; float64 fluid_pressure; float64 variance
    sensor_msgs/Illuminance: std_msgs/Header header; float64 illuminance; float64 variance
    sensor_msgs/Image: std_msgs/Header header; uint32 height; uint32 width; string encoding; uint8 \#
    is_bigendian; uint32 step; uint8[] data
    sensor_msgs/Imu: std_msgs/Header header; geometry_msgs/Quaternion orientation; float64[9] \#
    orientation_covariance; geometry_msgs/Vector3 angular_velocity; float64[9] \#
    angular_velocity_covariance; geometry_msgs/Vector3 linear_acceleration; float64[9] \#
    linear_acceleration_covariance
    sensor_msgs/JointState: std_msgs/Header header; string[] name; float64[] position; float64[] \#
    velocity; float64[] effort
    sensor_msgs/Joy: std_msgs/Header header; float32[] axes; int32[] buttons
    sensor_msgs/JoyFeedback: uint8 type; uint8 id; float32 intensity
    sensor_msgs/JoyFeedbackArray: sensor_msgs/JoyFeedback[] array
    sensor_msgs/LaserEcho: float32[] echoes
    sensor_msgs/LaserScan: std_msgs/Header header; float32 angle_min; float32 angle_max; float32 \#
    angle_increment; float32 time_increment; float32 scan_time; float32 range_min; float32 \#
    range_max; float32[] ranges; float32[] intensities
    sensor_msgs/MagneticField: std_msgs/Header header; geometry_msgs/Vector3 magnetic_field; \#
    float64[9] magnetic_field_covariance
    sensor_msgs/MultiDOFJointState: std_msgs/Header header; string[] joint_names; \#
    geometry_msgs/Transform[] transforms; geometry_msgs/Twist[] twist; geometry_msgs/Wrench[] \#
    wrench
    sensor_msgs/MultiEchoLaserScan: std_msgs/Header header; float32 angle_min; float32 angle_max; \#
    float32 angle_increment; float32 time_increment; float32 scan_time; float32 range_min; float32 \#
    range_max; sensor_msgs/LaserEcho[] ranges; sensor_msgs/LaserEcho[] intensities
    sensor_msgs/NavSatFix: std_msgs/Header header; sensor_msgs/NavSatStatus status; float64 \#
    latitude; float64 longitude; float64 altitude; float64[9] position_covariance; uint8 \#
    position_covariance_type
    sensor_msgs/NavSatStatus: int8 status; uint16 service
    sensor_msgs/PointCloud: std_msgs/Header header; geometry_msgs/Point32[] points; \#
    sensor_msgs/ChannelFloat32[] channels
    sensor_msgs/PointCloud2: std_msgs/Header header; uint32 height; uint32 width; \#
    sensor_msgs/PointField[] fields; bool is_bigendian; uint32 point_step; uint32 row_step; \#
    uint8[] data; bool is_dense
    sensor_msgs/PointField: string name; uint32 offset; uint8 datatype; uint32 count
    sensor_msgs/Range: std_msgs/Header header; uint8 radiation_type; float32 field_of_view; \#
    float32 min_range; float32 max_range; float32 range
    sensor_msgs/RegionOfInterest: uint32 x_offset; uint32 y_offset; uint32 height; uint32 width; \#
    bool do_rectify
    sensor_msgs/RelativeHumidity: std_msgs/Header header; float64 relative_humidity; float64 \#
    variance
    sensor_msgs/Temperature: std_msgs/Header header; float64 temperature; float64 variance
    sensor_msgs/TimeReference: std_msgs/Header header; builtin_interfaces/Time time_ref; string \#
    source
    std_msgs/Bool: bool data
    std_msgs/Byte: byte data
    std_msgs/ByteMultiArray: std_msgs/MultiArrayLayout layout; byte[] data
    std_msgs/Char: char data
    std_msgs/ColorRGBA: float32 r; float32 g; float32 b; float32 a
    std_msgs/Empty:
    std_msgs/Float32: float32 data
    std_msgs/Float32MultiArray: std_msgs/MultiArrayLayout layout; float32[] data
    std_msgs/Float64: float64 data
    std_msgs/Float64MultiArray: std_msgs/MultiArrayLayout layout; float64[] data
    std_msgs/Header: builtin_interfaces/Time stamp; string frame_id
    std_msgs/Int16: int16 data
    std_msgs/Int16MultiArray: std_msgs/MultiArrayLayout layout; int16[] data
    std_msgs/Int32: int32 data
    std_msgs/Int32MultiArray: std_msgs/MultiArrayLayout layout; int32[] data
    std_msgs/Int64: int64 data
    std_msgs/Int64MultiArray: std_msgs/MultiArrayLayout layout; int64[] data
    std_msgs/Int8: int8 data
    std_msgs/Int8MultiArray: std_msgs/MultiArrayLayout layout; int8[] data
    std_msgs/MultiArrayDimension: string label; uint32 size; uint32 stride
    std_msgs/MultiArrayLayout: std_msgs/MultiArrayDimension[] dim; uint32 data_offset
    std_msgs/String: string data
    std_msgs/UInt16: uint16 data
    std_msgs/UInt16MultiArray: std_msgs/MultiArrayLayout layout; uint16[] data
    std_msgs/UInt32: uint32 data
    std_msgs/UInt32MultiArray: std_msgs/MultiArrayLayout layout; uint32[] data
    std_msgs/UInt64: uint64 data
    std_msgs/UInt64MultiArray: std_msgs/MultiArrayLayout layout; uint64[] data
    std_msgs/UInt8: uint8 data
    std_msgs/UInt8MultiArray: std_msgs/MultiArrayLayout layout; uint8[] data
    stereo_msgs/DisparityImage: std_msgs/Header header; sensor_msgs/Image image; float32 f; \#
    float32 t; sensor_msgs/RegionOfInterest valid_window; float32 min_disparity; float32 \#
    max_disparity; float32 delta_d
    tf2_msgs/TF2Error: uint8 error; string error_string
    tf2_msgs/TFMessage: geometry_msgs/TransformStamped[] transforms
    trajectory_msgs/JointTrajectory: std_msgs/Header header; string[] joint_names; \#
    trajectory_msgs/JointTrajectoryPoint[] points
    trajectory_msgs/JointTrajectoryPoint: float64[] positions; float64[] velocities; float64[] \#
    accelerations; float64[] effort; builtin_interfaces/Duration time_from_start
    trajectory_msgs/MultiDOFJointTrajectory: std_msgs/Header header; string[] joint_names; \#
    trajectory_msgs/MultiDOFJointTrajectoryPoint[] points
    trajectory_msgs/MultiDOFJointTrajectoryPoint: geometry_msgs/Transform[] transforms; \#
    geometry_msgs/Twist[] velocities; geometry_msgs/Twist[] accelerations; \#
    builtin_interfaces/Duration time_from_start
    """#
}
