/// The tables with a row an episode and a row a track. Pieces of them are checked side by side, each from
/// what its first rows claim, and the claims when the pieces are joined. Where that fails, one piece with
/// everything is checked again, so that the first row that breaks a rule is the one to be named.
extension ShardIndex {
  private struct EpisodesFound: Sendable {
    /// The first track, and the one after the last.
    var tracks: Range<Int>
    var idBytes = 0
    var splits: [SplitTally]
  }

  func checkEpisodes(
    pieces: Int, _ sharing: ParallelFor
  ) throws(TrajpackError) -> [SplitTally] {
    if pieces > 1,
      let found = checkPieces(
        pieces, sharing, { (rows) throws(TrajpackError) in try self.checkEpisodes(rows) }),
      zip(found, found.dropFirst()).allSatisfy({ $0.tracks.upperBound == $1.tracks.lowerBound }),
      found.first?.tracks.lowerBound == 0, found.last?.tracks.upperBound == tracks.count,
      // No sum of theirs overflows: each piece has fewer bytes than there are of text.
      found.reduce(0, { $0 + $1.idBytes }) <= textCount
    {
      return found.dropFirst().reduce(into: found[0].splits) { all, piece in
        for (i, split) in piece.splits.enumerated() {
          all[i].count += split.count
          all[i].first = min(all[i].first, split.first)
        }
      }
    }
    let all = try checkEpisodes(0..<episodes.count)
    guard all.tracks.upperBound == tracks.count else {
      throw damaged("episodes", episodes.count, "is missing: some tracks have no episode")
    }
    return all.splits
  }

  private func checkEpisodes(_ rows: Range<Int>) throws(TrajpackError) -> EpisodesFound {
    let start = rows.lowerBound == 0 ? 0 : episodes[rows.lowerBound, 5]
    var next = start
    var idBytes = 0
    var splits = [SplitTally](repeating: SplitTally(), count: schema.splits.count + 1)
    guard (0...tracks.count).contains(start) else {
      throw damaged("episodes", rows.lowerBound, "has tracks out of place")
    }
    let table = IndexRows(episodes)
    for row in rows {
      let episode = table.row(row)
      guard isText(episode[0], episode[1]), isText(episode[2], episode[3]) else {
        throw damaged("episodes", row, "points outside the text")
      }
      // No two ids are the same text, so together they are no longer than all text.
      guard episode[1] <= textCount - idBytes else {
        throw damaged("episodes", row, "has the id of another row: ids are unique")
      }
      idBytes += episode[1]
      let split = episode[4]
      guard split >= -1, split < splits.count - 1 else {
        throw damaged("episodes", row, "has an unknown split")
      }
      splits[split + 1].count += 1
      if splits[split + 1].count == 1 { splits[split + 1].first = row }
      let count = episode[6]
      guard episode[5] == next, count >= 0, count <= tracks.count - next else {
        throw damaged("episodes", row, "has tracks out of place")
      }
      next += count
    }
    return EpisodesFound(tracks: start..<next, idBytes: idBytes, splits: splits)
  }

  /// Where the tracks of a stream begin in a piece, and where the next one has to.
  private struct ContiguityCheck: Sendable {
    var first = -1
    var next = 0

    /// Whether a track at `place` follows the one before; the first one may begin anywhere.
    @inline(__always)
    mutating func follows(_ place: Int, _ count: Int) -> Bool {
      if first < 0 { (first, next) = (place, place) }
      guard place == next else { return false }
      next = place + count
      return true
    }

    /// Whether a piece follows this one, which then holds both.
    mutating func follows(_ piece: ContiguityCheck) -> Bool {
      piece.first < 0 || follows(piece.first, piece.next - piece.first)
    }
  }

  /// What is known of a stream, and what a piece has of it.
  private struct StreamFound: Sendable {
    let count: Int
    let blobBytes: Int
    let times: ElementType?
    var rows: ContiguityCheck
    var bytes: ContiguityCheck
    var tally = StreamSummary()
  }

