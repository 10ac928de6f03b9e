import TrajpackFormat
import TrajpackStore

/// A file that is a tree of named arrays: HDF5, an archive of numpy arrays, a folder of Zarr.
protocol ArrayTree: Sendable {
  /// The path of the file, as errors say it.
  var path: String { get }
  /// Its objects, groups before what lies in them, in the order of the file.
  var nodes: [TreeNode] { get }

  /// Gives the elements of a part of an array of numbers, little-endian, in the order of C, in pieces.
  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError)

  /// Gives the elements of a part of an array of texts, bytes or references, one by one.
  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError)
}

/// A group or an array of a tree.
struct TreeNode: Sendable {
  /// What it is.
  enum Content: Sendable, Equatable {
    case group
    case array(TreeArray)
    /// It is there, and cannot be read: why.
    case unread(String)
  }

  /// Where it lies: `/data/demo_0/actions`; `/` for the root.
  var path: String
  var content: Content
  var attributes: [(name: String, value: TreeValue)] = []
  /// Where a link leads that stands for it; empty where it is its own.
  var target = ""

  /// The array; `nil` where it is none.
  var array: TreeArray? {
    if case .array(let array) = content { return array }
    return nil
  }

  var isGroup: Bool { content == .group }

  /// The last part of the path.
  var name: String {
    String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
  }

  /// The path of the group it lies in; empty for the root and what lies in it.
  var parent: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

  /// An attribute of that name.
  subscript(name: String) -> TreeValue? { attributes.first { $0.name == name }?.value }
}

/// An array of a tree, before it is read.
struct TreeArray: Sendable, Equatable {
  /// What its elements are.
  enum Form: Sendable, Equatable {
    case numbers(ElementType)
    /// Text, which has no end in sight.
    case text
    /// Bytes of any length.
    case bytes
    /// References to objects, read as their paths.
    case references
    /// Not read, and why.
    case unread(String)
  }

  var form: Form
  /// The shape; of complex numbers, with an axis of their two parts at its end.
  var shape: [Int]
  /// The field of a record; empty for a whole element.
  var field = ""
  /// The path of the dataset whose field it is; empty where it is the node's own.
  var dataset = ""
  /// The names that the numbers of an enumeration stand for.
  var categories: [(name: String, value: Int)] = []
  var isComplex = false
  /// The axes at the end of the shape that each element adds.
  var elementRank = 0
  /// How it is stored: `chunks [6, 24], gzip`.
  var storage = ""
  /// How elements that were not observed are marked, where it is another way than NaN among floats.
  var missing: Channel.Missing?
  /// The type of the numbers of lists of any length, whose rows are their bytes, little-endian.
  var listed: ElementType?
  /// Whether its texts are lists of texts, as JSON.
  var holdsTextLists = false
  /// The time of one in seconds, of dates and times that are whole numbers.
  var tick: Rational?

  var count: Int { shape.reduce(1, *) }

  /// The type of the numbers; `nil` where they are none.
  var type: ElementType? {
    if case .numbers(let type) = form { return type }
    return nil
  }

  /// Whether rows of it can be read.
  var isRead: Bool {
    switch form {
    case .numbers, .text, .bytes: return true
    case .references, .unread: return false
    }
  }

  static func == (a: TreeArray, b: TreeArray) -> Bool {
    a.form == b.form && a.shape == b.shape && a.field == b.field
  }

  /// What `inspect` calls it: `float32 [12, 7]`.
  var text: String {
    let name: String
    switch form {
    case .numbers(let type): name = isComplex ? "complex \(type.rawValue)" : type.rawValue
    case .text: name = "text"
    case .bytes: name = "bytes"
    case .references: name = "references"
    case .unread: name = "not read"
    }
    return "\(name) \(shape)"
  }
}

/// The value of an attribute, or of a small array.
struct TreeValue: Sendable, Equatable {
  /// What it holds.
  enum Content: Sendable, Equatable {
    case integers([Int64])
    case numbers([Double])
    case texts([String])
    /// Not read, and why.
    case unread(String)
  }

