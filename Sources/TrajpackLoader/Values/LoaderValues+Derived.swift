import TrajpackFormat
import TrajpackStore

extension LoaderValues {
  enum Derived {
    case table(Table)
    case text(Text)
  }

  /// A value that the streams say: `rate:STREAM`, the rows a unit of time of an episode's first track (none where
  /// its times are explicit), `time_unit:STREAM`, or `stream/channel` of a text; `nil` where it is none.
  ///
  /// - Throws: A usage error where there is no such stream, or its rows are of entities.
  static func derived(
    _ name: String, _ datasets: [OpenDataset], _ views: [[ShardView]], _ facts: StreamProfile
  ) throws(TrajpackError) -> Derived? {
    let streams = views.joined().flatMap(\.schema.streams)
    for prefix in ["rate:", "time_unit:"] where name.hasPrefix(prefix) {
      let stream = String(name.dropFirst(prefix.count))
      guard streams.contains(where: { $0.name == stream }) else {
        throw TrajpackError(
          .usage, option: "values",
          "'\(name)': there is no stream '\(stream)'"
            + Suggestion.text(for: stream, among: Array(Set(streams.map(\.name))).sorted()))
      }
      if prefix == "rate:" {
        let units = streams.first { $0.name == stream }.map { "1/\($0.timeUnit)" }
        let field = ValueField(name, .number, units: units)
        return .table(
          table(
            field,
            views.map { shards in
              shards.flatMap { rates(of: stream, $0).map { $0.map { .number($0) } ?? .missing } }
            }))
      }
      return .text(
        Text(
          name: name,
          source: .episodes(
            views.map { shards in
              shards.flatMap { shard in
                let own = shard.schema.streams.first { $0.name == stream }?.timeUnit
                let numbers = Self.stream(named: stream, shard)
                return (0..<shard.index.episodeCount).map { episode in
                  shard.index.tracks(ofEpisode: episode).contains {
                    shard.numbers(ofTrack: $0).stream == numbers
                  } ? own : nil
                }
              }
            })))
    }
    for stream in streams {
      for channel in stream.channels
      where channel.type == .bytes && channel.kind == .text
        && "\(stream.name)/\(channel.name)" == name
      {
        guard facts.entities[stream.name] ?? 0 == 0 else {
          throw TrajpackError(
            .usage, option: "values",
            "the texts of '\(name)' are of entities, so that a window has no one of them"
          )
        }
        return .text(
          Text(
            name: name, source: .rows(stream: stream.name, channel: channel.name),
            description: channel.description))
      }
    }
    return nil
  }

  private static func stream(named name: String, _ shard: ShardView) -> Int {
    shard.schema.stream(named: name) ?? -1
  }

  private static func rates(of name: String, _ shard: ShardView) -> [Double?] {
    let stream = stream(named: name, shard)
    return (0..<shard.index.episodeCount).map { episode in
      let first = shard.index.tracks(ofEpisode: episode).first {
        shard.numbers(ofTrack: $0).stream == stream
      }
      guard let first,
        let rate = shard.clocks[shard.numbers(ofTrack: first).clock].rate
      else { return nil }
      return rate.value
    }
  }
}
