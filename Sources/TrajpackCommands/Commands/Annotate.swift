import Glibc
import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// `trajpack annotate`: values of the recordings of a dataset.
struct Annotate: Command {
  static let name = "annotate"
  static let summary = "Set what is known of a dataset's recordings: labels, parameters, texts."
  static let discussion = """
    Values are joined by id from a table, or set for all recordings or some. They take the place of values of \
    the same name that came with the recordings. No shard is touched: they lie in a file beside the shards, \
    which the manifest names. 'trajpack info' shows them, windows are chosen by them ('where') and batches \
    carry them ('values').
    """
  static var examples: [Example] {
    [
      ("trajpack annotate ww --values labels.csv", "A table with a column 'id' and one a value."),
      (
        "trajpack annotate ww --set task=hunt --where label=3",
        "One value, of the recordings that have another."
      ),
      ("trajpack annotate ww --remove task", "Take a value away."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional("DATASET", to: \.dataset, completes: .folders, help: "The folder of a dataset."),
      .option(
        "--values", to: \.values, value: "FILE", completes: .files,
        help: "A table with a row a recording, joined by id, or the values.json of an export."),
      .flag(
        "--values-partial", to: \.isPartial,
        help: "Recordings without a row keep what they have."),
      .option(
        "--set", to: \.assignments, value: "NAME=VALUE",
        help: "A number, a text, or a list of numbers as [1,2]."),
      .option(
        "--where", to: \.conditions, value: "CONDITION",
        help: "Set only where this holds: NAME=VALUE, NAME>=NUMBER or NAME<=NUMBER."),
      .option(
        "--episode", "-e", to: \.episodes, value: "ID",
        help: "Set only for these recordings: ids, or patterns with * and ?."),
      .option(
        "--units", to: \.units, value: "NAME=UNIT", help: "The units of a value."),
      .option(
        "--remove", to: \.removed, value: "NAME", help: "Take a value of all recordings away."),
      .option(
        "--into", to: \.into, value: "DIR", completes: .folders,
        help: "Make a dataset of a single shard in this new folder, and set values there."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ]
  }
  var dataset = ""
  var values: String?
  var isPartial = false
  var assignments: [String] = []
  var conditions: [String] = []
  var episodes: [String] = []
  var units: [String] = []
  var removed: [String] = []
  var into: String?
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    try refuseIdle()
    guard let into else { return try annotate(console) }
    try Destination.refuse(into, in: dataset)
    try Dataset.wrap(shard: dataset, into: into)
    dataset = into
    do throws(TrajpackError) { try annotate(console) } catch {
      for name in (try? FileSystem.names(in: into)) ?? [] { unlink("\(into)/\(name)") }
      rmdir(into)
      throw error
    }
  }

  private func annotate(_ console: Console) throws(TrajpackError) {
    let file = try values.map { (path) throws(TrajpackError) in try ValueFile(path) }
    let assigned = try assignments.mapThrowing { (text) throws(TrajpackError) in
      try Self.assignment(text)
    }
    let named = try units.mapThrowing { (text) throws(TrajpackError) in
      try Self.pair(text, "--units")
    }
    let chosen = try selected()
    let editor = try ValueEditor(dataset)
    var told: [(field: ValueField, count: Int)] = []
    do throws(TrajpackError) {
      for name in removed { try editor.remove(name) }
      if let file {
        let rows = try file.join(editor.ids, isPartial: isPartial)
        for column in file.values.table.columns {
          let count = try editor.set(column.field, rows.map { $0.map { column.cells[$0] } })
          told.append((column.field, count))
        }
      }
      for (field, value) in assigned {
        var field = field
        if let known = editor.table[field.name]?.field, known.type == .category,
          case .text(let text) = value
        {
          field.type = .category
          field.categories = [text]
        }
        field.units = named.last { $0.name == field.name }?.value
        let count = try editor.set(
          field, editor.ids.map { chosen?.contains($0) ?? true ? value : nil })
        told.append((field, count))
      }
      for (name, unit) in named where !assigned.contains(where: { $0.0.name == name }) {
        guard var column = editor.table[name] else {
          throw editor.table.unknown(name, "--units")
        }
        column.field.units = unit
        try editor.set(column.field, column.cells.map { $0 })
      }
      try editor.commit()
    } catch {
      try? editor.close()
      throw error
    }
    report(told, editor, file, console)
  }

  private func refuseIdle() throws(TrajpackError) {
    guard values != nil || !assignments.isEmpty || !units.isEmpty || !removed.isEmpty else {
      throw TrajpackError(
        .usage, "say what is known: --values FILE, --set NAME=VALUE, --units or --remove NAME")
    }
    guard conditions.isEmpty && episodes.isEmpty || !assignments.isEmpty else {
      throw TrajpackError(.usage, "--where and --episode say for whom --set is; give --set too")
    }
    guard !isPartial || values != nil else {
      throw TrajpackError(.usage, "--values-partial is for --values")
    }
  }

  private func report(
    _ told: [(field: ValueField, count: Int)], _ editor: ValueEditor, _ file: ValueFile?,
    _ console: Console
  ) {
    if json {
      console.print(
        .record([
          "dataset": .string(dataset), "episodes": .int(Int64(editor.ids.count)),
          "id": file?.idColumn.map { .string($0) },
          "set": .array(
            told.map { field, count in
              .object(
                ((editor.table[field.name]?.field ?? field).json.members ?? [])
                  + [.init("episodes", .int(Int64(count)))])
            }),
          "removed": .array(removed.map { .string($0) }),
        ]))
      return
    }
    if let file { console.print(file.summary.printable) }
    for (field, count) in told {
      let known = editor.table[field.name]?.field ?? field
      console.print(
        "'\(field.name)' (\(known.typeText)) set for \(count) of "
          .printable + Human.count(editor.ids.count, "episodes"))
    }
    for name in removed { console.print("'\(name)' removed".printable) }
    console.note("look at them with 'trajpack info \(dataset)'")
  }

  /// The ids that `--where` and `--episode` choose; `nil` where all are.
  private func selected() throws(TrajpackError) -> Set<String>? {
    if conditions.isEmpty && episodes.isEmpty { return nil }
    return Set(try ValueConditions.ids(try OpenDataset(dataset), conditions, episodes: episodes))
  }

  private static func pair(
    _ text: String, _ option: String
  ) throws(TrajpackError) -> (name: String, value: String) {
    guard let equal = text.firstIndex(of: "="), equal > text.startIndex else {
      throw TrajpackError(.usage, "\(option): '\(text)' is no NAME=VALUE, like label=3")
    }
    return (String(text[..<equal]), String(text[text.index(after: equal)...]))
  }

  /// A value as it is typed: a whole number, a number, a list of numbers, or a text.
  private static func assignment(
    _ text: String
  ) throws(TrajpackError) -> (ValueField, EpisodeValue) {
    let (name, value) = try pair(text, "--set")
    guard ValueField.isName(name) else {
      throw TrajpackError(.usage, "--set: '\(name)' is no name of a value")
    }
    if value.hasPrefix("[") {
      let json = try? JSONValue(parsing: value)
      guard let found = json.flatMap({ EpisodeValue.plain($0, named: name) }),
        found.field.type == .array
      else {
        throw TrajpackError(
          .usage, "--set: '\(value)' is no list of numbers of one shape, like [1, 2]")
      }
      return found
    }
    if let n = Int64(value) { return (ValueField(name, .integer), .integer(n)) }
    if let x = Double(value), x.isFinite { return (ValueField(name, .number), .number(x)) }
    return (ValueField(name, .text), .text(value))
  }
}
