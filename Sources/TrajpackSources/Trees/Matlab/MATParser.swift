import TrajpackFormat
import TrajpackStore

/// Where the elements of an array of a MATLAB file lie.
struct MATPlace: Sendable {
  /// Numbers of one type, one after the other.
  struct Numbers: Sendable {
    var start: Int
    var count: Int
    var type: ElementType
  }

  /// How the codes of characters are stored.
  enum Text: Sendable { case utf8, utf16, utf32, latin, codes }

  /// The bytes of the compressed element that holds them; `nil` where they lie in the file itself.
  var packed: Range<Int>?
  var isBig: Bool
  var numbers: Numbers
  var imaginary: Numbers?
  /// Row and column indices of a sparse matrix.
  var sparse: (rows: Numbers, columns: Numbers)?
  var text: Text?
  var isLogical = false
  /// MATLAB's axes.
  var axes: [Int]
}

/// Reads the headers of the arrays of a MATLAB file of version 5 (also 6 and 7), as the tree that version 7.3 makes of
/// them. Layout after MathWorks, "MAT-File Format", R2019b.
struct MATParser {
  /// The most arrays of a file, and how deep they lie in each other.
  static let most = (arrays: 1 << 20, levels: 32)
  /// The most elements of a sparse matrix as a full one.
  static let mostSparse = 1 << 22
  /// Bytes of a text.
  static let mostText = 16 << 20

  let origin: ByteOrigin
  var places: [String: MATPlace] = [:]
  var targets: [String: [String]] = [:]
  /// The objects in cells and in arrays of structs, each with what lies below it.
  var cells: [[TreeNode]] = []
  var count = 0
  /// The bytes of the compressed element that is read.
  var packed: Range<Int>?

  init(_ origin: ByteOrigin) { self.origin = origin }

  private static let classes = [
    1: "cell", 2: "struct", 3: "object", 4: "char", 5: "double", 6: "double", 7: "single",
    8: "int8",
    9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64",
  ]

  private static let types: [Int: ElementType] = [
    1: .int8, 2: .uint8, 3: .int16, 4: .uint16, 5: .int32, 6: .uint32, 7: .float32, 9: .float64,
    12: .int64, 13: .uint64,
  ]

  private static let elements: [String: ElementType] = [
    "double": .float64, "single": .float32, "int8": .int8, "uint8": .uint8, "int16": .int16,
    "uint16": .uint16, "int32": .int32, "uint32": .uint32, "int64": .int64, "uint64": .uint64,
  ]

  /// A matrix whose tag was read, and all below it.
  ///
  /// - Parameters:
  ///   - path: Where it lies; `nil` for a variable, which has a name.
  ///   - toEnd: Whether the stream is to stand behind it then.
  mutating func matrix(
    _ stream: MATStream, _ tag: MATStream.Tag, at path: String?, level: Int, toEnd: Bool
  ) throws(TrajpackError) -> [TreeNode] {
    let start = stream.position
    count += 1
    guard tag.type == 14, tag.small == nil else {
      throw origin.wrong(
        "the element at byte \(tag.start) is of type \(tag.type), and no array; the file is damaged, fetch it again"
      )
    }
    guard count <= Self.most.arrays, level <= Self.most.levels else {
      throw origin.wrong(
        "holds more than \(Self.most.arrays) arrays, or arrays more than \(Self.most.levels) deep in each other"
      )
    }
    let nodes = try body(stream, tag, path, level)
    guard stream.position - start <= tag.count else {
      throw origin.wrong(
        "the array at byte \(start) is longer than the \(tag.count) bytes that it claims; the file is damaged"
      )
    }
    if toEnd { try stream.skip(tag.count - (stream.position - start)) }
    return nodes
  }

  private mutating func body(
    _ stream: MATStream, _ tag: MATStream.Tag, _ path: String?, _ level: Int
  ) throws(TrajpackError) -> [TreeNode] {
    guard tag.count > 0 else { return [Self.empty(path ?? "/", "double", [0, 0])] }
    let flags = try stream.data(stream.tag(), most: 8, "the flags of an array")
    guard flags.count == 8 else {
      throw origin.wrong("the flags of the array at byte \(tag.start) are damaged")
    }
    let word = Int(MATStream.word(flags, 0, stream.isBig))
    let number = word & 0xFF
    if number == 17 {
      let name = try name(stream, path)
      return [TreeNode(path: name, content: .unread("is an object of MATLAB, which is not read"))]
    }
    let sizes = try stream.data(stream.tag(), most: 128, "the axes of an array")
    guard sizes.count >= 8, sizes.count % 4 == 0 else {
      throw origin.wrong("the axes of the array at byte \(tag.start) are damaged")
    }
    let axes = (0..<sizes.count / 4).map {
      Int(Int32(bitPattern: MATStream.word(sizes, 4 * $0, stream.isBig)))
    }
    guard let elements = Self.product(axes) else {
      throw origin.wrong("the array at byte \(tag.start) claims the axes \(axes); it is damaged")
    }
    let name = try name(stream, path)
    guard let kind = Self.classes[number], number != 3 else {
      let what =
        number == 3
        ? "is an object" : number == 16 ? "is a function handle" : "is of class \(number)"
      return [TreeNode(path: name, content: .unread("\(what) of MATLAB, which is not read"))]
    }
    switch number {
    case 1: return try cell(stream, name, axes, elements, level)
    case 2: return try structure(stream, name, axes, elements, level)
    case 5: return [try sparse(stream, name, axes, elements, word)]
    default: return [try array(stream, name, kind, axes, elements, word)]
    }
  }

