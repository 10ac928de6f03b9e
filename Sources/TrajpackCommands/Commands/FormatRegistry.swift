import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// The formats there are, and which of them a path holds.
enum FormatRegistry {
  static let formats: [FormatDescription] =
    [WildWorldImporter.format, SeriesImporter.format, MCAPImporter.format] + MappedFormats.formats
    + [PythonSources.format] + ExportFormat.all.map(\.description).filter { !$0.reads }

  static var readable: [String] { formats.filter(\.reads).map(\.name) }
  static var writable: [String] { ExportFormat.all.map(\.description.name) }

  /// The importer for some sources: of the format that is named, or that their content shows.
  static func importer(
    _ paths: [String], from: String?, wildworld: WildWorldImporter.Settings,
    transcoding targets: [String: VideoTarget] = [:], threads: Int = 1,
    series: SeriesOptions = SeriesOptions(), mapping: MappingOptions = MappingOptions(),
    values: String? = nil, valuesPartial: Bool = false
  ) throws(TrajpackError) -> any Importer {
    var importer = try importer(
      paths, from: from, wildworld: wildworld, series: series, mapping: mapping)
    if !targets.isEmpty {
      guard let samples = importer as? WildWorldImporter else {
        throw TrajpackError(
          .usage, "--video STREAM=FORM is for recordings with videos, and these have none")
      }
      importer = try TranscodingImporter(
        samples, targets, threads: threads, isStopped: { Interrupt.isRequested })
    }
    guard valuesPartial == false || values != nil else {
      throw TrajpackError(.usage, "--values-partial is for --values")
    }
    var given = values
    if given == nil { given = try Self.exported(paths) }
    guard let path = given else { return importer }
    return try valued(importer, try ValueFile(path), isPartial: valuesPartial || values == nil)
  }

  private static func valued(
    _ importer: some Importer, _ file: ValueFile, isPartial: Bool
  ) throws(TrajpackError) -> any Importer {
    try ValuedImporter(importer, file, isPartial: isPartial)
  }

  /// The values that an export wrote beside its recordings; `nil` where none of the sources has any.
  private static func exported(_ paths: [String]) throws(TrajpackError) -> String? {
    let found = paths.map { "\($0)/values.json" }.filter { ValueFile.isDocument($0) }
    guard found.count < 2 else {
      throw TrajpackError(
        .usage,
        "\(found.joined(separator: " and ")): each says what is known of its recordings; convert them apart, or "
          + "give one file with --values")
    }
    return found.first
  }

