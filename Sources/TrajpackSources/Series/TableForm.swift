import TrajpackFormat
import TrajpackStore

/// How a table of text is laid out, as its first records show.
struct TableForm: Sendable, Hashable {
  /// How the times of a table are written.
  enum Times: Sendable, Hashable {
    case numbers
    /// Dates in this form; in ISO 8601 where `nil`.
    case dates(DatePattern?)
  }

  /// How records and cells are cut.
  var dialect: TableDialect
  /// How numbers are written.
  var numbers: CellReader
  /// Whether the first record names the columns.
  var hasHeader: Bool
  /// The names, as the header has them; empty where there is none.
  var header: [String]
  /// How many columns.
  var count: Int
  /// Whether a delimiter behind the last cell of every row is passed over.
  var hasTrailingDelimiter = false
  /// The units that a row below the header names; empty where there is none.
  var units: [String] = []
  /// The column of times, and how they are written.
  var time: Int?
  var times = Times.numbers
  /// The column of the times of day that belong to the dates of ``time``.
  var timeOfDay: Int?
  /// The unit that the name of the column of times says, as in `time [ns]`.
  var timeUnit: String?
  /// The column that names episodes.
  var episode: Int?
  /// The stream that the table becomes, where the files of a folder make one episode.
  var stream: String?

  /// What separates cells.
  var delimiter: UInt8 { dialect.delimiter }

  /// Whether times are dates.
  var timeIsDate: Bool { if case .dates = times { time != nil } else { false } }

  /// Looks at the first records of a file.
  ///
  /// - Throws: A data error where there is no row, or the options name what is not there.
  init(_ file: TextFile, _ options: SeriesOptions) throws(TrajpackError) {
    self = try TableLook(file, options).form
  }

  init(_ dialect: TableDialect, _ numbers: CellReader, header: [String]?, count: Int) {
    self.dialect = dialect
    self.numbers = numbers
    hasHeader = header != nil
    self.header = header ?? []
    self.count = count
  }

  /// Whether a column holds values, and neither times nor the names of episodes.
  func isValue(_ column: Int) -> Bool {
    column != time && column != episode && column != timeOfDay
  }

  /// A name of the header without blanks and the `#` of a comment around it.
  static func clean(_ name: String) -> String {
    let trimmed = name.trimmingBlanks
    guard trimmed.hasPrefix("#") else { return trimmed }
    let rest = trimmed.drop { $0 == "#" }.trimmingBlanks
    return rest.isEmpty ? trimmed : rest
  }

  /// The column of a name that an option gives.
  func column(_ name: String, _ option: String) throws(TrajpackError) -> Int {
    if let i = header.firstIndex(of: name) { return i }
    let cleaned = header.map(Self.clean)
    if let i = cleaned.firstIndex(of: name) { return i }
    let isUnnamed = { (i: Int) in !hasHeader || cleaned[i].isEmpty }
    if let i = (0..<count).first(where: {
      isUnnamed($0) && (Self.unnamed($0) == name || "Unnamed: \($0)" == name)
    }) {
      return i
    }
    let names = uniqueNames
    if let i = names.firstIndex(of: name) { return i }
    let list = names.prefix(12).map { "'\($0)'" }.joined(separator: ", ")
    throw TrajpackError(
      .usage,
      "\(option): there is no column '\(name)'; there are \(list)"
        + "\(names.count > 12 ? " and \(names.count - 12) more" : "")")
  }

  /// What a column without a name is called.
  private static func unnamed(_ column: Int) -> String { "column\(column + 1)" }

  /// The names of the columns, unique as pandas makes them: the second `x` is `x.1`.
  var uniqueNames: [String] {
    var seen: Set<String> = []
    var next: [String: Int] = [:]
    let cleaned = header.map(Self.clean)
    let given = Set(cleaned)
    return (0..<count).map { i in
      let name = hasHeader && !cleaned[i].isEmpty ? cleaned[i] : Self.unnamed(i)
      if seen.insert(name).inserted { return name }
      var number = next[name, default: 1]
      while given.contains("\(name).\(number)") || seen.contains("\(name).\(number)") {
        number += 1
      }
      next[name] = number + 1
      seen.insert("\(name).\(number)")
      return "\(name).\(number)"
    }
  }

  /// The channel names of the columns, unique, and never that of the times.
  var channelNames: [String] {
    var seen: Set<String> = ["time", Self.timeText]
    return uniqueNames.enumerated().map { i, unique in
      if i == time { return "time" }
      var name = unique
      while !seen.insert(name).inserted { name += "_" }
      return name
    }
  }
}
