import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Loader {
  /// Statistics of what was recorded in all datasets together.
  static func statistics(
    _ datasets: [OpenDataset]
  ) throws(TrajpackError) -> DatasetStatistics {
    var all = DatasetStatistics()
    for dataset in datasets {
      for shard in dataset.shards { try all.add(shard) }
    }
    return all
  }
}

extension LoaderOptions {
  /// Whether anything is to be normalised.
  var normalizes: Bool { normalize.otherwise != nil || !normalize.rules.isEmpty }
}

extension ShardView {
  /// Why the statistics of the source say nothing of channels of a view, by `stream/channel`.
  static func unmeasured(_ views: [[ShardView]]) -> [String: String] {
    var out: [String: String] = [:]
    for program in views.joined().compactMap(\.prepared).flatMap(\.programs) {
      for channel in program.outputs {
        let path = "\(program.stream)/\(channel.name)"
        // No `default`: a new change must say here why the statistics are not of its values.
        switch program.changed[channel.name] {
        case .normalized:
          out[path] = "is normalised by the plan already: leave it to one of them"
        case .binned(let statistic):
          out[path] =
            "holds the \(statistic.rawValue) of bins behind the plan, and there are statistics of the rows in them only: "
            + "normalise the dataset that 'trajpack apply' makes of the plan, or name the channels to normalise"
        case nil:
          guard program.recorded(channel) == nil else { continue }
          out[path] =
            "is made by the plan, and there are statistics of what was recorded only: normalise in a step "
            + "of the plan before it is made, or name the channels to normalise"
        }
      }
    }
    return out
  }
}
