import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Loader {
  /// The clips that windows of a dataset are, in their order: objects as `schemas/clips.schema.json` has them, with
  /// `window`, the row of the reference stream nearest to the start (`row`), and how many rows it has; `nil`
  /// where windows are none.
  ///
  /// - Throws: A usage error where there is no such dataset.
  public func clips(dataset: Int) throws(TrajpackError) -> JSONValue {
    guard setup.sources.indices.contains(dataset) else {
      throw TrajpackError(
        .usage, "there is no dataset \(dataset) in a mixture of \(setup.sources.count)")
    }
    let source = setup.sources[dataset]
    guard let clips = source.clips, let list = setup.clips?.list else { return .null }
    var out: [JSONValue] = []
    for window in 0..<source.count {
      let clip = clips[Int(source.chosen?.select(window) ?? window)]
      let given = list.clips[clip.number]
      var members = (given.json.members ?? []).filter { $0.name != "rows" && $0.name != "dataset" }
      members.append(.init("rows", .int(Int64(clip.rows))))
      members.append(.init("number", .int(Int64(clip.number))))
      members.append(.init("row", .int(Int64(clip.before + clip.row))))
      out.append(.object(members))
    }
    return .array(out)
  }

  /// The rows of a stream that are nearest to the instants of a clip, of two equally near ones the earlier; −1
  /// where the stream has none. They count from the first row that the stream has in the episode.
  ///
  /// - Parameter rows: Receives as many as the clip has rows.
  /// - Returns: How many.
  /// - Throws: A usage error where windows are no clips, for a stream that is not there or is one of entities, or
  ///   where there is too little room.
  public func rows(
    ofClip window: UInt64, dataset: Int, stream name: String,
    into rows: UnsafeMutableBufferPointer<Int64>
  ) throws(TrajpackError) -> Int {
    let found = try nearest(window, dataset: dataset, stream: name)
    guard found.count <= rows.count else {
      throw TrajpackError(
        .usage, "there is room for \(counted(rows.count, "row")), and the clip has \(found.count)")
    }
    for (k, row) in found.enumerated() { rows[k] = Int64(row) }
    return found.count
  }

  private func nearest(
    _ window: UInt64, dataset: Int, stream name: String
  ) throws(TrajpackError) -> [Int] {
    _ = try locate(dataset: dataset, window: window)
    let source = setup.sources[dataset]
    let location = source.locate(window)
    guard let clip = location.clip else {
      throw TrajpackError(.usage, "windows are no clips: give the option 'clips'")
    }
    let shard = location.shard
    guard let stream = shard.view.schema.stream(named: name) else {
      throw TrajpackError(
        .usage,
        "there is no stream '\(name)'"
          + Suggestion.text(for: name, among: shard.view.schema.streams.map(\.name)))
    }
    let planner = Planner(setup)
    let context = try planner.context(
      number: 0, shard, location.track, anchor: location.anchor, span: location.span, clip: clip)
    let clock = try planner.reference(context)
    var out = [Int](repeating: -1, count: clip.rows)
    var first = 0
    for track in shard.index.tracks(ofEpisode: context.reference.episode) {
      let whole = shard.numbers(ofTrack: track)
      guard whole.stream == stream, whole.count > 0 else { continue }
      guard whole.entity < 0 else {
        throw TrajpackError(
          .usage,
          "stream '\(name)' has rows of several entities, so a clip has no one row of it at an instant; its batches "
            + "have them by entity")
      }
      // Where a split cuts the recording, only rows that may be seen are found.
      let numbers = try planner.numbers(shard, track)
      let own = try planner.clock(shard, track, numbers)
      let before = first + numbers.first - whole.first
      for k in 0..<clip.rows {
        guard let moment = clock.instant(context.anchor + k) else { continue }
        if let row = own.nearest(to: moment, planner.rounding) { out[k] = before + row }
      }
      first += whole.count
    }
    return out
  }
}
