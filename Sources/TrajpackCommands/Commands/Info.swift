import TrajpackFormat
import TrajpackStore

/// `trajpack info`: what a dataset holds.
struct Info: Command {
  static let name = "info"
  static let summary = "Show what a dataset holds."
  static let discussion = """
    Streams, channels, shapes, kinds, units, clocks, entities, sizes and statistics, from the index \
    alone. With --episode, the tracks of one recording and the times of their first and last rows. With --split, \
    the recordings of a split, its rows without context, and their statistics, measured.
    """
  static var examples: [Example] {
    [
      ("trajpack info ww", "Streams and channels with their statistics."),
      ("trajpack info ww --episode 000002", "The tracks of one recording."),
      ("trajpack info ww --split val --scheme paper", "What a split of a scheme holds."),
      ("trajpack info ww --json", "All of it, for a program."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option("--episode", "-e", to: \.episode, value: "ID", help: "Show this recording."),
      .flag("--episodes", to: \.episodes, help: "List the recordings."),
      .option(
        "--split", to: \.split, value: "NAME",
        help: "Only this split: its recordings, or its rows where a scheme cuts them."),
      .option(
        "--scheme", to: \.scheme, value: "NAME",
        help: "The split scheme; by default 'default', or the recordings' own splits."),
      .option(
        "--fold", to: \.fold, value: "N", in: 0...1 << 20,
        help: "The fold that is the split 'test', of a scheme of folds."),
      .flag(
        "--plan", to: \.plan, help: "Print the plan that prepared it, for 'trajpack apply'."),
      .flag("--json", to: \.json, help: "Print JSON."),
    ]
  }
  var dataset = ""
  var episode: String?
  var episodes = false
  var split: String?
  var scheme: String?
  var fold: Int?
  var plan = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    guard split != nil || (scheme == nil && fold == nil) else {
      throw TrajpackError(
        .usage, "--scheme and --fold say nothing without a split; name one with --split")
    }
    if let split {
      guard episode == nil, !plan else {
        throw TrajpackError(
          .usage, "--split shows a part of the dataset, and --episode and --plan something else")
      }
      return try show(split: split, console)
    }
    let opened = try Dataset(dataset)
    if let episode { return try show(episode, of: opened, console) }
    if episodes { return try list(opened, console) }
    if plan {
      guard let plan = opened.manifest?.source["options"]?["plan"] else {
        throw TrajpackError(.usage, file: dataset, "was not prepared by a plan")
      }
      console.write(plan.text(indent: 2).printableJSON + "\n")
      return
    }
    let (current, summary, values, remarks) = try Dataset.read(dataset) {
      (opened) throws(TrajpackError) in
      (
        opened, try DatasetSummary(opened), try opened.values(.known).table,
        try Self.videoRemarks(opened)
      )
    }
    if json {
      console.print(InfoJSON.document(current, summary, values, remarks))
    } else {
      show(summary, of: current, console)
      ValueLines.print(values, console)
      for remark in remarks.prefix(20) { console.warn(remark.printable) }
      if remarks.count > 20 {
        console.warn("and \(remarks.count - 20) more like it; --json has all")
      }
    }
  }

