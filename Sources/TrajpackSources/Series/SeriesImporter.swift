import TrajpackFormat
import TrajpackStore

/// Reads series as people have them on disk: tables (CSV, TSV), numpy arrays (`.npy`, `.npz`) and
/// systems in JSON (`.json`, `.json.gz`).
public struct SeriesImporter: Importer {
  /// The format.
  public static let format = FormatDescription(
    name: "series",
    summary:
      "tables (CSV, TSV, text, also packed), arrays (.npy, .npz), dysts JSON (.json, .json.gz)",
    carries: "every column, array and time; dates with the form they were written in; text",
    reads: true, writes: false)

  /// What a file holds.
  enum Content: Sendable {
    case table(TableForm)
    case arrays(ArraySet)
    case systems(DystsFile)
  }

  /// A file of the source.
  struct File: Sendable {
    var path: String
    /// What it is called below the source.
    var place: String
    var content: Content
  }

  /// What one recording is of its file.
  enum Piece: Sendable {
    case table(TablePart)
    case arrays(ArrayPart)
    /// A system, and its rows.
    case system(Int, piece: Int?, rows: Range<Int>)
  }

  /// One recording.
  struct Part: Sendable {
    var file: Int
    var piece: Piece
    /// The tables that are further streams of the episode, and their rows.
    var others: [(file: Int, part: TablePart)] = []
  }

  /// What an examination has found; its content is the importer's.
  public struct Examination: Sendable {
    enum Found: Sendable {
      case table(
        TableExamination, others: [(file: Int, part: TablePart, table: TableExamination)])
      case arrays([RecordedTimes])
      case system
    }

    let found: Found
  }

  /// The recordings: files in the order of their names, episodes in the order of the file.
  public let recordings: [Recording]
  /// What the user should know of what was read: dates that were not taken, numbers that are text.
  public let remarks: [String]
  /// The files of folders that are not read.
  public let leftOut: [LeftOut]
  let settings: SeriesOptions
  let files: [File]
  let parts: [String: Part]
  /// The files that could not be looked at, by the ids of their recordings.
  let failures: [String: TrajpackError]
  let layouts: SeriesLayouts
  let cache: InflatedCache

  /// The options that change what is written.
  public var options: JSONValue { settings.json }

