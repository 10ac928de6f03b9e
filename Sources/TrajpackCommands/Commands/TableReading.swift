import TrajpackFormat
import TrajpackSources

/// How series are read: what the columns of tables and the arrays of files mean.
struct TableReading: ArgumentSet, Equatable {
  enum HeaderChoice: String, ArgumentChoice {
    case auto, yes, no
  }

  enum EpisodeChoice: String, ArgumentChoice {
    case auto, file, folder
  }

  enum AxisChoice: String, ArgumentChoice {
    case auto, time, batch
  }

  static var parameters: [Parameter<Self>] {
    [
      .option(
        "--time", to: \.time, value: "NAME",
        help: "The column or array of times, or 'none'; by default one called time, date or t."),
      .option("--time-unit", to: \.timeUnit, value: "UNIT", help: "The unit of a series' times."),
      .option(
        "--episode-column", to: \.episodeColumn, value: "NAME",
        help: "The column by which the rows of a table are cut into episodes."),
      .option(
        "--segment", to: \.segment, value: "N", in: 1..., help: "Cut series into pieces of N rows."),
      .option(
        "--episode-per", to: \.episodePer, value: "WHAT",
        help:
          "What an episode is: each file, or all tables of a folder as its streams; by default folders where two or more have files of the same names."
      ),
      .option("--header", to: \.header, value: "WHETHER", help: "Whether tables begin with names."),
      .option(
        "--delimiter", to: \.delimiter, value: "CHAR",
        help:
          "What separates cells: one character, 'tab', or 'blanks' for runs of spaces and tabs; by default what cuts all lines alike."
      ),
      .option(
        "--time-format", to: \.timeFormat, value: "FORM",
        help: "How dates are written: dmy, mdy, ymd, or a form like '%d/%m/%Y %H:%M'."),
      .option(
        "--missing", to: \.missing, value: "WORD",
        help:
          "A word that stands for a missing value among numbers, beside NA, N/A, null, None, ? and others."
      ),
      .option(
        "--decimal", to: \.decimal, value: "CHAR",
        help: "The decimal sign of tables: '.' or ','; by default found by looking."),
      .option(
        "--thousands", to: \.thousands, value: "CHAR",
        help:
          "The sign between thousands in the numbers of tables; 'space' also stands for spaces that do not break."
      ),
      .option(
        "--comment", to: \.comment, value: "CHAR",
        help:
          "The sign from which on a line of a table is a comment; by default # where tables begin with such lines."
      ),
      .option(
        "--skip-rows", to: \.skipRows, value: "N", in: 0..., help: "Lines above the tables to skip."
      ),
      .flag(
        "--units-row", to: \.unitsRow,
        help: "Take the row below the header of tables as the units of the columns."),
      .option(
        "--leading-axis", to: \.leadingAxis, value: "WHAT",
        help: "What the first axis of an array counts: time, or recordings."),
      .option(
        "--members", to: \.members, value: "NAMES",
        help: "The members of .npz archives to read, as 'obs*,act*'; by default all."),
      .option(
        "--exclude-members", to: \.excludedMembers, value: "NAMES",
        help: "The members of .npz archives to leave out, as 'infos/*'."),
      .option(
        "--constant", to: \.constants, value: "NAMES",
        help: "Arrays that say something of the whole recording and have no rows."),
      .option(
        "--terminals", to: \.terminals, value: "NAMES",
        help:
          "Cut series into episodes behind rows where one of these arrays or columns is true, as 'terminals,timeouts'."
      ),
      .option(
        "--episodes", to: \.episodes, value: "PATTERN",
        help:
          "Of an HDF5 file or a Zarr store: the groups that are an episode each, as 'data/demo_*'; '/' for a file an episode."
      ),
      .option(
        "--axes", to: \.axes, value: "AXES",
        help:
          "What the axes of arrays are, as 'env,traj,time,dim' or 'X=traj,time,dim': time counts rows, env, traj, episode, trial, run, sample, batch and seed count recordings, all others are the shape of a row."
      ),
      .option(
        "--map", to: \.map, value: "STREAM/CHANNEL=PATH",
        help: "Take this array as that channel, and only those that are given so."),
      .option(
        "--episode-ends", "--ends", to: \.episodeEnds, value: "NAME",
        help:
          "Cut the arrays of an archive or a store into episodes at the ends that this array counts up, as [4, 10]."
      ),
      .option(
        "--kind", to: \.kinds, value: "NAME=KIND",
        help: "The kind of a series' channel."),
      .option(
        "--unit", to: \.units, value: "NAME=UNIT",
        help: "The unit of a series' channel."),
      .option(
        "--python", to: \.python, value: "PROGRAM", completes: .files,
        help:
          "The Python whose sources read what this program does not; by default $TRAJPACK_PYTHON, the one beside this program, that of the virtual environment, or python3; 'none' for none."
      ),
    ]
  }

