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
      .option(
        "--episode", to: \.episode, value: "ID", help: "The episode to print (default: the first)."),
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
    var (reading, windows) = try read(reference: nil)
    if let stream = Self.clock(of: reading, windows) {
      (reading, windows) = try read(reference: stream)
    }
    if json {
      console.print(reading.document(windows))
      return
    }
    guard let window = windows.first else { return }
    let columns = window.columns
    // A column takes at least a character and the two spaces before it.
    var shown = min(columns.count, max(console.outputWidth / 3, 1))
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
    if window.referenceTracks > 1 {
      console.print(
        "\nstream '\(reading.loader.reference.printable)' has \(window.referenceTracks) tracks here; "
          + "these are the rows of the longest")
    }
    if shown < columns.count {
      console.print("")
      console.print(
        "\(Human.count(columns.count - shown, "channels")) more: choose with --channels, see all with --json"
      )
    }
  }

  private func read(
    reference: String?
  ) throws(TrajpackError) -> (WindowReading, [WindowReading.Window]) {
    let reading = try WindowReading(
      dataset,
      [
        "channels": channels.isEmpty ? nil : .array(channels.map { .string($0) }),
        "length": .int(Int64(rows)), "edge": "pad", "shuffle": "none", "batch": 1,
        "episodes": episode.map { .array([.string($0)]) }, "threads": 1,
        "reference": reference.map { .string($0) },
      ])
    return (reading, try reading.windows(0..<1))
  }

  /// A stream of the episode whose one track counts time in the same unit as the reference, where the
  /// reference has several tracks: its clock covers them all. `nil` where the reference will do, or where
  /// there is none.
  private static func clock(
    of reading: WindowReading, _ windows: [WindowReading.Window]
  ) -> String? {
    guard let window = windows.first, window.referenceTracks > 1,
      let number = try? reading.opened.episode(id: window.episode),
      let (shard, local, _) = try? reading.opened.episode(number)
    else { return nil }
    let tracks = shard.index.episode(local).tracks.map { shard.index.track($0) }
    let unit = shard.schema.streams.first { $0.name == reading.loader.reference }?.timeUnit
    return tracks.first { track in
      track.entity == nil && shard.schema.streams[track.stream].timeUnit == unit
        && tracks.count { $0.stream == track.stream } == 1
    }.map { shard.schema.streams[$0.stream].name }
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
          window.dates[row] ?? window.exactTimes[row] ?? Human.time(window.times[row]),
        ] + columns.map { cell($0.rows[row], $0.categories) })
    }
    return table
  }

  /// Up to four elements of a row.
  private static func cell(
    _ values: [ChannelValues.Value]?, _ categories: [String]?
  ) -> String {
    guard let values else { return "-" }
    return values.prefix(4).map { figure($0, categories) }.joined(separator: " ")
      + (values.count > 4 ? " +\(values.count - 4)" : "")
  }

  private static func figure(_ value: ChannelValues.Value, _ categories: [String]?) -> String {
    if let categories, case .int(let n) = value, categories.indices.contains(Int(n)) {
      return categories[Int(n)].printable
    }
    switch value {
    case .missing, .int, .uint: return value.description
    case .double, .float: return Human.figure(value.number)
    }
  }
}
