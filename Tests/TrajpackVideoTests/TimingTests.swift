import Testing
import TrajpackFormat
import TrajpackVideo

@Suite("Timestamps and groups")
struct TimingTests {
  /// An index with these pts, every `group`th packet a keyframe.
  private func index(
    _ pts: [Int64], _ base: VideoRational, stated: VideoRational = VideoRational(0, 0),
    group: Int = 5
  ) -> VideoIndex {
    var index = VideoIndex()
    index.stream.timeBase = base
    index.stream.averageFrameRate = stated
    let count = pts.count
    index.packets.pts = pts
    index.packets.dts = pts
    index.packets.duration = Array(repeating: VideoPackets.absent, count: count)
    index.packets.size = Array(repeating: 1, count: count)
    index.packets.offset = Array(repeating: 0, count: count)
    index.packets.flags = (0..<count).map { $0 % group == 0 ? .keyframe : [] }
    return index
  }

  @Test(arguments: [(30, 1), (25, 1), (24000, 1001), (30000, 1001), (60, 1), (144, 1), (7, 3)])
  func constantRates(num: Int, den: Int) throws {
    for (tbNum, tbDen) in [(1, 1000), (1, 90000), (1, 15360), (1001, 30000), (1, 1_000_000)] {
      for start in [0, -17, 123_456] {
        let (above, below) = (den * tbDen, num * tbNum)
        let nearest = (0..<700).map { Int64(start + (2 * $0 * above + below) / (2 * below)) }
        let down = (0..<700).map { Int64(start + $0 * above / below) }
        let base = VideoRational(Int32(tbNum), Int32(tbDen))
        for stated in [VideoRational(0, 0), VideoRational(Int32(num), Int32(den))] {
          for times in [nearest, down] {
            let found = try index(times, base, stated: stated).timing().constantRate
            let rate = try #require(found, "\(num)/\(den) in \(base)")
            if stated.isPositive { #expect(rate.num * Int64(den) == rate.den * Int64(num)) }
            // Whatever was found gives every pts.
            let (a, b) = (Int(rate.den) * tbDen, Int(rate.num) * tbNum)
            for (frame, time) in times.enumerated() {
              let ticks =
                rate.rounding == .nearest ? (2 * frame * a + b) / (2 * b) : frame * a / b
              #expect(time == rate.start + Int64(ticks))
            }
          }
        }
      }
    }
  }

  @Test func variableRates() throws {
    let base = VideoRational(1, 1000)
    let even = (0..<60).map { Int64(($0 * 1000 + 15) / 30) }
    for moved in 1..<60 {
      for by in [-5, 5] as [Int64] {
        var times = even
        times[moved] += by
        #expect(try index(times, base, stated: VideoRational(30, 1)).timing().constantRate == nil)
      }
    }
    #expect(try index([0, 0, 0], base).timing().constantRate == nil)
    #expect(try index([0, 0, 0], base).timing().repeatedTimestamps == 2)
    #expect(try index([5], base).timing().constantRate == nil)
    #expect(try index([], base).timing().frameCount == 0)
    let wild = index([.min + 1, 0, .max], VideoRational(.max, .max))
    #expect(try wild.timing().frameCount == 3)
  }

  @Test func groupsAndOrder() throws {
    let base = VideoRational(1, 30)
    let timing = try index([0, 3, 1, 2, 4, 7, 5, 6], base, group: 4).timing()
    #expect(timing.isReordered && timing.keyframeCount == 2)
    #expect(timing.meanGroup == 4 && timing.largestGroup == 4)
    #expect(try VideoOrder(index([0, 3, 1, 2], base).packets).packetOfFrame == [0, 2, 3, 1])
    #expect(try VideoOrder(index([0, 3, 1, 2], base).packets).reorderDepth == 1)
    #expect(throws: TrajpackError.self) {
      try index([0, VideoPackets.absent], base).timing()
    }
    var ragged = index([0, 1], base)
    ragged.packets.size = [1]
    #expect(throws: TrajpackError.self) { try VideoOrder(ragged.packets) }
  }

  #if !Video
    @Test func withoutVideo() {
      let error = #expect(throws: TrajpackError.self) { try VideoFile.index(path: "/dev/null") }
      #expect(error?.fault == .usage)
      #expect(!VideoFile.isAvailable)
    }
  #endif
}
