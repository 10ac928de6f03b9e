import TrajpackFormat
import TrajpackStore

extension SeriesImporter {
  /// What a file is by its first bytes.
  enum Sniffed: Sendable { case table, array, archive, json, gzip }

  /// Whether `path` is a file of series, or a folder with at least one.
  public static func recognises(_ path: String) -> Bool {
    switch FileSystem.item(at: path) {
    case .file: return ((try? sniff(LocalFile(path))) ?? nil) != nil
    case .folder:
      return !WildWorldImporter.recognises(path) && SourceWalk.hasSeries(path) { recognises($0) }
    default: return false
    }
  }

  /// Looks at the first bytes of a file; `nil` where it is none of these.
  ///
  /// Arrays, archives and gzip have marks of their own; JSON begins with a brace; a table is text,
  /// which needs a name that says so or a delimiter in its first line.
  static func sniff(_ file: LocalFile) throws(TrajpackError) -> Sniffed? {
    let lower = file.path.lowercased()
    let first = try file.bytes(0..<min(file.length, 4096))
    if NPYHeader.recognises(first) { return .array }
    if first.starts(with: [0x50, 0x4B, 3, 4]) || first.starts(with: [0x50, 0x4B, 5, 6]) {
      return .archive
    }
    if first.starts(with: [0x1F, 0x8B]) { return .gzip }
    let body = first.starts(with: [0xEF, 0xBB, 0xBF]) ? first.dropFirst(3) : first[...]
    let start = body.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    if start == UInt8(ascii: "{") { return .json }
    if TextFile.packing(first) != nil { return .table }
    // Damage is told by the reader of what the name says.
    for (ending, sniffed): (String, Sniffed) in [
      (".npy", .array), (".npz", .archive), (".json", .json), (".gz", .gzip), (".csv", .table),
      (".tsv", .table), (".psv", .table),
    ] where lower.hasSuffix(ending) {
      return sniffed
    }
    let isSeparated = body.contains { ",\t;|".utf8.contains($0) }
    let mayBeAligned = body.contains(0x20) && body.contains { $0 &- UInt8(ascii: "0") < 10 }
    guard !body.contains(0), isSeparated || mayBeAligned else { return nil }
    return .table
  }

  /// What gzip has packed, by its first bytes; where they are damaged, by its name.
  private static func inner(_ file: LocalFile) throws(TrajpackError) -> Sniffed {
    if file.path.lowercased().hasSuffix(".json.gz") { return .json }
    let first = try InflateStream(file, 0..<file.length, .gzip, ByteOrigin(name: "")).bytes(4096)
    if NPYHeader.recognises(first) { return .array }
    if first.starts(with: [0x50, 0x4B, 3, 4]) { return .archive }
    let start = first.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
    return start == UInt8(ascii: "{") ? .json : .table
  }

  /// What a file holds, its recordings, and what the user should know of how it is read.
  struct Look {
    var content: Content
    var pieces: [Piece]
    var hints: [String] = []

    /// Whether it is a table whose cells are numbers and dates for the most part.
    var isTable = false
  }

  /// Looks at a file.
  static func look(
    _ path: String, _ options: SeriesOptions, _ cache: InflatedCache
  ) throws(TrajpackError) -> Look {
    let file = try LocalFile(path)
    guard file.length > 0 else { throw TrajpackError(.data, "the file is empty; fetch it again") }
    try refuseOthers(file)
    var sniffed = try sniff(file)
    let isPacked = sniffed == .gzip
    if isPacked { sniffed = try inner(file) }
    if sniffed == .archive, !isPacked, try TextFile.isPackedTable(file) { sniffed = .table }
    switch sniffed {
    case .table:
      let text = try TextFile(path, cache)
      let look = try TableLook(text, options)
      let (parts, unfinished) = try TablePart.parts(
        of: text, look.form, from: look.start, options)
      var hints = look.hints
      if unfinished > 0 { hints.append(ArrayCut.unfinished(unfinished, options.terminals)) }
      return Look(
        content: .table(look.form), pieces: parts.map { .table($0) }, hints: hints,
        isTable: look.isOfValues)
    case .array where isPacked, .archive where isPacked:
      throw TrajpackError(
        .data,
        "is an array packed by gzip, which is read of tables and JSON only; unpack it first (gunzip -k)"
      )
    case .array, .archive:
      let isArchive = sniffed == .archive
      let set = try ArraySet(file, isArchive: isArchive, options)
      return Look(
        content: .arrays(set), pieces: set.parts(options).map { .arrays($0) }, hints: set.hints)
    case .json, .gzip:
      let systems = try DystsFile(file, isCompressed: isPacked)
      return Look(content: .systems(systems), pieces: cut(systems, options))
    case nil:
      throw TrajpackError(
        .data, "is no table, numpy array or JSON of systems; see 'trajpack formats', or use --from")
    }
  }

