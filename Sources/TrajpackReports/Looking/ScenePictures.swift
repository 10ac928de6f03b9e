import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// The pictures of a ``Scene/Video`` as numbers, of one size: frames that are decoded, or rows of an array of pixels.
struct ScenePictures {
  private enum Source {
    case frames(TrackFrames)
    case rows(TrackReader, channel: Int, PixelArray, scale: Double)
  }

  let width: Int
  let height: Int
  /// Whether a pixel is one number; else three.
  let isGray: Bool
  private let source: Source

  /// - Throws: What decoding says; a data error where rows are damaged.
  init(
    _ data: OpenDataset, _ video: Scene.Video, width: Int, height: Int
  ) throws(TrajpackError) {
    (self.width, self.height) = (width, height)
    guard let channel = video.channel else {
      let options = JSONValue.record(["size": .array([.int(Int64(height)), .int(Int64(width))])])
      let frames = try TrackFrames(data, track: video.track, options: options.text())
      isGray = frames.shape.count == 2
      source = .frames(frames)
      return
    }
    let (shard, number) = try data.track(video.track)
    let track = TrackReader(shard, track: number, reader: BlockReader(shard))
    guard let pixels = track.stream.channels[channel].pixels else {
      throw TrajpackError(.data, "\(shard.name): '\(video.name)' is no picture")
    }
    isGray = video.isDepth || pixels.planes < 3
    let type = track.stream.channels[channel].type
    var scale = 1.0
    switch type {
    case .uint8 where !video.isDepth: break
    case .uint16 where !video.isDepth: scale = 1 / 257
    default:
      // Distances, and numbers of a range that their type does not say, up to the largest of some rows.
      var most = 0.0
      for row in Self.spread(6, of: track.count) {
        let values = try track.read(channel: channel, rows: row..<row + 1).doubles()
        most = values.reduce(most) { $1.isFinite ? max($0, $1) : $0 }
      }
      scale = most > 0 ? (video.isDepth ? 65535 : 255) / most : 0
      // Of numbers next to 0 nothing is seen, but a quotient that is infinite.
      if !scale.isFinite { scale = 0 }
    }
    source = .rows(track, channel: channel, pixels, scale: scale)
  }

  /// Places that are evenly spread.
  static func spread(_ count: Int, of all: Int) -> [Int] {
    (0..<min(count, all)).map { (2 * $0 + 1) * all / (2 * min(count, all)) }
  }

  /// `[frames, height, width]`, or `[frames, height, width, 3]`.
  func values(_ chosen: [Int]) throws(TrajpackError) -> [UInt16] {
    switch source {
    case .frames(let frames): return try frames.samples(chosen)
    case .rows(let track, let channel, let pixels, let scale):
      var out: [UInt16] = []
      out.reserveCapacity(chosen.count * width * height * (isGray ? 1 : 3))
      for row in chosen {
        let values = try track.read(channel: channel, rows: row..<row + 1).doubles()
        add(values, pixels, scale, to: &out)
      }
      return out
    }
  }

  /// Scales one picture: colours by the mean of what a pixel covers, gray and distances by the nearest sample.
  private func add(
    _ values: [Double], _ pixels: PixelArray, _ scale: Double, to out: inout [UInt16]
  ) {
    let (row, pixel, plane) =
      pixels.isPlanar
      ? (pixels.width, 1, pixels.height * pixels.width)
      : (pixels.width * pixels.planes, pixels.planes, 1)
    guard values.count >= pixels.height * pixels.width * pixels.planes else { return }
    // A row may be brighter than those that the scale was found by.
    let most = isGray ? 65535.0 : 255
    func sample(_ value: Double) -> UInt16 {
      let scaled = (value * scale).rounded()
      return scaled.isFinite ? UInt16(min(max(scaled, 0), most)) : 0
    }
    for y in 0..<height {
      let top = y * pixels.height / height
      let bottom = max((y + 1) * pixels.height / height, top + 1)
      for x in 0..<width {
        guard !isGray else {
          let at =
            (2 * y + 1) * pixels.height / (2 * height) * row
            + (2 * x + 1) * pixels.width / (2 * width) * pixel
          out.append(sample(values[at]))
          continue
        }
        let left = x * pixels.width / width
        let right = max((x + 1) * pixels.width / width, left + 1)
        for c in 0..<3 {
          var sum = 0.0
          for v in top..<bottom {
            for u in left..<right { sum += values[v * row + u * pixel + c * plane] }
          }
          out.append(sample(sum / Double((bottom - top) * (right - left))))
        }
      }
    }
  }
}

extension TrackFrames {
  /// Decodes frames as numbers.
  fileprivate func samples(_ chosen: [Int]) throws(TrajpackError) -> [UInt16] {
    var room = [UInt8](repeating: 0, count: bytes * chosen.count)
    try room.withMutableBytes { (room) throws(TrajpackError) in try read(chosen, into: room) }
    guard type.size == 2 else { return room.map { UInt16($0) } }
    return room.withUnsafeBytes { raw in
      (0..<room.count / 2).map {
        UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
      }
    }
  }
}

/// Samples of depth as colours, from night blue for the smallest to pale yellow for the largest.
struct DepthRamp {
  private let most: Double
  private static let stops: [SIMD3<Double>] = [
    SIMD3(9, 12, 26), SIMD3(38, 33, 92), SIMD3(98, 38, 120), SIMD3(178, 54, 106),
    SIMD3(236, 104, 72), SIMD3(252, 178, 80), SIMD3(253, 246, 190),
  ]
  private static let table: [SIMD3<UInt8>] = (0...255).map { n in
    let at = Double(n) / 255 * Double(stops.count - 1)
    let low = min(Int(at), stops.count - 2)
    let mixed = stops[low] + (stops[low + 1] - stops[low]) * (at - Double(low))
    return SIMD3(UInt8(mixed.x), UInt8(mixed.y), UInt8(mixed.z))
  }

  /// A ramp up to the largest of some samples.
  init(_ samples: [UInt16]) { most = Double(max(samples.max() ?? 1, 1)) }

  func colour(_ sample: UInt16) -> SIMD3<UInt8> {
    Self.table[Int(min(255, (Double(sample) / most).squareRoot() * 255))]
  }

  /// The sample as gray of 8 bits, of the range that 8 bits have or the largest sample.
  func gray(_ sample: UInt16) -> UInt8 {
    UInt8(min(255, most <= 255 ? Double(sample) : Double(sample) / most * 255))
  }
}
