import TrajpackFormat
import TrajpackStore

extension ArchiveEpisode {
  /// Channels' values on the frames, each `[frames] + shape`, NaN where there are none; and where a track of each
  /// covers a frame. Channels of a track are read together, run by run, so that no chunk is inflated twice.
  ///
  /// - Throws: A usage error where their rows do not lie on the frames.
  func read(
    _ entries: [Entry], on frames: ReferenceFrames
  ) throws(TrajpackError) -> [(numbers: Numbers, covered: [Bool])] {
    guard let cache else { return try readAnew(entries, on: frames) }
    var out = entries.map { cache.find(id, $0, frames) }
    let missing = entries.indices.filter { out[$0] == nil }
    for (at, found) in zip(missing, try readAnew(missing.map { entries[$0] }, on: frames)) {
      cache.keep(id, entries[at], frames, found.numbers, found.covered)
      out[at] = found
    }
    return out.compactMap(\.self)
  }

  private func readAnew(
    _ entries: [Entry], on frames: ReferenceFrames
  ) throws(TrajpackError) -> [(numbers: Numbers, covered: [Bool])] {
    guard !entries.isEmpty else { return [] }
    if entries.contains(where: \.isFrames) {
      var out: [(numbers: Numbers, covered: [Bool])] = []
      for entry in entries {
        out +=
          entry.isFrames ? [try readFrames(entry, on: frames)] : try readAnew([entry], on: frames)
      }
      return out
    }
    let nowhere = [Bool](repeating: false, count: frames.count)
    var covered: [String: [Bool]] = [:]
    var members: [String: [(numbers: Numbers, channel: Int)]] = [:]
    let out = entries.map { entry -> Numbers in
      guard let channel = channel(entry) else { return Numbers(shape: [frames.count]) }
      return Numbers(shape: [frames.count] + channel.shape)
    }
    for (entry, numbers) in zip(entries, out) {
      guard let track = firstTrack(entry.label),
        let number = channelNumber(entry.channel, of: track)
      else { continue }
      members[entry.label, default: []].append((numbers, number))
    }
    for (label, number, track) in tracks {
      guard let channels = members[label] else { continue }
      let places = try self.places(number, track, frames)
      for frame in places where frame >= 0 {
        covered[label, default: nowhere][frame] = true
      }
      try track.forEachRun { (rows) throws(TrajpackError) in
        for (numbers, channel) in channels {
          var values = try track.read(channel: channel, rows: rows).doubles()
          try Self.makeDistances(&values, of: track.stream.channels[channel])
          numbers.values.scatter(values, width: numbers.width, to: places[rows])
        }
      }
    }
    return zip(entries, out).map { entry, numbers in
      (numbers, channel(entry) == nil ? nowhere : covered[entry.label] ?? nowhere)
    }
  }

  /// The frames of each row of an entry's tracks, track by track.
  func runs(_ entry: Entry, on frames: ReferenceFrames) throws(TrajpackError) -> [[Int]] {
    var out: [[Int]] = []
    for (label, number, track) in tracks where label == entry.label {
      out.append(try places(number, track, frames))
    }
    return out
  }

  /// The frame of each row of a track, −1 for rows outside the frames.
  func places(
    _ number: Int, _ track: TrackReader, _ frames: ReferenceFrames
  ) throws(TrajpackError) -> [Int] {
    try places(of: number, on: frames) { () throws(TrajpackError) in
      try makePlaces(number, track, frames)
    }
  }

  private func makePlaces(
    _ number: Int, _ track: TrackReader, _ frames: ReferenceFrames
  ) throws(TrajpackError) -> [Int] {
    func refuse(_ why: String) -> TrajpackError {
      TrajpackError(
        .usage,
        "episode '\(id)': rows of '\(track.stream.name)' do not lie on the frames of "
          + "'\(frames.stream)': \(why); evaluate channels of one clock together, or name the "
          + "stream that counts with --reference")
    }
    if let rate = frames.clock.rate, let own = track.track.clock.rate {
      guard let offset = frames.clock.place(ofStart: track.track.clock) else {
        throw refuse("\(own) rows a \(track.stream.timeUnit), not \(rate)")
      }
      guard abs(offset - offset.rounded()) < 1e-6, abs(offset) < 1e15 else {
        throw refuse("they lie between them")
      }
      let first = Int(offset.rounded())
      return (0..<track.count).map { row in
        let frame = row + first
        return frame >= 0 && frame < frames.count ? frame : -1
      }
    }
    let times = try self.times(number, track.count)
    let own = (0..<frames.count).map(frames.time)
    if times == own { return Array(0..<track.count) }
    let numbers = Dictionary(
      own.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    return try times.map { (time) throws(TrajpackError) in
      guard let frame = numbers[time] else { throw refuse("there is no frame at \(time)") }
      return frame
    }
  }
}
