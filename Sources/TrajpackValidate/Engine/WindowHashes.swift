import TrajpackFormat

/// Hashes of some windows of a track's rows, chosen by their content: the same rows in another episode give the same
/// hashes wherever they lie there. Episodes that share rows are known by them.
final class WindowHashes {
  /// Rows of a window.
  static let length = 16
  /// The most hashes of a track: its smallest.
  static let most = 32
  /// The columns that are hashed: the first few of continuous values.
  private let chosen: [(columns: TrackContext.Columns, element: Int)]
  private var recent = [UInt64](repeating: 0, count: length)
  private var filled = 0
  private var rolling: UInt64 = 0
  private var heap: Set<UInt64> = []
  private var largest: UInt64 = .max

  /// `nil` where the track has no column of continuous values.
  init?(_ track: TrackContext) {
    guard track.entity == nil || track.about.tracks.count < 64, track.rows >= Self.length else {
      return nil
    }
    let all = track.quantities.filter { $0.channel.type.isFloat && !$0.columns.isField }
      .flatMap { item in (0..<min(item.columns.count, 3)).map { (item.columns, $0) } }
    chosen = Array(all.prefix(3))
    guard !chosen.isEmpty else { return nil }
  }

  /// The smallest hashes, in order.
  var hashes: [UInt64] { heap.sorted() }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var x = value
    x = (x ^ x >> 33) &* 0xff51_afd7_ed55_8ccd
    x = (x ^ x >> 33) &* 0xc4ce_b9fe_1a85_ec53
    return x ^ x >> 33
  }

  func add(_ run: TrackRun) {
    // Rows that stay as they are, or hold whole numbers only, look alike everywhere: they tell nothing.
    let columns = chosen.map { run.column($0.columns, $0.element) }
    let hasBefore = run.carry > 0
    for row in 0..<run.count {
      var hash: UInt64 = 0
      var tells = false
      for column in columns {
        let value = column[row]
        hash = (hash ^ value.bitPattern) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 29
        if value != value.rounded(.towardZero), !hasBefore && row == 0 || column[row - 1] != value {
          tells = tells || value.isFinite
        }
      }
      guard tells else {
        (filled, rolling) = (0, 0)
        continue
      }
      push(hash)
    }
  }

  /// Adds a row to the window: a polynomial of the last ``length`` rows.
  private func push(_ hash: UInt64) {
    let at = filled % Self.length
    if filled >= Self.length { rolling = rolling &- recent[at] &* Self.power }
    recent[at] = hash
    rolling = rolling &* Self.factor &+ hash
    filled += 1
    guard filled >= Self.length else { return }
    let window = Self.mixed(rolling)
    guard window < largest || heap.count < Self.most else { return }
    heap.insert(window)
    if heap.count > Self.most, let top = heap.max() { heap.remove(top) }
    if heap.count == Self.most { largest = heap.max() ?? .max }
  }

  private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15
  /// The factor to the power of ``length`` less one, times the factor once more when a row is added.
  private static let power: UInt64 = (0..<length - 1).reduce(1) { p, _ in p &* factor }
}
