import TrajpackFormat
import TrajpackStore

extension Rule {
  static let geometryDepthMissing = Rule(
    "geometry.depth-missing", .warning, "pictures of depth that have none",
    reason: """
      A sensor that lost its picture gives zeros, which a model takes for walls at the lens; points made of such pictures all lie in the camera.
      """,
    example: """
      Depth of 480 x 640 in which a third of the pixels have no echo, and three pictures of zeros. 256 pixels of each picture are looked at: reported where 95 % of them are no depth \
      (what the channel's encoding calls invalid, 0 and the largest of an integer where it says nothing, NaN, what is negative), and at most half of those of the middle picture. \
      Depth that is stored as video is looked at with --frames only.
      """,
    remedy: "Leave these rows out, or mark them as missing.",
    check: .track { DepthCheck($0, isRange: false) })

  static let geometryDepthRange = Rule(
    "geometry.depth-range", .warning, "depth is of another size than its unit says",
    reason: "Millimetres taken for metres put every point a thousand times too far away.",
    example: """
      A channel of depth in metres with a median of 1,850. Reported where the median of what is depth lies beyond 500 m, or within 2 mm, by the units or the encoding of the channel; depth \
      without units is not looked at, and depth that is stored as video with --frames only.
      """,
    remedy: "Say the unit or the scale that the samples have ('trajpack convert --depth').",
    check: .track { DepthCheck($0, isRange: true) })
}

/// Looks at some pixels of each picture of depth.
private final class DepthCheck: TrackCheck {
  private struct Item {
    var channel: Int
    var encoding: DepthEncoding?
    /// What distances are multiplied by to be metres; `nil` where that is not known.
    var metre: Double?
    var bits: Int
    var reading: ElementReading
    var pixels: [Int]
  }
  private let track: TrackContext
  private let isRange: Bool
  private let items: [Item]
  private var sample: [Double]
  /// Of each item: how many pictures have how much that is no depth, in hundredths, and the empty ones.
  private var shares: [[Int]]
  private var empty: [Spots]
  /// Of each item: distances of all pictures, every ``stride``-th pixel of those.
  private var distances: [[Double]]
  private static let mostPixels = 256
  private static let mostDistances = 4096

  init?(_ track: TrackContext, isRange: Bool) {
    let channels = track.stream.channels
    let wanted = channels.indices.filter {
      channels[$0].kind == .depth && channels[$0].type != .bytes && channels[$0].elements > 0
    }
    guard !wanted.isEmpty, track.rows > 0 else { return nil }
    items = wanted.compactMap { (number: Int) -> Item? in
      let channel = channels[number]
      let encoding = (try? channel.depthEncoding()) ?? nil
      guard encoding?.form != .unknown else { return nil }
      let stored = track.about.schema.blocks[channel.storage.block].type
      let metre = encoding?.units.flatMap(DepthEncoding.metres)
      if isRange, metre == nil { return nil }
      let count = min(channel.elements, Self.mostPixels)
      return Item(
        channel: number, encoding: encoding, metre: metre,
        bits: channel.type.isFloat ? 0 : 8 * channel.type.size,
        reading: ElementReading(channel, stored: stored),
        pixels: (0..<count).map { ($0 * channel.elements + channel.elements / 2) / count })
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    self.isRange = isRange
    sample = Array(repeating: 0, count: Self.mostPixels)
    shares = items.map { _ in Array(repeating: 0, count: 101) }
    empty = Array(repeating: Spots(), count: items.count)
    distances = items.map { _ in [] }
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      guard let stored = run.stored(item.channel) else { continue }
      for row in 0..<run.count {
        let valid = read(stored.bytes + row * stored.stride, item, stored.size)
        if isRange {
          // A few pixels of each picture, and pictures all over the track.
          let every = max(track.rows * valid / Self.mostDistances, 1)
          for at in stride(from: 0, to: valid, by: every)
          where distances[i].count < 2 * Self.mostDistances {
            distances[i].append(sample[at])
          }
          continue
        }
        let missing = 100 * (item.pixels.count - valid) / item.pixels.count
        shares[i][missing] += 1
        if missing >= 95 { empty[i].add(run.first + row, Double(missing)) }
      }
    }
  }

  /// The depths among the pixels of a picture; how many there are.
  private func read(_ row: UnsafeRawPointer, _ item: Item, _ size: Int) -> Int {
    var count = 0
    let channel = track.stream.channels[item.channel]
    for pixel in item.pixels {
      var value = 0.0
      item.reading.doubles(row + pixel * size, count: 1, stride: size, into: &value)
      if let encoding = item.encoding {
        value = encoding.distance(value, bits: item.bits)
      } else if !channel.type.isFloat, item.bits > 0, item.bits <= 32,
        value == Double(UInt64(1) << UInt64(item.bits)) - 1
      {
        continue
      }
      guard value.isFinite, value > 0 else { continue }
      sample[count] = value
      count += 1
    }
    return count
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      if isRange {
        range(i, item, &hits)
        continue
      }
      var rank = 0
      let middle = shares[i].firstIndex {
        rank += $0
        return 2 * rank >= track.rows
      }
      guard let middle, middle <= 50 else { continue }
      hits.add(
        "pictures without depth among others (percent that is none)", track, channel: item.channel,
        empty[i])
    }
  }

  private func range(_ i: Int, _ item: Item, _ hits: inout Hits) {
    guard let metre = item.metre, !distances[i].isEmpty else { return }
    let median = distances[i].sorted()[distances[i].count / 2] * metre
    guard median > 500 || median < 0.002 else { return }
    hits.add(
      median > 500 ? "half of the depth is beyond 500 m" : "half of the depth is within 2 mm",
      track,
      channel: item.channel, values: [median], note: "a median of \(median) m by its units")
  }
}
