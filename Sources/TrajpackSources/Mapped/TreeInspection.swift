import TrajpackFormat
import TrajpackStore

/// What `trajpack inspect` says of a file: its arrays, the format it is, and the options that would map it.
public struct TreeInspection: Sendable {
  /// An object of the tree.
  public struct Line: Sendable {
    /// Where it lies.
    public var path: String
    /// How deep.
    public var level: Int
    /// Its type and shape, or why it is not read; empty for a group.
    public var what: String
    /// How it is stored; attributes of a group.
    public var more: String
    /// What is printed of the path; its last part where `nil`.
    public var name: String?
  }

  /// The objects, groups before what lies in them.
  public var lines: [Line]
  /// The format that its content shows; `nil` for none.
  public var format: String?
  /// The options that map it, as they are typed; `nil` where none can be told, or none are needed.
  public var options: String?
  /// Why these options.
  public var why: String?
  /// What is missing of the guard on this machine.
  public var missingGuard: String?

  /// Looks at a file, or at what a source in Python reads.
  ///
  /// - Parameters:
  ///   - source: The source in Python, where it is said.
  ///   - python: The Python that has sources; it is asked only of what is not read otherwise.
  /// - Throws: A data error where it is no tree or damaged.
  public init(
    _ path: String, from source: String? = nil, python: String? = nil
  ) throws(TrajpackError) {
    if source != nil || !Self.isKnown(path) {
      var options = MappingOptions()
      options.python = python
      if FileSystem.item(at: path) == nil { throw FileSystem.noFile(at: path) }
      if let importer = try PythonSources.importer([path], from: source, options) as? PythonImporter
      {
        (lines, format) = (try importer.inspection(), importer.source)
        return
      }
    }
    if MCAPImporter.recognises(path) {
      lines = try MCAPImporter.inspection(path)
      format = MCAPImporter.format.name
      return
    }
    guard FileSystem.item(at: path) == .file || ZarrStore.recognises(path) else {
      if FileSystem.item(at: path) == .folder {
        throw TrajpackError(.usage, file: path, "is a folder; inspect one of its files")
      }
      throw FileSystem.noFile(at: path)
    }
    if ParquetFile.recognises(path) {
      lines = Self.lines(try ParquetFile(path))
      format = ParquetTables.format.name
      return
    }
    let tree: any ArrayTree
    if let kind = TreeFiles.kind(of: path) {
      tree = try kind.init(path)
      if kind == HDF5File.self { missingGuard = HDF5File.missingGuard }
      let files = try SourceFiles([path])
      format = MappedFormats.all.first { $0.recognises(files, MappingOptions()) }?.format.name
    } else if NPZTree.recognises(path) {
      tree = try NPZTree(path)
      format = "series"
    } else {
      throw TrajpackError(
        .data, file: path,
        "is no tree of arrays that is read: \(TreeFiles.all.map { $0.title }.joined(separator: ", ")), .npz, .npy or MCAP; 'trajpack convert FILE DST --dry-run' shows how tables and other texts are read"
      )
    }
    lines = tree.nodes.map { Self.line($0, tree) }
    let index = TreeIndex(tree)
    if format == nil || format == "series" {
      (options, why) = try Self.proposal(index, isSeries: format != nil)
    }
  }

  /// Whether this program reads a path itself, so that Python is not asked.
  private static func isKnown(_ path: String) -> Bool {
    if UnreadFormat.of(path) != nil { return false }
    guard let files = try? SourceFiles([path]) else { return false }
    return !files.trees.isEmpty || MCAPImporter.recognises(path)
      || WildWorldImporter.recognises(path)
      || SeriesImporter.recognises(path)
      || MappedFormats.all.contains { $0.recognises(files, MappingOptions()) }
  }

  /// The columns of a Parquet file.
  private static func lines(_ file: ParquetFile) -> [Line] {
    let groups = file.metadata.groups.count
    let head = Line(
      path: "/", level: 0, what: "\(file.rows) rows",
      more: "\(groups) row group\(groups == 1 ? "" : "s"), by \(file.metadata.createdBy)")
    return [head]
      + file.columns.map { column in
        let type =
          column.physical.name + (column.logical.map { " (\($0))" } ?? "")
          + (column.repetition > 0 ? ", lists of \(column.repetition) levels" : "")
        return Line(
          path: "/\(column.name)", level: 1, what: type,
          more: file.mayHaveNulls(column) ? "may have nulls" : "")
      }
  }

