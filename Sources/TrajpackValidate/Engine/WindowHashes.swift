import TrajpackFormat

/// Hashes of some windows of a track's rows, chosen by their content: the same rows in another episode give the same
/// hashes wherever they lie there. Episodes that share rows are known by them.
final class WindowHashes {
  /// Rows of a window.
  static let length = 16
  /// The most hashes of a track: its smallest.
  static let most = 32
  /// The columns that are hashed: some of continuous values, spread over all of them, because the first ones may be of a
  /// reference that all recordings follow.
  private let chosen: [(columns: TrackContext.Columns, element: Int)]
  /// Those of ``chosen`` of which rounded windows are hashed.
  private let nearPlaces: [Int]
  private static let (mostColumns, mostNearColumns) = (6, 3)
  /// What changes from row to row; taken out of the object while rows are added.
  fileprivate struct State {
    var recent: [UInt64] = []
    var filled = 0
    var rolling: UInt64 = 0
    var smallest = SmallestHashes()
    /// The same of rounded windows.
    var near: NearHashes

    init(columns: Int) { near = NearHashes(columns: columns) }
  }
  private var state: State

  /// `nil` where the track has no column of continuous values.
  init?(_ track: TrackContext) {
    guard track.entity == nil || track.about.tracks.count < 64, track.rows >= Self.length else {
      return nil
    }
    let all = track.quantities
      .filter { $0.channel.type.isFloat && !$0.columns.isField && !Self.isTime($0.channel) }
      .flatMap { item in (0..<item.columns.count).map { (item.columns, $0) } }
    chosen = Self.spread(all, Self.mostColumns)
    guard !chosen.isEmpty else { return nil }
    nearPlaces = Self.spread(Array(chosen.indices), Self.mostNearColumns)
    state = State(columns: nearPlaces.count)
    state.recent = Array(repeating: 0, count: Self.length)
  }

  /// Elements spread evenly over a list, its first and its last among them.
  private static func spread<Element>(_ list: [Element], _ most: Int) -> [Element] {
    guard list.count > most else { return list }
    return (0..<most).map { list[$0 * (list.count - 1) / (most - 1)] }
  }

  /// Whether a channel has times by its name, which are alike in all recordings.
  private static func isTime(_ channel: Channel) -> Bool {
    let name = channel.name.lowercased()
    return ["time", "times", "stamp", "stamps"].contains { name.hasSuffix($0) }
  }

  /// The smallest hashes, in order.
  var hashes: [UInt64] { state.smallest.list }
  /// The smallest hashes of rounded windows, in order.
  var nearHashes: [UInt64] { state.near.list }
  /// Where these windows end.
  var nearRows: [Int] { state.near.lastRows }

  static func mixed(_ value: UInt64) -> UInt64 {
    var x = value
    x = (x ^ x >> 33) &* 0xff51_afd7_ed55_8ccd
    x = (x ^ x >> 33) &* 0xc4ce_b9fe_1a85_ec53
    return x ^ x >> 33
  }

  func add(_ run: TrackRun) {
    // Rows that stay as they are, or hold whole numbers only, look alike everywhere: they tell nothing.
    let columns = chosen.map { run.column($0.columns, $0.element) }
    let nearColumns = nearPlaces.map { columns[$0] }
    let hasBefore = run.carry > 0
    var state = State(columns: 0)
    swap(&state, &self.state)
    defer { swap(&state, &self.state) }
    for row in 0..<run.count {
      state.near.add(row, of: nearColumns)
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
        (state.filled, state.rolling) = (0, 0)
        continue
      }
      state.push(hash)
    }
  }

  fileprivate static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15
  /// The factor to the power of ``length`` less one, times the factor once more when a row is added.
  fileprivate static let power: UInt64 = (0..<length - 1).reduce(1) { p, _ in p &* factor }
}

extension WindowHashes.State {
  /// Adds a row to the window: a polynomial of the last ``WindowHashes/length`` rows.
  fileprivate mutating func push(_ hash: UInt64) {
    let at = filled % WindowHashes.length
    if filled >= WindowHashes.length { rolling = rolling &- recent[at] &* WindowHashes.power }
    recent[at] = hash
    rolling = rolling &* WindowHashes.factor &+ hash
    filled += 1
    guard filled >= WindowHashes.length else { return }
    smallest.add(WindowHashes.mixed(rolling))
  }
}

/// The smallest of many hashes, each once, in order.
struct SmallestHashes {
  private(set) var list: [UInt64] = []

  /// Adds a hash; `false` where it is there already.
  @discardableResult
  mutating func add(_ hash: UInt64) -> Bool {
    let isFull = list.count == WindowHashes.most
    if isFull, let last = list.last, hash > last { return true }
    let place = list.firstIndex { $0 >= hash } ?? list.count
    if place < list.count, list[place] == hash { return false }
    if isFull { list.removeLast() }
    list.insert(hash, at: place)
    return true
  }

  mutating func remove(_ hash: UInt64) { list.removeAll { $0 == hash } }
}