  private func show(_ summary: DatasetSummary, of opened: Dataset, _ console: Console) {
    console.print(
      "\(dataset): \(Human.count(summary.episodes, "episodes")), \(Human.count(summary.frames, "frames")), "
        + summary.durations.sorted { $0.key < $1.key }.map { unit, amount in
          "\(TimeUnit.duration(amount, unit)), "
        }.joined()
        + "\(Human.bytes(summary.bytes)) in "
        + "\(Human.count(opened.shardPaths.count, "shards"))\(opened.isComplete ? "" : " so far")")
    if let source = opened.manifest?.source, let format = source["format"]?.string {
      if let plan = source["options"]?["plan"] { show(plan, source, console) }
      console.print(
        "made from \(format.printable), digest \(opened.manifest.map { String($0.digest.prefix(16)) } ?? "")"
      )
    }
    let named = summary.splits.filter { !$0.key.isEmpty }
    if !named.isEmpty {
      console.print(
        "splits: "
          + named.sorted { $0.key < $1.key }.map { "\($0.key.printable) \($0.value)" }
          .joined(separator: ", "))
    }
    let schemes = opened.sideFiles(.splits).map(\.name.printable)
    if !schemes.isEmpty { console.print("split schemes: \(schemes.joined(separator: ", "))") }
    console.print("")
    var streams = Table(
      .text("stream"), .number("rows"), .number("tracks"), .text("of"), .text("clock"),
      .text("codec"),
      .number("size"), .number("a row"))
    for stream in summary.streams {
      streams.add(
        stream.stream.name, Human.count(stream.rows), Human.count(stream.tracks),
        Self.entities(stream), Self.clock(stream), stream.codecs.sorted().joined(separator: ", "),
        Human.bytes(stream.storedBytes),
        stream.rows > 0 ? Self.short(Double(stream.storedBytes) / Double(stream.rows)) + " B" : "")
    }
    console.print(streams)
    console.print("")
    var channels = Table(
      .text("channel"), .text("kind"), .text("type"), .text("units"), .number("min"),
      .number("mean"),
      .number("max"), .number("missing"), .number("ratio"))
    for stream in summary.streams {
      for entry in stream.channels {
        let name = "\(stream.stream.name)/\(entry.channel.name)"
        add(entry, name, summary.statistics.all(name), to: &channels)
      }
    }
    console.print(channels)
    let constant = summary.streams.flatMap { stream in
      stream.channels.compactMap { entry in
        let name = "\(stream.stream.name)/\(entry.channel.name)"
        return Self.constant(name, entry.channel, summary.statistics.all(name))
      }
    }
    guard !constant.isEmpty else { return }
    let most = 12
    console.print("")
    console.print(
      "constant: " + constant.prefix(most).joined(separator: ", ")
        + (constant.count > most ? " and \(constant.count - most) more (--json has all)" : ""))
  }

  /// The channel, or those of its components, whose values do not vary; `nil` where all do.
  private static func constant(
    _ name: String, _ channel: Channel, _ statistics: [ComponentStatistics]
  ) -> String? {
    let found = statistics.indices.filter { statistics[$0].isConstant }
    guard !found.isEmpty else { return nil }
    if found.count == statistics.count { return name.printable }
    if found.count > 4 { return "\(name.printable) (\(found.count) of \(statistics.count))" }
    let names = found.map { StatisticsComponents.name($0, of: channel) }
    return "\(name.printable) (\(names.joined(separator: ", ")))"
  }

  /// What a plan did, and to what.
  private func show(_ plan: JSONValue, _ source: JSONValue, _ console: Console) {
    let steps = (plan["steps"]?.array ?? []).compactMap { $0["step"]?.string }
    let origin = source["options"]
    console.print(
      "prepared by \(steps.joined(separator: ", ").printable) (plan "
        + "\((origin?["plan_digest"]?.string ?? "").prefix(16)), trajpack "
        + "\((origin?["trajpack"]?.string ?? "").printable)) from the dataset of digest "
        + "\((origin?["source_digest"]?.string ?? "").prefix(16))")
  }

  private func add(
    _ entry: DatasetSummary.ChannelSummary, _ name: String, _ stats: [ComponentStatistics],
    to table: inout Table
  ) {
    let channel = entry.channel
    let shape =
      channel.shape.isEmpty ? "" : "[\(channel.shape.map(String.init).joined(separator: ", "))]"
    let ratio =
      entry.storedBytes > 0
      ? "\(entry.isShared ? "~" : "")\(Self.short(Double(entry.rawBytes) / Double(entry.storedBytes)))"
      : ""
    let type = "\(channel.type.rawValue)\(shape)"
    let all = stats.reduce(into: ComponentStatistics()) { $0.merge($1) }
    if let categories = channel.categories {
      table.add(
        name, channel.kind.rawValue, "\(categories.count) names",
        categories.prefix(3).joined(separator: ", "), "", "", "",
        all.missing > 0 ? Self.percent(all.missingShare) : "", ratio)
      return
    }
    if channel.kind == .label || all.count == 0 {
      table.add(
        name, channel.kind.rawValue, type, channel.units ?? "",
        all.count > 0 ? Self.short(all.minimum) : "", "",
        all.count > 0 ? Self.short(all.maximum) : "",
        all.missing > 0 ? Self.percent(all.missingShare) : "", ratio)
      return
    }
    table.add(
      name, channel.kind.rawValue, type, channel.units ?? "", Self.short(all.minimum),
      stats.count == 1 ? Self.short(all.mean) : "", Self.short(all.maximum),
      all.missing > 0 ? Self.percent(all.missingShare) : "", ratio)
    let delays = Self.delays(channel)
    guard stats.count > 1, stats.count <= (delays.count == stats.count ? 10 : 4) else { return }
    for (i, component) in stats.enumerated() {
      table.add(
        "  \(delays.count == stats.count ? delays[i] : StatisticsComponents.name(i, of: channel))",
        "", "",
        "", Self.short(component.minimum),
        Self.short(component.mean), Self.short(component.maximum), "", "")
    }
  }

