import TrajpackFormat
import TrajpackStore

/// The sources that are installed in Python: see `docs/sources.md`.
public enum PythonSources {
  /// The format that all of them are to a conversion.
  public static let format = FormatDescription(
    name: "python", summary: "sources in Python, by the packages installed there (RLDS, OWAMcap)",
    carries: "what the source gives: numbers, texts, packets, videos, times",
    reads: true, writes: false)

  /// The importer of paths that a source in Python reads; `nil` where none takes them for its own.
  ///
  /// Python is not run where a native reader knows the files; the caller sees to that.
  ///
  /// - Parameters:
  ///   - name: The source, where it is said; ``format``'s name for any.
  ///   - explain: Told sentences on Pythons and sources that could not be asked.
  /// - Throws: A usage error where a source is named and not there.
  public static func importer(
    _ paths: [String], from name: String?, _ options: MappingOptions,
    explain: (String) -> Void = { _ in }
  ) throws(TrajpackError) -> (any Importer)? {
    let named = name == format.name ? options.source : name
    guard let python = try PythonInterpreter.find(options.python) else {
      if let name {
        throw TrajpackError(
          .usage,
          "--from \(name): is no format that this program reads, and no Python here has the package 'trajpack' with a "
            + "source of that name; name a Python with --python, and see 'trajpack formats'")
      }
      let isWanted = (options.python ?? PythonInterpreter.named) != PythonInterpreter.none
      if isWanted {
        explain(
          "no Python with the package 'trajpack' was found to ask its sources (--python names one)")
      }
      return nil
    }
    // Python opens files by itself.
    var wholePaths: [String] = []
    for path in paths { wholePaths.append(try BucketFolder.wholeItem(path)) }
    let paths = wholePaths
    var found = named
    if named == nil {
      var failed: [String] = []
      try python.with { (process) throws(TrajpackError) in
        try process.ask(
          .record(["do": "sniff", "paths": .array(paths.map { .string($0) })]),
          about: paths.first ?? ""
        ) { answer in
          found = answer["source"]?.string
          failed = (answer["failed"]?.array ?? []).compactMap(\.string)
        }
      }
      for sentence in failed { explain(sentence) }
    }
    guard let found else {
      if name != nil {
        throw TrajpackError(
          .data, file: paths.first ?? "",
          "is of no format that a source of \(python.path) reads; there are \(names(python))")
      }
      explain("the sources of \(python.path) do not know it either")
      return nil
    }
    guard let about = sources(python).first(where: { $0["name"]?.string == found }) else {
      throw TrajpackError(
        .usage,
        "--from \(found): is no format that this program reads, and no source of \(python.path), which has \(names(python)); "
          + "see 'trajpack formats'")
    }
    if let why = about["why"]?.string, !why.isEmpty {
      throw TrajpackError(
        .usage,
        "the source '\(found)' of \(about["package"]?.string ?? "") in \(python.path) cannot be used: \(why)"
      )
    }
    return try PythonImporter(paths, python, about, options)
  }

  private static func sources(_ python: PythonInterpreter) -> [JSONValue] {
    python.hello["sources"]?.array ?? []
  }

  private static func names(_ python: PythonInterpreter) -> String {
    let names = sources(python).compactMap { $0["name"]?.string }
    return names.isEmpty ? "none" : names.map { "'\($0)'" }.joined(separator: ", ")
  }

  /// What `trajpack formats --python` says of each source: name, package, version, summary, and why it cannot be used.
  ///
  /// - Returns: The Python, and its sources; `nil` where no Python has the package.
  public static func list(
    _ given: String?
  ) throws(TrajpackError) -> (python: String, sources: [JSONValue])? {
    guard let python = try PythonInterpreter.find(given) else { return nil }
    return (python.path, sources(python))
  }
}
