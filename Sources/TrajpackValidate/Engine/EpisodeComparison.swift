import TrajpackFormat
import TrajpackStore

/// Compares any number of episodes by their content, in fixed memory: of each a hash of all values and fixed numbers of
/// hashes of windows, exact and rounded, go to temporary files, which are sorted at the end.
final class EpisodeComparison {
  /// An episode that has what an earlier one has.
  struct Match {
    var place: Place
    var other: Place
    var split: String
    /// Hashes that both have, of those of the episode.
    var shared: Int
    var of: Int
  }
  /// Episodes with a fault, and the first of them.
  struct Matches {
    var count = 0
    var first: [Match] = []
    /// Streams of which windows that episodes of two splits share were ignored.
    var ignored: Set<String> = []
  }

  /// The most hashes of windows of a kind that are kept of an episode: its smallest.
  static let mostHashes = 32

  /// A rounded window.
  struct Window {
    var hash: UInt64
    /// The same number for windows of one stream, and a row of it.
    var stream = 0
    var row = 0
  }
  /// Splits that are told apart; more names are no splits.
  private static let mostSplits = 4095

  private let digests: ExternalSort
  private let windows: ExternalSort
  private let nearWindows: ExternalSort
  private let pairs: ExternalSort
  /// Of each episode where it lies, and where in ``names`` that is said.
  private let names = RowSpool(limit: 1 << 18)
  private let offsets = RowSpool(limit: 1 << 18)
  /// The numbers of splits; 0 is that of episodes without one.
  private var splits: [String: Int] = ["": 0]
  private(set) var count = 0

  /// - Parameter most: Records of each kind that are held in memory.
  init(most: Int = 1 << 18) {
    digests = ExternalSort(most: most)
    windows = ExternalSort(most: most)
    nearWindows = ExternalSort(most: most)
    pairs = ExternalSort(most: most)
  }

  /// Bytes in temporary files.
  var spilledBytes: Int {
    [digests, windows, nearWindows, pairs].reduce(0) { $0 + $1.spilledBytes }
  }

  /// Adds an episode.
  ///
  /// - Parameters:
  ///   - digest: A hash of all of its values; `nil` where none of them varies.
  ///   - hashes: Hashes of its windows.
  ///   - near: Hashes of its windows, rounded to about a hundredth of their range.
  /// - Throws: An error of the machine where temporary files cannot be written.
  func add(
    _ place: Place, split: String, digest: UInt64?, hashes: [UInt64] = [], near: [Window] = []
  ) throws(TrajpackError) {
    let number = count
    count += 1
    if splits[split] == nil { splits[split] = min(splits.count, Self.mostSplits) }
    let value = UInt64(number) << 32 | UInt64(splits[split] ?? 0) << 20
    if let digest { try digests.add(digest, value) }
    try Self.add(hashes.map { Window(hash: $0) }, value, to: windows)
    try Self.add(near, value, to: nearWindows)
    var text = ByteEncoder()
    text.add(place.shard) { $0.add($1) }
    text.add(place.episode) { $0.add($1) }
    text.add(split)
    var offset = ByteEncoder()
    offset.add(names.count)
    try offsets.append(offset.bytes)
    try names.append(text.bytes)
  }

  /// Rows are kept as what is left of them by this power of two.
  private static let rowRing = 1024

  /// Adds the smallest of an episode's hashes, and how many they are.
  private static func add(
    _ windows: [Window], _ value: UInt64, to sort: ExternalSort
  ) throws(TrajpackError) {
    var least = windows.sorted { ($0.hash, $0.stream, $0.row) < ($1.hash, $1.stream, $1.row) }
    var kept = 0
    for window in least
    where kept < mostHashes && (kept == 0 || least[kept - 1].hash != window.hash) {
      least[kept] = window
      kept += 1
    }
    for window in least[..<kept] {
      let place = UInt64(window.stream & 0xF) << 10 | UInt64(window.row & (rowRing - 1))
      try sort.add(window.hash, value | UInt64(kept) << 14 | place)
    }
  }

  private func episode(_ number: Int) throws(TrajpackError) -> (place: Place, split: String) {
    func word(_ at: Int) throws(TrajpackError) -> Int {
      guard at < count else { return names.count }
      var bytes = ByteDecoder(try Self.bytes(offsets, 8 * at, 8))
      return bytes.int()
    }
    let (first, end) = (try word(number), try word(number + 1))
    var bytes = ByteDecoder(try Self.bytes(names, first, end - first))
    let shard = bytes.optional { $0.text() }
    let id = bytes.optional { $0.text() }
    return (
      Place(shard: shard, episode: id, entity: nil, rows: nil, values: [], note: nil), bytes.text()
    )
  }

