import TrajpackFormat
import TrajpackStore

/// What of a dataset becomes a LeRobot dataset, known before any row is read.
struct LeRobotPlan {
  var fps: Rational
  var features: [LeRobotFeature] = []
  /// Sentences on what is left out.
  var remarks: [String] = []
  /// The streams that are written.
  var streams: Set<String> = []

  private struct Facts {
    var stream: Stream
    var metadata: JSONValue
    var episodes = 0
    var rates: Set<Rational> = []
    var why: String?
  }

  /// - Parameters:
  ///   - rate: Rows a second, of streams that do not say it, or of which those of one rate are taken.
  ///   - names: Names of columns that were asked for.
  /// - Throws: A usage error where nothing is left, or it is not clear which rate is meant.
  init(
    _ dataset: Dataset, _ chosen: (String) -> Bool, rate: Rational?, names: [ChannelName] = []
  ) throws(TrajpackError) {
    var order: [String] = []
    var known: [String: Facts] = [:]
    var episodes = 0
    for number in dataset.shardPaths.indices {
      let shard = try dataset.shard(number)
      for n in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(n)
        guard chosen(episode.id) else { continue }
        episodes += 1
        var seen: Set<String> = []
        for number in episode.tracks {
          let track = shard.index.track(number)
          let stream = shard.schema.streams[track.stream]
          let metadata = try JSONValue(parsing: track.metadata.isEmpty ? "{}" : track.metadata)
          if known[stream.name] == nil {
            order.append(stream.name)
            known[stream.name] = Facts(stream: stream, metadata: metadata)
          }
          guard var facts = known[stream.name] else { continue }
          Self.look(
            track, stream, metadata, rate, isFirst: seen.insert(stream.name).inserted, &facts)
          known[stream.name] = facts
        }
      }
    }
    let fit = order.compactMap { known[$0] }.filter {
      $0.why == nil && $0.episodes == episodes
    }
    let rates = Set(fit.flatMap(\.rates))
    guard let first = rates.first else {
      let whys = order.compactMap { name in
        known[name].map { "'\(name)' \($0.why ?? "is not in every episode")" }
      }
      throw TrajpackError(
        .usage,
        "no stream can be rows of a LeRobot dataset: \(whys.prefix(6).joined(separator: "; "))")
    }
    fps = rate ?? first
    guard rates.count == 1 || rate.map({ rates.contains($0) }) ?? false else {
      let list = rates.sorted { $0.value < $1.value }.map { rate in
        "\(rate) Hz (\(fit.filter { $0.rates.contains(rate) }.map { "'\($0.stream.name)'" }.prefix(4).joined(separator: ", ")))"
      }
      throw TrajpackError(
        .usage,
        "the streams have the rates \(list.joined(separator: ", ")), and a LeRobot dataset has one: say it with --rate, "
          + "to which the others are resampled, or bring all to one first ('trajpack resample')")
    }
    guard rates.contains(fps) else {
      throw TrajpackError(
        .usage,
        "--rate \(fps): the streams have the rate \(first) Hz; 'trajpack resample' makes a dataset of another"
      )
    }
    for name in order {
      guard let facts = known[name] else { continue }
      var why = facts.why
      if why == nil, facts.episodes < episodes { why = "is not in every episode" }
      if why == nil, facts.rates != [fps] { why = "has another rate than \(fps) Hz" }
      if let why {
        remarks.append("'\(name)' is left out: it \(why)")
        continue
      }
      let (own, leftOut) = LeRobotFeature.features(of: facts.stream, facts.metadata)
      remarks += leftOut.map { "'\($0.0)' is left out: it \($0.1)" }
      if !own.isEmpty { streams.insert(name) }
      features += own
    }
    try rename(names)
    try check()
  }

  private static func look(
    _ track: ShardIndex.Track, _ stream: Stream, _ metadata: JSONValue, _ rate: Rational?,
    isFirst: Bool, _ facts: inout Facts
  ) {
    if isFirst { facts.episodes += 1 }
    if track.entity != nil {
      facts.why = "has entities, which LeRobot's rows do not"
    } else if !isFirst {
      facts.why = "has several parts in an episode"
    } else if stream.channels != facts.stream.channels && !isLike(stream, facts.stream) {
      facts.why = "has other channels in some shards than in others"
    } else if stream.attributes["video"]?.bool == true,
      metadata["codec"] != facts.metadata["codec"] || metadata["width"] != facts.metadata["width"]
        || metadata["height"] != facts.metadata["height"]
    {
      facts.why = "has videos of several kinds"
    }
    guard let own = track.clock.rate else {
      facts.why = "has times of its own; 'trajpack resample' makes a dataset with a rate"
      return
    }
    if stream.timeUnit == "s" {
      facts.rates.insert(own)
    } else if let rate {
      facts.rates.insert(rate)
    } else {
      facts.why =
        "has no times in seconds but '\(stream.timeUnit)'; --rate says how many rows a second there are"
    }
  }

  /// Whether two streams of different shards have the same channels, however each is stored.
  private static func isLike(_ a: Stream, _ b: Stream) -> Bool {
    a.channels.count == b.channels.count
      && zip(a.channels, b.channels).allSatisfy {
        $0.name == $1.name && $0.type == $1.type && $0.shape == $1.shape && $0.kind == $1.kind
          && ($0.categories == nil) == ($1.categories == nil) && $0.missing == $1.missing
      }
  }

  /// - Throws: A usage error where two columns have one name.
  private func check() throws(TrajpackError) {
    var keys: Set<String> = ["timestamp", "frame_index", "episode_index", "index"]
    // The column of tasks, which every dataset has.
    if !features.contains(where: { $0.content == .task }) { keys.insert("task_index") }
    for feature in features {
      guard keys.insert(feature.key).inserted else {
        throw TrajpackError(
          .usage,
          "'\(feature.stream)/\(feature.channel)' would be the column '\(feature.key)', of which there is one already"
        )
      }
    }
    guard !features.isEmpty else {
      throw TrajpackError(.usage, "nothing of the dataset can be rows of a LeRobot dataset")
    }
  }
}
