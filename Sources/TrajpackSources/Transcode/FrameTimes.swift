import TrajpackFormat
import TrajpackStore

/// When the frames of a video are shown, in order of presentation.
enum FrameTimes: Sendable {
  /// One after the other, so many a second.
  case constant(Rational)
  /// At these ticks since the first; `uneven` is the first frame whose step is not the usual one.
  case own([Int64], tick: Rational, uneven: Int)

  /// Of a video's own times, in ticks of `base` (a fraction of a second), where it has some; else of the rows' clock.
  ///
  /// Containers round times to ticks. So frames count as constant where one start, a rate and rounding explain all of their times: the
  /// clock's rate, or the mean rate of the video, also as the next whole number and the next whole number over 1.001.
  ///
  /// - Throws: A data error where neither is known, or times do not ascend.
  init(_ pts: [Int64], base: (Int64, Int64)?, clock: Clock, name: String) throws(TrajpackError) {
    let nominal = clock.rate
    let unknown = TrajpackError(
      .data, "\(name): the times of its frames are not known: take 'keep' for it")
    guard !pts.contains(PacketColumns.absent), let base, base.0 > 0,
      let tick = Rational(base.0, base.1), tick.value > 0
    else {
      guard let nominal else { throw unknown }
      self = .constant(nominal)
      return
    }
    guard let first = pts.first, let last = pts.last, pts.count > 1 else {
      // A single frame has no rate.
      guard let rate = nominal ?? Rational(30) else { throw unknown }
      self = .constant(rate)
      return
    }
    var ticks: [Int64] = []
    ticks.reserveCapacity(pts.count)
    for (frame, time) in pts.enumerated() {
      let (since, overflow) = time.subtractingReportingOverflow(first)
      guard !overflow, since >= ticks.last ?? 0 else {
        throw TrajpackError(
          .data,
          "\(name): frame \(frame) is shown before the one ahead of it by the archive's own columns; run "
            + "'trajpack verify'")
      }
      ticks.append(since)
    }
    var rates = [nominal].compactMap { $0 }
    let mean = Double(pts.count - 1) / (Double(last - first) * tick.value)
    if mean.isFinite, mean > 0, mean < 1e6 {
      let whole = Int64(mean.rounded())
      let film = Int64((mean * 1.001).rounded())
      rates += [Rational(whole), Rational(film * 1000, 1001)].compactMap { $0 }
      let (n, o) = Int64(pts.count - 1).multipliedReportingOverflow(by: tick.denominator)
      let (d, p) = (last - first).multipliedReportingOverflow(by: tick.numerator)
      // Numbers that containers and encoders have room for.
      if !o, !p, let exact = Rational(n, d), max(exact.numerator, exact.denominator) < 1 << 30 {
        rates.append(exact)
      }
    }
    if let rate = rates.first(where: { $0.value > 0 && Self.explains(ticks, tick, $0) }) {
      self = .constant(rate)
      return
    }
    let steps = zip(ticks.dropFirst(), ticks).map { $0 - $1 }
    let usual = steps.sorted()[steps.count / 2]
    // A tick more or less is rounding.
    let clear = steps.firstIndex(where: { abs($0 - usual) > 1 })
    let any = steps.firstIndex(where: { $0 != usual })
    self = .own(ticks, tick: tick, uneven: (clear ?? any ?? 0) + 1)
  }

  /// Whether each time is that of its number, rounded: what remains differs by less than a tick.
  private static func explains(_ ticks: [Int64], _ tick: Rational, _ rate: Rational) -> Bool {
    let step = 1 / (rate.value * tick.value)
    var (least, most) = (0.0, 0.0)
    for (frame, time) in ticks.enumerated() {
      let rest = Double(time) - Double(frame) * step
      (least, most) = (min(least, rest), max(most, rest))
      guard most - least < 0.999 else { return false }
    }
    return true
  }

  /// The unit of ``ticks(of:)``, in seconds: numerator and denominator.
  var tick: (Int64, Int64) {
    switch self {
    case .constant(let rate): (rate.denominator, rate.numerator)
    case .own(_, let tick, _): (tick.numerator, tick.denominator)
    }
  }

  /// The time of a frame since the first.
  func ticks(of frame: Int) -> Int64 {
    if case .own(let ticks, _, _) = self { return ticks[frame] }
    return Int64(frame)
  }

  /// Whether each is shown for one tick.
  var isConstant: Bool {
    if case .constant = self { return true }
    return false
  }

  /// The first frame whose time in ticks of `other` seconds is not the one that it has here, to one tick of each.
  func difference(from pts: [Int64], tick other: Double) -> Int? {
    guard let first = pts.first else { return nil }
    let own = Double(tick.0) / Double(tick.1)
    let most = (isConstant ? other : own + other) * 1.001
    return pts.indices.first {
      abs(Double(ticks(of: $0)) * own - Double(pts[$0] - first) * other) > most
    }
  }
}

extension JSONReader {
  /// The member `time_base` of a video's metadata.
  func timeBase() throws(TrajpackError) -> (Int64, Int64)? {
    guard value["time_base"] != nil else { return nil }
    let numbers = try member("time_base").integers()
    guard numbers.count == 2, numbers[1] > 0 else {
      throw try member("time_base").wrong("[numerator, denominator]")
    }
    return (Int64(numbers[0]), Int64(numbers[1]))
  }
}
