import TrajpackFormat
import TrajpackStore

/// Reads series as people have them on disk: tables (CSV, TSV), numpy arrays (`.npy`, `.npz`) and
/// systems in JSON (`.json`, `.json.gz`).
public struct SeriesImporter: Importer {
  /// The format.
  public static let format = FormatDescription(
    name: "series",
    summary: "tables (CSV, TSV, also .gz), arrays (.npy, .npz), dysts JSON (.json, .json.gz)",
    carries: "every column, array and time; dates with the form they were written in; text",
    reads: true, writes: false)

  /// What a file holds.
  enum Content: Sendable {
    case table(TableForm)
    case arrays(ArraySet)
    case systems(SystemsFile)
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
  }

  /// What an examination has found; its content is the importer's.
  public struct Examination: Sendable {
    enum Found: Sendable {
      case table(TableExamination)
      case arrays([TimeAxis])
      case system
    }

    let found: Found
  }

  /// The recordings: files in the order of their names, episodes in the order of the file.
  public let recordings: [Recording]
  /// The compressed arrays of folders, which are left out.
  public let remarks: [String]
  let settings: SeriesOptions
  let files: [File]
  let parts: [String: Part]
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
    remarks = try Self.packed(sources)
    if let segment = options.segment, segment < 1 {
      throw TrajpackError(.usage, "--segment must be at least 1 row")
    }
    var files: [File] = []
    var layouts = SeriesLayouts()
    var pieces: [[Piece]] = []
    for (path, place) in try Self.paths(sources) {
      let (content, cut) = try within(path) { () throws(TrajpackError) in
        try Self.look(path, options, cache)
      }
      let file = File(
        path: path, place: place, content: layouts.add(content, stem: Self.stem(place)))
      files.append(file)
      pieces.append(cut)
    }
    try Self.check(options, files, layouts)
    let names = Self.names(files)
    var recordings: [Recording] = []
    var parts: [String: Part] = [:]
    for (number, file) in files.enumerated() {
      let size = FileSystem.size(of: file.path)
      let fingerprint = Recording.fingerprint(of: file.path)
      for piece in pieces[number] {
        let id = Self.id(
          piece, file, name: names[number], isOnly: files.count == 1, of: pieces[number].count)
        recordings.append(
          Recording(
            id: id, path: file.path, bytes: Self.bytes(piece, size, of: pieces[number].count),
            fingerprint: fingerprint))
        parts[id] = Part(file: number, piece: piece)
      }
    }
    self.files = files
    self.layouts = layouts
    self.recordings = recordings
    self.parts = parts
  }

  func part(_ recording: Recording) throws(TrajpackError) -> (File, Piece) {
    guard let part = parts[recording.id] else {
      throw TrajpackError(.usage, "the recording is not of this source")
    }
    return (files[part.file], part.piece)
  }

  /// Reads the rows of a table, or the times of arrays, once.
  public func examine(_ recording: Recording) throws(TrajpackError) -> Examination? {
    let (file, piece) = try part(recording)
    switch (file.content, piece) {
    case (.table(let form), .table(let part)):
      let table = try TableExamination(TextFile(file.path, cache), part, form, settings)
      return Examination(found: .table(table))
    case (.arrays(let set), .arrays(let part)):
      var times: [TimeAxis] = []
      for group in set.rows.indices {
        times.append(try set.times(group: group, part, of: file.path, cache))
      }
      return Examination(found: .arrays(times))
    default: return Examination(found: .system)
    }
  }
}
