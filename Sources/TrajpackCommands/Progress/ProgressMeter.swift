import Glibc

/// Speed and time left from snapshots of the counters.
///
/// Both speeds are exponential averages over some ten seconds, corrected for their start (the
/// weights given so far add up to `weight`, not to 1): a steady job shows its true speed at once.
struct ProgressMeter {
  private static let memory = 10.0

  private var last: (snapshot: ProgressCounters.Snapshot, time: Duration)?
  private var weight = 0.0
  private var bytes = 0.0
  private var items = 0.0

  /// Takes note of the counters at `time`.
  mutating func observe(_ snapshot: ProgressCounters.Snapshot, at time: Duration) {
    defer { last = (snapshot, time) }
    guard let last else { return }
    let seconds = (time - last.time) / .seconds(1)
    guard seconds > 0 else { return }
    let keep = exp(-seconds / ProgressMeter.memory)
    func done(
      _ count: KeyPath<ProgressCounters.Snapshot, Int>,
      _ old: KeyPath<ProgressCounters.Snapshot, Int>
    )
      -> Double
    {
      let now = snapshot[keyPath: count] - snapshot[keyPath: old]
      return Double(now - (last.snapshot[keyPath: count] - last.snapshot[keyPath: old])) / seconds
    }
    bytes = bytes * keep + done(\.bytes, \.resumedBytes) * (1 - keep)
    items = items * keep + done(\.items, \.resumedItems) * (1 - keep)
    weight = weight * keep + (1 - keep)
  }

  var bytesPerSecond: Double { weight > 0 ? bytes / weight : 0 }
  var itemsPerSecond: Double { weight > 0 ? items / weight : 0 }

  /// Nil when the total or the speed is unknown.
  func timeLeft(_ snapshot: ProgressCounters.Snapshot) -> Duration? {
    let left =
      snapshot.totalBytes > 0
      ? Double(snapshot.totalBytes - snapshot.bytes) / bytesPerSecond
      : Double(snapshot.totalItems - snapshot.items) / itemsPerSecond
    let isKnown = snapshot.fraction != nil && left.isFinite && left >= 0
    return isKnown ? .seconds(min(left, 1e9)) : nil
  }
}
