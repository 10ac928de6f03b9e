import TrajpackFormat

/// What a pose maps: the camera's axes to the world's, or the world's to the camera's.
public enum CameraPose: String, CaseIterable, Sendable {
  /// Position is the camera's centre in the world, rotation turns the camera's axes into the world's.
  case cameraToWorld = "camera-to-world"
  /// x_camera = R x_world + t.
  case worldToCamera = "world-to-camera"
}

/// The camera's own axes.
public enum CameraAxes: String, CaseIterable, Sendable {
  /// x right, y up, z backward.
  case openGL = "OpenGL"
  /// x right, y down, z forward.
  case openCV = "OpenCV"
}

/// What a depth measures.
public enum CameraDepth: String, CaseIterable, Sendable {
  /// Distance along the optical axis.
  case axis
  /// Distance from the camera's centre.
  case ray
}

/// A pinhole camera of one frame.
///
/// Pixels are (u right, v down), with pixel centres at whole numbers where the intrinsics say so; nothing is shifted.
/// With x_c in OpenCV's axes: u = fx x/z + skew y/z + cx, v = fy y/z + cy. That, and the rule for bones, is what
/// WildWorld's `scripts/render_skeleton_video.py` does (commit 8e5d02d).
public struct PinholeCamera: Sendable {
  /// z of WildWorld's near plane, in the units of the world.
  public static let near = 0.05

  /// Rows that turn the world's axes into OpenCV's axes of the camera.
  private let rows: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)
  /// The camera's centre in the world.
  public let centre: SIMD3<Double>
  /// fx, fy.
  public let focal: SIMD2<Double>
  /// cx, cy.
  public let principal: SIMD2<Double>
  /// K's element (0, 1).
  public let skew: Double

  /// How far a matrix may be from a rotation: stored as float32, or printed with six decimals.
  private static let tolerance = 1e-4

  /// A camera with a rotation by a matrix, by rows.
  ///
  /// - Returns: `nil` where a number is not finite or a focal length is 0: the frame has no camera.
  /// - Throws: A data error where the matrix is no rotation.
  public init?(
    intrinsics: SIMD4<Double>, skew: Double = 0, position: SIMD3<Double>,
    matrix: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>), pose: CameraPose, axes: CameraAxes
  ) throws(TrajpackError) {
    guard (matrix.0 + matrix.1 + matrix.2).sum().isFinite else { return nil }
    let gram = [
      dot(matrix.0, matrix.0) - 1, dot(matrix.1, matrix.1) - 1, dot(matrix.2, matrix.2) - 1,
      dot(matrix.0, matrix.1), dot(matrix.0, matrix.2), dot(matrix.1, matrix.2),
    ]
    guard gram.allSatisfy({ abs($0) < Self.tolerance }),
      dot(matrix.0, cross(matrix.1, matrix.2)) > 0
    else {
      throw TrajpackError(
        .data,
        "is no rotation: its rows are not orthonormal and right-handed; take scale and mirroring out of the pose"
      )
    }
    self.init(intrinsics, skew, position, matrix, pose, axes)
  }

  /// A camera with a rotation by a quaternion (x, y, z, w), which is normalised.
  ///
  /// - Returns: `nil` where a number is not finite, the quaternion or a focal length is 0: the frame has no camera.
  public init?(
    intrinsics: SIMD4<Double>, skew: Double = 0, position: SIMD3<Double>,
    quaternion: SIMD4<Double>, pose: CameraPose, axes: CameraAxes
  ) {
    let length = (quaternion * quaternion).sum().squareRoot()
    guard length.isFinite, length > 1e-12 else { return nil }
    let q = quaternion / length
    let (x, y, z, w) = (q.x, q.y, q.z, q.w)
    self.init(
      intrinsics, skew, position,
      (
        SIMD3(1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        SIMD3(2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        SIMD3(2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y))
      ), pose, axes)
  }

  private init?(
    _ intrinsics: SIMD4<Double>, _ skew: Double, _ position: SIMD3<Double>,
    _ matrix: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>), _ pose: CameraPose, _ axes: CameraAxes
  ) {
    guard position.sum().isFinite, intrinsics.sum().isFinite, skew.isFinite, intrinsics.x != 0,
      intrinsics.y != 0
    else { return nil }
    let (a, b, c) = matrix
    let turned = (SIMD3(a.x, b.x, c.x), SIMD3(a.y, b.y, c.y), SIMD3(a.z, b.z, c.z))
    let toCamera = pose == .cameraToWorld ? turned : matrix
    let sign = axes == .openGL ? -1.0 : 1.0
    rows = (toCamera.0, sign * toCamera.1, sign * toCamera.2)
    centre =
      pose == .cameraToWorld
      ? position : -(toCamera.0 * position.x + toCamera.1 * position.y + toCamera.2 * position.z)
    focal = SIMD2(intrinsics.x, intrinsics.y)
    principal = SIMD2(intrinsics.z, intrinsics.w)
    self.skew = skew
  }

  /// A point of the world in OpenCV's axes of the camera.
  public func camera(_ point: SIMD3<Double>) -> SIMD3<Double> {
    let p = point - centre
    return SIMD3(dot(rows.0, p), dot(rows.1, p), dot(rows.2, p))
  }

  /// Where a point in OpenCV's axes lies in the picture; z is not 0.
  public func pixel(_ p: SIMD3<Double>) -> SIMD2<Double> {
    let at = SIMD2(p.x, p.y) / p.z
    return SIMD2(focal.x * at.x + skew * at.y, focal.y * at.y) + principal
  }

  /// Pixel and z of a point of the world; the pixel is NaN where z is at most `near`.
  public func project(
    _ point: SIMD3<Double>, near: Double = PinholeCamera.near
  ) -> (pixel: SIMD2<Double>, depth: Double) {
    let seen = camera(point)
    return (seen.z > near ? pixel(seen) : SIMD2(.nan, .nan), seen.z)
  }

  /// A bone between two points of the world, in pixels. With one end at z <= near it is cut at z = near; with both
  /// there, or an end that is no number, there is none.
  public func bone(
    _ from: SIMD3<Double>, _ to: SIMD3<Double>, near: Double = PinholeCamera.near
  ) -> (from: SIMD2<Double>, to: SIMD2<Double>)? {
    var (a, b) = (camera(from), camera(to))
    guard (a + b).sum().isFinite, max(a.z, b.z) > near else { return nil }
    func cut(_ behind: SIMD3<Double>, _ seen: SIMD3<Double>) -> SIMD3<Double> {
      var p = behind + (near - behind.z) / (seen.z - behind.z) * (seen - behind)
      p.z = near
      return p
    }
    if a.z <= near { a = cut(a, b) } else if b.z <= near { b = cut(b, a) }
    return (pixel(a), pixel(b))
  }

  /// The point of the world at a pixel and a depth.
  public func unproject(
    _ pixel: SIMD2<Double>, depth: Double, measured: CameraDepth
  ) -> SIMD3<Double> {
    let y = (pixel.y - principal.y) / focal.y
    let ray = SIMD3((pixel.x - principal.x - skew * y) / focal.x, y, 1)
    let p = ray * (measured == .axis ? depth : depth / dot(ray, ray).squareRoot())
    return centre + rows.0 * p.x + rows.1 * p.y + rows.2 * p.z
  }
}

private func dot(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { (a * b).sum() }

private func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
  SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}
