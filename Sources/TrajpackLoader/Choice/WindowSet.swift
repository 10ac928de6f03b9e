/// Some of the windows of a dataset: a bit each, and counts by which the n-th chosen one is found.
///
/// Memory: a bit a window, an eighth of a bit for a count every 512 windows, and 8 bytes for every 4,096
/// that are chosen; less than 1.15 bits a window in all.
struct WindowSet: Sendable {
  /// Windows that there are to choose from.
  let candidates: UInt64
  /// Windows that are chosen.
  let count: UInt64
  /// Bit `w % 64` of word `w / 64` is set where window `w` is chosen.
  let words: [UInt64]
  /// Chosen windows before each run of 512, and all.
  private let before: [UInt64]
  /// The run that holds each 4,096th chosen window.
  private let hints: [UInt64]

  private static let run = 8
  private static let step: UInt64 = 4096

  /// The set of the bits that are set in `words`, none of them beyond `candidates`.
  init(candidates: UInt64, words: [UInt64]) {
    self.candidates = candidates
    self.words = words
    var before: [UInt64] = []
    var hints: [UInt64] = []
    before.reserveCapacity(words.count / Self.run + 2)
    var total: UInt64 = 0
    for start in stride(from: 0, to: words.count, by: Self.run) {
      before.append(total)
      for word in words[start..<min(start + Self.run, words.count)] {
        total += UInt64(word.nonzeroBitCount)
      }
      while UInt64(hints.count) * Self.step < total {
        hints.append(UInt64(start / Self.run))
      }
    }
    before.append(total)
    self.before = before
    self.hints = hints
    count = total
  }

  /// Bytes in memory.
  var bytes: Int { (words.count + before.count + hints.count) * 8 }

  /// The chosen window with `number` chosen ones before it, which is below ``count``.
  func select(_ number: UInt64) -> UInt64 {
    let hint = Int(number / Self.step)
    var low = Int(hints[hint])
    var high = hint + 1 < hints.count ? Int(hints[hint + 1]) + 1 : before.count - 1
    while high - low > 1 {
      let middle = (low + high) / 2
      if before[middle] <= number { low = middle } else { high = middle }
    }
    var left = Int(number - before[low])
    var at = low * Self.run
    while at < words.count {
      let bits = words[at].nonzeroBitCount
      if left < bits { break }
      left -= bits
      at += 1
    }
    guard at < words.count else { return candidates }
    var word = words[at]
    for _ in 0..<left { word &= word - 1 }
    return UInt64(at) * 64 + UInt64(word.trailingZeroBitCount)
  }
}