  /// Looks at the files: what each holds, and how its rows are cut into episodes. A table is read
  /// once where it is cut, JSON always; of arrays only the headers.
  ///
  /// - Parameter sources: Files, or folders of such files.
  /// - Throws: A data error naming the file that is not read; a usage error where an option names
  ///   what no file has.
  public init(
    _ sources: [String], options: SeriesOptions = SeriesOptions()
  ) throws(TrajpackError) {
    settings = options
    let cache = InflatedCache()
    self.cache = cache
    if let segment = options.segment, segment < 1 {
      throw TrajpackError(.usage, "--segment must be at least 1 row")
    }
    if !options.terminals.isEmpty, options.episodeEnds != nil || options.episodeColumn != nil {
      let other = options.episodeEnds != nil ? "--episode-ends" : "--episode-column"
      throw TrajpackError(
        .usage, "--terminals and \(other) both cut series into episodes; give one of them")
    }
    let walk = try SourceWalk(sources)
    var remarks: [String] = []
    var leftOut = walk.leftOut
    var looked: [(file: File, pieces: [Piece], hints: [String])] = []
    var failed: [FailedFile] = []
    for found in walk.files {
      let look: Look
      do throws(TrajpackError) {
        look = try Self.look(found.path, options, cache)
        if found.isUncertain, !look.isTable {
          throw TrajpackError(.data, "is text, and no table of numbers")
        }
      } catch {
        guard found.isUncertain else {
          guard options.skipsErrors, error.fault == .data else {
            throw error.within(found.path, at: ErrorPlace(file: found.path))
          }
          failed.append(
            FailedFile(
              path: found.path, place: found.place, error: error,
              fingerprint: Recording.fingerprint(of: found.path), before: looked.count))
          continue
        }
        leftOut.append(LeftOut(path: found.place, why: error.message))
        continue
      }
      looked.append(
        (
          File(path: found.path, place: found.place, content: look.content), look.pieces,
          look.hints
        ))
    }
    Self.failWithFolders(&failed, &looked, options)
    guard !looked.isEmpty else {
      if let first = failed.first {
        throw first.error.within(first.path, at: ErrorPlace(file: first.path))
      }
      throw TrajpackError(
        .data,
        "\(sources.first ?? ""): holds no series; \(leftOut.first?.path ?? "") "
          + "\(leftOut.first?.why ?? "")")
    }
    let groups = try Self.groups(looked.map(\.file), looked.map(\.pieces.count), options)
    var layouts = SeriesLayouts()
    var files: [File] = []
    for (number, item) in looked.enumerated() {
      var file = item.file
      if case .table(var form) = file.content, groups[number] != nil {
        form.stream = Self.stem(FileSystem.name(of: file.place))
        file.content = .table(form)
      }
      file.content = layouts.add(file.content, stem: Self.stem(file.place))
      files.append(file)
      for hint in item.hints where remarks.count < 20 {
        let remark = "\(file.path): \(hint)"
        if !remarks.contains(where: { $0.hasSuffix(": \(hint)") }) { remarks.append(remark) }
      }
    }
    try Self.check(options, files, layouts)
    let names = Self.names(files)
    var recordings: [Recording] = []
    var parts: [String: Part] = [:]
    var failures: [String: TrajpackError] = [:]
    func addFailures(before number: Int) {
      for file in failed where file.before == number {
        var id = Self.stem(file.place)
        if names.contains(id) || failures[id] != nil { id = file.place }
        failures[id] = file.error
        recordings.append(
          Recording(
            id: id, path: file.path, bytes: FileSystem.size(of: file.path),
            fingerprint: file.fingerprint))
      }
    }
    for (number, file) in files.enumerated() {
      addFailures(before: number)
      let pieces = looked[number].pieces
      let group = groups[number]
      if case .arrays(let set) = file.content {
        leftOut += set.leftOut.map { LeftOut(path: "\(file.place):\($0.name)", why: $0.why) }
      }
      if let group, group.first != number { continue }
      var size = FileSystem.size(of: file.path)
      var fingerprint = Recording.fingerprint(of: file.path)
      var others: [(file: Int, part: TablePart)] = []
      for other in group?.dropFirst() ?? [] {
        guard case .table(let part)? = looked[other].pieces.first else { continue }
        others.append((other, part))
        size += part.range.count
        fingerprint += "; " + Recording.fingerprint(of: files[other].path)
      }
      for piece in pieces {
        let id =
          group == nil
          ? Self.id(
            piece, file, name: names[number], isOnly: files.count == 1, of: pieces.count)
          : FileSystem.parent(of: file.place)
        recordings.append(
          Recording(
            id: id, path: group == nil ? file.path : FileSystem.parent(of: file.path),
            bytes: group == nil ? Self.bytes(piece, file.content, size, of: pieces.count) : size,
            fingerprint: fingerprint))
        parts[id] = Part(file: number, piece: piece, others: others)
      }
    }
    addFailures(before: files.count)
    self.failures = failures
    self.files = files
    self.layouts = layouts
    self.recordings = recordings
    self.parts = parts
    self.remarks = remarks
    self.leftOut = leftOut
  }

  func part(_ recording: Recording) throws(TrajpackError) -> (File, Piece) {
    guard let part = parts[recording.id] else {
      throw TrajpackError(.usage, "the recording is not of this source")
    }
    return (files[part.file], part.piece)
  }

  /// Tells of the bytes of tables; see ``Importer``.
  public func watchReads(_ body: @escaping @Sendable (Int) -> Void) { cache.watch.tell(body) }

  /// Reads the rows of a table, or the times of arrays, once.
  public func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    if let failure = failures[recording.id] { throw failure }
    let (file, piece) = try part(recording)
    switch (file.content, piece) {
    case (.table(let form), .table(let part)):
      let table = try TableExamination(TextFile(file.path, cache), part, form, settings)
      var others: [(file: Int, part: TablePart, table: TableExamination)] = []
      for other in parts[recording.id]?.others ?? [] {
        let file = files[other.file]
        guard case .table(let form) = file.content else { continue }
        try within(FileSystem.name(of: file.place)) { () throws(TrajpackError) in
          let table = try TableExamination(
            TextFile(file.path, cache), other.part, form, settings)
          others.append((other.file, other.part, table))
        }
      }
      return Examination(found: .table(table, others: others))
    case (.arrays(let set), .arrays(let part)):
      var times: [RecordedTimes] = []
      for group in set.rows.indices {
        times.append(try set.times(group: group, part, of: file.path, cache))
      }
      return Examination(found: .arrays(times))
    default: return Examination(found: .system)
    }
  }
}
