import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackStore

extension PlanImporter {
  /// The split schemes, clip lists and vocabularies of the source, as far as they hold of what the plan makes.
  ///
  /// Schemes of whole recordings always do. Those that cut recordings, and clips that count rows, do where each row is
  /// made of one row of the source, which stays at its time. Vocabularies do where their channels are kept. Values are
  /// not among them, because the new shards hold them.
  public func carriedSideFiles() throws(TrajpackError) -> CarriedSideFiles {
    let far = plan.stepsThatLookAround.joined(separator: ", ")
    var streams: Set<String> = []
    var channels: Set<String> = []
    for program in try plan.programs(for: source.allStreams) {
      if !program.outputs.isEmpty || program.inputs.isEmpty { streams.insert(program.stream) }
      for channel in program.outputs { channels.insert("\(program.stream)/\(channel.name)") }
    }
    let (keptStreams, keptChannels) = (streams, channels)
    return CarriedSideFiles(source.dataset, skipping: [.values]) {
      (role, content) throws(TrajpackError) in
      switch role {
      case .values: return nil
      case .statistics: return "they are of the rows before the plan"
      case .vocabulary:
        let lost = (content["channels"]?.array ?? []).compactMap(\.string)
          .filter { !keptChannels.contains($0) }
        return lost.isEmpty ? nil : "the plan does not keep \(lost.joined(separator: ", "))"
      case .splits:
        if !far.isEmpty, try SplitScheme(json: content, at: "the side file").cutsEpisodes {
          return "it cuts recordings, and \(far) went over its borders"
        }
        if let stream = content["rule"]?["stream"]?.string, !keptStreams.contains(stream) {
          return "it counts rows of '\(stream)', which the plan does not keep"
        }
        return nil
      case .clips:
        let counts = (content["clips"]?.array ?? []).contains { clip in
          clip["start_row"] != nil || (clip["rows"] != nil && clip["rate"] == nil)
        }
        return counts && !far.isEmpty ? "it counts rows, which \(far) changed" : nil
      }
    }
  }
}
