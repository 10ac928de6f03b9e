import Glibc
import TrajpackFormat

/// Ids and patterns of ids. Whether an episode is among many ids is found by a hash of its bytes.
struct EpisodeIDs: Sendable {
  private let patterns: [Pattern]
  /// The bytes of all ids, one after the other.
  private let bytes: [UInt8]
  /// Where each id ends in ``bytes``; the first one begins at 0.
  private let ends: [Int]
  /// The number of an id, and one more, by its hash; 0 is free. Its size is a power of two.
  private let table: [UInt32]

  init(_ given: [Pattern]) {
    patterns = given.filter { $0.text.utf8.contains { $0 == 0x2A || $0 == 0x3F } }
    var (bytes, ends) = ([UInt8](), [Int]())
    for id in given where !id.text.utf8.contains(where: { $0 == 0x2A || $0 == 0x3F }) {
      bytes += id.text.utf8
      ends.append(bytes.count)
    }
    (self.bytes, self.ends) = (bytes, ends)
    var size = 16
    while size < 2 * ends.count { size *= 2 }
    var table = [UInt32](repeating: 0, count: size)
    bytes.withUnsafeBytes { bytes in
      for id in ends.indices {
        let own = UnsafeRawBufferPointer(rebasing: bytes[(id > 0 ? ends[id - 1] : 0)..<ends[id]])
        var place = Self.hash(own) & (size - 1)
        while table[place] > 0 { place = (place + 1) & (size - 1) }
        table[place] = UInt32(id + 1)
      }
    }
    self.table = table
  }

  /// Whether an episode is meant.
  func matches(_ index: ShardIndex, _ number: Int) -> Bool {
    if !ends.isEmpty, index.withID(ofEpisode: number, { place(of: $0) }) != nil { return true }
    guard !patterns.isEmpty else { return false }
    let id = index.id(ofEpisode: number)
    return patterns.contains { $0.matches(id) }
  }

  /// The ids, and then the patterns, that no episode of `datasets` has, in the order in which they are given.
  func unmatched(in datasets: [OpenDataset]) -> [String] {
    var seen = [Bool](repeating: false, count: ends.count)
    var left = ends.count
    var open = patterns
    for shard in datasets.lazy.flatMap(\.shards) {
      for number in 0..<shard.index.episodeCount {
        if left > 0, let place = shard.index.withID(ofEpisode: number, { place(of: $0) }),
          !seen[place]
        {
          seen[place] = true
          left -= 1
        }
        guard !open.isEmpty else { continue }
        let id = shard.index.id(ofEpisode: number)
        open.removeAll { $0.matches(id) }
      }
    }
    var missing: [String] = []
    for number in seen.indices where !seen[number] {
      let id = Array(bytes[first(of: number)..<ends[number]])
      // Of an id that is given twice, the first is found.
      let found = id.withUnsafeBytes { place(of: $0) }.map { seen[$0] } ?? false
      if !found { missing.append(String(decoding: id, as: UTF8.self)) }
    }
    return missing + open.map(\.text)
  }

  private func first(of place: Int) -> Int { place > 0 ? ends[place - 1] : 0 }

  private func place(of id: UnsafeRawBufferPointer) -> Int? {
    bytes.withUnsafeBytes { bytes in
      var place = Self.hash(id) & (table.count - 1)
      while table[place] > 0 {
        let own = Int(table[place]) - 1
        let begin = first(of: own)
        if ends[own] - begin == id.count, let known = bytes.baseAddress,
          let wanted = id.baseAddress,
          memcmp(known + begin, wanted, id.count) == 0
        {
          return own
        }
        place = (place + 1) & (table.count - 1)
      }
      return nil
    }
  }

  /// FNV-1a of words of eight bytes, mixed.
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
    var at = 0
    while at + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      hash = (hash ^ word) &* 0x100_0000_01B3
      hash ^= hash >> 32
      at += 8
    }
    while at < bytes.count {
      hash = (hash ^ UInt64(bytes[at])) &* 0x100_0000_01B3
      at += 1
    }
    return Int(truncatingIfNeeded: SplitMix64.mix(hash) >> 1)
  }
}
