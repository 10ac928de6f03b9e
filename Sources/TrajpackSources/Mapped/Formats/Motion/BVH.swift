import Glibc
import TrajpackFormat
import TrajpackStore

/// BVH motions: the channels of each joint as they are, the rotations as quaternions, and the places of joints that they
/// make, as a skeleton.
enum BVH: MappedFormat {
  static let format = FormatDescription(
    name: "bvh", summary: "BVH motions (hierarchy and channels)",
    carries:
      "every channel in its order; rotations as quaternions; positions of joints with the skeleton's edges and offsets",
    reads: true, writes: false)

  private static let endings = [".bvh"]

  static func recognises(_ files: SourceFiles, _ options: MappingOptions) -> Bool {
    !options.isMapping && files.named(endings).prefix(64).contains { BVHFile.recognises($0.path) }
  }

  static func read(
    _ files: SourceFiles, _ options: MappingOptions
  ) throws(TrajpackError) -> MappedSource {
    let own = files.files(endings) { BVHFile.recognises($0) }
    let recent = RecentlyUsed<BVHFile>(most: 4) { $0.forget() }
    var skeletons: [Skeleton] = []
    var known: [[String]: String] = [:]
    var source = try Poses.read(files, own, options, "bvh") {
      (file, source) throws(TrajpackError) in
      let bvh = try within(file: file.path) { () throws(TrajpackError) in try BVHFile(file.path) }
      // Files of one hierarchy share a skeleton.
      let shape = bvh.joints.map { "\($0.name)<\($0.parent)" }
      let name = known[shape] ?? (known.isEmpty ? "bvh" : "bvh_\(known.count + 1)")
      if known.updateValue(name, forKey: shape) == nil {
        skeletons.append(
          Skeleton(
            name: name,
            edges: bvh.joints.indices.filter { bvh.joints[$0].parent >= 0 }.map {
              [bvh.joints[$0].parent, $0]
            }))
      }
      return streams(bvh, name, recent, options)
    }
    source.skeletons = skeletons
    return source
  }

  /// The rate that the time of a frame says: the whole rate, or one of NTSC's, that is written so.
  static func rate(_ frameTime: String) -> Rational? {
    guard let exact = Rational(decimal: frameTime), exact.numerator > 0 else { return nil }
    let digits =
      frameTime.lowercased().split(separator: "e").first?.split(separator: ".").dropFirst().first?
      .count ?? 0
    let half = 0.5 * pow(10, -Double(digits)) * (1 + 1e-9)
    let whole = (1 / exact.value).rounded()
    if whole >= 1, whole < 1e6, abs(1 / whole - exact.value) <= half {
      return Rational(Int64(whole), 1)
    }
    let television = (1.001 / exact.value).rounded()
    if television >= 1, television < 1e6, abs(1.001 / television - exact.value) <= half {
      return Rational(Int64(television) * 1000, 1001)
    }
    return Rational(exact.denominator, exact.numerator)
  }

