import CTrajpack
import TrajpackFormat
import TrajpackSignal

extension tp_signal_camera {
  private func numbers(_ start: UnsafePointer<Double>, _ width: Int) -> UnsafeBufferPointer<Double>
  {
    UnsafeBufferPointer(start: start, count: Int(frames) * width)
  }

  /// The camera of each frame; nil where a frame has none.
  func cameras() throws(TrajpackError) -> [PinholeCamera?] {
    guard frames >= 0, frames < 1 << 40 else {
      throw TrajpackError(.usage, "\(frames) frames: give 0 or more")
    }
    let pose: CameraPose = try choose(pose, "pose", [0: .cameraToWorld, 1: .worldToCamera])
    let axes: CameraAxes = try choose(axes, "axes", [0: .openGL, 1: .openCV])
    let form: Int = try choose(rotation_form, "rotation_form", [0: 0, 1: 1, 2: 2])
    let k = numbers(intrinsics, 5)
    let p = numbers(positions, 3)
    let r = numbers(rotations, form == 2 ? 9 : 4)
    var out: [PinholeCamera?] = []
    out.reserveCapacity(Int(frames))
    for frame in 0..<Int(frames) {
      let focal = SIMD4(k[5 * frame], k[5 * frame + 1], k[5 * frame + 2], k[5 * frame + 3])
      let place = SIMD3(p[3 * frame], p[3 * frame + 1], p[3 * frame + 2])
      guard form == 2 else {
        let q = SIMD4(r[4 * frame], r[4 * frame + 1], r[4 * frame + 2], r[4 * frame + 3])
        out.append(
          PinholeCamera(
            intrinsics: focal, skew: k[5 * frame + 4], position: place,
            quaternion: form == 0 ? q : SIMD4(q.y, q.z, q.w, q.x), pose: pose, axes: axes))
        continue
      }
      func row(_ n: Int) -> SIMD3<Double> {
        SIMD3(r[9 * frame + 3 * n], r[9 * frame + 3 * n + 1], r[9 * frame + 3 * n + 2])
      }
      do throws(TrajpackError) {
        out.append(
          try PinholeCamera(
            intrinsics: focal, skew: k[5 * frame + 4], position: place,
            matrix: (row(0), row(1), row(2)), pose: pose, axes: axes))
      } catch {
        throw TrajpackError(error.fault, "the rotation of frame \(frame) \(error.message)")
      }
    }
    return out
  }

  func each(_ count: Int64) throws(TrajpackError) -> Int {
    let (all, overflow) = frames.multipliedReportingOverflow(by: count)
    guard count >= 0, !overflow, all < 1 << 48 else {
      throw TrajpackError(.usage, "\(count) of each of \(frames) frames: give 0 or more")
    }
    return Int(count)
  }
}

private func point(_ values: UnsafePointer<Double>, _ n: Int) -> SIMD3<Double> {
  SIMD3(values[3 * n], values[3 * n + 1], values[3 * n + 2])
}

/// See `tp_signal_project` in trajpack_signal.h.
@c(tp_signal_project) @implementation
public func tp_signal_project(
  _ camera: UnsafePointer<tp_signal_camera>, _ points: UnsafePointer<Double>, _ count: Int64,
  _ near: Double, _ pixels: UnsafeMutablePointer<Double>, _ depths: UnsafeMutablePointer<Double>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let each = try camera.pointee.each(count)
    for (frame, camera) in try camera.pointee.cameras().enumerated() {
      for n in frame * each..<(frame + 1) * each {
        let (pixel, depth) =
          camera?.project(point(points, n), near: near) ?? (SIMD2(.nan, .nan), .nan)
        (pixels[2 * n], pixels[2 * n + 1], depths[n]) = (pixel.x, pixel.y, depth)
      }
    }
  }
}

/// See `tp_signal_project_bones` in trajpack_signal.h.
@c(tp_signal_project_bones) @implementation
public func tp_signal_project_bones(
  _ camera: UnsafePointer<tp_signal_camera>, _ points: UnsafePointer<Double>, _ count: Int64,
  _ bones: UnsafePointer<Int64>, _ bone_count: Int64, _ near: Double,
  _ segments: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let each = try camera.pointee.each(count)
    let edges = try camera.pointee.each(bone_count)
    for n in 0..<2 * edges where bones[n] < 0 || bones[n] >= count {
      throw TrajpackError(
        .usage,
        "bone \(n / 2) names the point \(bones[n]), where there are \(count), counted from 0")
    }
    for (frame, camera) in try camera.pointee.cameras().enumerated() {
      for edge in 0..<edges {
        let (a, b) = (Int(bones[2 * edge]), Int(bones[2 * edge + 1]))
        let found = camera?.bone(
          point(points, frame * each + a), point(points, frame * each + b), near: near)
        let (from, to) = found ?? (SIMD2(.nan, .nan), SIMD2(.nan, .nan))
        let at = 4 * (frame * edges + edge)
        (segments[at], segments[at + 1]) = (from.x, from.y)
        (segments[at + 2], segments[at + 3]) = (to.x, to.y)
      }
    }
  }
}

/// See `tp_signal_unproject` in trajpack_signal.h.
@c(tp_signal_unproject) @implementation
public func tp_signal_unproject(
  _ camera: UnsafePointer<tp_signal_camera>, _ pixels: UnsafePointer<Double>,
  _ depths: UnsafePointer<Double>, _ count: Int64, _ measured: Int32,
  _ points: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let each = try camera.pointee.each(count)
    let kind: CameraDepth = try choose(measured, "measured", [0: .axis, 1: .ray])
    for (frame, camera) in try camera.pointee.cameras().enumerated() {
      for n in frame * each..<(frame + 1) * each {
        let p =
          camera?.unproject(
            SIMD2(pixels[2 * n], pixels[2 * n + 1]), depth: depths[n], measured: kind)
          ?? SIMD3(.nan, .nan, .nan)
        (points[3 * n], points[3 * n + 1], points[3 * n + 2]) = (p.x, p.y, p.z)
      }
    }
  }
}
