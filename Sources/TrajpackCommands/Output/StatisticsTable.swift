import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Statistics as a table: a line a component.
struct StatisticsTable {
  private let measured: SubsetMeasurement
  private let dataset: String
  /// Components of a channel, and lines of all, that are shown.
  private static let most = (components: 8, lines: 400)

  init(_ measured: SubsetMeasurement, _ dataset: String) {
    self.measured = measured
    self.dataset = dataset
  }

  func print(_ console: Console) {
    let episodes = measured.groups.reduce(0) { $0 + $1.episodes }
    var rows: [String: Int] = [:]
    for group in measured.groups {
      for item in group.rows { rows[item.stream, default: 0] += item.rows }
    }
    var title = "\(dataset): \(Human.count(episodes, "episodes"))"
    if let by = measured.by, by != "episode" {
      title += " in \(Human.count(measured.groups.count, "groups")) by \(by)"
    }
    let shown = measured.groups[0].rows.prefix(3).map {
      "\(Human.count(rows[$0.stream] ?? 0)) of \($0.stream)"
    }
    title += "; rows: \(shown.joined(separator: ", "))"
    if measured.groups[0].rows.count > 3 { title += " and others" }
    console.print(title.printable)
    console.print("")
    var lines: [[String]] = []
    var (hidden, approximate) = (0, 0)
    for group in measured.groups {
      for (channel, statistics) in zip(measured.channels, group.statistics) {
        approximate += statistics.count {
          $0.count > QuantileSketch.exactCount && !$0.quantiles.isEmpty
        }
        let names = channel.componentNames
        for (i, one) in statistics.enumerated() {
          guard i < Self.most.components, lines.count < Self.most.lines else {
            hidden += 1
            continue
          }
          let name = statistics.count > 1 ? "\(channel.path) [\(names[i])]" : channel.path
          lines.append(line(group, name, channel.channel, one, console))
        }
      }
    }
    // The picture goes where the line has no room for it.
    for columns in [12, 11] {
      let table = table(lines, columns)
      let isWide = (table.lines().map(\.displayWidth).max() ?? 0) > console.outputWidth
      guard isWide, columns == 12 else {
        console.print(table)
        break
      }
    }
    if hidden > 0 {
      console.print(
        "\n\(Human.count(hidden, "lines")) more: choose with --channels, see all with --json")
    }
    if approximate > 0 {
      console.print(
        "\nquantiles of \(Human.count(approximate, "components")) with more than "
          + "\(Human.count(QuantileSketch.exactCount)) values: ranks are off by less than 0.1 %")
    }
    if !measured.leftOut.isEmpty {
      console.note(
        "no numbers: \(measured.leftOut.prefix(5).joined(separator: ", ").printable)"
          + (measured.leftOut.count > 5 ? " and \(measured.leftOut.count - 5) more" : ""))
    }
  }

  private func table(_ lines: [[String]], _ columns: Int) -> Table {
    var titles: [Table.Column] = [
      .text(measured.by ?? ""), .text("channel"), .number("values"), .number("missing"),
      .number("mean"), .number("std"), .number("min"), .number("5 %"), .number("median"),
      .number("95 %"), .number("max"), .text("from min to max"),
    ]
    let kept = (0..<columns).filter { $0 > 0 || measured.by != nil }
    titles = kept.map { titles[$0] }
    var table = Table(columns: titles)
    for line in lines { table.add(kept.map { line[$0] }) }
    return table
  }

  private func line(
    _ group: SubsetMeasurement.Group, _ name: String, _ channel: Channel,
    _ one: ComponentStatistics, _ console: Console
  ) -> [String] {
    // Numbers of names have no mean that says something.
    let isNumber =
      channel.categories == nil && channel.kind != .label && channel.kind != .categorical
    func figure(_ value: Double?) -> String { value.map(Human.figure) ?? "" }
    func quantile(_ i: Int) -> Double? {
      isNumber && one.quantiles.indices.contains(i) ? one.quantiles[i] : nil
    }
    let there = one.count > 0
    var missing = one.missing > 0 ? Human.count(one.missing) : ""
    if one.infinite > 0 { missing += " +\(Human.count(one.infinite)) inf" }
    return [
      group.value.map { $0.string ?? $0.text() } ?? "", name, Human.count(one.count), missing,
      figure(there && isNumber ? one.mean : nil), figure(isNumber ? one.deviation : nil),
      figure(there ? one.minimum : nil), figure(quantile(1)), figure(quantile(4)),
      figure(quantile(7)), figure(there ? one.maximum : nil),
      isNumber ? Self.box(one, isUTF8: console.isUTF8) : "",
    ]
  }

  /// Where the values lie between the smallest and the largest: a thin line from the 5 % to the 95 % quantile, a
  /// thick one between the quartiles, and the median.
  static func box(_ one: ComponentStatistics, width: Int = 21, isUTF8: Bool) -> String {
    let range = one.maximum - one.minimum
    guard one.quantiles.count == ComponentStatistics.probabilities.count, range > 0, range.isFinite
    else { return "" }
    func place(_ quantile: Int) -> Int {
      let share = (one.quantiles[quantile] - one.minimum) / range
      return min(max(Int((share * Double(width - 1)).rounded()), 0), width - 1)
    }
    let marks: [Character] = isUTF8 ? ["·", "─", "━", "┃"] : [".", "-", "=", "|"]
    var out = [Character](repeating: marks[0], count: width)
    for i in place(1)...max(place(1), place(7)) { out[i] = marks[1] }
    for i in place(3)...max(place(3), place(5)) { out[i] = marks[2] }
    out[place(4)] = marks[3]
    return String(out)
  }
}
