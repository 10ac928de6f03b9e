import TrajpackFormat
import TrajpackStore

/// The objects of a tree by their paths.
struct TreeIndex {
  let tree: any ArrayTree
  private let places: [String: Int]
  /// For each object, where the objects below it end.
  private let ends: [Int]

  init(_ tree: any ArrayTree) {
    self.tree = tree
    let nodes = tree.nodes
    var places: [String: Int] = [:]
    var ends = [Int](repeating: nodes.count, count: nodes.count)
    var open: [Int] = []
    for (i, node) in nodes.enumerated() {
      places[node.path] = i
      while let last = open.last, !Self.lies(node.path, below: nodes[last].path) {
        ends[last] = i
        open.removeLast()
      }
      open.append(i)
    }
    self.places = places
    self.ends = ends
  }

  private static func lies(_ path: String, below group: String) -> Bool {
    group == "/" || (path.utf8.count > group.utf8.count && path.hasPrefix(group + "/"))
  }

  /// The object at a path, with or without its first slash.
  subscript(path: String) -> TreeNode? {
    places[path.hasPrefix("/") ? path : "/" + path].map { tree.nodes[$0] }
  }

  /// The array at a path.
  func array(_ path: String) -> TreeArray? { self[path]?.array }

  /// The objects below one, all levels.
  func below(_ path: String) -> ArraySlice<TreeNode> {
    guard let i = places[path.isEmpty ? "/" : path] else { return [] }
    return tree.nodes[(i + 1)..<ends[i]]
  }

  /// The objects right below one.
  func children(_ path: String) -> [TreeNode] {
    let level = path == "/" || path.isEmpty ? 1 : path.pathComponents.count
    return below(path).filter { $0.path.pathComponents.count == level + 1 }
  }

  /// The groups right below one whose names match, numbers in names by size.
  func groups(_ path: String, _ pattern: String) -> [TreeNode] {
    let pattern = Pattern(pattern)
    return children(path).filter { $0.isGroup && pattern.matches($0.name) }
      .sorted { NaturalOrder.isBefore($0.name, $1.name) }
  }
}

/// What is known of a group, and streams of the texts of it that are too long for a value.
struct TreeFacts {
  /// Bytes of a text from which on it is a stream of one row.
  private static let longText = 4096
  /// The member of the attributes of such a stream that says so.
  static let member = "attribute"

  var values: [JSONValue.Member] = []
  var streams: [MappedStream] = []

  /// Adds the attributes of an object, each called by its name behind `prefix`.
  mutating func add(_ node: TreeNode, prefix: String = "", skipping: Set<String> = []) {
    for (name, value) in node.attributes where !skipping.contains(name) {
      guard let json = value.json else { continue }
      add(prefix + name, json)
    }
  }

  /// Adds a value.
  mutating func add(_ name: String, _ json: JSONValue) {
    guard let text = json.string, text.utf8.count > Self.longText else {
      values.append(.init(name, json))
      return
    }
    let bytes = Array(text.utf8)
    streams.append(
      MappedStream(
        name: name, count: 1, time: MappedStream.steps,
        channels: [
          MappedChannel(
            Channel(name: "text", kind: .text, type: .bytes),
            .texts { () throws(TrajpackError) in [bytes] })
        ], attributes: [.init(Self.member, true)]))
  }
}

extension JSONValue {
  /// The document that a text is; `nil` where it is none.
  init?(document text: String?) {
    guard let text, let value = try? JSONValue(parsing: Array(text.utf8)) else { return nil }
    self = value
  }
}

extension MappedRecording {
  /// A recording that is a file.
  init(_ file: SourceFiles.File, id: String) {
    self.init(
      id: id, path: file.path, bytes: file.bytes, fingerprint: file.fingerprint)
  }

  /// A recording that cannot be read.
  init(_ file: SourceFiles.File, id: String, failure: TrajpackError) {
    self.init(file, id: id)
    self.failure = failure
  }
}

extension SourceFiles {
  /// Recordings of every HDF5 file: what `body` makes of each; where a file is damaged, a recording that fails, if
  /// the options say so.
  func recordings(
    _ options: MappingOptions, of files: [File]? = nil,
    _ body: (File, TreeIndex) throws(TrajpackError) -> [MappedRecording]
  ) throws(TrajpackError) -> [MappedRecording] {
    var out: [MappedRecording] = []
    for file in files ?? trees {
      do throws(TrajpackError) {
        var found = try body(file, TreeIndex(try tree(file)))
        let share = max(file.bytes / max(found.count, 1), 1)
        for i in found.indices { found[i].bytes = share }
        out += found
      } catch {
        let error = error.at(ErrorPlace(file: file.path))
        guard options.skipsErrors, error.fault == .data else { throw error }
        out.append(MappedRecording(file, id: file.stem, failure: error))
      }
    }
    return out
  }

  /// What goes before the ids of a file's recordings: nothing where it is the only file.
  func prefix(_ file: File) -> String { trees.count > 1 ? "\(file.stem)/" : "" }
}
