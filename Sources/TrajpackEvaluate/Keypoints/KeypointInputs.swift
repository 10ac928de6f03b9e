import TrajpackFormat

/// True keypoints of all clips, ready to be compared with tracks.
struct KeypointInputs {
  /// Tracked points of every frame, and what the tracker says of their visibility.
  struct Tracks {
    let points: UnsafeBufferPointer<Float>
    let visibles: UnsafeBufferPointer<UInt8>?
  }

  private let options: StateAlignmentOptions
  private let frames: Int
  private let keypoints: Int
  private let clips: [Range<Int>]
  /// World joints (three numbers a keypoint) or true pixels (two).
  private let joints: UnsafeBufferPointer<Float>?
  private let points: UnsafeBufferPointer<Float>?
  private let projectors: [Projector?]
  private let mask: UnsafeBufferPointer<UInt8>?
  private let occlusion: UnsafeBufferPointer<UInt8>?
  private let depth: DepthImages?
  private let selected: [Int]

  init(_ arrays: Arrays, _ options: StateAlignmentOptions) throws(TrajpackError) {
    self.options = options
    let shape = try arrays.required("tracks").shape
    guard shape.count == 3, shape[2] == 2 else {
      throw TrajpackError(.usage, "'tracks' must be F × K × 2, not \(shape)")
    }
    (frames, keypoints) = (shape[0], shape[1])
    clips = try arrays.clips(rows: frames)
    if arrays.view("points") != nil {
      points = try arrays.floats("points", shape: [frames, keypoints, 2])
      (joints, projectors) = (nil, [])
      guard arrays.view("joints") == nil else {
        throw TrajpackError(.usage, "give 'joints' or 'points', not both")
      }
    } else {
      points = nil
      joints = try arrays.floats("joints", shape: [frames, keypoints, 3])
      projectors = try Self.projectors(arrays, frames, options)
    }
    mask = try arrays.mask("mask", count: frames * keypoints)
    occlusion = try arrays.mask("occlusion", count: frames * keypoints)
    depth = try Self.depth(arrays, frames)
    guard depth == nil || joints != nil else {
      throw TrajpackError(.usage, "'depth' can hide only 'joints', not 'points'")
    }
    let keypoints = self.keypoints
    guard options.joints.allSatisfy({ $0 < keypoints }) else {
      throw TrajpackError(.usage, "option joints names a joint that is not among \(keypoints)")
    }
    selected = options.joints.isEmpty ? Array(0..<keypoints) : options.joints
  }

  private static func projectors(
    _ arrays: Arrays, _ frames: Int, _ options: StateAlignmentOptions
  ) throws(TrajpackError) -> [Projector?] {
    let rotation = try arrays.tensor("camera_rotation", ranks: 2...2, lastAxis: 4)
    let position = try arrays.tensor("camera_position", ranks: 2...2, lastAxis: 3)
    let intrinsics = try arrays.tensor("intrinsics", ranks: 2...2, lastAxis: 4)
    for tensor in [rotation, position, intrinsics] where tensor.shape[0] != frames {
      throw TrajpackError(
        .usage, "'\(tensor.name)' has \(tensor.shape[0]) frames, the tracks have \(frames)")
    }
    let (q, p, k) = (rotation.values, position.values, intrinsics.values)
    return (0..<frames).map { f in
      Projector(
        rotation: SIMD4(q[4 * f], q[4 * f + 1], q[4 * f + 2], q[4 * f + 3]),
        position: SIMD3(p[3 * f], p[3 * f + 1], p[3 * f + 2]),
        intrinsics: SIMD4(k[4 * f], k[4 * f + 1], k[4 * f + 2], k[4 * f + 3]), options)
    }
  }

  private static func depth(
    _ arrays: Arrays, _ frames: Int
  ) throws(TrajpackError) -> DepthImages? {
    guard let view = arrays.view("depth") else { return nil }
    guard view.shape.count == 3, view.shape[0] == frames else {
      throw TrajpackError(.usage, "'depth' must be \(frames) × H × W, not \(view.shape)")
    }
    return DepthImages(
      values: try arrays.floats("depth", shape: view.shape), height: view.shape[1],
      width: view.shape[2])
  }

  /// Tracks with their visibility.
  func tracks(
    _ arrays: Arrays, _ name: String, _ visibles: String
  ) throws(TrajpackError) -> Tracks {
    Tracks(
      points: try arrays.floats(name, shape: [frames, keypoints, 2]),
      visibles: try arrays.mask(visibles, count: frames * keypoints))
  }

  /// What each clip comes to.
  func tally(_ tracks: Tracks) -> [KeypointTally] { clips.map { tally(tracks, clip: $0) } }

