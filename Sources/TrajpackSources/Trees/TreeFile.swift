import TrajpackFormat

/// A kind of file that is read as a tree. To add one is a file with such a type, and a line in ``TreeFiles``.
protocol TreeFile: ArrayTree {
  /// What `inspect` calls such files: `HDF5 (.h5, .nc)`.
  static var title: String { get }
  /// How names of such files end, in lower case: in folders, files of other names are not looked at.
  static var endings: [String] { get }
  /// Whether a file is one, by its first bytes.
  static func recognises(_ path: String) -> Bool
  /// Reads the tree of a file.
  ///
  /// - Throws: A data error where it is damaged.
  init(_ path: String) throws(TrajpackError)
}

/// The kinds of files that are trees of arrays.
enum TreeFiles {
  static let all: [any TreeFile.Type] = [
    HDF5File.self, MATFile.self, NetCDF3File.self, EDFFile.self, ZarrStore.self, ParquetTree.self,
    ArrowFile.self,
  ]

  /// The kind of a file, by its content; `nil` for none.
  static func kind(of path: String) -> (any TreeFile.Type)? {
    all.first { $0.recognises(path) }
  }
}

extension ArrayTree {
  /// Whether the axes of an array lie in the file from the last to the first, as MATLAB's do.
  func isReversed(_ node: TreeNode) -> Bool { node["MATLAB_class"] != nil }

  /// The axes of an array in the order in which its software says them.
  func axes(of node: TreeNode) -> [Int] {
    guard let array = node.array else { return [] }
    let axes = Array(array.shape.indices)
    guard isReversed(node) else { return axes }
    return axes.dropLast(array.elementRank).reversed() + axes.suffix(array.elementRank)
  }

  /// The shape of an array as its software says it.
  func shape(of node: TreeNode) -> [Int] {
    axes(of: node).map { node.array?.shape[$0] ?? 0 }
  }
}