  private static func line(_ node: TreeNode, _ tree: any ArrayTree) -> Line {
    let level = node.path == "/" ? 0 : node.path.pathComponents.count - 1
    var more = node.array?.storage ?? ""
    if !node.target.isEmpty { more = "link to \(node.target)" }
    if node.isGroup, !node.attributes.isEmpty {
      let names = node.attributes.prefix(6).map(\.name).joined(separator: ", ")
      more =
        "attributes \(names)\(node.attributes.count > 6 ? " and \(node.attributes.count - 6) more" : "")"
    }
    let what: String
    switch node.content {
    case .group: what = ""
    case .array(let array):
      if case .unread(let why) = array.form {
        what = "not read: \(why)"
      } else {
        var said = array
        said.shape = tree.shape(of: node)
        what = said.text
      }
    case .unread(let why): what = "not read: \(why)"
    }
    return Line(path: node.path, level: level, what: what, more: more)
  }

  /// The options that map a tree whose layout is not known.
  private static func proposal(
    _ index: TreeIndex, isSeries: Bool
  ) throws(TrajpackError) -> (String?, String?) {
    let arrays = index.below("/").filter {
      ($0.array?.isRead ?? false) && $0.array?.shape.isEmpty == false
    }
    guard !arrays.isEmpty else { return (nil, nil) }
    if let (pattern, count, first) = groups(index) {
      return (
        "--episodes '\(pattern)'" + time(index.below(first), first),
        "\(count) groups are called alike and hold arrays"
      )
    }
    if let ends = try ends(index, arrays) {
      return (
        "--ends \(quoted(String(ends.path.dropFirst())))" + time(arrays[...], "/"),
        "it counts up to the rows of other arrays"
      )
    }
    let marks = ["terminals", "timeouts", "terminations", "truncations", "dones", "done"]
    let found = arrays.filter { marks.contains($0.name.lowercased()) && $0.array?.shape.count == 1 }
    if !found.isEmpty, !isSeries {
      return (
        "--terminals \(found.map { String($0.path.dropFirst()) }.joined(separator: ","))",
        "they mark the ends of episodes"
      )
    }
    let wide = arrays.filter {
      ($0.array?.shape.count ?? 0) >= 3 && $0.array?.type?.isFloat == true
    }
    let shapes = wide.map { index.tree.shape(of: $0) }
    if let first = shapes.first, shapes.allSatisfy({ $0.first == first.first }) {
      let axes = [3: "traj,time,dim", 4: "env,traj,time,dim"][first.count]
      if let axes {
        return (
          "--axes \(axes)" + time(arrays[...], "/"),
          "check which axis is time: the shape is \(first)"
        )
      }
    }
    return isSeries
      ? (nil, nil) : ("--episodes /" + time(arrays[...], "/"), "the file is taken as one episode")
  }

  private static func quoted(_ text: String) -> String {
    text.contains { " '*()&;$".contains($0) } ? "'\(text.replacing("'", with: "'\\''"))'" : text
  }

  /// The groups of one name and different numbers below one group, most of them.
  private static func groups(_ index: TreeIndex) -> (pattern: String, count: Int, first: String)? {
    var counts: [String: (count: Int, first: String)] = [:]
    for node in index.below("/")
    where node.isGroup && index.below(node.path).contains(where: { $0.array != nil }) {
      let stem = node.name.reversed().drop { $0.isNumber }.reversed()
      guard stem.count < node.name.count else { continue }
      let pattern =
        String(node.parent.dropFirst()) + (node.parent.isEmpty ? "" : "/") + String(stem) + "*"
      counts[pattern] = ((counts[pattern]?.count ?? 0) + 1, counts[pattern]?.first ?? node.path)
    }
    let best = counts.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
    return best.map { ($0.key, $0.value.count, $0.value.first) }
  }

  private static func ends(_ index: TreeIndex, _ arrays: [TreeNode]) throws(TrajpackError)
    -> TreeNode?
  {
    for node in arrays {
      guard let array = node.array, array.shape.count == 1, let type = array.type, !type.isFloat,
        type != .bool,
        array.count > 0, array.count <= 1 << 20, node.name.lowercased().contains("end")
      else { continue }
      let counts = try index.tree.value(node).integers ?? []
      let rises = zip(counts, counts.dropFirst()).allSatisfy { $0 < $1 }
      if rises, let last = counts.last,
        arrays.contains(where: { $0.array?.shape.first == Int(last) })
      {
        return node
      }
    }
    return nil
  }

  private static func time(_ nodes: some Sequence<TreeNode>, _ base: String) -> String {
    let names = ["time", "t", "timestamp", "timestamps", "times"]
    let found = nodes.first { node in
      names.contains(node.name.lowercased()) && node.array?.shape.count == 1
        && node.array?.type != nil
    }
    return found.map { " --time \(quoted($0.name(below: base)))" } ?? ""
  }
}