  /// Refuses by name the kinds of files that are known and not read.
  ///
  /// - Throws: A data error for such a file.
  public static func refuseKnown(_ path: String) throws(TrajpackError) {
    guard FileSystem.item(at: path) == .file else { return }
    try within(file: path) { () throws(TrajpackError) in try refuseOthers(LocalFile(path)) }
  }

  /// Refuses by name what is often found in the place of a table.
  private static func refuseOthers(_ file: LocalFile) throws(TrajpackError) {
    if try GitLFS.isPointer(file) { throw TrajpackError(.data, GitLFS.refusal) }
    let first = try file.bytes(0..<min(file.length, 512))
    let text = String(decoding: first, as: UTF8.self).drop { $0.isWhitespace || $0 == "\u{FEFF}" }
    let lower = text.lowercased()
    if ["<!doctype", "<html", "<?xml", "<head"].contains(where: { lower.hasPrefix($0) }) {
      throw TrajpackError(
        .data, "is an HTML or XML page, and no table; fetch the file itself, not its page")
    }
    // UTF-32 with the low byte first begins as UTF-16 does.
    if first.starts(with: [0xFF, 0xFE, 0, 0]) || first.starts(with: [0, 0, 0xFE, 0xFF]) {
      throw TrajpackError(
        .data, "is text in UTF-32; save it as UTF-8 (iconv -f UTF-32 -t UTF-8)")
    }
    if first.starts(with: [0xFF, 0xFE]) || first.starts(with: [0xFE, 0xFF]) {
      throw TrajpackError(
        .data,
        "is text in UTF-16, as Excel's 'Unicode text' is; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
      )
    }
    let isZip = first.starts(with: [0x50, 0x4B, 3, 4])
    let isOffice =
      first.starts(with: [0xD0, 0xCF, 0x11, 0xE0])
      || isZip && (text.contains("[Content_Types].xml") || text.contains("opendocument"))
    if isOffice || isZip && file.path.lowercased().hasSuffix(".xlsx") {
      throw TrajpackError(.data, "is an Excel or Office file; save the sheet as CSV first")
    }
    let marks: [(String, String)] = [
      ("PAR1", "a Parquet file"), ("\u{89}HDF", "an HDF5 file"),
      ("MATLAB 5.0", "a MATLAB file of an unknown version, or damaged in its header"),
      ("ARROW1", "an Arrow file"), ("SQLite format 3", "an SQLite database"),
    ]
    for (mark, name) in marks
    where first.starts(with: mark.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }) {
      throw TrajpackError(
        .data,
        "is \(name), which is not read; write it as .npz or CSV first (see 'trajpack formats')")
    }
  }

  private static func cut(_ file: DystsFile, _ options: SeriesOptions) -> [Piece] {
    file.systems.enumerated().flatMap { number, system -> [Piece] in
      guard let segment = options.segment else {
        return [.system(number, piece: nil, rows: 0..<system.rows)]
      }
      return stride(from: 0, to: system.rows, by: segment).map { first in
        .system(number, piece: first / segment, rows: first..<min(first + segment, system.rows))
      }
    }
  }

  /// A file's name without its ending.
  static func stem(_ place: String) -> String { SourceWalk.stem(place) }

  /// For each file, the files that make one episode with it; none where it is an episode by itself.
  static func groups(
    _ files: [File], _ pieces: [Int], _ options: SeriesOptions
  ) throws(TrajpackError) -> [Int: [Int]] {
    guard options.groupsFolders != false else { return [:] }
    let isCut = options.segment != nil || options.episodeColumn != nil
    guard !isCut else {
      guard options.groupsFolders == nil else {
        throw TrajpackError(
          .usage, "--episode-per folder takes whole files; leave out --segment and --episode-column"
        )
      }
      return [:]
    }
    var folders: [String: [Int]] = [:]
    for (number, file) in files.enumerated() where file.place.contains("/") {
      if case .table = file.content, pieces[number] == 1 {
        folders[FileSystem.parent(of: file.place), default: []].append(number)
      }
    }
    var counts: [String: Int] = [:]
    for numbers in folders.values {
      for name in Set(numbers.map({ FileSystem.name(of: files[$0].place) })) {
        counts[name, default: 0] += 1
      }
    }
    var groups: [Int: [Int]] = [:]
    for numbers in folders.values where numbers.count > 1 {
      let names = numbers.map { FileSystem.name(of: files[$0].place) }
      guard Set(names.map(stem)).count == names.count,
        options.groupsFolders == true || names.allSatisfy({ counts[$0, default: 0] > 1 })
      else { continue }
      for number in numbers { groups[number] = numbers }
    }
    if options.groupsFolders == true, groups.isEmpty {
      throw TrajpackError(
        .usage, "--episode-per folder: no folder below the source has several tables")
    }
    return groups
  }

  /// What episodes of each file are called after: its stem, or its whole name where another has the
  /// stem.
  static func names(_ files: [File]) -> [String] {
    var counts: [String: Int] = [:]
    for file in files { counts[stem(file.place), default: 0] += 1 }
    return files.map { file in
      let stem = stem(file.place)
      return counts[stem] == 1 ? stem : file.place
    }
  }

  /// The id of a recording: file, episode or system, place along the first axis, number of the
  /// piece, as far as they are needed.
  static func id(_ piece: Piece, _ file: File, name: String, isOnly: Bool, of count: Int) -> String
  {
    func padded(_ number: Int) -> String {
      let (text, width) = (String(number), String(max(count - 1, 0)).count)
      return String(repeating: "0", count: max(width - text.count, 0)) + text
    }
    switch (piece, file.content) {
    case (.table(let part), _):
      let base =
        part.number.map { "\(name)/\(padded($0))" }
        ?? part.episode.map { isOnly ? $0 : "\(name)/\($0)" } ?? name
      return part.piece.map { "\(base)/\(padded($0))" } ?? base
    case (.arrays(let part), _):
      let base = (part.element ?? part.episode).map { "\(name)/\(padded($0))" } ?? name
      return part.piece.map { "\(base)/\(padded($0))" } ?? base
    case (.system(let number, let piece, _), .systems(let systems)):
      let system = systems.systems[number].name
      let base = isOnly ? system : "\(name)/\(system)"
      return piece.map { "\(base)/\(padded($0))" } ?? base
    default: return name
    }
  }

  /// The share of a file's bytes that a recording has.
  static func bytes(_ piece: Piece, _ content: Content, _ size: Int, of count: Int) -> Int {
    switch (piece, content) {
    case (.table(let part), _): return part.range.count
    case (.arrays(let part), .arrays(let set)) where part.rows != nil && (set.rows.first ?? 0) > 0:
      let share = Double(part.range(set.rows[0]).count) / Double(set.rows[0])
      return Int(Double(size) * share / Double(set.batch ?? 1))
    default: return size / max(count, 1)
    }
  }

  /// Refuses patterns that stand for no member of an archive and no column.
  private static func check(
    _ options: SeriesOptions, namesOf files: [File]
  ) throws(TrajpackError) {
    let patterns = options.memberPatterns.filter { !$0.patterns.isEmpty }
    guard let first = patterns.first else { return }
    var members: Set<String> = []
    var columns: Set<String> = []
    for file in files {
      switch file.content {
      case .arrays(let set): members.formUnion(set.names)
      case .table(let form) where !options.terminals.isEmpty: columns.formUnion(form.uniqueNames)
      default: break
      }
    }
    guard !members.isEmpty || !columns.isEmpty else {
      throw TrajpackError(
        .usage, "\(first.option) is for archives (.npz), and there is none in the source")
    }
    for (option, patterns) in patterns {
      try SeriesOptions.check(
        patterns, option, option == "--terminals" ? members.union(columns) : members)
    }
  }

  /// Refuses options that say nothing to any file.
  static func check(
    _ options: SeriesOptions, _ files: [File], _ layouts: SeriesLayouts
  ) throws(TrajpackError) {
    let isTable = files.contains { if case .table = $0.content { true } else { false } }
    if options.episodeColumn != nil, !isTable {
      throw TrajpackError(.usage, "--episode-column is for tables, and there is none in the source")
    }
    try check(options, namesOf: files)
    if case .named(let name) = options.time, name != "time",
      files.contains(where: { if case .systems = $0.content { true } else { false } })
    {
      throw TrajpackError(
        .usage, "--time '\(name)': the times of systems in JSON are called 'time'")
    }
    if options.rate != nil, !layouts.haveSteps(options) {
      throw TrajpackError(
        .usage,
        "--rate is for series without times, and all of these have their own; say "
          + "--time none to leave them")
    }
    if options.timeUnit != nil, !layouts.haveUnits {
      throw TrajpackError(.usage, "--time-unit: all times are dates, whose unit is the second")
    }
    if let rate = options.rate, rate.numerator < 1 {
      throw TrajpackError(.usage, "--rate must be more than 0")
    }
    let channels = layouts.channelNames
    for name in options.kinds.keys.sorted() + options.units.keys.sorted()
    where !channels.contains(name) {
      throw TrajpackError(
        .usage,
        "there is no channel '\(name)' to give a kind or units; there are "
          + channels.sorted().prefix(12).map { "'\($0)'" }.joined(separator: ", "))
    }
  }
}
