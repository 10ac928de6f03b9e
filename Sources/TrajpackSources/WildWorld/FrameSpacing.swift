import TrajpackFormat

/// How far apart the frames of a video are by its own times, where its rows lie on the clock of a recording.
///
/// Frames and rows are paired by number, so the two may disagree; this says that they do.
public struct FrameSpacing: Sendable, Equatable {
  /// Frames a second, gaps aside.
  public var rate: Double
  /// How many times a frame comes later than one and a half of the usual time after the one before.
  public var gaps = 0
  /// The frame behind the longest gap, and the length of that gap in seconds.
  public var longest: (frame: Int, seconds: Double)?
  /// The share by which ``rate`` is uncertain, as times are whole ticks.
  private var uncertainty = 0.0

  /// The member of a track's metadata that has it.
  public static let member = "frame_times"
  /// A rate that differs by more is another one: 29.97 and 30 are told apart by no recorder's clock.
  private static let tolerance = 0.005

  /// Looks at the times of frames in order of presentation, in ticks of `tick` seconds; `nil` where there are fewer
  /// than three, or some are not known.
  public init?(_ ticks: [Int64], tick: Double) {
    guard ticks.count > 2, tick > 0, !ticks.contains(.min) else { return nil }
    let steps = zip(ticks.dropFirst(), ticks).map { Double($0) - Double($1) }
    let usual = steps.sorted()[steps.count / 2]
    guard usual > 0 else { return nil }
    let plain = steps.filter { $0 <= 1.5 * usual }
    let mean = plain.reduce(0, +) / Double(plain.count)
    guard mean > 0 else { return nil }
    uncertainty = 1 / (mean * Double(plain.count))
    // 60.1 of a second of whole milliseconds is 60.
    let found = 1 / (mean * tick)
    rate = abs(found - found.rounded()) <= found * uncertainty ? found.rounded() : found
    for (number, step) in steps.enumerated() where step > 1.5 * usual {
      gaps += 1
      if step * tick > longest?.seconds ?? 0 { longest = (number + 1, step * tick) }
    }
  }

  /// Reads what ``json(at:)`` gives.
  public init?(json: JSONValue?) {
    guard let rate = json?["rate"]?.double, rate > 0 else { return nil }
    self.rate = rate
    gaps = json?["gaps"]?.int ?? 0
    if let frame = json?["longest_gap"]?["frame"]?.int,
      let seconds = json?["longest_gap"]?["seconds"]?.double
    {
      longest = (frame, seconds)
    }
  }

  private func differs(from clock: Rational) -> Bool {
    abs(rate / clock.value - 1) > Self.tolerance + uncertainty
  }

  /// What is kept beside a track of that rate; `nil` where the times are those of its clock.
  public func json(at clock: Rational) -> JSONValue? {
    guard gaps > 0 || differs(from: clock) else { return nil }
    return .record([
      "rate": .double(rate), "gaps": gaps > 0 ? .int(Int64(gaps)) : nil,
      "longest_gap": longest.map {
        .record(["frame": .int(Int64($0.frame)), "seconds": .double($0.seconds)])
      },
    ])
  }

  /// A sentence for a user; `nil` where the times are those of the clock.
  public func sentence(of file: String, at clock: Rational) -> String? {
    var said: [String] = []
    if differs(from: clock) {
      said.append(
        "runs at \(Self.short(rate)) frames a second and the recording at \(Self.short(clock.value)); if the "
          + "video is right, convert with --rate \(Self.short(rate))")
    }
    if gaps > 0, let longest {
      said.append(
        "has \(counted(gaps, "gap")) in its times, the longest \(Self.short(longest.seconds)) s before frame "
          + "\(longest.frame)")
    }
    guard !said.isEmpty else { return nil }
    return "\(file) \(said.joined(separator: "; it ")); frames and rows are paired by number"
  }

  /// Whether two say the same.
  public static func == (a: Self, b: Self) -> Bool {
    a.rate == b.rate && a.gaps == b.gaps && a.longest?.frame == b.longest?.frame
      && a.longest?.seconds == b.longest?.seconds
  }

  /// A number of at most three digits behind the point.
  private static func short(_ value: Double) -> String {
    let rounded = (value * 1000).rounded() / 1000
    return rounded == rounded.rounded() && abs(rounded) < 1e15
      ? String(Int(rounded)) : String(rounded)
  }
}
