import TrajpackFormat

/// Projects world points into the picture of one frame: x_c = Rᵀ(X − t) in the camera's axes,
/// turned to OpenCV's, then u = f_x x/z + c_x and v = f_y y/z + c_y. (WildWorld's script.)
struct Projector {
  /// Rows that turn the world into OpenCV's camera axes.
  private let rows: (SIMD3<Float>, SIMD3<Float>, SIMD3<Float>)
  /// The camera's centre, and what of it a float32 does not hold: far from the origin, the
  /// difference of joint and centre keeps every digit of the joint.
  private let centre: SIMD3<Float>
  private let rest: SIMD3<Float>
  let focal: SIMD2<Float>
  let principal: SIMD2<Float>

  /// Nil when the frame has no camera: a pose or intrinsics that are not numbers.
  init?(
    rotation q: SIMD4<Double>, position: SIMD3<Double>, intrinsics k: SIMD4<Double>,
    _ options: StateAlignmentOptions
  ) {
    guard position.sum().isFinite, k.sum().isFinite, q.sum().isFinite else { return nil }
    let xyzw = options.quaternionOrder == .xyzw ? q : SIMD4(q.y, q.z, q.w, q.x)
    guard let matrix = Matrix3(quaternion: xyzw) else { return nil }
    let toCamera = options.direction == .cameraToWorld ? matrix.transposed : matrix
    let sign = options.axes == .openGL ? -1.0 : 1.0
    rows = (
      SIMD3<Float>(toCamera.rows.0), SIMD3<Float>(sign * toCamera.rows.1),
      SIMD3<Float>(sign * toCamera.rows.2)
    )
    let exact =
      options.direction == .cameraToWorld ? position : -(toCamera.transposed * position)
    centre = SIMD3<Float>(exact)
    rest = SIMD3<Float>(exact - SIMD3<Double>(centre))
    focal = SIMD2(Float(k.x), Float(k.y))
    principal = SIMD2(Float(k.z), Float(k.w))
  }

  /// The point in OpenCV's camera axes.
  @inline(__always) func camera(_ x: Float, _ y: Float, _ z: Float) -> SIMD3<Float> {
    let p = SIMD3(x, y, z) - centre - rest
    return SIMD3((rows.0 * p).sum(), (rows.1 * p).sum(), (rows.2 * p).sum())
  }

  /// Where a point in front of the camera lies in the picture.
  @inline(__always) func pixel(_ p: SIMD3<Float>) -> SIMD2<Float> {
    SIMD2(p.x, p.y) / p.z * focal + principal
  }
}

/// A depth image of each frame, for deciding what is hidden.
struct DepthImages {
  let values: UnsafeBufferPointer<Float>
  let height: Int
  let width: Int

  /// Whether the point at `camera`, seen at `pixel` of a picture of `size`, lies behind the surface
  /// that the depth shows there. What has no depth there hides nothing.
  @inline(__always) func hides(
    _ camera: SIMD3<Float>, at pixel: SIMD2<Float>, of size: SIMD2<Float>, frame: Int,
    _ options: StateAlignmentOptions
  ) -> Bool {
    let place = pixel / size * SIMD2(Float(width), Float(height))
    guard place.x >= 0, place.y >= 0, place.x < Float(width), place.y < Float(height) else {
      return false
    }
    let surface = values[(frame * height + Int(place.y)) * width + Int(place.x)]
    guard surface.isFinite, surface > 0 else { return false }
    let own =
      options.depthMeaning == .axis ? camera.z : (camera * camera).sum().squareRoot()
    return own > surface * Float(options.depthScale) + Float(options.depthTolerance)
  }
}
