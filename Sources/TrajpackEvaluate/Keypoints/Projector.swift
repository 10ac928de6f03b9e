import TrajpackFormat

/// Projects world points into the picture of one frame: x_c = Rᵀ(X − t) in the camera's axes,
/// turned to OpenCV's, then u = f_x x/z + c_x and v = f_y y/z + c_y. (WildWorld's script.)
struct Projector {
  /// Rows that give x, y, z in OpenCV's camera axes.
  let rows: (SIMD4<Float>, SIMD4<Float>, SIMD4<Float>)
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
    let offset = options.direction == .cameraToWorld ? -(toCamera * position) : position
    let sign = options.axes == .openGL ? -1.0 : 1.0
    func row(_ r: SIMD3<Double>, _ t: Double, _ sign: Double) -> SIMD4<Float> {
      SIMD4(Float(sign * r.x), Float(sign * r.y), Float(sign * r.z), Float(sign * t))
    }
    rows = (
      row(toCamera.rows.0, offset.x, 1), row(toCamera.rows.1, offset.y, sign),
      row(toCamera.rows.2, offset.z, sign)
    )
    focal = SIMD2(Float(k.x), Float(k.y))
    principal = SIMD2(Float(k.z), Float(k.w))
  }

  /// The point in OpenCV's camera axes.
  @inline(__always) func camera(_ x: Float, _ y: Float, _ z: Float) -> SIMD3<Float> {
    func along(_ r: SIMD4<Float>) -> Float { r.x * x + r.y * y + r.z * z + r.w }
    return SIMD3(along(rows.0), along(rows.1), along(rows.2))
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
