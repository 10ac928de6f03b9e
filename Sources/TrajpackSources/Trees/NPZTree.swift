import Synchronization
import TrajpackFormat
import TrajpackStore

/// The arrays of an `.npz` archive, or the one of an `.npy` file, as a tree without groups.
final class NPZTree: ArrayTree {
  let path: String
  let nodes: [TreeNode]
  private let archive: NPZ?
  private let cache = InflatedCache()

  /// Whether a file is one, by its first bytes.
  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 8))
    else { return false }
    return NPYHeader.recognises(first)
      || (first.starts(with: [0x50, 0x4B, 3, 4]) && path.hasSuffix(".npz"))
  }

  /// Reads the headers of the arrays.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let file = try LocalFile(path)
    var nodes = [TreeNode(path: "/", content: .group)]
    if NPYHeader.recognises(try file.bytes(0..<min(file.length, 8))) {
      archive = nil
      let header = try ArrayFile(file).header
      nodes.append(
        TreeNode(
          path: "/values",
          content: .array(TreeArray(form: .numbers(header.type), shape: header.shape))))
    } else {
      let archive = try NPZ(file, keepsOthers: true)
      self.archive = archive
      for name in archive.names {
        let form: TreeArray.Form
        var shape: [Int] = []
        switch try archive.content(name) {
        case .numbers(let header): (form, shape) = (.numbers(header.type), header.shape)
        case .text: form = .unread("text, which options of mapping do not take")
        case .objects: form = .unread("Python objects, which are never read")
        }
        nodes.append(
          TreeNode(path: "/" + name, content: .array(TreeArray(form: form, shape: shape))))
      }
    }
    self.nodes = nodes
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let array = node.array, let type = array.type else {
      throw TrajpackError(.data, "\(path): \(node.path): is no array of numbers")
    }
    let whole = try cache.spool(path, node.path) { () throws(TrajpackError) in
      guard let archive else { return try ArrayFile(try LocalFile(path)).spool() }
      return try archive.array(node.name(below: "/")).spool()
    }
    try ArrayGather(shape: array.shape, part: part, size: type.size).read(whole, body)
  }

  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    throw TrajpackError(
      .data, "\(path): \(node.path): is text, which options of mapping do not take")
  }
}

extension TreeNode {
  /// The path below a group.
  func name(below group: String) -> String {
    String(path.dropFirst(group == "/" ? 1 : group.utf8.count + 1))
  }
}
