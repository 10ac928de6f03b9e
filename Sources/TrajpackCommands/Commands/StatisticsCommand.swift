import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// `trajpack statistics`: statistics of any part of a dataset.
struct StatisticsCommand: Command {
  static let name = "statistics"
  static let summary = "Measure any part of a dataset."
  static let discussion = """
    Reads the chosen values once and prints count, mean, standard deviation, extremes and quantiles of each \
    channel. Mean and deviation come from exact sums, so that they do not depend on threads, shards or order. \
    Quantiles are exact up to 100,000 values of a component; beyond, a rank is off by less than 0.1 %.

    The statistics that 'trajpack info' shows lie in the index: they cost nothing, are of whole splits, and \
    their quantiles come from a sample.
    """
  static var examples: [Example] {
    [
      ("trajpack statistics ww --split train", "All channels, over the training split."),
      (
        "trajpack statistics ww --channels state --rows 0:100 --episodes '0000*'",
        "The first hundred rows of some recordings."
      ),
      ("trajpack statistics ww --channels state/hp --by episode", "A line a recording."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option(
        "--split", to: \.splits, value: "SPLIT", help: "Episodes of this split; can be repeated."),
      .option(
        "--scheme", to: \.scheme, value: "NAME", help: "The split scheme that --split is of."),
      .option(
        "--fold", to: \.fold, value: "K", in: 0...1 << 20,
        help: "The fold that is the test, of a scheme of folds."),
      .option(
        "--episodes", "-e", to: \.episodes, value: "PATTERN",
        help: "Episodes of these ids (* and ? stand for others); can be repeated."),
      .option(
        "--where", to: \.conditions, value: "CONDITION",
        help: "Only recordings of which this holds: NAME=VALUE, NAME>=NUMBER or NAME<=NUMBER."),
      .option(
        "--rows", to: \.rows, value: "A:B",
        help: "Rows A to before B of each episode; one of them may be left out."),
      .option(
        "--reference", to: \.reference, value: "STREAM",
        help: "The stream that --rows counts on; else the first one without entities."),
      .option(
        "--channels", "-c", to: \.channels, value: "PATTERN",
        help: "Of these streams and channels (* and ? stand for others)."),
      .option(
        "--axes", to: \.axes, value: "[PATTERN=]AXES",
        help: "Axes of a row that keep statistics of their own, as 0 or field/u=0,2."),
      .option(
        "--by", to: \.by, value: "WHAT",
        help: "'episode', or the name of a value of the episodes: statistics of each."),
      .option(
        "--quantiles", to: \.quantiles, value: "WHICH", choices: ["auto", "all", "none"],
        help: "Of which channels; auto: of those with at most 64 components."),
      .option(
        "--jobs", "-j", to: \.jobs, value: "N", in: 1...1024,
        help: "Threads; by default one a processor."),
      .flag(
        "--save", to: \.save,
        help: "Keep them in a side file of the dataset, where this and 'normalize' find them."),
      .flag("--json", to: \.json, help: "Print JSON, with every component."),
    ]
  }
  var dataset = ""
  var splits: [String] = []
  var scheme: String?
  var fold: Int?
  var episodes: [String] = []
  var conditions: [String] = []
  var rows: String?
  var reference: String?
  var channels: [String] = []
  var axes: [String] = []
  var by = "stream"
  var quantiles = "auto"
  var jobs: Int?
  var save = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let request = try StatisticsRequest(json: try options().text())
    let opened = try OpenDataset(dataset)
    let progress = console.progress("measuring", items: "rows")
    let counters = progress.counters
    let measured: SubsetMeasurement
    do throws(TrajpackError) {
      measured = try SubsetMeasurement(
        opened, request, isStopped: { Interrupt.isRequested }
      ) { counters.advance(bytes: 0, items: $0) }
    } catch {
      progress.cancel()
      throw error
    }
    progress.finish("measured")
    if save, !measured.isSaved { try measured.save(in: dataset) }
    if json {
      console.print(measured.json)
    } else {
      StatisticsTable(measured, dataset).print(console)
      if measured.isSaved { console.note("saved before; nothing was read") }
    }
  }

  private func options() throws(TrajpackError) -> JSONValue {
    func texts(_ list: [String]) -> JSONValue? {
      list.isEmpty ? nil : .array(list.map { .string($0) })
    }
    return .record([
      "split": texts(splits), "scheme": scheme.map { .string($0) },
      "fold": fold.map { .int(Int64($0)) }, "episodes": texts(episodes),
      "channels": texts(channels),
      "where": conditions.isEmpty ? nil : try ValueConditions.json(conditions),
      "rows": try rows.map { (text) throws(TrajpackError) in try Self.rows(text) },
      "reference": reference.map { .string($0) }, "axes": try axesOption(), "by": .string(by),
      "quantiles": quantiles == "auto" ? nil : .bool(quantiles == "all"),
      "threads": jobs.map { .int(Int64($0)) },
    ])
  }

  private static func rows(_ text: String) throws(TrajpackError) -> JSONValue {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let bounds = parts.map { $0.isEmpty ? nil : Int($0) }
    guard parts.count == 2, zip(parts, bounds).allSatisfy({ $0.isEmpty || $1 != nil }) else {
      throw TrajpackError(
        .usage, "--rows '\(text)' is no range of rows, like 0:100, 100: or :100")
    }
    return .array([.int(Int64(bounds[0] ?? 0)), bounds[1].map { .int(Int64($0)) } ?? .null])
  }

  private func axesOption() throws(TrajpackError) -> JSONValue? {
    var members: [JSONValue.Member] = []
    for text in axes {
      let at = text.lastIndex(of: "=")
      let list = at.map { text[text.index(after: $0)...] } ?? text[...]
      let numbers = list.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      guard list.isEmpty || !numbers.contains(nil) else {
        throw TrajpackError(.usage, "--axes '\(text)' has no axes, like 0, -1 or field/u=0,2")
      }
      let value = JSONValue.array(
        list.isEmpty ? [] : numbers.compactMap { $0.map { .int(Int64($0)) } })
      guard let at else {
        guard axes.count == 1 else {
          throw TrajpackError(
            .usage, "--axes '\(text)' is for all channels: give it alone, or name a pattern")
        }
        return value
      }
      members.append(.init(String(text[..<at]), value))
    }
    return members.isEmpty ? nil : .object(members)
  }
}
