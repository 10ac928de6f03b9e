import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Statistics of the pictures of a video, a channel each, in 0...1: of every frame of short episodes and of some of long
/// ones, those that lerobot samples (`compute_stats.py`: max(100, min(n^0.75, 10000)) frames, evenly spread).
struct LeRobotPictureStatistics {
  /// How often each of the 256 values of a sample was seen, a channel after another.
  private var counts: [Int] = []
  private var frames = 0

  static let quantiles = [0.01, 0.10, 0.50, 0.90, 0.99]
  /// Frames that are decoded together.
  private static let run = 16

  /// The frames that are looked at.
  private static func sampled(_ count: Int) -> [Int] {
    let power = (Double(count).squareRoot() * Double(count).squareRoot().squareRoot())
    let wanted = max(100, min(Int(power), 10_000))
    if count <= wanted { return Array(0..<count) }
    let step = Double(count - 1) / Double(wanted - 1)
    return (0..<wanted).map { Int((Double($0) * step).rounded(.toNearestOrEven)) }
  }

  /// Adds the frames of an episode. Frames of more than 8 bits are passed over.
  mutating func add(
    _ video: TrackFrames, _ folder: ExportFolder
  ) throws(TrajpackError) {
    guard video.type == .uint8, ["rgb24", "gray8"].contains(video.format) else { return }
    let channels = video.shape.count == 3 ? video.shape[2] : 1
    if counts.isEmpty { counts = [Int](repeating: 0, count: channels * 256) }
    guard counts.count == channels * 256 else { return }
    let wanted = Self.sampled(video.count)
    var pixels = [UInt8](repeating: 0, count: video.bytes * min(wanted.count, Self.run))
    for first in stride(from: 0, to: wanted.count, by: Self.run) {
      let part = wanted[first..<min(first + Self.run, wanted.count)]
      try pixels.withMutableBytes { (room) throws(TrajpackError) in
        try video.read(part, into: room)
      }
      count(pixels[..<(part.count * video.bytes)], channels)
      frames += part.count
      try folder.goOn()
    }
  }

  /// Counts the samples of pictures, of which each has one of each channel. Neighbouring pixels
  /// are often equal, and adding to one counter twice in a row waits for the first sum; so four tables take turns.
  private mutating func count(_ pixels: ArraySlice<UInt8>, _ channels: Int) {
    let tables = 4
    var parts = [UInt32](repeating: 0, count: tables * channels << 8)
    pixels.withUnsafeBufferPointer { pixels in
      parts.withUnsafeMutableBufferPointer { parts in
        for pixel in 0..<pixels.count / channels {
          let table = (pixel % tables) * channels
          for channel in 0..<channels {
            parts[(table + channel) << 8 | Int(pixels[pixel * channels + channel])] &+= 1
          }
        }
      }
    }
    for (place, part) in parts.enumerated() { counts[place % counts.count] += Int(part) }
  }

  /// As LeRobot has it, of the shape [channels, 1, 1]; `nil` where no frame was looked at.
  var json: JSONValue? {
    guard frames > 0 else { return nil }
    let channels = counts.count / 256
    func nested(_ value: (ArraySlice<Int>) -> Double) -> JSONValue {
      .array(
        (0..<channels).map {
          .array([.array([.double(value(counts[$0 << 8..<($0 + 1) << 8]) / 255)])])
        })
    }
    func mean(_ counts: ArraySlice<Int>, _ power: (Double) -> Double) -> Double {
      let total = counts.reduce(0, +)
      return counts.enumerated().reduce(0.0) { $0 + power(Double($1.0)) * Double($1.1) }
        / Double(total)
    }
    var members: [JSONValue.Member] = [
      .init("min", nested { counts in Double(counts.prefix { $0 == 0 }.count) }),
      .init("max", nested { counts in Double(255 - counts.reversed().prefix { $0 == 0 }.count) }),
      .init("mean", nested { mean($0) { $0 } }),
      .init(
        "std",
        nested { counts in
          let middle = mean(counts) { $0 }
          return mean(counts) { ($0 - middle) * ($0 - middle) }.squareRoot()
        }),
      .init("count", .array([.int(Int64(frames))])),
    ]
    for q in Self.quantiles {
      members.append(.init(LeRobotStatistics.name(q), nested { Self.quantile($0, q) }))
    }
    return .object(members)
  }

  /// A quantile of counted values, between neighbours by their distance, as numpy has it.
  private static func quantile(_ counts: ArraySlice<Int>, _ q: Double) -> Double {
    let total = counts.reduce(0, +)
    let place = q * Double(total - 1)
    func value(_ rank: Int) -> Double {
      var seen = 0
      for (value, count) in counts.enumerated() {
        seen += count
        if seen > rank { return Double(value) }
      }
      return 255
    }
    let low = value(Int(place))
    return low + (value(min(Int(place) + 1, total - 1)) - low) * (place - place.rounded(.down))
  }
}
