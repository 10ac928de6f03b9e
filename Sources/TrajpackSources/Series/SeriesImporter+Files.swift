import TrajpackFormat
import TrajpackStore

extension SeriesImporter {
  /// What a file is by its first bytes.
  enum Sniffed: Sendable { case table, array, archive, json, gzip }

  /// Names that files of a folder must end in to be taken.
  static let endings = [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".npy", ".npz", ".json", ".json.gz"]

  /// Whether `path` is a file of series, or a folder with at least one.
  public static func recognises(_ path: String) -> Bool {
    switch FileSystem.item(at: path) {
    case .file: return ((try? sniff(LocalFile(path))) ?? nil) != nil
    case .folder:
      let names = (try? FileSystem.names(in: path)) ?? []
      return names.contains { name in
        isPacked(name) || (hasEnding(name) && recognises(file: "\(path)/\(name)"))
      }
    default: return false
    }
  }

  private static func recognises(file path: String) -> Bool {
    FileSystem.item(at: path) == .file && recognises(path)
  }

  private static func hasEnding(_ name: String) -> Bool {
    let lower = name.lowercased()
    return !name.hasPrefix(".")
      && endings.contains { lower.hasSuffix($0) && lower.count > $0.count }
  }

  /// Whether a name is that of an array which gzip has packed: such files are not read.
  private static func isPacked(_ name: String) -> Bool {
    let lower = name.lowercased()
    return !name.hasPrefix(".") && [".npy.gz", ".npz.gz"].contains { lower.hasSuffix($0) }
  }

  /// A sentence for each folder with packed files.
  static func packed(_ sources: [String]) throws(TrajpackError) -> [String] {
    var sentences: [String] = []
    for source in sources where FileSystem.item(at: source) == .folder {
      let names = try FileSystem.names(in: source).filter(isPacked)
      if names.isEmpty { continue }
      let list = names.prefix(6).joined(separator: ", ")
      sentences.append(
        "\(source): left out \(list)\(names.count > 6 ? " and \(names.count - 6) more" : ""), "
          + "packed by gzip; unpack them first (gunzip -k)")
    }
    return sentences
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
    // Damage is told by the reader of what the name says.
    for (ending, sniffed): (String, Sniffed) in [
      (".npy", .array), (".npz", .archive), (".json", .json), (".gz", .gzip), (".csv", .table),
      (".tsv", .table),
    ] where lower.hasSuffix(ending) {
      return sniffed
    }
    let line = body.prefix { $0 != 0x0A }
    guard !body.contains(0), line.contains(where: { ",\t;|".utf8.contains($0) }) else { return nil }
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

  /// The files of the sources, each with what it is called below its source.
  static func paths(_ sources: [String]) throws(TrajpackError) -> [(path: String, place: String)] {
    var paths: [(String, String)] = []
    for source in sources {
      switch FileSystem.item(at: source) {
      case nil: throw TrajpackError(.usage, "\(source): does not exist")
      case .other: throw TrajpackError(.usage, "\(source): is neither a file nor a folder")
      case .file: paths.append((source, FileSystem.name(of: source)))
      case .folder:
        let names = try FileSystem.names(in: source).filter { name in
          hasEnding(name) && FileSystem.item(at: "\(source)/\(name)") == .file
        }
        guard !names.isEmpty else {
          if let remark = try packed([source]).first { throw TrajpackError(.data, remark) }
          throw TrajpackError(
            .data,
            "\(source): holds no series (files named \(endings.map { "*\($0)" }.joined(separator: ", ")))"
          )
        }
        let folder = source.hasSuffix("/") ? String(source.dropLast()) : source
        paths += names.map { ("\(folder)/\($0)", $0) }
      }
    }
    return paths
  }

  /// What a file holds, and its recordings.
  static func look(
    _ path: String, _ options: SeriesOptions, _ cache: InflatedCache
  ) throws(TrajpackError) -> (Content, [Piece]) {
    let file = try LocalFile(path)
    guard file.length > 0 else { throw TrajpackError(.data, "the file is empty; fetch it again") }
    var sniffed = try sniff(file)
    let isPacked = sniffed == .gzip
    if isPacked { sniffed = try inner(file) }
    switch sniffed {
    case .table:
      let text = try TextFile(path, cache)
      let form = try TableForm(text, options)
      return (.table(form), try TablePart.parts(of: text, form, options).map { .table($0) })
    case .array where isPacked, .archive where isPacked:
      throw TrajpackError(
        .data,
        "is an array packed by gzip, which is read of tables and JSON only; unpack it first (gunzip -k)"
      )
    case .array, .archive:
      let isArchive = sniffed == .archive
      let set = try ArraySet(file, isArchive: isArchive, options)
      return (.arrays(set), set.parts(options).map { .arrays($0) })
    case .json, .gzip:
      let systems = try SystemsFile(file, isCompressed: isPacked)
      return (.systems(systems), cut(systems, options))
    case nil:
      throw TrajpackError(
        .data, "is no table, numpy array or JSON of systems; see 'trajpack formats', or use --from")
    }
  }

  private static func cut(_ file: SystemsFile, _ options: SeriesOptions) -> [Piece] {
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
  static func stem(_ place: String) -> String {
    let lower = place.lowercased()
    let ending = endings.filter { lower.hasSuffix($0) }.max { $0.count < $1.count }
    return String(place.dropLast(ending?.count ?? 0))
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
      let base = part.episode.map { isOnly ? $0 : "\(name)/\($0)" } ?? name
      return part.piece.map { "\(base)/\(padded($0))" } ?? base
    case (.arrays(let part), _):
      let base = part.element.map { "\(name)/\(padded($0))" } ?? name
      return part.piece.map { "\(base)/\(padded($0))" } ?? base
    case (.system(let number, let piece, _), .systems(let systems)):
      let system = systems.systems[number].name
      let base = isOnly ? system : "\(name)/\(system)"
      return piece.map { "\(base)/\(padded($0))" } ?? base
    default: return name
    }
  }

  /// The share of a file's bytes that a recording has.
  static func bytes(_ piece: Piece, _ size: Int, of count: Int) -> Int {
    if case .table(let part) = piece { return part.range.count }
    return size / max(count, 1)
  }

  /// Refuses options that say nothing to any file.
  static func check(
    _ options: SeriesOptions, _ files: [File], _ layouts: SeriesLayouts
  ) throws(TrajpackError) {
    let isTable = files.contains { if case .table = $0.content { true } else { false } }
    if options.episodeColumn != nil, !isTable {
      throw TrajpackError(.usage, "--episode-column is for tables, and there is none in the source")
    }
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
