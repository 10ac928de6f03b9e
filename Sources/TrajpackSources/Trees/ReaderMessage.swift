import TrajpackFormat

/// Reads what the process that reads a foreign file sends. That process may have been taken over by the file, so
/// every length is checked.
struct ReaderMessage {
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Whether all was taken.
  var isAtEnd: Bool { at >= bytes.count }

  /// The error of bytes that no reader sends.
  private static let wrong = TrajpackError(
    .data, "the process that reads the file sent what it should not; the file is damaged")

  mutating func byte() throws(TrajpackError) -> Character {
    guard at < bytes.count else { throw Self.wrong }
    at += 1
    return Character(UnicodeScalar(bytes[at - 1]))
  }

  mutating func integer() throws(TrajpackError) -> Int {
    guard at + 8 <= bytes.count else { throw Self.wrong }
    at += 8
    return Int(truncatingIfNeeded: bytes.little(at - 8, as: UInt64.self))
  }

  /// A count of things of which each has so many bytes at least.
  mutating func count(of size: Int = 8) throws(TrajpackError) -> Int {
    let count = try integer()
    guard count >= 0, count <= (bytes.count - at) / max(size, 1) else { throw Self.wrong }
    return count
  }

  mutating func raw(_ count: Int) throws(TrajpackError) -> [UInt8] {
    guard count >= 0, count <= bytes.count - at else { throw Self.wrong }
    at += count
    return Array(bytes[at - count..<at])
  }

  /// A text; what is no UTF-8 is replaced.
  mutating func text() throws(TrajpackError) -> String {
    let count = try count(of: 1)
    return String(decoding: try raw(count), as: UTF8.self)
  }

  /// A shape, whose product does not overflow.
  mutating func shape() throws(TrajpackError) -> [Int] {
    let rank = try count()
    guard rank <= 40 else { throw Self.wrong }
    var shape: [Int] = []
    var total = 1
    for _ in 0..<rank {
      let size = try integer()
      let (product, isOver) = total.multipliedReportingOverflow(by: max(size, 1))
      guard size >= 0, !isOver, product < 1 << 48 else {
        throw TrajpackError(.data, "an array claims more elements than any file has")
      }
      total = product
      shape.append(size)
    }
    return shape
  }

  /// An object of the tree.
  mutating func node() throws(TrajpackError) -> TreeNode {
    let kind = try byte()
    let path = try text()
    guard path.hasPrefix("/") else { throw Self.wrong }
    if kind == "x" { return TreeNode(path: path, content: .unread(try text())) }
    var node = TreeNode(path: path, content: .group)
    node.target = try text()
    for _ in 0..<(try count(of: 9)) {
      let name = try text()
      node.attributes.append((name, try attribute()))
    }
    if kind == "g" { return node }
    let field = try text()
    let sort = try byte()
    let size = try integer()
    var axes: [Int] = []
    for _ in 0..<(try count()) { axes.append(try integer()) }
    var categories: [(name: String, value: Int)] = []
    for _ in 0..<(try count(of: 16)) {
      let name = try text()
      categories.append((name, try integer()))
    }
    let isComplex = try byte() == "\u{1}"
    let note = try text()
    var shape = try shape()
    let chunk = try self.shape()
    let filters = try text()
    let wrong = try text()
    for axis in axes { shape.append(axis) }
    guard shape.allSatisfy({ $0 >= 0 }),
      shape.reduce((1, false), { $0.1 ? $0 : $0.0.multipliedReportingOverflow(by: max($1, 1)) }).1
        == false
    else { throw Self.wrong }
    var array = TreeArray(form: Self.form(sort, size, note), shape: shape)
    if !wrong.isEmpty { array.form = .unread(wrong) }
    array.field = field
    if !field.isEmpty { array.dataset = String(path.dropLast(field.count + 1)) }
    array.categories = categories
    array.isComplex = isComplex
    array.elementRank = axes.count
    array.storage = [chunk.isEmpty ? "" : "chunks \(chunk)", filters].filter { !$0.isEmpty }
      .joined(separator: ", ")
    node.content = .array(array)
    return node
  }

  private static func form(_ sort: Character, _ size: Int, _ note: String) -> TreeArray.Form {
    switch (sort, size) {
    case ("i", 1): return .numbers(.int8)
    case ("i", 2): return .numbers(.int16)
    case ("i", 4): return .numbers(.int32)
    case ("i", 8): return .numbers(.int64)
    case ("u", 1): return .numbers(.uint8)
    case ("u", 2): return .numbers(.uint16)
    case ("u", 4): return .numbers(.uint32)
    case ("u", 8): return .numbers(.uint64)
    case ("f", 4): return .numbers(.float32)
    case ("f", 8): return .numbers(.float64)
    case ("b", 1): return .numbers(.bool)
    case ("s", _): return .text
    case ("v", _), ("o", _): return .bytes
    case ("r", _): return .references
    default: return .unread(note.isEmpty ? "a type that is not read" : note)
    }
  }

  private mutating func attribute() throws(TrajpackError) -> TreeValue {
    let sort = try byte()
    if sort == "?" { return TreeValue(content: .unread(try text())) }
    let size = try integer()
    let shape = try shape()
    let total = shape.reduce(1, *)
    if sort == "s" {
      guard total <= bytes.count / 8 else { throw Self.wrong }
      var texts: [String] = []
      for _ in 0..<total { texts.append(try text()) }
      return TreeValue(content: .texts(texts), shape: shape)
    }
    guard case .numbers(let type) = Self.form(sort, size, ""), total <= bytes.count / type.size
    else { throw Self.wrong }
    return TreeValue(try raw(total * type.size), type, shape)
  }
}