  private func tally(_ tracks: Tracks, clip: Range<Int>) -> KeypointTally {
    var tally = KeypointTally(options.thresholds.count)
    let squares = options.thresholds.map { Float($0 * $0) }
    // Where a keypoint falls among the thresholds decides all of them: count by bin, then add up.
    let order = squares.indices.sorted { squares[$0] < squares[$1] }
    let rising = order.map { squares[$0] }
    var bins = [Int](repeating: 0, count: rising.count + 1)
    let toGrid = SIMD2(
      Float(options.gridWidth / options.trueWidth), Float(options.gridHeight / options.trueHeight))
    let trackToGrid = SIMD2(
      Float(options.gridWidth / options.trackWidth),
      Float(options.gridHeight / options.trackHeight))
    let size = SIMD2(Float(options.trueWidth), Float(options.trueHeight))
    let strict = options.strict
    rising.withUnsafeBufferPointer { rising in
      bins.withUnsafeMutableBufferPointer { bins in
        for frame in clip where options.firstFrame || frame > clip.lowerBound {
          let projector = joints == nil ? nil : projectors[frame]
          if joints != nil, projector == nil {
            tally.cameraless += 1
            continue
          }
          for keypoint in selected {
            let index = frame * keypoints + keypoint
            guard let truth = truth(index, frame, projector, size, &tally) else { continue }
            var missed = truth.missed
            if let visibles = tracks.visibles, visibles[index] == 0 {
              tally.invisible += 1
              if options.invisible == .skip { continue }
              missed = missed || options.invisible == .miss
            }
            let track = SIMD2(tracks.points[2 * index], tracks.points[2 * index + 1])
            let offset = track * trackToGrid - truth.pixel * toGrid
            let squared = (offset * offset).sum()
            if !squared.isFinite, !track.x.isFinite || !track.y.isFinite {
              tally.lost.add(index, "point \(keypoint) of frame \(frame) is not finite")
              if options.failed == .skip { continue }
              missed = true
            }
            var bin = 0
            for limit in rising {
              bin += missed || squared > limit || (strict && squared == limit) ? 1 : 0
            }
            bins[bin] += 1
          }
        }
      }
    }
    var within = 0
    for (place, index) in order.enumerated() {
      within += bins[place]
      tally.hits[index] = within
    }
    tally.counted = bins.reduce(0, +)
    return tally
  }

  /// Where a true keypoint lies, and whether it counts as missed whatever the track says; nil
  /// when it does not count.
  @inline(__always) private func truth(
    _ index: Int, _ frame: Int, _ projector: Projector?, _ size: SIMD2<Float>,
    _ tally: inout KeypointTally
  ) -> (pixel: SIMD2<Float>, missed: Bool)? {
    if let mask, mask[index] == 0 {
      tally.masked += 1
      return nil
    }
    var pixel = SIMD2<Float>.zero
    var missed = false
    var hidden = occlusion.map { $0[index] != 0 } ?? false
    if let joints, let projector {
      let camera = projector.camera(
        joints[3 * index], joints[3 * index + 1], joints[3 * index + 2])
      guard camera.x.isFinite, camera.y.isFinite, camera.z.isFinite else {
        tally.masked += 1
        return nil
      }
      guard camera.z > Float(options.nearPlane) else {
        tally.behind += 1
        return options.behind == .skip ? nil : (pixel, true)
      }
      pixel = projector.pixel(camera)
      if let depth, !hidden {
        hidden = depth.hides(camera, at: pixel, of: size, frame: frame, options)
      }
    } else if let points {
      pixel = SIMD2(points[2 * index], points[2 * index + 1])
      guard pixel.x.isFinite, pixel.y.isFinite else {
        tally.masked += 1
        return nil
      }
    }
    if pixel.x < 0 || pixel.y < 0 || pixel.x >= size.x || pixel.y >= size.y {
      tally.offScreen += 1
      if options.offScreen == .skip { return nil }
      missed = options.offScreen == .miss
    }
    if hidden {
      tally.occluded += 1
      if options.occluded == .skip { return nil }
      missed = missed || options.occluded == .miss
    }
    return (pixel, missed)
  }
}

extension Arrays {
  /// An array as float32 of an exact shape.
  func floats(
    _ name: String, shape: [Int]
  ) throws(TrajpackError) -> UnsafeBufferPointer<Float> {
    let view = try required(name)
    guard view.shape == shape else {
      throw TrajpackError(.usage, "'\(name)' must be \(shape), not \(view.shape)")
    }
    if case .float(let buffer) = view.elements { return buffer }
    let doubles = doubles(view)
    let copy = scratch(doubles.count, of: Float.self)
    for index in 0..<doubles.count { copy[index] = Float(doubles[index]) }
    return UnsafeBufferPointer(copy)
  }
}
