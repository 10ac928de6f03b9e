import TrajpackFormat
import TrajpackStore

/// A NetCDF-3 file as the tree that NetCDF-4 would make of it: each variable says the paths of its dimensions.
final class NetCDF3File: TreeFile {
  static let title = "NetCDF-3 (.nc)"
  static let endings = [".nc", ".nc3", ".cdf", ".netcdf"]

  let path: String
  let nodes: [TreeNode]
  private let file: LocalFile
  private let header: NetCDF3Header
  private let places: [String: Int]

  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 4))
    else { return false }
    return NetCDF3Header.recognises(first)
  }

  init(_ path: String) throws(TrajpackError) {
    self.path = path
    file = try LocalFile(path)
    let header = try NetCDF3Header(file)
    self.header = header
    var places: [String: Int] = [:]
    var nodes = [TreeNode(path: "/", content: .group, attributes: header.attributes)]
    for (number, variable) in header.variables.enumerated() {
      places["/" + variable.name] = number
      nodes.append(Self.node(variable, header.dimensions))
    }
    (self.nodes, self.places) = (nodes, places)
  }

  private static func node(
    _ variable: NetCDF3Header.Variable, _ dimensions: [NetCDF3Header.Dimension]
  ) -> TreeNode {
    var shape = variable.shape
    var names = variable.dimensions.map { "/" + dimensions[$0].name }
    let form: TreeArray.Form
    var attributes = variable.attributes
    if let type = variable.type.element {
      let isUnsigned = variable.attributes.contains {
        $0.name == "_Unsigned" && $0.value.text?.lowercased() == "true"
      }
      form = .numbers(isUnsigned ? unsigned(type, &attributes) : type)
    } else {
      form = .text
      // The last dimension is the length of a text, unless it counts records.
      if shape.count > (variable.isRecord ? 1 : 0) {
        shape.removeLast()
        names.removeLast()
      }
    }
    var array = TreeArray(form: form, shape: shape)
    array.storage = variable.isRecord ? "records" : ""
    return TreeNode(
      path: "/" + variable.name, content: .array(array),
      attributes: [
        ("DIMENSION_LIST", TreeValue(content: .texts(names), shape: [names.count]))
      ] + attributes)
  }

  /// The unsigned type of a signed one, which NetCDF-3 has not: the numbers that stand for missing ones are turned, too.
  private static func unsigned(
    _ type: ElementType, _ attributes: inout [(name: String, value: TreeValue)]
  ) -> ElementType {
    let types: [ElementType: ElementType] = [
      .int8: .uint8, .int16: .uint16, .int32: .uint32, .int64: .uint64,
    ]
    guard let unsigned = types[type] else { return type }
    for i in attributes.indices where ["_FillValue", "missing_value"].contains(attributes[i].name) {
      guard case .integers(let all) = attributes[i].value.content, type.size < 8 else { continue }
      attributes[i].value.content = .integers(all.map { $0 & (1 << (8 * Int64(type.size)) - 1) })
    }
    return unsigned
  }

  private func gather(
    _ node: TreeNode, _ part: [Range<Int>], shape: [Int],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let number = places[node.path], shape.reduce(1, *) > 0 else { return }
    let variable = header.variables[number]
    let size = variable.type.size
    let window = FileWindow(file)
    var gather = ArrayGather(shape: shape, part: part, size: size)
    if variable.isRecord { gather.outerStride = header.recordBytes }
    let isNear = !variable.isRecord || header.recordBytes <= 64 << 10
    try gather.read(
      { (at, buffer) throws(TrajpackError) in
        try window.read(at: variable.begin + at, into: buffer, isNear: isNear)
        buffer.reverseElements(of: size)
      }, body)
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try gather(node, part, shape: node.array?.shape ?? [], body)
  }

  func readTexts(
    _ node: TreeNode, _ part: [Range<Int>], _ body: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let number = places[node.path] else { return }
    let shape = header.variables[number].shape
    let hasLength = shape.count > (node.array?.shape.count ?? 0)
    let width = hasLength ? shape[shape.count - 1] : 1
    let texts = part.reduce(1) { $0 * $1.count }
    guard width > 0 else {
      for _ in 0..<texts { try body([]) }
      return
    }
    var rest: [UInt8] = []
    let whole = hasLength ? part + [0..<width] : part
    try gather(node, whole, shape: shape) { (bytes) throws(TrajpackError) in
      rest.append(contentsOf: bytes)
      var at = 0
      while rest.count - at >= width {
        // Texts are padded with zeros, and by some with blanks, which are kept.
        let text = rest[at..<at + width]
        try body(Array(text[..<((text.lastIndex { $0 != 0 } ?? at - 1) + 1)]))
        at += width
      }
      rest.removeFirst(at)
    }
  }
}
