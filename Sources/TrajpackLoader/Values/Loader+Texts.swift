import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Loader {
  /// The texts that some windows have of a value: of their recordings, or of a stream as it was last before the
  /// first row of a window that is no `past`; `nil` where there is none.
  ///
  /// - Throws: A usage error where no text of that name was asked for, or there is no such window; a data error
  ///   where a chunk is damaged.
  public func texts(
    _ name: String, datasets: [Int], windows: [UInt64]
  ) throws(TrajpackError) -> [String?] {
    if name == "meta:id", setup.options.meta {
      var ids: [String?] = []
      for (dataset, window) in zip(datasets, windows) {
        let location = try located(dataset, window)
        let episode = location.shard.numbers(ofTrack: location.track).episode
        ids.append(location.shard.index.episode(episode).id)
      }
      return ids
    }
    guard let text = setup.values.texts.first(where: { $0.name == name }) else {
      throw TrajpackError(
        .usage,
        "the loader was made without the text '\(name)' among its 'values'"
          + Suggestion.text(for: name, among: setup.values.texts.map(\.name)))
    }
    var out: [String?] = []
    out.reserveCapacity(windows.count)
    for (dataset, window) in zip(datasets, windows) {
      let location = try located(dataset, window)
      switch text.source {
      case .episodes(let texts):
        let shard = location.shard
        let episode = shard.numbers(ofTrack: location.track).episode
        out.append(texts[dataset][shard.firstEpisode + episode])
      case .rows(let stream, let channel):
        out.append(try textReader.text(stream, channel, location))
      }
    }
    return out
  }
}

extension Loader {
  private func located(
    _ dataset: Int, _ window: UInt64
  ) throws(TrajpackError) -> WindowSource.Location {
    guard setup.sources.indices.contains(dataset) else {
      throw TrajpackError(
        .usage, "there is no dataset \(dataset) in a mixture of \(setup.sources.count)")
    }
    try check(window, dataset)
    return setup.sources[dataset].locate(window)
  }
}

/// Reads the text of a stream that is valid at a window. One thread at a time.
final class TextReader {
  private let planner: Planner
  private var readers: [Int: BlockReader] = [:]

  init(_ setup: LoaderSetup) { planner = Planner(setup) }

  func text(
    _ stream: String, _ channel: String, _ location: WindowSource.Location
  ) throws(TrajpackError) -> String? {
    let shard = location.shard
    let reference = shard.numbers(ofTrack: location.track)
    guard let number = shard.view.schema.stream(named: stream) else { return nil }
    // Where a split cuts the recording, only rows that the window may see count.
    let window = try planner.context(
      number: 0, shard, location.track, anchor: location.anchor, span: location.span)
    guard let moment = try planner.reference(window).instant(window.anchor) else { return nil }
    var best: (track: Int, row: Int, time: Instant)?
    for track in shard.index.tracks(ofEpisode: reference.episode) {
      guard shard.numbers(ofTrack: track).stream == number else { continue }
      let numbers = try planner.numbers(shard, track)
      guard numbers.count > 0 else { continue }
      let own = try planner.clock(shard, track, numbers)
      guard let found = row(own, moment), let time = own.instant(found) else { continue }
      let row = found + numbers.first - shard.numbers(ofTrack: track).first
      // Of two tracks, the later row is the one that holds.
      if let best, time < best.time { continue }
      best = (track, row, time)
    }
    guard let best else { return nil }
    let reader = readers[shard.number] ?? BlockReader(shard.shard)
    if readers.count > 16 { readers.removeAll() }
    readers[shard.number] = reader
    let rows = TrackReader(shard.shard, track: best.track, reader: reader)
    guard let place = rows.stream.channel(named: channel) else { return nil }
    let values = try rows.read(channel: place, rows: best.row..<best.row + 1)
    return try rows.bytes(values, 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The last row at or before a moment, or within the tolerance after it; `nil` before the first.
  private func row(_ clock: TrackClock, _ moment: Instant) -> Int? {
    switch clock.position(moment) {
    case nil: return nil
    case .before(let time, let interval):
      return time <= planner.rounding.limit(interval: interval) ? 0 : nil
    case .inside(let row, let rest, let interval):
      return (1 - rest) * interval <= planner.rounding.limit(interval: interval) ? row + 1 : row
    case .after: return clock.rows - 1
    }
  }
}
