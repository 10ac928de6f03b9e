import TrajpackFormat

/// What was read of recordings and predictions, kept for the metrics that follow: an evaluation of several metrics reads
/// each episode once, while the memory that is set aside for it lasts.
final class ReadCache {
  private struct Key: Hashable {
    var id: String
    var entry: Entry
  }

  private struct Kept {
    var frames: ReferenceFrames
    var numbers: Numbers
    var covered: [Bool]
  }

  /// Bytes that are kept at most.
  static let mostBytes = 512 << 20
  private var left: Int
  private var kept: [Key: [Kept]] = [:]

  init(bytes: Int = ReadCache.mostBytes) { left = bytes }

  /// Takes room for some numbers; `false` where there is none.
  func takeRoom(for count: Int) -> Bool {
    guard count * 8 <= left else { return false }
    left -= count * 8
    return true
  }

  /// A copy of a channel's values on frames, and where tracks cover them; `nil` where they are not kept.
  func find(
    _ id: String, _ entry: Entry, _ frames: ReferenceFrames
  ) -> (numbers: Numbers, covered: [Bool])? {
    let found = kept[Key(id: id, entry: entry)]?.first { $0.frames == frames }
    return found.map { ($0.numbers.copied, $0.covered) }
  }

  /// Keeps a copy, where there is room.
  func keep(
    _ id: String, _ entry: Entry, _ frames: ReferenceFrames, _ numbers: Numbers, _ covered: [Bool]
  ) {
    guard takeRoom(for: numbers.values.count + frames.times.count + covered.count / 8) else {
      return
    }
    kept[Key(id: id, entry: entry), default: []].append(
      Kept(frames: frames, numbers: numbers.copied, covered: covered))
  }
}

extension Numbers {
  /// The same numbers in memory of their own.
  var copied: Numbers {
    let copy = Numbers(shape: shape)
    copy.values.copy(values.count, of: values, from: 0, to: 0)
    copy.present = present
    return copy
  }
}
