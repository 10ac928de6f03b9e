import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Brings the streams of a dataset to the one rate that a LeRobot dataset has.
enum LeRobotResampling {
  /// What is done to the streams that have another clock than `--rate`; `nil` where there is none, or no rate was asked for.
  ///
  /// A stream that has the rate already gives the times, else the one that is the longest is brought to it first. Videos
  /// and entities stay as they are.
  static func preparation(
    _ request: ExportRequest
  ) throws(TrajpackError) -> (Plan, [String])? {
    guard let rate = request.rate else { return nil }
    let wanted = Set(request.ids)
    var clocks: [String: (rates: Set<Rational>, isRegular: Bool, span: Double)] = [:]
    var order: [String] = []
    var others: Set<String> = []
    for number in request.dataset.shardPaths.indices {
      let shard = try request.dataset.shard(number)
      for n in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(n)
        guard wanted.isEmpty || wanted.contains(episode.id) else { continue }
        for number in episode.tracks {
          let track = shard.index.track(number)
          let stream = shard.schema.streams[track.stream]
          guard stream.timeUnit == "s", track.entity == nil else {
            others.insert(stream.name)
            continue
          }
          if stream.attributes["video"]?.bool == true { continue }
          if clocks[stream.name] == nil {
            order.append(stream.name)
            clocks[stream.name] = ([], true, 0)
          }
          if let own = track.clock.rate {
            clocks[stream.name]?.rates.insert(own)
            clocks[stream.name]?.span += Double(track.rows.count) / own.value
          } else {
            clocks[stream.name]?.isRegular = false
          }
        }
      }
    }
    order.removeAll { others.contains($0) }
    let wrong = order.filter { clocks[$0]?.isRegular != true || clocks[$0]?.rates != [rate] }
    guard !wrong.isEmpty else { return nil }
    var steps: [JSONValue] = []
    var rest = wrong
    var base = order.first { !wrong.contains($0) }
    if base == nil {
      let longest = wrong.max { (clocks[$0]?.span ?? 0) < (clocks[$1]?.span ?? 0) } ?? wrong[0]
      base = longest
      rest.removeAll { $0 == longest }
      steps.append(
        .record([
          "step": "resample", "streams": .array([.string(longest)]),
          "rate": .string(rate.description),
        ]))
    }
    if !rest.isEmpty, let base {
      steps.append(
        .record([
          "step": "resample", "streams": .array(rest.map { .string($0) }), "onto": .string(base),
        ]))
    }
    var made: [any PlanStep] = []
    for step in steps { made.append(try PlanSteps.read(step, at: "--rate")) }
    let names = wrong.prefix(6).map { "'\($0)'" }.joined(separator: ", ")
    return (
      Plan(steps: made),
      [
        "resampled to \(rate) rows a second, by the kind of each channel: \(names)"
          + (wrong.count > 6 ? " and \(wrong.count - 6) more" : "")
      ]
    )
  }
}
