import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// What a page says of the dataset as a whole, gathered from the sketches of its episodes.
struct PageHead {
  private struct Line {
    var id: String
    var split: String
    var rows: Int
    var length: Double
    var unit: String
    var odd: [String]
    var measures: [SIMD3<Double>]
  }

  private let plan: PagePlan
  private var lines: [Line] = []
  /// Episodes that are compared with each other, at least.
  private static let fewest = 8
  /// Median absolute deviations from the median from which on a value is odd.
  private static let far = 10.0

  init(_ plan: PagePlan) { self.plan = plan }

  mutating func add(_ sketch: EpisodeSketch) {
    lines.append(
      Line(
        id: sketch.id, split: sketch.split, rows: sketch.rows, length: sketch.to - sketch.from,
        unit: sketch.unit, odd: sketch.odd, measures: sketch.measures))
  }

  /// Episodes of which something is odd.
  var oddEpisodes: Int { lines.count { !$0.odd.isEmpty } }

  /// Episodes that differ from the others: in length, or in a curve's mean or extremes.
  private mutating func compare() {
    guard lines.count >= Self.fewest else { return }
    let typical = Spread(lines.map { Double($0.rows) })
    for n in lines.indices {
      let rows = Double(lines[n].rows)
      if typical.isFar(rows, Self.far) || rows < typical.median / 4 || rows > typical.median * 4 {
        lines[n].odd.insert(
          "\(counted(lines[n].rows, "row")), where the median is \(Number.text(typical.median))",
          at: 0)
      }
    }
    for (p, plot) in plan.plots.enumerated() where !plot.isStrip {
      for (m, name) in ["mean", "smallest value", "largest value"].enumerated() {
        let values = lines.map { $0.measures.count > p ? $0.measures[p][m] : .nan }
        let spread = Spread(values)
        guard spread.count >= Self.fewest else { continue }
        for n in lines.indices where spread.isFar(values[n], Self.far) {
          lines[n].odd.append(
            "\(plot.label): \(name) \(Number.text(values[n])), where the median of episodes is "
              + "\(Number.text(spread.median))")
        }
      }
    }
  }

  /// The document.
  mutating func document(
    _ data: OpenDataset, _ summary: DatasetSummary, _ chosen: [Int],
    _ outcome: DatasetPage.Outcome, version: String
  ) throws(TrajpackError) -> JSONValue {
    compare()
    let values = try data.values()
    return .record([
      "title": .string(FileSystem.name(of: data.dataset.path).printable),
      "version": .string(version), "digest": .string(String(data.digest.prefix(16))),
      "source": (data.dataset.manifest?.source["format"]?.string).map { .string($0.printable) },
      "bytes": .int(Int64(summary.bytes)), "shards": .int(Int64(data.shards.count)),
      "all": .int(Int64(data.episodeCount)), "rows": .int(Int64(summary.frames)),
      "durations": .object(
        summary.durations.sorted { $0.key < $1.key }.map {
          .init($0.key.printable, .double($0.value))
        }),
      "splits": try splits(data),
      "streams": .array(summary.streams.map(Self.stream)),
      "channels": .array(Self.channels(summary)),
      "plots": .array(
        plan.plots.map { plot in
          .record([
            "label": .string(plot.label.printable), "units": .string(plot.units.printable),
            "strip": .bool(plot.isStrip), "low": .double(plot.low), "high": .double(plot.high),
            "parts": .array(
              plot.parts.map { .string($0.printable) }),
            "width": .int(Int64(plot.width)),
          ])
        }),
      "more": .int(Int64(plan.more)),
      "axes": .array(plan.axes.map { .string($0.printable) }), "map": .bool(plan.isMap),
      "keyframes": .bool(plan.budget.keyframesOnly && plan.budget.frames > 0),
      "blind": outcome.reason.map { .string($0.printable) },
      "blindCount": .int(Int64(outcome.blind)),
      "actions": try actions(data),
      "values": .array(
        values.columns.prefix(8).map { column in
          .record([
            "name": .string(column.field.name.printable),
            "units": column.field.units.map { .string($0.printable) },
            "cells": .array(
              chosen.map { .string(String(column.cells[$0].plainText.prefix(120)).printable) }),
          ])
        }),
      "moreValues": .int(Int64(max(values.columns.count - 8, 0))),
      "episodes": .array(
        lines.map { line in
          .record([
            "id": .string(line.id.printable), "split": .string(line.split.printable),
            "rows": .int(Int64(line.rows)), "length": .double(line.length),
            "unit": .string(line.unit.printable),
            "odd": .array(line.odd.prefix(12).map { .string($0.printable) }),
          ])
        }),
    ])
  }

  private static func stream(_ stream: DatasetSummary.StreamSummary) -> JSONValue {
    let clock =
      stream.rates.sorted { $0.value < $1.value }.prefix(3).map { rate in
        stream.stream.timeUnit == "s" ? "\(rate) Hz" : "\(rate) a \(stream.stream.timeUnit)"
      } + (stream.hasExplicitTimes ? ["times"] : [])
    return .record([
      "name": .string(stream.stream.name.printable), "rows": .int(Int64(stream.rows)),
      "tracks": .int(Int64(stream.tracks)),
      "clock": .string(clock.joined(separator: ", ").printable),
      "of": .string(
        stream.entityKinds.isEmpty
          ? "episode"
          : stream.entityKinds.sorted { $0.key < $1.key }.map { "\($0.key) × \($0.value)" }
            .joined(separator: ", ").printable),
      "channels": .int(Int64(stream.channels.count)), "bytes": .int(Int64(stream.storedBytes)),
      "video": .bool(stream.stream.isVideo),
      "about": stream.stream.description.map { .string($0.printable) },
    ])
  }

