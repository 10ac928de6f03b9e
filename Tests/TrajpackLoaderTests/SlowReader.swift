import TrajpackFormat
import TrajpackStore

@testable import TrajpackLoader

/// What windows hold, worked out the slow and plain way: a row at a time through ``TrackReader``, times as
/// doubles, which the archives' clocks keep exact.
struct SlowReader {
  struct Window {
    var shard: Shard
    var episode: Int
    var anchor: Int
  }

  enum Edge { case drop, pad, clamp }
  enum Blend { case asOf, nearest, linear }

  let dataset: OpenDataset
  let past: Int
  let length: Int
  let edge: Edge
  private(set) var windows: [Window] = []

  init(
    _ dataset: OpenDataset, past: Int, length: Int, stride: Int, edge: Edge, split: String? = nil
  ) {
    self.dataset = dataset
    self.past = past
    self.length = length
    self.edge = edge
    for shard in dataset.shards {
      for episode in 0..<shard.index.episodeCount {
        let info = shard.index.episode(episode)
        if let split, info.split != split { continue }
        let rows = shard.index.track(info.tracks.lowerBound).rows.count
        for anchor in Swift.stride(from: 0, to: rows, by: stride) {
          if edge == .drop, anchor + length > rows { break }
          windows.append(
            Window(shard: shard, episode: episode, anchor: anchor + (edge == .drop ? past : 0)))
        }
      }
    }
  }

  private func tracks(_ window: Window, _ stream: String) -> [TrackReader] {
    let reader = BlockReader(window.shard)
    return window.shard.index.episode(window.episode).tracks.map {
      TrackReader(window.shard, track: $0, reader: reader)
    }.filter { $0.stream.name == stream && $0.count > 0 }
  }

  private func times(_ track: TrackReader) throws -> [Double] {
    if case .regular(let start, let rate) = track.track.clock {
      return (0..<track.count).map { start.value + Double($0) / rate.value }
    }
    let values = try track.read(channel: 0, rows: 0..<track.count).doubles()
    return values.map { $0 / 64 }
  }

  /// The moment of place `t`; whether it lies outside the recording.
  func moment(_ window: Window, _ row: Int) throws -> (time: Double, isOutside: Bool) {
    let state = tracks(window, "state")[0]
    guard case .regular(let start, let rate) = state.track.clock else { return (0, true) }
    return (start.value + Double(row) / rate.value, row < 0 || row >= state.count)
  }

  /// The rows of a track that a moment lies between; `nil` outside.
  static func place(_ times: [Double], _ time: Double) -> (row: Int, rest: Double)? {
    guard let first = times.first, let last = times.last, time >= first else { return nil }
    if time >= last {
      let hold = times.count > 1 ? last - times[times.count - 2] : 0
      let regular = times.count == 1 ? 1e9 : hold
      return time == last || time < last + regular ? (times.count - 1, 0) : nil
    }
    guard let row = times.lastIndex(where: { $0 <= time }) else { return nil }
    return (row, (time - times[row]) / (times[row + 1] - times[row]))
  }

  /// A value at a moment, an element each: NaN where not observed; `nil` where there is none.
  func values(
    _ window: Window, _ stream: String, _ channel: String, at time: Double, isOutside: Bool,
    slot: Int = 0,
    isEntity: Bool = false, _ blend: Blend
  ) throws -> [Double]? {
    var found = tracks(window, stream)
    if isEntity {
      found.sort {
        let (a, b) = ($0.track.entity, $1.track.entity)
        return (a?.kind ?? "", a?.index ?? 0) < (b?.kind ?? "", b?.index ?? 0)
      }
      guard slot < found.count else { return nil }
      found = [found[slot]]
    }
    guard let track = found.first, let number = track.stream.channel(named: channel) else {
      return nil
    }
    var times = try times(track)
    // A regular clock holds its only row for one period.
    if times.count == 1, case .regular(_, let rate) = track.track.clock {
      if time >= times[0] + 1 / rate.value { times = [] }
    } else if times.count == 1, time > times[0] {
      times = []
    }
    let clamps = edge == .clamp && !isEntity
    guard let (row, rest) = Self.place(times, time) else {
      guard clamps else { return nil }
      let all = try self.times(track)
      let row = time < all[0] ? 0 : track.count - 1
      return try track.read(channel: number, rows: row..<row + 1).doubles()
    }
    let a = try track.read(channel: number, rows: row..<row + 1).doubles()
    guard rest > 0, blend != .asOf else { return a }
    let b = try track.read(channel: number, rows: row + 1..<row + 2).doubles()
    if blend == .nearest { return rest > 0.5 ? b : a }
    return zip(a, b).map { $0 + ($1 - $0) * rest }
  }
}

extension Batch {
  /// The elements of one window of an output, as doubles; the smallest whole number is NaN.
  func doubles(_ output: Output, window: Int) -> [Double] {
    let size = output.bytes / output.shape[0]
    let count = size / output.type.size
    let start = memory + output.offset + window * size
    return (0..<count).map { i in
      func integer<T: FixedWidthInteger & SignedInteger>(_ type: T.Type) -> Double {
        let n = start.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: type)
        return n == .min ? .nan : Double(n)
      }
      switch output.type {
      case .float32: return Double(start.loadUnaligned(fromByteOffset: i * 4, as: Float.self))
      case .float64: return start.loadUnaligned(fromByteOffset: i * 8, as: Double.self)
      case .int32: return integer(Int32.self)
      case .int64: return integer(Int64.self)
      default: return Double(start.loadUnaligned(fromByteOffset: i, as: UInt8.self))
      }
    }
  }
}
