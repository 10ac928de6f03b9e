import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// `trajpack sample`: random windows, a line a channel.
struct Sample: Command {
  static let name = "sample"
  static let summary = "Show random windows of a dataset, a line a channel."
  static let discussion = """
    Draws windows as training does, by the loader's global shuffle: the same seed gives the same windows, \
    here and in Python (Dataset.windows(shuffle="global", seed=...)). A line has the smallest, mean and \
    largest value over the window and its course; of channels with many elements the first four.
    """
  static var examples: [Example] {
    [
      ("trajpack sample ww --windows 2 --length 60", "Two windows of 60 rows."),
      ("trajpack sample ww --channels npc --seed 7 --json", "Values, for a script."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option(
        "--windows", "-n", to: \.windows, value: "N", in: 1...10_000, help: "How many."),
      .option("--seed", "-s", to: \.seed, value: "S", in: 0...Int.max, help: "Seed of the order."),
      .option(
        "--length", "-l", to: \.length, value: "ROWS", in: 1...1_000_000,
        help: "Rows of a window, on the clock of the first stream."),
      .option("--episode", to: \.episode, value: "ID", help: "Draw from this episode only."),
      .option(
        "--channels", "-c", to: \.channels, value: "PATTERN",
        help: "Of these streams and channels (* and ? stand for others)."),
      .flag("--json", to: \.json, help: "Print JSON, with every value."),
    ]
  }
  var dataset = ""
  var windows = 1
  var seed = 0
  var length = 32
  var episode: String?
  var channels: [String] = []
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    if let episode { _ = try EpisodeSearch.find(episode, in: try Dataset(dataset)) }
    let reading = try WindowReading(
      dataset,
      [
        "channels": channels.isEmpty ? nil : .array(channels.map { .string($0) }),
        "length": .int(Int64(length)), "shuffle": "global", "seed": .int(Int64(seed)), "batch": 1,
        "episodes": episode.map { .array([.string($0)]) }, "threads": 1,
      ])
    let count = Int(min(UInt64(windows), reading.loader.order.epochWindows))
    if json {
      console.print(reading.document(try reading.windows(0..<count)))
      return
    }
    for place in 0..<count where !Interrupt.isRequested && !console.isOutputClosed {
      if place > 0 { console.print("") }
      for window in try reading.windows(place..<place + 1) { show(window, reading, console) }
    }
    if count < windows {
      console.note("there are \(Human.count(count, "windows")) of \(length) rows, no more")
    }
  }

  /// Lines of a window that are printed.
  private static let most = 60

  private func show(
    _ window: WindowReading.Window, _ reading: WindowReading, _ console: Console
  ) {
    let unit = reading.opened.shards.lazy.compactMap { shard in
      shard.schema.streams.first { $0.name == reading.loader.reference }?.timeUnit
    }.first
    var title =
      "window \(window.number): episode \(window.episode.printable), rows \(window.first) to "
      + "\(window.first + reading.loader.length - 1)"
    if let first = window.dates.first ?? nil, let last = window.dates.last ?? nil {
      title += ", \(first) to \(last)"
    } else if let first = window.times.first, let last = window.times.last {
      let start = (window.exactTimes.first ?? nil) ?? Human.time(first)
      let end = (window.exactTimes.last ?? nil) ?? Human.time(last)
      title += ", \(start) to \(end) \((unit ?? "").printable)"
    }
    console.print(title.trimmedRight)
    console.print("")
    var lines: [[String]] = []
    for column in window.columns {
      for element in 0..<min(column.shape.reduce(1, *), 4) {
        lines.append(line(column, element, console))
      }
    }
    var table = Table(
      .text("channel"), .number("min"), .number("mean"), .number("max"), .text("units"),
      .text("course"))
    for line in lines.prefix(Self.most) { table.add(line) }
    console.print(table)
    if lines.count > Self.most {
      console.print(
        "\(Human.count(lines.count - Self.most, "lines")) more: choose with --channels, see all with --json"
      )
    }
  }

  private func line(
    _ column: WindowReading.Column, _ element: Int, _ console: Console
  ) -> [String] {
    let values = column.rows.map { $0.map { $0[element].number } ?? .nan }
    let seen = values.filter(\.isFinite)
    let elements = column.shape.reduce(1, *)
    var name = column.label
    if elements > 1 {
      name += " [\(element)\(elements > 4 && element == 3 ? " of \(Human.count(elements))" : "")]"
    }
    let mean = seen.reduce(0) { $0 + $1 / Double(max(seen.count, 1)) }
    return [
      name, seen.min().map(Human.figure) ?? "", seen.isEmpty ? "" : Human.figure(mean),
      seen.max().map(Human.figure) ?? "", column.units ?? "",
      Sparkline.text(values, width: 32, isUTF8: console.isUTF8),
    ]
  }
}
