import Testing
import Trajpack
import TrajpackLoader
import TrajpackStore

/// The golden dataset, which has every feature of the format.
private let golden: String = {
  let parts = #filePath.split(separator: "/").dropLast(3)
  return "/" + parts.joined(separator: "/") + "/fixtures/golden/lz4/specimen/dataset"
}()

@Suite struct DatasetTests {
  private let dataset: Trajpack.Dataset

  init() throws { dataset = try Trajpack.Dataset(path: golden) }

  @Test func everyTrackIsReadAsTheStoreReadsIt() throws {
    let opened = try OpenDataset(golden)
    var (channels, texts) = (0, 0)
    for number in 0..<dataset.episodeCount {
      let episode = try dataset.episode(number)
      #expect(try dataset.episode(id: episode.id).number == number)
      let (shard, local, _) = try opened.episode(number)
      let tracks = Array(shard.index.episode(local).tracks)
      #expect(episode.tracks.count == tracks.count)
      for (track, number) in zip(episode.tracks, tracks) {
        let reader = TrackReader(shard, track: number, reader: BlockReader(shard))
        #expect(track.stream == reader.stream.name && track.rowCount == reader.count)
        #expect(try track.times().count == reader.count)
        let stream = try #require(dataset.stream(track.stream))
        for (at, channel) in reader.stream.channels.enumerated() {
          let described = try #require(stream.channel(channel.name))
          #expect(described.type == channel.type && described.shape == channel.shape)
          let stored = try reader.read(channel: at, rows: 0..<reader.count)
          if channel.type == .bytes {
            texts += 1
            let lengths = try track.texts(channel.name).map { $0?.utf8.count }
            #expect(lengths == (try (0..<reader.count).map { try reader.bytes(stored, $0)?.count }))
          } else {
            channels += 1
            let values = try track.values(channel.name, as: Double.self)
            #expect(values.map(\.bitPattern) == stored.doubles().map(\.bitPattern))
            let half = reader.count / 2..<reader.count
            let tail = try track.values(channel.name, rows: half, as: Double.self)
            #expect(tail.map(\.bitPattern) == values.suffix(tail.count).map(\.bitPattern))
          }
        }
      }
    }
    #expect(channels > 10 && texts > 0)
  }

  private func options() throws -> WindowOptions {
    let stream = try #require(
      dataset.streams.filter { $0.channels.contains { $0.type == .float32 } }.max {
        $0.rows < $1.rows
      })
    let channel = try #require(stream.channels.first { $0.type == .float32 })
    return WindowOptions(
      channels: ["\(stream.name)/\(channel.name)"], length: 1, batchSize: 1, seed: 3)
  }

  @Test func anEpochThatStopsGoesOnAsIfItHadNot() throws {
    let options = try options()
    func rest(_ windows: Windows) throws -> [[UInt64]] {
      var out: [[UInt64]] = []
      while let batch = try windows.next() {
        let name = try #require(options.channels?.first)
        let array = try batch.array(name)
        let values = try batch.values(name, as: Float.self)
        #expect(array.shape.reduce(1, *) == values.count && array.shape[0] == batch.count)
        out.append(batch.windows)
      }
      return out
    }
    let whole = try rest(try dataset.windows(options))
    #expect(whole.count > 2)
    let first = try dataset.windows(options)
    #expect(whole.count == first.batchCount)
    _ = try first.next()
    let second = try dataset.windows(options)
    try second.restore(first.state)
    #expect(try rest(second) == Array(whole.dropFirst()))
    #expect(second.state.epoch == 1 && second.state.position == 0)
  }

  @Test func whatDoesNotFitIsSaid() throws {
    let track = try #require(try dataset.episode(0).tracks.first { $0.rowCount > 0 })
    #expect(throws: TrajpackError.self) { try dataset.episode(-1) }
    #expect(throws: TrajpackError.self) { try dataset.episode(0).track("no such stream") }
    #expect(throws: TrajpackError.self) { try track.times(rows: 0..<Int.max) }
    #expect(throws: TrajpackError.self) {
      try track.values("time", rows: -1..<Int.max, as: Float.self)
    }
    #expect(throws: TrajpackError.self) { try track.values("no such channel", as: Float.self) }
    var options = try options()
    let batch = try #require(try dataset.windows(options).next())
    let name = try #require(options.channels?.first)
    #expect(throws: TrajpackError.self) { try batch.values(name, as: Double.self) }
    #expect(throws: TrajpackError.self) { try batch.values("other", as: Float.self) }
    options.more = "[1]"
    #expect(throws: TrajpackError.self) { try dataset.windows(options) }
    options.more = #"{"lenght": 3}"#
    #expect(throws: TrajpackError.self) { try dataset.windows(options) }
  }
}