  /// Channels of numbers with their statistics over the whole dataset.
  private static func channels(_ summary: DatasetSummary) -> [JSONValue] {
    var out: [JSONValue] = []
    for stream in summary.streams where !stream.stream.isVideo {
      for entry in stream.channels {
        let channel = entry.channel
        let parts = summary.statistics.all("\(stream.stream.name)/\(channel.name)")
        let all = parts.reduce(into: ComponentStatistics()) { $0.merge($1) }
        out.append(
          .record([
            "name": .string("\(stream.stream.name)/\(channel.name)".printable),
            "kind": .string(channel.kind.rawValue),
            "type": .string(
              channel.type.rawValue
                + (channel.shape.isEmpty
                  ? "" : " [\(channel.shape.map(String.init).joined(separator: ", "))]")),
            "units": .string((channel.units ?? "").printable),
            "names": channel.categories.map { .array($0.prefix(12).map { .string($0.printable) }) },
            "count": .int(Int64(all.count)), "missing": .double(all.missingShare),
            "infinite": .int(Int64(all.infinite)),
            "min": all.count > 0 ? .double(all.minimum) : nil,
            "max": all.count > 0 ? .double(all.maximum) : nil,
            "mean": all.count > 0 && parts.count == 1 ? .double(all.mean) : nil,
            "std": parts.count == 1 ? all.deviation.map { .double($0) } : nil,
            "constant": .bool(all.count > 1 && all.minimum == all.maximum),
            "parts": (2...4).contains(parts.count)
              ? .array(
                parts.enumerated().map { n, part in
                  .record([
                    "name": .string(PagePlan.component(n, of: channel).printable),
                    "min": part.count > 0 ? .double(part.minimum) : nil,
                    "mean": part.count > 0 ? .double(part.mean) : nil,
                    "max": part.count > 0 ? .double(part.maximum) : nil,
                    "std": part.deviation.map { .double($0) },
                    "q": part.quantiles.isEmpty
                      ? nil : .array(part.quantiles.map { .double($0) }),
                  ])
                }) : nil,
            "q": parts.count == 1 && !all.quantiles.isEmpty
              ? .array(all.quantiles.map { .double($0) }) : nil,
          ]))
      }
    }
    return out
  }

  /// The shards' own splits, and each scheme's.
  private func splits(_ data: OpenDataset) throws(TrajpackError) -> JSONValue {
    var out: [JSONValue] = []
    var own: [(name: String, episodes: Int, rows: Int)] = []
    for line in lines {
      if let at = own.firstIndex(where: { $0.name == line.split }) {
        own[at].episodes += 1
        own[at].rows += line.rows
      } else {
        own.append((line.split, 1, line.rows))
      }
    }
    if own.contains(where: { !$0.name.isEmpty }) {
      out.append(
        .record([
          "name": .string("as recorded"),
          "parts": .array(own.map { Self.split($0.name, $0.episodes, $0.rows) }),
        ]))
    }
    for entry in data.dataset.sideFiles(.splits) {
      guard let scheme = try SplitScheme.find(entry.name, in: data.dataset, hasOwn: false) else {
        continue
      }
      let summary = try SplitSummary(scheme.scheme, of: data)
      out.append(
        .record([
          "name": .string("scheme '\(entry.name.printable)'"),
          "parts": .array(
            summary.lines.compactMap { line in
              line.name == nil && line.rows == 0
                ? nil : Self.split(line.name ?? "", line.episodes, line.rows)
            }),
        ]))
    }
    return .array(out)
  }

  private static func split(_ name: String, _ episodes: Int, _ rows: Int) -> JSONValue {
    .record([
      "name": .string(name.isEmpty ? "in none" : name.printable),
      "episodes": .int(Int64(episodes)), "rows": .int(Int64(rows)),
    ])
  }

  /// The most frequent actions of a dataset that has WildWorld's.
  private func actions(_ data: OpenDataset) throws(TrajpackError) -> JSONValue? {
    guard let reader = try? ActionReader(data, []) else { return nil }
    let vocabulary = try ActionVocabulary(
      data, reader, entity: nil, names: nil,
      keeps: { (_, _) throws(TrajpackError) in true })
    let order = vocabulary.entries.sorted {
      ($1.rows, $0.action.first ?? 0) < ($0.rows, $1.action.first ?? 0)
    }
    return .record([
      "channels": .array(vocabulary.channels.map { .string($0.printable) }),
      "count": .int(Int64(vocabulary.entries.count)), "rows": .int(Int64(vocabulary.rows)),
      "top": .array(
        order.prefix(14).map { entry in
          .record([
            "text": .string(ActionVocabulary.text(entry.action)), "rows": .int(Int64(entry.rows)),
            "runs": .int(Int64(entry.runs)), "episodes": .int(Int64(entry.episodes)),
          ])
        }),
    ])
  }
}

/// The middle of some numbers, and how far they lie from it.
struct Spread {
  let median: Double
  let deviation: Double
  let count: Int

  init(_ values: [Double]) {
    let sorted = values.filter(\.isFinite).sorted()
    count = sorted.count
    guard !sorted.isEmpty else {
      (median, deviation) = (.nan, .nan)
      return
    }
    let middle = sorted[sorted.count / 2]
    median = middle
    let distances = sorted.map { abs($0 - middle) }.sorted()
    // 1.4826: the deviation of a normal distribution, whose median distance this is.
    deviation = 1.4826 * distances[distances.count / 2]
  }

  /// Whether a value lies further from the middle than `times` deviations; never where most values are one.
  func isFar(_ value: Double, _ times: Double) -> Bool {
    value.isFinite && deviation > 1e-9 * abs(median) && abs(value - median) > times * deviation
  }
}