  private static func bytes(
    _ spool: RowSpool, _ at: Int, _ count: Int
  ) throws(TrajpackError) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: count)
    let failure = out.withUnsafeMutableBytes { bytes -> TrajpackError? in
      do throws(TrajpackError) {
        try spool.read(at: at, into: bytes)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
    return out
  }

  private func match(
    _ number: Int, _ other: Int, _ shared: Int, _ of: Int
  ) throws(TrajpackError) -> Match {
    let (own, (found, split)) = (try episode(number), try episode(other))
    return Match(place: own.place, other: found, split: split, shared: shared, of: of)
  }

  /// What a record's value says: the episode, its split, how many hashes there are of it, and the stream and row of the window.
  private static func parts(_ value: UInt64)
    -> (episode: Int, split: Int, hashes: Int, stream: Int, row: Int)
  {
    (
      Int(value >> 32), Int(value >> 20 & 0xFFF), Int(value >> 14 & 0x3F), Int(value >> 10 & 0xF),
      Int(value & 0x3FF)
    )
  }

  /// How many of the windows that two episodes share lie equally far apart in both, to a row in each stream.
  ///
  /// - Parameter places: Of each window its stream times ``rowRing``, and the rows from the one to the other.
  private static func aligned(_ places: [Int]) -> Int {
    var best: [Int: Int] = [:]
    for place in places {
      let (stream, shift) = (place / rowRing, place % rowRing)
      let near = places.count {
        $0 / rowRing == stream && ($0 % rowRing - shift + rowRing + 1) % rowRing <= 2
      }
      best[stream] = max(best[stream] ?? 0, near)
    }
    return best.values.reduce(0, +)
  }

  /// Episodes that equal an earlier one: where both have a split and it is another one if `leakage`, else all others.
  func equal(leakage: Bool) throws(TrajpackError) -> (found: Matches, all: [UInt64]) {
    var found = Matches()
    // A bit of each episode.
    var all = Array(repeating: UInt64(0), count: leakage ? count / 64 + 1 : 0)
    var least: [(Int, Int)] = []
    var first: (key: UInt64, value: UInt64)?
    try digests.forEach { (record) throws(TrajpackError) in
      guard let (key, value) = first, key == record.key else {
        first = (record.key, record.value)
        return
      }
      let (own, other) = (Self.parts(record.value), Self.parts(value))
      let isLeak = own.split != other.split && own.split != 0 && other.split != 0
      guard isLeak == leakage else { return }
      found.count += 1
      if leakage { all[own.episode / 64] |= 1 << UInt64(own.episode % 64) }
      least.append((own.episode, other.episode))
      if least.count > 64 {
        least.sort { $0.0 < $1.0 }
        least.removeLast(least.count - Finding.mostPlaces)
      }
    }
    least.sort { $0.0 < $1.0 }
    for (own, other) in least.prefix(Finding.mostPlaces) {
      found.first.append(try match(own, other, 0, 0))
    }
    return (found, all)
  }

  /// Episodes that share windows, or rounded windows if `near`, with an earlier one of another split: a quarter of their hashes,
  /// and at least 4, or 8 of rounded windows, which lie in step.
  ///
  /// - Parameters:
  ///   - known: A bit of each episode: those that were told already are not told again. Those that are found are added.
  ///   - ignored: Hashes that say nothing, and their streams.
  func sharing(
    near: Bool, except known: inout [UInt64], ignoring ignored: [UInt64: String] = [:]
  ) throws(TrajpackError) -> Matches {
    var found = Matches()
    guard splits.count > 2 else { return found }
    var first: (key: UInt64, value: UInt64)?
    try (near ? nearWindows : windows).forEach { (record) throws(TrajpackError) in
      guard let (key, value) = first, key == record.key else {
        first = (record.key, record.value)
        return
      }
      let (own, other) = (Self.parts(record.value), Self.parts(value))
      if own.split != other.split, let stream = ignored[record.key] {
        found.ignored.insert(stream)
        return
      }
      guard own.split != other.split,
        known[own.episode / 64] >> UInt64(own.episode % 64) & 1 == 0
      else { return }
      let shift = (own.row - other.row + Self.rowRing) % Self.rowRing
      try pairs.add(
        UInt64(own.episode) << 32 | UInt64(other.episode),
        UInt64(own.hashes) << 16 | UInt64(own.stream * Self.rowRing + shift))
    }
    // The pairs of an episode come one after the other: of each with which other it shares most.
    var (own, best, bestCount, other, hashes) = (-1, -1, 0, -1, 0)
    var shared: [Int] = []
    func settlePair() {
      guard shared.count > bestCount else { return }
      // What repeats itself is alike anywhere; a copy is in step.
      if near, Self.aligned(shared) * 4 < shared.count * 3 { return }
      (best, bestCount) = (other, shared.count)
    }
    func settle() throws(TrajpackError) {
      settlePair()
      guard own >= 0, bestCount >= (near ? 8 : 4), bestCount * 4 >= hashes else { return }
      found.count += 1
      known[own / 64] |= 1 << UInt64(own % 64)
      if found.first.count < Finding.mostPlaces {
        found.first.append(try match(own, best, bestCount, hashes))
      }
    }
    try pairs.forEach { (record) throws(TrajpackError) in
      let (a, b) = (Int(record.key >> 32), Int(record.key & 0xFFFF_FFFF))
      if a != own {
        try settle()
        (own, best, bestCount, other, hashes) = (a, -1, 0, b, Int(record.value >> 16))
        shared = []
      } else if b != other {
        settlePair()
        (other, shared) = (b, [])
      }
      shared.append(Int(record.value & 0xFFFF))
    }
    try settle()
    return found
  }
}