  private static func streams(
    _ bvh: BVHFile, _ skeleton: String, _ recent: RecentlyUsed<BVHFile>, _ options: MappingOptions
  ) -> [MappedStream] {
    let time = MappedStream.time(rate: options.rate ?? rate(bvh.frameTime))
    let joints = bvh.joints.filter { !$0.isEnd }
    let channels = joints.filter { !$0.channels.isEmpty }.map { joint in
      var channel = Channel(
        name: joint.name, kind: .scalar, type: .float64, shape: [joint.channels.count],
        missing: .nan)
      channel.conventions = [
        .init("channels", .array(joint.channels.map { .string($0) })),
        .init("rotations", "degrees"),
      ]
      return MappedChannel(
        channel,
        .made { () throws(TrajpackError) in
          try recent.rows(bvh) { rows in
            var out: [Double] = []
            for frame in 0..<bvh.frames {
              let first = frame * bvh.width + joint.first
              out += rows[first..<first + joint.channels.count]
            }
            return out
          }
        })
    }
    let names = JSONValue.array(joints.map { .string($0.name) })
    var rotations = Channel(
      name: "rotations", kind: .quaternion, type: .float64, shape: [joints.count, 4], missing: .nan)
    rotations.conventions = [
      .init("order", "wxyz"), .init("joints", names),
      .init(
        "rotation",
        "joint-to-parent, of column vectors: the rotations of the channels multiplied in their order"
      ),
    ]
    var positions = Channel(
      name: "position", kind: .position, type: .float64, shape: [bvh.joints.count, 3],
      units: options.units["position"], missing: .nan)
    positions.conventions = [
      .init("frame", "world"), .init("joints", .array(bvh.joints.map { .string($0.name) })),
      .init("position_channels", "stand for the offset of their joint"),
    ]
    let pose = MappedStream(
      name: "pose", count: bvh.frames, time: time,
      channels: [
        MappedChannel(
          rotations,
          .made { () throws(TrajpackError) in
            try recent.rows(bvh) { rows in
              var out: [Double] = []
              out.reserveCapacity(bvh.frames * joints.count * 4)
              for frame in 0..<bvh.frames {
                let row = rows[frame * bvh.width..<(frame + 1) * bvh.width]
                for joint in joints { out += BVHPose.rotation(of: joint, row).wxyz }
              }
              return out
            }
          })
      ])
    let offsets = JSONValue.array(
      bvh.joints.map { .array($0.offset.map { .double($0) }) })
    var world = MappedStream(
      name: "skeleton/\(skeleton)", count: bvh.frames, time: time,
      channels: [
        MappedChannel(
          positions,
          .made { () throws(TrajpackError) in
            try recent.rows(bvh) { rows in
              var out: [Double] = []
              out.reserveCapacity(bvh.frames * bvh.joints.count * 3)
              for frame in 0..<bvh.frames {
                out += BVHPose.positions(
                  bvh.joints, rows[frame * bvh.width..<(frame + 1) * bvh.width])
              }
              return out
            }
          })
      ], attributes: [.init("offsets", offsets)])
    world.skeleton = skeleton
    return [
      MappedStream(name: "channels", count: bvh.frames, time: time, channels: channels), pose,
      world,
    ]
  }
}

extension RecentlyUsed<BVHFile> {
  /// Numbers that are made of the rows of a file.
  fileprivate func rows(
    _ file: BVHFile, _ body: ([Double]) -> [Double]
  ) throws(TrajpackError) -> [UInt8] {
    let rows = try file.rows()
    use(file)
    return littleEndian(body(rows).map(\.bitPattern))
  }
}

/// Rotations and places of the joints of a frame.
enum BVHPose {
  /// A unit quaternion.
  struct Quaternion {
    var w = 1.0
    var x = 0.0
    var y = 0.0
    var z = 0.0
    var wxyz: [Double] { [w, x, y, z] }

    static func * (a: Quaternion, b: Quaternion) -> Quaternion {
      Quaternion(
        w: a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
        x: a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
        y: a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
        z: a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w)
    }

    /// The vector turned by the rotation: v + 2 w (q × v) + 2 q × (q × v).
    func turned(_ v: [Double]) -> [Double] {
      let t = [2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])]
      return [
        v[0] + w * t[0] + y * t[2] - z * t[1], v[1] + w * t[1] + z * t[0] - x * t[2],
        v[2] + w * t[2] + x * t[1] - y * t[0],
      ]
    }
  }

  /// The rotation of a joint in its parent: those of its channels, one after the other, about axes that turn along.
  static func rotation(of joint: BVHFile.Joint, _ row: ArraySlice<Double>) -> Quaternion {
    var out = Quaternion()
    for (i, name) in joint.channels.enumerated() where name.lowercased().hasSuffix("rotation") {
      let half = row[row.startIndex + joint.first + i] * Double.pi / 360
      let (c, s) = (cos(half), sin(half))
      switch name.lowercased().first {
      case "x": out = out * Quaternion(w: c, x: s)
      case "y": out = out * Quaternion(w: c, y: s)
      default: out = out * Quaternion(w: c, z: s)
      }
    }
    return out
  }

  /// The places of all joints and end sites in the world.
  static func positions(_ joints: [BVHFile.Joint], _ row: ArraySlice<Double>) -> [Double] {
    var (turns, places) = ([Quaternion](), [[Double]]())
    for joint in joints {
      var local = joint.offset
      for (i, name) in joint.channels.enumerated() where name.lowercased().hasSuffix("position") {
        let axis = ["x": 0, "y": 1, "z": 2][name.lowercased().first ?? "z"] ?? 2
        local[axis] = row[row.startIndex + joint.first + i]
      }
      let own = rotation(of: joint, row)
      guard joint.parent >= 0 else {
        turns.append(own)
        places.append(local)
        continue
      }
      let turned = turns[joint.parent].turned(local)
      places.append(zip(places[joint.parent], turned).map { $0 + $1 })
      turns.append(turns[joint.parent] * own)
    }
    return places.flatMap { $0 }
  }
}
