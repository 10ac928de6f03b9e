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
    pieces: Int, _ sharing: Sharing
  ) throws(TrajpackError) -> [SplitTally] {
    if pieces > 1,
      let found = checkPieces(
        pieces, sharing, { (rows) throws(TrajpackError) in try self.checkEpisodes(rows) }),
      zip(found, found.dropFirst()).allSatisfy({ $0.tracks.upperBound == $1.tracks.lowerBound }),
      found.first?.tracks.lowerBound == 0, found.last?.tracks.upperBound == tracks.count,
      // No sum of theirs overflows: each piece has fewer bytes than there are of text.
      found.reduce(0, { $0 + $1.idBytes }) <= textRange.count
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
    for row in rows {
      guard isText(episodes[row, 0], episodes[row, 1]), isText(episodes[row, 2], episodes[row, 3])
      else { throw damaged("episodes", row, "points outside the text") }
      // No two ids are the same text, so together they are no longer than all text.
      guard episodes[row, 1] <= textRange.count - idBytes else {
        throw damaged("episodes", row, "has the id of another")
      }
      idBytes += episodes[row, 1]
      let split = episodes[row, 4]
      guard split >= -1, split < splits.count - 1 else {
        throw damaged("episodes", row, "has an unknown split")
      }
      splits[split + 1].count += 1
      if splits[split + 1].count == 1 { splits[split + 1].first = row }
      let count = episodes[row, 6]
      guard episodes[row, 5] == next, count >= 0, count <= tracks.count - next else {
        throw damaged("episodes", row, "has tracks out of place")
      }
      next += count
    }
    return EpisodesFound(tracks: start..<next, idBytes: idBytes, splits: splits)
  }

  /// Where the tracks of a stream begin in a piece, and where the next one has to.
  private struct Following: Sendable {
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
    mutating func follows(_ piece: Following) -> Bool {
      piece.first < 0 || follows(piece.first, piece.next - piece.first)
    }
  }

  private struct TracksFound: Sendable {
    var rows: [Following]
    var bytes: [Following]
    var streams: [StreamTally]
  }

  func checkTracks(
    pieces: Int, _ sharing: Sharing
  ) throws(TrajpackError) -> [StreamTally] {
    if pieces > 1,
      let found = checkPieces(
        pieces, sharing, { (rows) throws(TrajpackError) in try self.checkTracks(rows) }),
      let all = joined(found)
    {
      return all
    }
    let all = try checkTracks(0..<episodes.count)
    for stream in streamRows.indices where all.rows[stream].next != streamRows[stream] {
      throw TrajpackError(
        .data,
        "the index is damaged: stream '\(schema.streams[stream].name)' has \(streamRows[stream]) "
          + "rows, but its tracks have \(all.rows[stream].next); restore the shard from a copy")
    }
    return all.streams
  }

  /// The tallies of all pieces; `nil` where one does not follow the other, or rows are left over.
  private func joined(_ pieces: [TracksFound]) -> [StreamTally]? {
    var all = pieces[0]
    for piece in pieces.dropFirst() {
      for stream in streamRows.indices {
        guard all.rows[stream].follows(piece.rows[stream]),
          all.bytes[stream].follows(piece.bytes[stream])
        else { return nil }
        all.streams[stream].add(piece.streams[stream])
      }
    }
    for stream in streamRows.indices {
      guard all.rows[stream].next == streamRows[stream] else { return nil }
    }
    return all.streams
  }

  /// Checks the tracks of some episodes, whose rows have been checked.
  private func checkTracks(_ range: Range<Int>) throws(TrajpackError) -> TracksFound {
    let times = schema.streams.map { stream in
      stream.channels.first { $0.name == "time" && $0.shape.isEmpty }?.type
    }
    let blobs = schema.streams.map { $0.blob.map { schema.blocks[$0].rows } ?? 0 }
    // Only a piece that begins later may begin with rows that are not the first.
    let start = Following(first: range.lowerBound == 0 ? 0 : -1)
    var found = TracksFound(
      rows: streamRows.map { _ in start }, bytes: streamRows.map { _ in start },
      streams: streamRows.map { _ in StreamTally() })
    for episode in range {
      for row in tracks(ofEpisode: episode) {
        let track = numbers(ofTrack: row)
        let stream = track.stream
        guard track.episode == episode, streamRows.indices.contains(stream),
          (-1..<entities.count).contains(track.entity), (0..<clocks.count).contains(track.clock)
        else { throw damaged("tracks", row, "names something unknown") }
        let sort = clocks[track.clock, 0]
        guard sort == 0 || times[stream] == (sort == 1 ? .int64 : .float64) else {
          throw damaged("tracks", row, "has a clock of times in a stream without them")
        }
        guard track.first >= 0, track.count >= 0, track.first <= streamRows[stream],
          track.count <= streamRows[stream] - track.first
        else { throw damaged("tracks", row, "has rows outside its stream") }
        guard found.rows[stream].follows(track.first, track.count) else {
          throw damaged("tracks", row, "does not follow the track before it")
        }
        guard isText(tracks[row, 6], tracks[row, 7]) else {
          throw damaged("tracks", row, "points outside the text")
        }
        let (begin, bytes) = (tracks[row, 8], tracks[row, 9])
        guard begin >= 0, bytes >= 0, begin <= blobs[stream], bytes <= blobs[stream] - begin else {
          throw damaged("tracks", row, "has bytes outside its blob")
        }
        guard bytes == 0 || found.bytes[stream].follows(begin, bytes) else {
          throw damaged("tracks", row, "has bytes that do not follow those of the track before it")
        }
        found.streams[stream].add(track) { self.rate(ofClock: $0) }
      }
    }
    return found
  }

  /// The rate of a clock as it is written; `nil` for explicit times.
  func rate(ofClock row: Int) -> StreamTally.Rate {
    clocks[row, 0] == 0 ? (clocks[row, 3], clocks[row, 4]) : nil
  }
}
