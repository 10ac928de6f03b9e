import TrajpackFormat
import TrajpackStore

/// What is known of the recordings of a dataset, for `trajpack info`.
enum ValueLines {
  /// The most categories or texts that are named.
  private static let most = 4

  static func print(_ values: ValueTable, _ console: Console) {
    guard !values.columns.isEmpty else { return }
    console.print("")
    var table = Table(
      .text("value"), .text("type"), .text("units"), .number("episodes"), .text("distribution"))
    for column in values.columns {
      table.add(
        column.field.name, column.field.typeText, column.field.units ?? "",
        Human.count(column.present), distribution(column))
    }
    console.print(table)
  }

  private static func distribution(_ column: ValueTable.Column) -> String {
    if let (low, mean, high) = range(column) {
      return low == high
        ? Info.short(low) : "\(Info.short(low)) to \(Info.short(high)), mean \(Info.short(mean))"
    }
    let counts = counts(column)
    if column.field.type == .text, counts.count == column.present, counts.count > most {
      return "\(counts.count) different"
    }
    let shown = counts.prefix(most).map { name, count in
      "\(name.count > 24 ? "\(name.prefix(24))…" : name) \(count)"
    }
    return shown.joined(separator: ", ")
      + (counts.count > most ? " and \(counts.count - most) more" : "")
  }

  /// The smallest, mean and largest of all finite numbers of a column; `nil` where it has none.
  private static func range(
    _ column: ValueTable.Column
  ) -> (low: Double, mean: Double, high: Double)? {
    var (low, high, sum, count) = (Double.infinity, -Double.infinity, 0.0, 0)
    func add(_ x: Double) {
      guard x.isFinite else { return }
      (low, high, sum, count) = (min(low, x), max(high, x), sum + x, count + 1)
    }
    for cell in column.cells {
      switch cell {
      case .number(let x): add(x)
      case .integer(let n): add(Double(n))
      case .numbers(let all): all.forEach(add)
      case .integers(let all): all.forEach { add(Double($0)) }
      case .missing, .text: break
      }
    }
    return count > 0 ? (low, sum / Double(count), high) : nil
  }

  /// How often each category or text comes, the most frequent first; categories in their order where equal.
  private static func counts(_ column: ValueTable.Column) -> [(name: String, count: Int)] {
    var counts: [String: Int] = [:]
    for case .text(let text) in column.cells { counts[text, default: 0] += 1 }
    return column.names.enumerated().map { ($0.offset, $0.element, counts[$0.element] ?? 0) }
      .sorted { ($1.2, $0.0) < ($0.2, $1.0) }.map { ($0.1, $0.2) }
  }

  /// The values as `trajpack info --json` has them: name, type, units, how many episodes have one, and how they are
  /// distributed.
  static func json(_ values: ValueTable) -> JSONValue {
    .array(
      values.columns.map { column in
        var members = column.field.json.members ?? []
        members.append(.init("episodes", .int(Int64(column.present))))
        members.append(.init("missing", .int(Int64(values.count - column.present))))
        if let (low, mean, high) = range(column) {
          members += [.init("min", .double(low)), .init("mean", .double(mean))]
          members.append(.init("max", .double(high)))
        } else if column.field.type == .category || column.field.type == .text {
          let counts = counts(column)
          members.append(.init("different", .int(Int64(counts.count))))
          members.append(
            .init(
              "counts",
              .object(counts.prefix(1024).map { .init($0.name, .int(Int64($0.count))) })))
        }
        return .object(members)
      })
  }
}
