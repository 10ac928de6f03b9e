import Testing
import TrajpackSignal

@Suite struct CameraTests {
  private static func camera(
    _ pose: CameraPose = .cameraToWorld, _ axes: CameraAxes = .openGL
  ) -> PinholeCamera? {
    PinholeCamera(
      intrinsics: SIMD4(500, 400, 320, 180), skew: 3, position: SIMD3(1, 2, 3),
      quaternion: SIMD4(0.1, -0.4, 0.2, 0.7), pose: pose, axes: axes)
  }

  @Test func unprojectingUndoesProjecting() throws {
    var random = Seeded(3)
    for pose in CameraPose.allCases {
      for axes in CameraAxes.allCases {
        let camera = try #require(Self.camera(pose, axes))
        for _ in 0..<50 {
          let point = SIMD3<Double>.random(in: -20...20, using: &random)
          let (pixel, depth) = camera.project(point)
          guard depth > 0.5 else {
            #expect(depth > PinholeCamera.near || pixel.x.isNaN)
            continue
          }
          let back = camera.unproject(pixel, depth: depth, measured: .axis)
          #expect((back - point).max() < 1e-9 && (point - back).max() < 1e-9)
        }
      }
    }
  }

  @Test func bonesEndAtTheNearPlane() throws {
    let camera = try #require(
      PinholeCamera(
        intrinsics: SIMD4(100, 100, 0, 0), position: .zero, quaternion: SIMD4(0, 0, 0, 1),
        pose: .worldToCamera, axes: .openCV))
    let bone = try #require(camera.bone(SIMD3(0, 0, 1), SIMD3(1, 0, -1)))
    #expect(bone.from == .zero)
    #expect(abs(bone.to.x - 100 * (0.95 / 2) / 0.05) < 1e-9)
    #expect(camera.bone(SIMD3(0, 0, 0.05), SIMD3(1, 0, -1)) == nil)
    #expect(camera.bone(SIMD3(.nan, 0, 1), SIMD3(1, 0, 1)) == nil)
  }

  @Test func whatIsNoCameraIsNone() {
    for (k, place, q) in [
      (SIMD4<Double>(.nan, 1, 1, 1), SIMD3<Double>(), SIMD4<Double>(0, 0, 0, 1)),
      (SIMD4(0, 1, 1, 1), SIMD3(), SIMD4(0, 0, 0, 1)),
      (SIMD4(1, 1, 1, 1), SIMD3(.infinity, 0, 0), SIMD4(0, 0, 0, 1)),
      (SIMD4(1, 1, 1, 1), SIMD3(), SIMD4()),
    ] {
      #expect(
        PinholeCamera(
          intrinsics: k, position: place, quaternion: q, pose: .cameraToWorld, axes: .openGL) == nil
      )
    }
  }
}