  /// The number of elements; `nil` for axes that no array has.
  static func product(_ axes: [Int]) -> Int? {
    var out = 1
    for axis in axes {
      guard axis >= 0 else { return nil }
      let (product, overflow) = out.multipliedReportingOverflow(by: axis)
      guard !overflow, product < 1 << 48 else { return nil }
      out = product
    }
    return out
  }

  private func name(_ stream: MATStream, _ path: String?) throws(TrajpackError) -> String {
    let bytes = try stream.data(stream.tag(), most: 1024, "the name of an array")
    if let path { return path }
    return "/" + (try name(bytes))
  }

  /// A name, which is part of a path.
  func name(_ bytes: some Collection<UInt8>) throws(TrajpackError) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    guard !text.contains("/"), !text.contains("\0"), text != ".", text != ".." else {
      throw origin.wrong(
        "a variable is called '\(text.printable)', which is no name in MATLAB; the file is damaged")
    }
    return text
  }

  static func empty(_ path: String, _ kind: String, _ axes: [Int]) -> TreeNode {
    let type = elements[kind] ?? .float64
    return TreeNode(
      path: path, content: .array(TreeArray(form: .numbers(type), shape: axes.reversed())),
      attributes: [
        ("MATLAB_class", TreeValue(content: .texts([kind]))),
        ("MATLAB_empty", TreeValue(content: .integers([1]))),
      ])
  }

  private mutating func cell(
    _ stream: MATStream, _ path: String, _ axes: [Int], _ elements: Int, _ level: Int
  ) throws(TrajpackError) -> [TreeNode] {
    guard elements > 0 else { return [Self.empty(path, "cell", axes)] }
    var own: [String] = []
    for _ in 0..<elements { own.append(try element(stream, level)) }
    targets[path] = own
    return [Self.references(path, "cell", axes)]
  }

  /// An element of a cell or of a field of several structs: a path of its own.
  private mutating func element(_ stream: MATStream, _ level: Int) throws(TrajpackError) -> String {
    let place = cells.count
    cells.append([])
    let path = "/#refs#/\(place)"
    cells[place] = try matrix(stream, try stream.tag(), at: path, level: level + 1, toEnd: true)
    return path
  }

  private static func references(_ path: String, _ kind: String, _ axes: [Int]) -> TreeNode {
    TreeNode(
      path: path, content: .array(TreeArray(form: .references, shape: axes.reversed())),
      attributes: [("MATLAB_class", TreeValue(content: .texts([kind])))])
  }

  private mutating func structure(
    _ stream: MATStream, _ path: String, _ axes: [Int], _ elements: Int, _ level: Int
  ) throws(TrajpackError) -> [TreeNode] {
    let length = try stream.data(stream.tag(), most: 4, "the length of names of fields")
    guard length.count == 4 else {
      throw origin.wrong("'\(path)' has no length of names; it is damaged")
    }
    let width = Int(MATStream.word(length, 0, stream.isBig))
    let names = try stream.data(stream.tag(), most: 1 << 20, "the names of fields")
    guard width > 0, names.count % width == 0 else {
      throw origin.wrong("the names of the fields of '\(path)' are damaged")
    }
    var fields: [String] = []
    for first in stride(from: 0, to: names.count, by: width) {
      fields.append(try name(names[first..<first + width].prefix { $0 != 0 }))
    }
    guard Set(fields).count == fields.count, !fields.contains("") else {
      throw origin.wrong("two fields of '\(path)' have one name, or one has none")
    }
    var nodes = [
      TreeNode(
        path: path, content: .group,
        attributes: [("MATLAB_class", TreeValue(content: .texts(["struct"])))])
    ]
    if elements == 1 {
      for field in fields {
        nodes += try matrix(
          stream, try stream.tag(), at: "\(path)/\(field)", level: level + 1, toEnd: true)
      }
      return nodes
    }
    var own = [[String]](repeating: [], count: fields.count)
    if !fields.isEmpty {
      for _ in 0..<elements {
        for i in fields.indices { own[i].append(try element(stream, level)) }
      }
    }
    for (field, paths) in zip(fields, own) where !paths.isEmpty {
      targets["\(path)/\(field)"] = paths
      nodes.append(Self.references("\(path)/\(field)", "cell", axes))
    }
    return nodes
  }

  /// The numbers that come next.
  private func numbers(
    _ stream: MATStream, _ path: String, skip: Bool = true
  ) throws(TrajpackError) -> MATPlace.Numbers {
    let tag = try stream.tag()
    guard let type = Self.types[tag.type], tag.count % type.size == 0 else {
      throw origin.wrong(
        "the numbers of '\(path)' are of type \(tag.type) and \(tag.count) bytes; they are damaged")
    }
    if skip { try stream.skipData(tag) }
    return MATPlace.Numbers(start: tag.start, count: tag.count / type.size, type: type)
  }

  private mutating func array(
    _ stream: MATStream, _ path: String, _ kind: String, _ axes: [Int], _ elements: Int,
    _ flags: Int
  ) throws(TrajpackError) -> TreeNode {
    if elements == 0 { return Self.empty(path, kind, axes) }
    if kind == "char" { return try text(stream, path, axes, elements) }
    let real = try numbers(stream, path)
    let isLogical = flags & 0x200 != 0
    let isComplex = flags & 0x800 != 0
    let type = isLogical ? .uint8 : Self.elements[kind] ?? .float64
    var place = MATPlace(packed: packed, isBig: stream.isBig, numbers: real, axes: axes)
    place.isLogical = isLogical
    if isComplex { place.imaginary = try numbers(stream, path) }
    for numbers in [real, place.imaginary ?? real] {
      guard numbers.count == elements, isLogical || type.isFloat || !numbers.type.isFloat else {
        throw origin.wrong(
          "'\(path)' has \(numbers.count) numbers of \(numbers.type.rawValue) for \(axes) elements of \(kind); it is damaged"
        )
      }
    }
    places[path] = place
    return Self.node(path, isLogical ? "logical" : kind, type, axes, isComplex)
  }

  static func node(
    _ path: String, _ kind: String, _ type: ElementType, _ axes: [Int], _ isComplex: Bool
  ) -> TreeNode {
    var array = TreeArray(
      form: .numbers(type), shape: axes.reversed() + (isComplex ? [2] : []))
    array.isComplex = isComplex
    array.elementRank = isComplex ? 1 : 0
    return TreeNode(
      path: path, content: .array(array),
      attributes: [("MATLAB_class", TreeValue(content: .texts([kind])))])
  }

  private mutating func sparse(
    _ stream: MATStream, _ path: String, _ axes: [Int], _ elements: Int, _ flags: Int
  ) throws(TrajpackError) -> TreeNode {
    if elements == 0 { return Self.empty(path, "double", axes) }
    let isComplex = flags & 0x800 != 0
    guard axes.count == 2, elements <= Self.mostSparse else {
      return TreeNode(
        path: path,
        content: .unread(
          "is sparse, and \(elements) elements as a full matrix, of which \(Self.mostSparse) are read"
        ))
    }
    let rows = try numbers(stream, path)
    let columns = try numbers(stream, path)
    var place = MATPlace(
      packed: packed, isBig: stream.isBig, numbers: try numbers(stream, path), axes: axes)
    place.sparse = (rows, columns)
    place.isLogical = flags & 0x200 != 0
    if isComplex { place.imaginary = try numbers(stream, path) }
    guard columns.count == axes[1] + 1, !rows.type.isFloat, !columns.type.isFloat,
      place.imaginary.map({ $0.count == place.numbers.count }) ?? true
    else { throw origin.wrong("the indices of the sparse matrix '\(path)' are damaged") }
    places[path] = place
    return Self.node(
      path, place.isLogical ? "logical" : "double", place.isLogical ? .uint8 : .float64, axes,
      isComplex)
  }

  private mutating func text(
    _ stream: MATStream, _ path: String, _ axes: [Int], _ elements: Int
  ) throws(TrajpackError) -> TreeNode {
    let tag = try stream.tag()
    let kinds: [Int: (MATPlace.Text, ElementType)] = [
      1: (.latin, .uint8), 2: (.latin, .uint8), 4: (.utf16, .uint16), 16: (.utf8, .uint8),
      17: (.utf16, .uint16), 18: (.utf32, .uint32),
    ]
    guard let (text, type) = kinds[tag.type], tag.count % type.size == 0 else {
      throw origin.wrong("the characters of '\(path)' are of type \(tag.type); they are damaged")
    }
    try stream.skipData(tag)
    var place = MATPlace(
      packed: packed, isBig: stream.isBig,
      numbers: .init(start: tag.start, count: tag.count / type.size, type: type), axes: axes)
    place.text = text
    places[path] = place
    return Self.text(path, axes, bytes: tag.count)
  }

  static func text(_ path: String, _ axes: [Int], bytes: Int) -> TreeNode {
    guard axes.count == 2, bytes <= mostText else {
      return TreeNode(
        path: path, content: .unread("is text of \(axes) characters, which is not read"))
    }
    return TreeNode(
      path: path, content: .array(TreeArray(form: .text, shape: axes[0] == 1 ? [] : [axes[0]])),
      attributes: [("MATLAB_class", TreeValue(content: .texts(["char"])))])
  }
}
