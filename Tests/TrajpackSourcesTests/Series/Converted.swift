import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

@testable import TrajpackSources
import TrajpackTestSupport

/// A converted source, read back whole.
struct Converted {
  struct Track {
    var stream: String
    var clock: Clock
    var count: Int
    var metadata: JSONValue
    /// Numbers, row by row.
    var numbers: [String: [Double]] = [:]
    /// Texts and names of categories; `nil` where not observed.
    var texts: [String: [String?]] = [:]
    var channels: [Channel]
    var attributes: JSONValue
    var timeUnit: String

    /// The times of the rows.
    var times: [Double] {
      let explicit = numbers["time"] ?? []
      switch clock {
      case .regular: return (0..<count).map { clock.time(ofRow: $0) ?? .nan }
      case .float64: return explicit
      case .ticks(let tick):
        return explicit.map { $0 * Double(tick.numerator) / Double(tick.denominator) }
      }
    }
  }

  struct Episode {
    var id: String
    var metadata: JSONValue
    var tracks: [Track]
  }

  var episodes: [Episode] = []

  /// Converts into a folder that goes again, and reads it back.
  init(
    _ sources: [String], _ options: SeriesOptions = SeriesOptions(),
    change: (inout Conversion<SeriesImporter>.Options) -> Void = { _ in }
  ) throws {
    let scratch = Scratch()
    var settings = Conversion<SeriesImporter>.Options()
    change(&settings)
    let importer = try SeriesImporter(sources, options: options)
    _ = try Conversion(importer, to: scratch.path + "/out", options: settings).run()
    let dataset = try Dataset(scratch.path + "/out")
    for number in dataset.shardPaths.indices {
      let shard = try dataset.shard(number)
      let reader = BlockReader(shard)
      for n in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(n)
        var tracks: [Track] = []
        for t in episode.tracks { tracks.append(try Self.track(shard, t, reader)) }
        episodes.append(
          Episode(
            id: episode.id, metadata: try JSONValue(parsing: episode.metadata), tracks: tracks))
      }
    }
  }

  private static func track(_ shard: Shard, _ number: Int, _ reader: BlockReader) throws -> Track {
    let rows = TrackReader(shard, track: number, reader: reader)
    var track = Track(
      stream: rows.stream.name, clock: rows.track.clock, count: rows.count,
      metadata: rows.track.metadata.isEmpty
        ? .object([]) : try JSONValue(parsing: rows.track.metadata),
      channels: rows.stream.channels, attributes: rows.stream.attributes,
      timeUnit: rows.stream.timeUnit)
    for (i, channel) in rows.stream.channels.enumerated() {
      let values = try rows.read(channel: i, rows: 0..<rows.count)
      if channel.type == .bytes {
        var texts: [String?] = []
        for row in 0..<rows.count {
          texts.append(try rows.bytes(values, row).map { String(decoding: $0, as: UTF8.self) })
        }
        track.texts[channel.name] = texts
      } else if channel.categories != nil {
        track.texts[channel.name] = (0..<rows.count).map { values.category($0) }
      } else {
        track.numbers[channel.name] = values.doubles()
      }
    }
    return track
  }

  /// The numbers of a channel, all episodes one after the other.
  func numbers(_ channel: String) -> [Double] {
    episodes.flatMap { $0.tracks.flatMap { $0.numbers[channel] ?? [] } }
  }

  /// SHA-256 of numbers as little-endian float64, with one NaN.
  static func digest(_ numbers: [Double]) -> String {
    let bits = numbers.map { $0.isNaN ? 0x7FF8_0000_0000_0000 : $0.bitPattern }
    return packed(bits).withUnsafeBytes { SHA256.of($0) }
  }
}
