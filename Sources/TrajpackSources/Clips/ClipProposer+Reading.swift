import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension ClipProposer {
  /// The action at each row of the reference, as a number of its own in the episode; −1 where there is none.
  func actions(
    _ shard: Shard, _ episode: Int, _ line: ClipLine, _ blocks: BlockReader
  ) throws(TrajpackError) -> [Int32] {
    var codes: [[Int64]: Int32] = [:]
    var out = [Int32](repeating: -1, count: line.rows)
    for track in try reader.tracks(shard, episode: episode, entity: options.entity, blocks) {
      let own = track.rows.map { action -> Int32 in
        guard let action else { return -1 }
        if let known = codes[action] { return known }
        codes[action] = Int32(codes.count)
        return Int32(codes.count - 1)
      }
      try lay(own, track.number, shard, line, blocks, onto: &out)
    }
    return out
  }

  /// The class at each row of the reference, by its number among the labels; −1 where there is none.
  mutating func classes(
    _ shard: Shard, _ episode: Int, _ line: ClipLine, _ actions: [Int32], _ blocks: BlockReader
  ) throws(TrajpackError) -> [Int32] {
    var out = [Int32](repeating: -1, count: line.rows)
    guard let classOf = options.classOf else {
      for track in try reader.tracks(shard, episode: episode, entity: options.entity, blocks) {
        var own: [Int32] = []
        for action in track.rows {
          own.append(
            action.map { Int32(label(names?.name($0) ?? ActionVocabulary.text($0))) } ?? -1)
        }
        try lay(own, track.number, shard, line, blocks, onto: &out)
      }
      return out
    }
    let path = classOf.split(separator: "/", omittingEmptySubsequences: false)
    let isChannel = data.shards.contains { other in
      other.schema.streams.contains { stream in
        stream.channels.contains { "\(stream.name)/\($0.name)" == classOf }
      }
    }
    guard isChannel else {
      let text = shard.index.episode(episode).metadata
      let metadata = text.isEmpty ? JSONValue.object([]) : try JSONValue(parsing: text)
      let value = classOf.split(separator: ".").reduce(Optional(metadata)) { $0?[String($1)] }
      guard let value, value != .null else { return out }
      let number = Int32(label(value.string ?? value.text()))
      return [Int32](repeating: number, count: line.rows)
    }
    let stream = path.dropLast().joined(separator: "/")
    for number in shard.index.tracks(ofEpisode: episode) {
      let track = TrackReader(shard, track: number, reader: blocks)
      guard track.stream.name == stream,
        let column = track.stream.channel(named: String(path[path.count - 1])),
        track.track.entity.map({ $0.index == options.entity }) ?? true
      else { continue }
      let channel = track.stream.channels[column]
      guard channel.elements == 1, channel.type != .bytes else {
        throw TrajpackError(
          .usage, "channel '\(classOf)' has no single number a row, so it is no class")
      }
      var own: [Int32] = []
      try track.forEachRun { (run) throws(TrajpackError) in
        let values = try track.read(channel: column, rows: run)
        for row in 0..<values.count {
          switch values.value(row, 0) {
          case .missing: own.append(-1)
          case .int(let number):
            let names = channel.categories ?? []
            own.append(
              Int32(
                label(
                  names.indices.contains(Int(clamping: number))
                    ? names[Int(number)] : String(number))))
          case let value: own.append(Int32(label(value.description)))
          }
        }
      }
      try lay(own, number, shard, line, blocks, onto: &out)
    }
    return out
  }

  /// Lays the numbers of a track's rows onto the rows of the reference: each takes the nearest row of the track.
  private func lay(
    _ own: [Int32], _ track: Int, _ shard: Shard, _ line: ClipLine, _ blocks: BlockReader,
    onto out: inout [Int32]
  ) throws(TrajpackError) {
    let rows = try data.nearestRows(
      shard, track: track, start: line.start, rate: line.rate, count: line.rows, blocks)
    for (row, nearest) in rows.enumerated() where nearest >= 0 && own[nearest] >= 0 {
      out[row] = own[nearest]
    }
  }
}
