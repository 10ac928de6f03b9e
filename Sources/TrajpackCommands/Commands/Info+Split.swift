import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension Info {
  /// What a split holds: its recordings, the target rows of each stream, values, and the channels' statistics.
  func show(split: String, _ console: Console) throws(TrajpackError) {
    let opened = try OpenDataset(dataset)
    let selection = try SplitSelection(opened, scheme: scheme, splits: [split], fold: fold)
    if episodes { return try list(split, selection, opened, console) }
    let request = JSONValue.record([
      "split": .string(split), "scheme": scheme.map { .string($0) },
      "fold": fold.map { .int(Int64($0)) },
    ])
    let measured = try measure(opened, StatisticsRequest(json: request.text()), console)
    let values = try opened.values().rows(measured.episodes)
    guard !json else {
      return console.print(
        .record([
          "dataset": .string(dataset), "split": .string(split),
          "scheme": selection.map { .string($0.scheme) }, "fold": fold.map { .int(Int64($0)) },
          "cuts_episodes": .bool(selection?.cutsEpisodes ?? false),
          "episodes": .int(Int64(measured.episodes.count)), "values": ValueLines.json(values),
          "statistics": measured.json,
        ]))
    }
    console.print(title(split, selection).printable)
    StatisticsTable(measured, dataset).print(console)
    ValueLines.print(values, console)
  }

  private func title(_ split: String, _ selection: SplitSelection?) -> String {
    guard let selection else { return "split '\(split)' of the recordings themselves" }
    return "split '\(split)' of the split scheme '\(selection.scheme)'"
      + (fold.map { ", fold \($0)" } ?? "")
      + (selection.cutsEpisodes ? ": of each recording the rows in it, without context" : "")
  }

  private func measure(
    _ opened: OpenDataset, _ request: StatisticsRequest, _ console: Console
  ) throws(TrajpackError) -> SubsetMeasurement {
    let progress = console.progress("measuring", items: "rows")
    let counters = progress.counters
    do throws(TrajpackError) {
      let measured = try SubsetMeasurement(
        opened, request, isStopped: { Interrupt.isRequested }
      ) { counters.advance(bytes: 0, items: $0) }
      progress.finish("measured")
      return measured
    } catch {
      progress.cancel()
      throw error
    }
  }

  /// The recordings that have rows in the split, a line each, with the most rows that a track of it has there.
  private func list(
    _ split: String, _ selection: SplitSelection?, _ opened: OpenDataset, _ console: Console
  ) throws(TrajpackError) {
    let known = opened.shards.flatMap(\.schema.splits)
    guard selection != nil || known.contains(split) else {
      throw TrajpackError(
        .usage, file: dataset,
        "there is no split '\(split)'\(Suggestion.text(for: split, among: known))")
    }
    var table = Table(.text("episode"), .number("rows in it"), .number("of"), .text("shard"))
    var documents: [JSONValue] = []
    for (place, shard) in opened.shards.enumerated() {
      let reader = BlockReader(shard)
      for number in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(number)
        guard selection?.keeps(number, shard: place) ?? (episode.split == split) else { continue }
        var (inside, all) = (0, 0)
        for track in episode.tracks {
          let rows = shard.index.rows(ofTrack: track).count
          all = max(all, rows)
          let own = try selection?.targetRows(ofTrack: track, shard: place, of: opened, reader)
          inside = max(inside, own.map { $0.reduce(0) { $0 + $1.count } } ?? rows)
        }
        documents.append(
          .record([
            "id": .string(episode.id), "split": .string(split), "rows": .int(Int64(inside)),
            "of": .int(Int64(all)), "shard": .string(shard.name),
          ]))
        table.add(episode.id, Human.count(inside), Human.count(all), shard.name)
      }
    }
    if json { console.print(.array(documents)) } else { console.print(table) }
  }
}