  /// What the coordinates of a delay vector are: `-17 rows`, or `x -17 rows` where they are of several
  /// channels; none where the channel holds something else.
  private static func delays(_ channel: Channel) -> [String] {
    func list(_ name: String) -> [JSONValue] {
      channel.conventions.first { $0.name == name }?.value.array ?? []
    }
    let rows = list("delays").compactMap(\.int)
    let names = list("of").compactMap(\.string)
    guard rows.count == channel.shape.first, channel.shape.count == 1 else { return [] }
    return rows.enumerated().map { i, rows in
      let delay = "\(rows > 0 ? "+" : "")\(rows) rows"
      guard names.count == channel.shape.first else { return delay }
      return names[i].printable + (rows == 0 ? "" : " \(delay)")
    }
  }

  private static func entities(_ stream: DatasetSummary.StreamSummary) -> String {
    stream.entityKinds.isEmpty
      ? "episode"
      : stream.entityKinds.sorted { $0.key < $1.key }.map { "\($0.key) ×\($0.value)" }
        .joined(separator: ", ")
  }

  private static func clock(_ stream: DatasetSummary.StreamSummary) -> String {
    var parts = stream.rates.sorted { $0.value < $1.value }.map { rate in
      Self.rate(rate, unit: stream.stream.timeUnit)
    }
    if stream.hasExplicitTimes {
      let unit = stream.stream.timeUnit
      parts.append(unit == "s" ? "times" : "times in \(unit.printable)")
    }
    return parts.prefix(3).joined(separator: ", ")
  }

  /// A rate as people say it: `30 Hz`, `every 3600 s`, `4 a time`.
  static func rate(_ rate: Rational, unit: String) -> String {
    if rate.numerator == 1, rate.denominator > 1 { return "every \(rate.denominator) \(unit)" }
    return unit == "s" ? "\(rate) Hz" : "\(rate) a \(unit)"
  }

  /// Four significant digits.
  static func short(_ value: Double) -> String {
    guard value.isFinite else { return "" }
    if value == value.rounded(), abs(value) < 1e7 { return String(Int(value)) }
    if abs(value) >= 1e7 || abs(value) < 1e-4 {
      let exponent = Int(log10Floor(abs(value)))
      let mantissa = value / pow10(exponent)
      return "\((mantissa * 100).rounded() / 100)e\(exponent)"
    }
    let digits = max(3 - Int(log10Floor(abs(value))), 0)
    let scale = pow10(min(digits, 8))
    let rounded = (value * scale).rounded() / scale
    return rounded == rounded.rounded() ? String(Int(rounded)) : "\(rounded)"
  }

  private static func log10Floor(_ value: Double) -> Double {
    var exponent = 0.0
    var rest = value
    while rest >= 10 { (rest, exponent) = (rest / 10, exponent + 1) }
    while rest < 1, rest > 0 { (rest, exponent) = (rest * 10, exponent - 1) }
    return exponent
  }

  private static func pow10(_ exponent: Int) -> Double {
    (0..<abs(exponent)).reduce(1.0) { p, _ in exponent < 0 ? p / 10 : p * 10 }
  }

  private static func percent(_ share: Double) -> String {
    share > 0 && share < 0.001 ? "<0.1 %" : "\((share * 1000).rounded() / 10) %"
  }
}