  var time: String?
  var timeUnit: String?
  var episodeColumn: String?
  var segment: Int?
  var header = HeaderChoice.auto
  var delimiter: String?
  var episodePer = EpisodeChoice.auto
  var timeFormat: String?
  var missing: [String] = []
  var decimal: String?
  var thousands: String?
  var comment: String?
  var skipRows: Int?
  var unitsRow = false
  var leadingAxis = AxisChoice.auto
  var members: [String] = []
  var excludedMembers: [String] = []
  var constants: [String] = []
  var terminals: [String] = []
  var episodeEnds: String?
  var episodes: String?
  var axes: [String] = []
  var map: [String] = []
  var kinds: [String] = []
  var units: [String] = []
  var python: String?

  /// The options of the importer.
  ///
  /// - Parameter base: Those that count where the command line says nothing.
  /// - Throws: A usage error where a value is none of those that an option takes.
  func options(over base: SeriesOptions = SeriesOptions()) throws(TrajpackError) -> SeriesOptions {
    var options = base
    if let time { options.time = time == "none" ? .none : .named(time) }
    if let timeUnit { options.timeUnit = timeUnit }
    if let episodeColumn { options.episodeColumn = episodeColumn }
    if let segment { options.segment = segment }
    if header != .auto {
      options.header = SeriesOptions.Header(rawValue: header.rawValue) ?? .auto
    }
    if leadingAxis != .auto {
      options.leadingAxis = SeriesOptions.LeadingAxis(rawValue: leadingAxis.rawValue) ?? .auto
    }
    if !members.isEmpty { options.members = try Self.names(members, "--members") }
    if !excludedMembers.isEmpty {
      options.excludedMembers = try Self.names(excludedMembers, "--exclude-members")
    }
    if !constants.isEmpty { options.constants = try Self.names(constants, "--constant") }
    if !terminals.isEmpty {
      options.terminals = try Self.names(terminals, "--terminals", signs: ",|")
    }
    if let episodeEnds { options.episodeEnds = episodeEnds }
    try readTables(&options)
    if delimiter == "blanks" {
      (options.separatesByBlanks, options.delimiter) = (true, nil)
    } else if let delimiter {
      let text = delimiter == "tab" ? "\t" : delimiter
      guard text.utf8.count == 1, let byte = text.utf8.first, byte != 0x22, byte != 0x0A,
        byte != 0x0D
      else {
        throw TrajpackError(
          .usage, "--delimiter: '\(delimiter)' is not one character, nor 'tab' or 'blanks'")
      }
      (options.delimiter, options.separatesByBlanks) = (
        byte, base.separatesByBlanks.map { _ in false }
      )
    }
    for (name, kind) in try Self.pairs(kinds, "--kind") {
      guard let known = Kind(rawValue: kind) else {
        throw TrajpackError(
          .usage,
          "--kind: there is no kind '\(kind)'\(suggestion(for: kind, among: Kind.allCases.map(\.rawValue)))"
        )
      }
      options.kinds[name] = known
    }
    for (name, unit) in try Self.pairs(units, "--unit") { options.units[name] = unit }
    return options
  }