  func checkTracks(
    pieces: Int, _ sharing: ParallelFor
  ) throws(TrajpackError) -> [StreamSummary] {
    if pieces > 1,
      let found = checkPieces(
        pieces, sharing, { (rows) throws(TrajpackError) in try self.checkTracks(rows) }),
      let all = joined(found)
    {
      return all
    }
    let all = try checkTracks(0..<episodes.count)
    for (stream, found) in all.enumerated() where found.rows.next != found.count {
      throw TrajpackError(
        .data,
        "the index is damaged: stream '\(schema.streams[stream].name)' has \(found.count) "
          + "rows, but its tracks have \(found.rows.next); restore the shard from a copy")
    }
    return all.map(\.tally)
  }

  /// The tallies of all pieces; `nil` where one does not follow the other, or rows are left over.
  private func joined(_ pieces: [[StreamFound]]) -> [StreamSummary]? {
    var all = pieces[0]
    for piece in pieces.dropFirst() {
      for stream in all.indices {
        guard all[stream].rows.follows(piece[stream].rows),
          all[stream].bytes.follows(piece[stream].bytes)
        else { return nil }
        all[stream].tally.add(piece[stream].tally)
      }
    }
    return all.allSatisfy { $0.rows.next == $0.count } ? all.map(\.tally) : nil
  }

  /// Checks the tracks of some episodes, whose rows have been checked.
  private func checkTracks(_ range: Range<Int>) throws(TrajpackError) -> [StreamFound] {
    // Only a piece that begins later may begin with rows that are not the first.
    let start = ContiguityCheck(first: range.lowerBound == 0 ? 0 : -1)
    var found = schema.streams.enumerated().map { number, stream in
      StreamFound(
        count: streamRows[number], blobBytes: stream.blob.map { schema.blocks[$0].rows } ?? 0,
        times: stream.channels.first { $0.name == "time" && $0.shape.isEmpty }?.type,
        rows: start, bytes: start)
    }
    try found.withUnsafeMutableBufferPointer { (streams) throws(TrajpackError) in
      try checkTracks(range, streams)
    }
    return found
  }

  private func checkTracks(
    _ range: Range<Int>, _ streams: UnsafeMutableBufferPointer<StreamFound>
  ) throws(TrajpackError) {
    let (owners, rows) = (IndexRows(episodes, columns: [5, 6]), IndexRows(tracks))
    let (entities, clocks) = (entities.count, clocks.count)
    var last = (clock: -1, sort: 0)
    for episode in range {
      let owner = owners.row(episode)
      for row in owner[5]..<owner[5] + owner[6] {
        let numbers = rows.row(row)
        let track = TrackRecord(numbers)
        guard track.episode == episode, track.stream >= 0, track.stream < streams.count,
          track.entity >= -1, track.entity < entities, track.clock >= 0, track.clock < clocks
        else { throw damaged("tracks", row, "names something unknown") }
        if track.clock != last.clock { last = (track.clock, self.clocks[track.clock, 0]) }
        let wrong = check(numbers, track, sort: last.sort, &streams[track.stream])
        if let wrong { throw damaged("tracks", row, "\(wrong)") }
        streams[track.stream].tally.add(track) { self.rate(ofClock: $0) }
      }
    }
  }

  /// What is wrong with a track of a stream.
  @inline(__always)
  private func check(
    _ numbers: IndexRows.Row, _ track: TrackRecord, sort: Int, _ stream: inout StreamFound
  ) -> StaticString? {
    guard sort == 0 || stream.times == (sort == 1 ? .int64 : .float64) else {
      return "has a clock of times in a stream without them"
    }
    guard track.first >= 0, track.count >= 0, track.first <= stream.count,
      track.count <= stream.count - track.first
    else { return "has rows outside its stream" }
    guard stream.rows.follows(track.first, track.count) else {
      return "does not follow the track before it"
    }
    guard isText(numbers[6], numbers[7]) else { return "points outside the text" }
    let (begin, bytes) = (numbers[8], numbers[9])
    guard begin >= 0, bytes >= 0, begin <= stream.blobBytes, bytes <= stream.blobBytes - begin
    else { return "has bytes outside its blob" }
    guard bytes == 0 || stream.bytes.follows(begin, bytes) else {
      return "has bytes that do not follow those of the track before it"
    }
    return nil
  }

  /// The rate of a clock as it is written; `nil` for explicit times.
  func rate(ofClock row: Int) -> StreamSummary.Rate {
    clocks[row, 0] == 0 ? (clocks[row, 3], clocks[row, 4]) : nil
  }
}