  var content: Content
  /// Its shape; empty for one value.
  var shape: [Int] = []

  /// The first text.
  var text: String? {
    if case .texts(let all) = content { return all.first }
    return nil
  }

  /// All texts.
  var texts: [String]? {
    if case .texts(let all) = content { return all }
    return nil
  }

  /// The first number.
  var number: Double? {
    switch content {
    case .integers(let all): return all.first.map { Double($0) }
    case .numbers(let all): return all.first
    default: return nil
    }
  }

  /// All numbers.
  var numbers: [Double] {
    switch content {
    case .integers(let all): return all.map { Double($0) }
    case .numbers(let all): return all
    default: return []
    }
  }

  /// The first whole number.
  var integer: Int? {
    if case .integers(let all) = content { return all.first.map { Int($0) } }
    return nil
  }

  /// All integers.
  var integers: [Int64]? {
    if case .integers(let all) = content { return all }
    return nil
  }

  /// All numbers, where they are whole, as those of MATLAB are that counts in doubles.
  var wholeNumbers: [Int64]? {
    guard case .numbers(let all) = content else { return integers }
    let whole = all.compactMap { Int64(exactly: $0) }
    return whole.count == all.count ? whole : nil
  }

  /// As JSON: a value where it has no shape or one element, else lists; `nil` where it was not read.
  var json: JSONValue? {
    func nest(_ all: ArraySlice<JSONValue>, _ shape: ArraySlice<Int>) -> JSONValue {
      guard let first = shape.first else { return all.first ?? .null }
      let rest = shape.dropFirst()
      let width = rest.reduce(1, *)
      return .array(
        (0..<first).map { i in
          nest(all[(all.startIndex + i * width)..<(all.startIndex + (i + 1) * width)], rest)
        })
    }
    let values: [JSONValue]
    switch content {
    case .integers(let all): values = all.map { .int($0) }
    case .numbers(let all):
      values = all.map {
        $0.isFinite ? .double($0) : .string($0.isNaN ? "NaN" : $0 < 0 ? "-Infinity" : "Infinity")
      }
    case .texts(let all): values = all.map { .string($0) }
    case .unread: return nil
    }
    guard values.count == shape.reduce(1, *) else { return nil }
    return shape == [1] ? values.first : nest(values[...], shape[...])
  }
}

extension ArrayTree {
  /// The whole of a small array as a value.
  ///
  /// - Throws: A data error where it has more elements than a value may have, or is damaged.
  func value(_ node: TreeNode) throws(TrajpackError) -> TreeValue {
    guard let array = node.array, array.count <= 1 << 20 else {
      throw TrajpackError(
        .data, file: path, "\(node.path): is no array of up to 1,048,576 elements")
    }
    let all = array.shape.map { 0..<$0 }
    guard let type = array.type else {
      var texts: [String] = []
      try readTexts(node, all) { (bytes) throws(TrajpackError) in
        texts.append(String(decoding: bytes, as: UTF8.self))
      }
      return TreeValue(content: .texts(texts), shape: array.shape)
    }
    var bytes: [UInt8] = []
    try read(node, all) { (piece) throws(TrajpackError) in bytes.append(contentsOf: piece) }
    return TreeValue(bytes, type, array.shape)
  }
}

extension TreeValue {
  /// Little-endian elements of a type.
  init(_ bytes: [UInt8], _ type: ElementType, _ shape: [Int]) {
    self.shape = shape
    let count = type.size > 0 ? bytes.count / type.size : 0
    content = bytes.withUnsafeBytes { raw in
      if type.isFloat {
        return .numbers((0..<count).map { StoredNumber(raw, $0, type).double })
      }
      return .integers(
        (0..<count).map { i in
          if case .whole(let n) = StoredNumber(raw, i, type) { return Int64(clamping: n) }
          return 0
        })
    }
  }
}