  /// The options of formats that map arrays to streams.
  ///
  /// - Parameter base: Those that count where the command line says nothing.
  func mapping(
    over base: MappingOptions = MappingOptions(), rate: Rational?, skipsErrors: Bool = false
  ) throws(TrajpackError) -> MappingOptions {
    let series = try options()
    var options = base
    if let episodes { options.episodes = episodes }
    if let episodeEnds { options.ends = episodeEnds }
    if let episodeColumn { options.episodeColumn = episodeColumn }
    if !axes.isEmpty { options.axes = axes }
    if !map.isEmpty { options.map = map }
    if let time { options.time = time }
    if let timeUnit { options.timeUnit = timeUnit }
    if let rate { options.rate = rate }
    if !members.isEmpty { options.members = series.members }
    if !excludedMembers.isEmpty { options.excluded = series.excludedMembers }
    if !terminals.isEmpty { options.terminals = series.terminals }
    options.kinds.merge(series.kinds) { _, new in new }
    options.units.merge(series.units) { _, new in new }
    options.skipsErrors = options.skipsErrors || skipsErrors
    options.python = python
    return options
  }

  /// The options that say how tables are written.
  private func readTables(_ options: inout SeriesOptions) throws(TrajpackError) {
    func sign(_ text: String?, _ option: String) throws(TrajpackError) -> UInt8? {
      guard let text else { return nil }
      guard text.utf8.count == 1, let byte = text.utf8.first, byte >= 0x20, byte != 0x22 else {
        throw TrajpackError(.usage, "\(option): '\(text)' is not one character")
      }
      return byte
    }
    if episodePer != .auto { options.groupsFolders = episodePer == .folder }
    if let timeFormat { options.timeFormat = timeFormat }
    if !missing.isEmpty { options.missing = missing }
    if decimal != nil { options.decimal = try sign(decimal, "--decimal") }
    if thousands != nil {
      // Spaces that do not break have several bytes.
      let isSpace = ["\u{A0}", "\u{202F}", "\u{2009}", "space"].contains(thousands)
      options.thousands = try sign(isSpace ? " " : thousands, "--thousands")
    }
    if comment != nil { options.comment = try sign(comment, "--comment") }
    if let skipRows { options.skippedRows = skipRows }
    if unitsRow { options.hasUnitsRow = true }
    let (point, comma) = (UInt8(ascii: "."), UInt8(ascii: ","))
    guard options.decimal == nil || options.decimal == point || options.decimal == comma else {
      throw TrajpackError(.usage, "--decimal: '\(decimal ?? "")' is neither '.' nor ','")
    }
    guard options.thousands == nil || options.thousands != (options.decimal ?? point) else {
      throw TrajpackError(
        .usage, "--thousands: '\(thousands ?? "")' is the decimal sign, too; say another --decimal")
    }
  }

  /// Splits lists of patterns of names, and drops blanks around each.
  private static func names(
    _ texts: [String], _ option: String, signs: String = ","
  ) throws(TrajpackError) -> [String] {
    let names = texts.flatMap { $0.split { signs.contains($0) } }
      .map { String($0.drop { $0 == " " }).trimmedRight }.filter { !$0.isEmpty }
    guard !names.isEmpty || texts.isEmpty else {
      throw TrajpackError(.usage, "\(option): '\(texts.joined(separator: ","))' names nothing")
    }
    return names
  }

  /// Splits `NAME=VALUE`.
  private static func pairs(
    _ texts: [String], _ option: String
  ) throws(TrajpackError) -> [(String, String)] {
    try texts.mapThrowing { (text) throws(TrajpackError) in
      guard let equals = text.lastIndex(of: "="), equals > text.startIndex else {
        throw TrajpackError(.usage, "\(option): '\(text)' is not NAME=VALUE")
      }
      return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
  }
}
