import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack inspect`: the arrays of a foreign file, and how it can be converted.
struct Inspect: Command {
  static let name = "inspect"
  static let summary =
    "Show the arrays of an HDF5, Zarr, MATLAB, NetCDF, .npz, table or bag file, and how to map it."
  static let discussion = """
    Prints every group and array, column, or topic with its fields, with its type and shape, says which format it is, and where it is none that is \
    known proposes the options of 'trajpack convert' that map its arrays to episodes and streams.
    """
  static var examples: [Example] {
    [
      ("trajpack inspect recordings.h5", "What is in this file, and how is it converted?"),
      ("trajpack inspect rollouts.npz --json", "The same as JSON."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "FILE", to: \.file, completes: .files,
        help:
          "An HDF5, MATLAB, NetCDF, .npz, .npy, Parquet, Arrow, MCAP or ROS bag file, or a Zarr store."
      ),
      .option(
        "--lines", to: \.most, value: "N", in: 1...,
        help: "The most lines of the tree that are printed."),
      .option(
        "--from", to: \.source, value: "SOURCE",
        help: "The source in Python that is to read it ('trajpack formats --sources')."),
      .option(
        "--python", to: \.python, value: "PROGRAM", completes: .files,
        help: "The Python whose sources are asked of what this program does not read."),
      .flag("--json", to: \.json, help: "Print all of it as JSON."),
    ]
  }
  var file = ""
  var most = 200
  var source: String?
  var python: String?
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    guard !Dataset.isRemote(file) else {
      throw TrajpackError(
        .usage, file: file,
        "lies on a server, and 'trajpack inspect' reads files of this machine; download it, or look at a dataset there with "
          + "'trajpack info'")
    }
    let found = try TreeInspection(file, from: source, python: python)
    let command = found.options.map { "trajpack convert \(Self.quoted(file)) DST \($0)" }
    if json {
      console.print(
        .record([
          "file": .string(file), "format": found.format.map { .string($0) },
          "objects": .array(
            found.lines.map { line in
              .record([
                "path": .string(line.path),
                "what": line.what.isEmpty ? "group" : .string(line.what),
                "more": line.more.isEmpty ? nil : .string(line.more),
              ])
            }),
          "options": found.options.map { .string($0) }, "why": found.why.map { .string($0) },
          "missing_guard": found.missingGuard.map { .string($0) },
        ]))
      return
    }
    if let missing = found.missingGuard { console.warn(missing) }
    var table = Table(.text("object"), .text("what"), .text("stored"))
    for line in found.lines.prefix(most) {
      let last = line.path == "/" ? "/" : line.path.pathComponents.last.map { String($0) } ?? ""
      let name = line.name ?? last
      table.add(
        String(repeating: "  ", count: max(line.level - 1, 0)) + name
          + (line.what.isEmpty && line.path != "/" ? "/" : ""),
        line.what, line.more)
    }
    console.print(table)
    if found.lines.count > most {
      console.print("and \(found.lines.count - most) more; --lines shows them")
    }
    console.print("")
    let from = source.map { " --from \($0)" } ?? ""
    if let format = found.format {
      console.print(
        "format: \(format); 'trajpack convert \(Self.quoted(file)) DST\(from)' reads it")
    } else {
      console.print("format: none that is known")
    }
    if let command {
      console.print("\(found.format == nil ? "" : "or, ")\(found.why ?? ""):".printable)
      console.print("  \(command)".printable)
    }
  }

  private static func quoted(_ text: String) -> String {
    text.contains { " '*()&;$".contains($0) } ? "'\(text.replacing("'", with: "'\\''"))'" : text
  }
}
