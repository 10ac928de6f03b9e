import TrajpackFormat
import TrajpackStore

/// `trajpack head`: the first rows of an episode.
struct Head: Command {
  static let name = "head"
  static let summary = "Print the first rows of an episode."
  static let discussion = """
    Shows rows as training gets them: the loader reads them, with every stream brought onto the clock of the \
    first one. A dash is an entity that is absent; nan a value that was not observed. Text and video have no \
    numbers and are left out.
    """
  static var examples: [Example] {
    [
      ("trajpack head ww", "The first ten rows of the first episode."),
      (
        "trajpack head ww --episode 000002 --channels 'camera/*' --rows 5",
        "Some channels of another."
      ),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option(
        "--rows", "-n", to: \.rows, value: "N", in: 1...10_000, help: "How many rows."),
      .option("--episode", to: \.episode, value: "ID", help: "Of this one; else of the first."),
      .option(
        "--channels", "-c", to: \.channels, value: "PATTERN",
        help: "Of these streams and channels (* and ? stand for others)."),
      .flag("--json", to: \.json, help: "Print JSON, with every value."),
    ]
  }
  var dataset = ""
  var rows = 10
  var episode: String?
  var channels: [String] = []
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    if let episode { _ = try EpisodeSearch.find(episode, in: try Dataset(dataset)) }
    let reading = try WindowReading(
      dataset,
      [
        "channels": channels.isEmpty ? nil : .array(channels.map { .string($0) }),
        "length": .int(Int64(rows)), "edge": "pad", "shuffle": "none", "batch": 1, "time": true,
        "episodes": episode.map { .array([.string($0)]) }, "threads": 1,
      ])
    let windows = try reading.windows(0..<1)
    if json {
      console.print(reading.document(windows))
      return
    }
    guard let window = windows.first else { return }
    let columns = window.columns
    var shown = columns.count
    var table = Self.table(window, columns[...])
    // As many channels as the line has room for, at least one.
    while shown > 1, (table.lines().map(\.displayWidth).max() ?? 0) > console.outputWidth {
      shown -= 1
      table = Self.table(window, columns[..<shown])
    }
    console.print(
      "episode \(window.episode.printable), on the clock of \(reading.loader.reference.printable)"
    )
    console.print("")
    console.print(table)
    if shown < columns.count {
      console.print("")
      console.print(
        "\(Human.count(columns.count - shown, "channels")) more: choose with --channels, see all with --json"
      )
    }
  }

  private static func table(
    _ window: WindowReading.Window, _ columns: ArraySlice<WindowReading.Column>
  ) -> Table {
    var table = Table()
    table.columns =
      [.number("row"), .number("time")] + columns.map { .number($0.label.printable) }
    for row in window.padding.indices where !window.padding[row] {
      table.add(
        [
          String(window.first + row),
          row < window.times.count ? Human.figure(window.times[row]) : "",
        ] + columns.map { cell($0.rows[row]) })
    }
    return table
  }

  /// Up to four elements of a row.
  private static func cell(_ values: [ChannelValues.Value]?) -> String {
    guard let values else { return "-" }
    if values.count == 1 { return figure(values[0]) }
    return values.prefix(4).map(figure).joined(separator: " ")
      + (values.count > 4 ? " +\(values.count - 4)" : "")
  }

  private static func figure(_ value: ChannelValues.Value) -> String {
    switch value {
    case .missing, .int, .uint: return value.description
    case .double, .float: return Human.figure(value.number)
    }
  }
}