  private static func importer(
    _ paths: [String], from: String?, wildworld: WildWorldImporter.Settings, series: SeriesOptions,
    mapping: MappingOptions
  ) throws(TrajpackError) -> any Importer {
    for path in paths where Dataset.isRemote(path) {
      throw TrajpackError(
        .usage, file: path,
        "lies on a server, and recordings are read from there by 'trajpack convert' and 'trajpack job plan' only; copy them to a folder of this machine"
      )
    }
    for path in paths where Dataset.isDataset(path) {
      throw TrajpackError(
        .usage, file: path,
        "is a trajpack dataset already; 'trajpack export' writes its recordings in other formats, "
          + "'trajpack apply' and 'resample' make another dataset of it, and 'cp -r' copies it")
    }
    try SourceCheck.refuseRepeats(paths)
    try SourceCheck.check(
      paths, ignoring: wildworld.video == .drop ? WildWorldImporter.videoNames : [])
    var name = from
    if name == nil, paths.allSatisfy({ WildWorldImporter.recognises($0) }) { name = "wildworld" }
    if name == nil, !paths.isEmpty, paths.allSatisfy({ MCAPImporter.recognises($0) }) {
      name = "mcap"
    }
    if name == "mcap" { return try MCAPImporter(paths, mapping) }
    var mapping = mapping
    var tables = series
    (tables.rate, tables.skipsErrors) = (nil, false)
    mapping.isTabular = tables != SeriesOptions()
    (tables.time, tables.timeUnit, tables.episodeColumn) = (.auto, nil, nil)
    (tables.kinds, tables.units, tables.members, tables.excludedMembers) = ([:], [:], [], [])
    (tables.terminals, tables.episodeEnds) = ([], nil)
    mapping.hasTextOptions = tables != SeriesOptions()
    if name != "wildworld", name != "series",
      let mapped = try MappedFormats.importer(paths, from: name, mapping)
    {
      return mapped
    }
    if let name, name == PythonSources.format.name || !readable.contains(name) {
      if let importer = try PythonSources.importer(paths, from: name, mapping) { return importer }
    }
    let unread = paths.lazy.compactMap { path in UnreadFormat.of(path).map { (path, $0) } }.first
    var asked: [String] = []
    if name == nil, !paths.isEmpty,
      unread != nil || !paths.allSatisfy({ SeriesImporter.recognises($0) })
    {
      // A file that may not be read is recognised as nothing.
      try SourceCheck.check(paths, readable: true)
      if !mapping.isOfTrees,
        let importer = try PythonSources.importer(
          paths, from: nil, mapping, explain: { asked.append($0) })
      {
        return importer
      }
    }
    if name == nil, let (path, known) = unread {
      throw TrajpackError(
        .data, file: path,
        "is \(known.name), which is not read; \(known.advice)"
          + asked.map { ", and \($0)" }.joined())
    }
    if mapping.isOfTrees {
      throw TrajpackError(
        .usage,
        "--episodes, --axes and --map are for HDF5, MATLAB, NetCDF, Parquet and Arrow files, Zarr stores and archives of arrays (.npz), which \(paths.first ?? "") is not"
      )
    }
    if name == nil, paths.allSatisfy({ SeriesImporter.recognises($0) }) { name = "series" }
    switch name {
    case "series": return try SeriesImporter(paths, options: series)
    case "wildworld": return try WildWorldImporter(paths, settings: wildworld)
    default:
      for path in paths { try SeriesImporter.refuseKnown(path) }
      throw TrajpackError(
        .data, file: paths.first ?? "",
        "holds no recording of a known format; see 'trajpack formats', or name the format with --from"
          + asked.map { "; \($0)" }.joined())
    }
  }
}

/// `trajpack formats`: what can be read and written.
struct Formats: Command {
  static let name = "formats"
  static let summary = "List the formats that trajpack reads and writes."
  static var examples: [Example] {
    [
      ("trajpack formats", "Show every format and what of it is carried."),
      ("trajpack formats --sources", "Show the sources that are installed in Python."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .flag("--json", to: \.json, help: "Print the list as JSON."),
      .flag(
        "--sources", to: \.sources,
        help: "Ask Python for the sources that are installed there, and list these."),
      .option(
        "--python", to: \.python, value: "PROGRAM", completes: .files,
        help: "The Python that --sources asks."),
    ]
  }
  var json = false
  var sources = false
  var python: String?

  mutating func run(_ console: Console) throws(TrajpackError) {
    if sources || python != nil { return try listSources(console) }
    if json {
      console.print(
        .array(
          FormatRegistry.formats.map { format in
            .record([
              "name": .string(format.name), "summary": .string(format.summary),
              "carries": .string(format.carries), "reads": .bool(format.reads),
              "writes": .bool(format.writes),
            ])
          }))
      return
    }
    var table = Table(
      .text("format"), .text("reads"), .text("writes"), .text("what it is and what is carried"))
    for format in FormatRegistry.formats {
      table.add(
        format.name, format.reads ? "yes" : "", format.writes ? "yes" : "",
        "\(format.summary); \(format.carries)")
    }
    console.print(table)
  }

  /// The sources in Python.
  private func listSources(_ console: Console) throws(TrajpackError) {
    guard let (program, found) = try PythonSources.list(python) else {
      throw TrajpackError(
        .usage,
        "no Python with the package 'trajpack' was found; name one with --python")
    }
    if json {
      return console.print(.record(["python": .string(program), "sources": .array(found)]))
    }
    console.print("sources in \(program)".printable)
    var table = Table(.text("source"), .text("of"), .text("version"), .text("what it is"))
    for source in found {
      func text(_ name: String) -> String { source[name]?.string ?? "" }
      let why = text("why")
      table.add(
        text("name").printable, text("package").printable, text("version").printable,
        (why.isEmpty ? text("summary") : "cannot be used: \(why)").printable)
    }
    console.print(table)
  }
}
