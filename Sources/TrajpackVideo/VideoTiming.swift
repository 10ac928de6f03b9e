import TrajpackFormat

/// What the packet table says of a video's timestamps and groups of pictures.
public struct VideoTiming: Sendable, Equatable {
  /// Pictures that are shown.
  public let frameCount: Int
  /// The rate, where every pts follows from its frame number by exact arithmetic; nil otherwise.
  public let constantRate: VideoConstantRate?
  /// Whether decode order and presentation order differ (B-frames).
  public let isReordered: Bool
  /// Frames that have the same pts as the frame before.
  public let repeatedTimestamps: Int
  /// Packets where decoding can begin.
  public let keyframeCount: Int
  /// Packets before the first keyframe, which cannot be decoded properly.
  public let packetsBeforeKeyframe: Int
  /// Packets from one keyframe to the next: their mean, 0 without a keyframe.
  public let meanGroup: Double
  /// Packets from one keyframe to the next: the most.
  public let largestGroup: Int
}

extension VideoIndex {
  /// Studies the timestamps and keyframes. Throws as ``VideoOrder/init(_:)`` does.
  public func timing() throws(TrajpackError) -> VideoTiming {
    let order = try VideoOrder(packets)
    let times = order.packetOfFrame.map { packets.pts[Int($0)] }
    let keys = packets.flags.indices.filter { packets.flags[$0].contains(.keyframe) }
    let groups = zip(keys, keys.dropFirst() + [packets.count]).map { $1 - $0 }
    let first = keys.first ?? packets.count
    return VideoTiming(
      frameCount: times.count,
      constantRate: VideoConstantRate(
        times, timeBase: stream.timeBase,
        stated: [stream.averageFrameRate, stream.baseFrameRate]),
      isReordered: zip(order.packetOfFrame, order.packetOfFrame.dropFirst()).contains { $0 > $1 },
      repeatedTimestamps: zip(times, times.dropFirst()).count { $0 == $1 },
      keyframeCount: keys.count, packetsBeforeKeyframe: first,
      meanGroup: keys.isEmpty ? 0 : Double(packets.count - first) / Double(keys.count),
      largestGroup: groups.max() ?? 0)
  }
}

/// A rate that gives every pts: `pts(i) = start + round(i · den · tb.den / (num · tb.num))`.
public struct VideoConstantRate: Sendable, Equatable {
  /// How the writer made whole ticks.
  public enum Rounding: String, Sendable {
    /// To the nearest tick, halves up.
    case nearest
    /// Down to the tick before.
    case down
  }

  /// Frames a second: the numerator.
  public let num: Int64
  /// Frames a second: the denominator.
  public let den: Int64
  /// The pts of frame 0, in ticks.
  public let start: Int64
  /// How the writer made whole ticks.
  public let rounding: Rounding
  /// Seconds a tick.
  public let timeBase: VideoRational

  /// The rate of `times` (pts in presentation order); nil where no rate gives all of them.
  ///
  /// A `stated` rate that fits is taken first, then the whole number of ticks, then the simplest
  /// fraction of those that fit.
  init?(_ times: [Int64], timeBase: VideoRational, stated: [VideoRational]) {
    guard let start = times.first, times.count > 1, timeBase.isPositive else { return nil }
    let ticks = times.map { Int128($0) - Int128(start) }
    var candidates: [(Int128, Int128)] = stated.filter(\.isPositive).map {
      (Int128($0.num), Int128($0.den))
    }
    let (tickNum, tickDen) = (Int128(timeBase.num), Int128(timeBase.den))
    if ticks[1] > 0 { candidates.append((tickDen, tickNum * ticks[1])) }
    for rounding in [Rounding.nearest, .down] {
      var all = candidates
      if let period = Self.periods(ticks, rounding) {
        // Rate = tb.den / (tb.num · period), so the bounds change places.
        all.append(
          Rational.simplestFraction(
            from: (tickDen * period.high.1, tickNum * period.high.0),
            to: (tickDen * period.low.1, tickNum * period.low.0)))
      }
      for (num, den) in all {
        let common = Int128(greatestCommonDivisor(num.magnitude, den.magnitude))
        guard let num = Int64(exactly: num / common), let den = Int64(exactly: den / common),
          num > 0, den > 0, num < 1 << 40, den < 1 << 40
        else { continue }
        let rate = VideoConstantRate(
          num: num, den: den, start: start, rounding: rounding, timeBase: timeBase)
        if ticks.indices.allSatisfy({ rate.ticks($0) == ticks[$0] }) {
          self = rate
          return
        }
      }
    }
    return nil
  }

  private init(
    num: Int64, den: Int64, start: Int64, rounding: Rounding, timeBase: VideoRational
  ) {
    (self.num, self.den, self.start) = (num, den, start)
    (self.rounding, self.timeBase) = (rounding, timeBase)
  }

  /// Ticks from frame 0 to `frame` (not negative).
  private func ticks(_ frame: Int) -> Int128 {
    let above = Int128(frame) * Int128(den) * Int128(timeBase.den)
    let below = Int128(num) * Int128(timeBase.num)
    return rounding == .nearest ? (2 * above + below) / (2 * below) : above / below
  }

  private typealias Fraction = Rational.WideFraction

  /// The periods, in ticks, that keep every frame within its rounding; nil where none does.
  private static func periods(_ ticks: [Int128], _ rounding: Rounding)
    -> (low: Fraction, high: Fraction)?
  {
    var low: Fraction = (0, 1)
    var high: Fraction = (Int128(1) << 64, 1)
    for (frame, tick) in ticks.enumerated().dropFirst() {
      let below = 2 * Int128(frame)
      let least: Fraction = (rounding == .nearest ? 2 * tick - 1 : 2 * tick, below)
      let most: Fraction = (rounding == .nearest ? 2 * tick + 1 : 2 * tick + 2, below)
      if least.0 * low.1 > low.0 * least.1 { low = least }
      if most.0 * high.1 < high.0 * most.1 { high = most }
    }
    return low.0 > 0 && low.0 * high.1 <= high.0 * low.1 ? (low, high) : nil
  }
}
