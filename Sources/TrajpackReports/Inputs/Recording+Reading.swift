import TrajpackFormat
import TrajpackStore

extension Recording {
  /// A channel's values on the frames, `[frames] + shape`, NaN where there are none; and where a track
  /// of it covers a frame.
  ///
  /// - Throws: A usage error where its rows do not lie on the frames.
  func read(_ entry: Entry, on frames: Frames) throws(TrajpackError) -> (Numbers, [Bool]) {
    var covered = [Bool](repeating: false, count: frames.count)
    guard let channel = channel(entry) else { return (Numbers(shape: [frames.count]), covered) }
    let out = Numbers(shape: [frames.count] + channel.shape)
    let width = channel.elements
    for (label, number, track) in tracks where label == entry.label {
      guard let position = track.stream.channel(named: entry.channel) else { continue }
      let places = try self.places(number, track, frames)
      try track.forEachRun { (rows) throws(TrajpackError) in
        let values = try track.read(channel: position, rows: rows).doubles()
        for row in rows {
          let frame = places[row]
          guard frame >= 0 else { continue }
          covered[frame] = true
          for element in 0..<width {
            out.values[frame * width + element] = values[(row - rows.lowerBound) * width + element]
          }
        }
      }
    }
    return (out, covered)
  }

  /// The frames of each row of an entry's tracks, track by track.
  func runs(_ entry: Entry, on frames: Frames) throws(TrajpackError) -> [[Int]] {
    var out: [[Int]] = []
    for (label, number, track) in tracks where label == entry.label {
      out.append(try places(number, track, frames))
    }
    return out
  }

  /// The frame of each row of a track, −1 for rows outside the frames.
  private func places(
    _ number: Int, _ track: TrackReader, _ frames: Frames
  ) throws(TrajpackError) -> [Int] {
    func refuse(_ why: String) -> TrajpackError {
      TrajpackError(
        .usage,
        "episode '\(id)': rows of '\(track.stream.name)' do not lie on the frames of "
          + "'\(frames.stream)': \(why); evaluate channels of one clock together, or name the "
          + "stream that counts with --reference")
    }
    if case .regular(let start, let rate) = frames.clock,
      case .regular(let own, let ownRate) = track.track.clock
    {
      guard rate == ownRate else {
        throw refuse("\(ownRate) rows a \(track.stream.timeUnit), not \(rate)")
      }
      let offset = (own.value - start.value) * rate.value
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
    let own =
      frames.times.isEmpty
      ? (0..<frames.count).map { frames.clock.time(ofRow: $0) ?? .nan } : frames.times
    if times == own { return Array(0..<track.count) }
    let numbers = Dictionary(
      own.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    return try times.map { (time) throws(TrajpackError) in
      guard let frame = numbers[time] else { throw refuse("there is no frame at \(time)") }
      return frame
    }
  }
}
